package httpapi_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/windlass-jobs/windlass/jobs/store"
)

const unknownID = "0192f000-1111-7222-8333-444444444444"

// TestPaths is numbers 58 to 61 and cases near to them.
func TestPaths(t *testing.T) {
	s := newSystem(t)
	id := s.submitted(`{"type":"email"}`)
	dashless := strings.ReplaceAll(id, "-", "")
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/jobs/not-a-uuid", 400},
		{"GET", "/jobs/" + dashless, 400},
		{"GET", "/jobs/%7B" + id + "%7D", 400},
		{"GET", "/jobs/urn:uuid:" + id, 400},
		{"GET", "/jobs/" + id + "%00", 400},
		{"GET", "/jobs/" + id + "0", 400},
		{"GET", "/jobs/" + strings.Replace(id, "-", "_", 1), 400},
		{"GET", "/jobs/%3Cscript%3E", 400},
		{"GET", "/jobs/%FF", 400},
		{"GET", "/jobs/" + strings.Repeat("a", 5000), 400},
		{"POST", "/jobs/not-a-uuid/retry", 400},
		{"POST", "/jobs/not-a-uuid/cancel", 400},
		{"DELETE", "/jobs/not-a-uuid", 400},
		{"GET", "/jobs/" + unknownID, 404},
		{"POST", "/jobs/" + unknownID + "/retry", 404},
		{"POST", "/jobs/" + unknownID + "/cancel", 404},
		{"DELETE", "/jobs/" + unknownID, 404},
		{"GET", "/jobs/", 404},
		{"GET", "/jobs/" + id + "/", 404},
		{"GET", "/jobs/" + id + "/payload", 404},
		{"GET", "/", 404},
		{"GET", "/etc/passwd", 404},
		{"GET", "/jobs/%2e%2e%2fetc%2fpasswd", 400},
		{"GET", "/Jobs", 404},
		{"GET", "/docs/", 404},
		{"GET", "/docs/..%2fdocs.go", 404},
		{"POST", "/jobs/" + id + "/retry?force=1", 400},
		{"GET", "/jobs/" + id + "?x=1", 400},
		{"DELETE", "/jobs/" + id + "?x=1", 400},
		{"POST", "/jobs?dry_run=true", 400},
		{"GET", "/metrics?format=json", 400},
	} {
		r := s.do(c.method, c.path, "")
		t.Run(c.method+" "+c.path[:min(len(c.path), 80)], func(t *testing.T) { s.t = t; s.refused(r, c.status) })
	}
	s.t = t
	if r := s.do("GET", "/jobs/"+strings.ToUpper(id), ""); r.status != 200 || r.field("id") != id {
		t.Errorf("an id in upper case: %d", r.status)
	}
	r := s.do("GET", "/jobs/../../etc/passwd", "")
	if r.status != 307 || r.header.Get("Location") != "/etc/passwd" || r.body != "" {
		t.Errorf("60: %d %v %q", r.status, r.header, r.body)
	}
	if r := s.do("HEAD", "/jobs/"+id, ""); r.status != 200 {
		t.Errorf("HEAD: %d", r.status)
	}
}

// TestMethods is number 70.
func TestMethods(t *testing.T) {
	s := newSystem(t)
	for _, c := range []struct{ method, path, allow string }{
		{"PUT", "/jobs", "GET, HEAD, POST, OPTIONS"},
		{"TRACE", "/jobs", "GET, HEAD, POST, OPTIONS"},
		{"PATCH", "/jobs/" + unknownID, "DELETE, GET, HEAD, OPTIONS"},
		{"GET", "/jobs/" + unknownID + "/retry", "POST, OPTIONS"},
		{"GET", "/jobs/bulk/retry", "POST, OPTIONS"},
		{"DELETE", "/jobs", "GET, HEAD, POST, OPTIONS"},
		{"POST", "/metrics", "GET, HEAD, OPTIONS"},
		{"get", "/jobs", "GET, HEAD, POST, OPTIONS"},
		{"FOO", "/livez", "GET, HEAD, OPTIONS"},
	} {
		r := s.do(c.method, c.path, "")
		s.refused(r, 405)
		if got := r.header.Get("Allow"); got != c.allow {
			t.Errorf("%s %s: Allow %q", c.method, c.path, got)
		}
	}
	r := s.do("OPTIONS", "/jobs", "")
	if r.status != 204 || r.header.Get("Allow") != "GET, HEAD, POST, OPTIONS" || r.body != "" ||
		r.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("OPTIONS: %d %v", r.status, r.header)
	}
	s.refused(s.do("OPTIONS", "/nothing", ""), 404)
}

func TestLists(t *testing.T) {
	s := newSystem(t)
	var ids []string
	for i := range 7 {
		ids = append(ids, s.submitted(fmt.Sprintf(`{"type":"email","queue":"q%d","payload":{"secret":"s"}}`, i%2)))
	}
	var seen []string
	target := "/jobs?limit=3"
	pages := 0
	for target != "" {
		r := s.do("GET", target, "")
		if r.status != 200 || strings.Contains(r.body, "secret") || strings.Contains(r.body, `"history"`) {
			t.Fatalf("%d %s", r.status, r.body)
		}
		for _, j := range r.field("jobs").([]any) {
			seen = append(seen, j.(map[string]any)["id"].(string))
		}
		if pages++; pages > 10 {
			t.Fatal("the list does not end")
		}
		target = ""
		if c, ok := r.field("next_cursor").(string); ok {
			target = "/jobs?limit=3&cursor=" + url.QueryEscape(c)
		}
	}
	for i, id := range ids {
		if len(seen) != len(ids) || seen[len(seen)-1-i] != id {
			t.Fatalf("got %v, want the reverse of %v", seen, ids)
		}
	}
	for target, n := range map[string]int{
		"/jobs?queue=q0": 4, "/jobs?queue=q1&limit=2": 2, "/jobs?status=pending": 7, "/jobs?status=failed": 0,
		"/jobs?state=waiting&type=email": 7, "/jobs?due=true": 7, "/jobs?due=true&queue=q0": 4,
		"/jobs?due=true&state=running": 0, "/jobs?due=true&status=failed": 0, "/jobs?due=false": 7, "/jobs?type=other": 0,
		"/dlq": 0,
	} {
		if r := s.do("GET", target, ""); r.status != 200 || len(r.field("jobs").([]any)) != n {
			t.Errorf("%s: %d %s", target, r.status, r.body)
		}
	}

	for i, id := range ids { // ids are sorted, oldest first
		r := s.do("GET", "/jobs?from="+strings.ToUpper(id)+"&limit=1", "")
		if list := r.field("jobs").([]any); len(list) != 1 || list[0].(map[string]any)["id"] != id {
			t.Errorf("from job %d: %d %s", i, r.status, r.body)
		}
	}
	for from, n := range map[string]int{
		"00000000-0000-0000-0000-000000000000": 0, "ffffffff-ffff-ffff-ffff-ffffffffffff": 7,
		"ffffffff-ffff-ffff-ffff-fffffffffffe": 7,
	} {
		if r := s.do("GET", "/jobs?from="+from, ""); r.status != 200 || len(r.field("jobs").([]any)) != n {
			t.Errorf("from %s: %d %s", from, r.status, r.body)
		}
	}

	cursor := s.do("GET", "/jobs?limit=3", "").field("next_cursor").(string)
	bad := []string{
		"limit=0", "limit=-1", "limit=abc", "limit=1e9", "limit=1000000000", "limit=201", "limit=", "limit=5&limit=6",
		"limit=5&limit=5", "limit=1.5", "limit=0x10",
		"limit=99999999999999999999", "cursor=garbage", "cursor=", "cursor=" + strings.Repeat("A", 10_000), "cursor=" +
			cursor + "A", "cursor=" + cursor[:20],
		"cursor=" + cursor + "%3D", "cursor=" + cursor + "%0A", "cursor=" + strings.Repeat("A", len(cursor)),
		"cursor=" + cursor + "&queue=q0", "cursor=" + cursor + "&status=pending", "cursor=" + cursor + "&cursor=" +
			cursor,
		"status=foo", "status=completed'%20OR%201=1", "status=", "status=PENDING", "status=pending,failed",
		"status=pending&status=failed", "state=foo", "state=pending",
		"due=", "due=soon", "from=", "from=7", "from=" + ids[0] + "x", "cursor=" + cursor + "&due=true",
		"type=%FF", "type=A", "type=", "type=..%2Fx", "queue=a:b", "queue=Q", "foo=1", "offset=5", "Limit=5",
		"limit[]=5", "%3Cscript%3E=1", "a=%zz", "limit=5;status=pending", "=1",
		"cursor=" + cursor + "&metadata=a:b",
	}
	for i := range cursor { // every bit of it
		for bit := range 6 {
			flipped := []byte(cursor)
			const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
			flipped[i] = alphabet[strings.IndexByte(alphabet, flipped[i])^1<<bit]
			bad = append(bad, "cursor="+string(flipped))
		}
	}
	for _, query := range bad {
		s.refused(s.do("GET", "/jobs?"+query, ""), 400)
	}
	s.refused(s.do("GET", "/dlq?cursor="+cursor, ""), 400)
	s.refused(s.do("GET", "/dlq?status=failed", ""), 400)
	if r := s.do("GET", "/jobs?limit=5&cursor="+cursor, ""); r.status != 200 {
		t.Errorf("a cursor with another limit: %d", r.status)
	}
}

func TestListsByMetadata(t *testing.T) {
	s := newSystem(t)
	for _, metadata := range []string{
		`{"customer":"Ada","order":"7"}`, `{"customer":"Ada","order":"8"}`, `{"a:b\\c":"d:e\\f,g"}`, `{"empty":""}`, `{}`,
	} {
		s.submitted(`{"type":"email","metadata":` + metadata + `}`)
	}
	for query, n := range map[string]int{
		"metadata=customer:Ada": 2, "metadata=customer:Ada&metadata=order:8": 1, "metadata=customer:Ada&metadata=order:9": 0,
		"metadata=" + url.QueryEscape(`a\:b\\c:d:e\f,g`): 1, "metadata=empty:": 1, "metadata=customer:": 0,
		"metadata=customer:Ada&status=pending&type=email": 2, "metadata=customer:Ada&status=failed": 0,
	} {
		if r := s.do("GET", "/jobs?"+query, ""); r.status != 200 || len(r.field("jobs").([]any)) != n {
			t.Errorf("%s: %d %s, want %d jobs", query, r.status, r.body, n)
		}
	}
	if r := s.do("GET", "/dlq?metadata=customer:Ada", ""); r.status != 200 || len(r.field("jobs").([]any)) != 0 {
		t.Errorf("dead ones: %d %s", r.status, r.body)
	}

	// A cursor belongs to its pairs, in any order.
	both := "metadata=customer:Ada&metadata=order:"
	s.submitted(`{"type":"email","metadata":{"customer":"Ada","order":"7"}}`)
	cursor, _ := s.do("GET", "/jobs?limit=1&"+both+"7", "").field("next_cursor").(string)
	if cursor == "" {
		t.Fatal("there is no second page")
	}
	r := s.do("GET", "/jobs?limit=1&metadata=order:7&metadata=customer:Ada&cursor="+cursor, "")
	if r.status != 200 || len(r.field("jobs").([]any)) != 1 {
		t.Errorf("the second page: %d %s", r.status, r.body)
	}
	s.refused(s.do("GET", "/jobs?limit=1&cursor="+cursor, ""), 400)
	s.refused(s.do("GET", "/jobs?limit=1&"+both+"8&cursor="+cursor, ""), 400)

	many := "metadata=n:0"
	for i := range 16 {
		many += fmt.Sprintf("&metadata=n%d:0", i)
	}
	for _, query := range []string{
		"metadata=", "metadata=customer", "metadata=:Ada", "metadata=a:b&metadata=", "metadata=a:b&metadata=a:c",
		`metadata=a%5Cb:c`, `metadata=a%5C`, "metadata=a:%00", "metadata=a:%FF",
		"metadata=a:" + strings.Repeat("x", 1024), many,
	} {
		for _, list := range []string{"/jobs?", "/dlq?"} {
			r := s.do("GET", list+query, "")
			s.refused(r, 400)
			if !strings.Contains(r.body, `"parameter":"metadata"`) {
				t.Errorf("%.100s: %s", query, r.body)
			}
		}
	}
}

// TestVerbs is numbers 66 to 69.
func TestVerbs(t *testing.T) {
	s := newSystem(t)
	job := func(verb store.Verb) string {
		id := s.submitted(`{"type":"email"}`)
		switch verb {
		case "":
		case "claim":
			s.claimed(id)
		default:
			s.settled(id, verb, "it broke")
		}
		return id
	}
	act := func(id, verb string) reply { return s.do("POST", "/jobs/"+id+"/"+verb, "") }

	pending, processing, completed, dead := job(""), job("claim"), job(store.VerbComplete), job(store.VerbFail)
	for _, id := range []string{pending, processing, completed} {
		s.refused(act(id, "retry"), 409) // 66
	}
	s.refused(act(completed, "cancel"), 409) // 68
	s.refused(act(dead, "cancel"), 409)
	s.refused(s.do("DELETE", "/jobs/"+processing, ""), 409) // 69
	s.refused(s.do("DELETE", "/jobs/"+pending, ""), 409)
	if r := act(completed, "retry"); !strings.Contains(r.body,
		"The job is completed; only a failed job can be sent back.") {
		t.Errorf("%s", r.body)
	}

	if r := act(dead, "retry"); r.status != 200 || r.field("status") != "pending" ||
		fmt.Sprint(r.field("attempts")) != "0" {
		t.Errorf("retry: %d %s", r.status, r.body)
	}
	if r := s.do("GET", "/jobs/"+dead, ""); !strings.Contains(r.body, `"history":[{"attempt":1,"fence":1,`) ||
		!strings.Contains(r.body, `"error":"it broke"`) {
		t.Errorf("history: %s", r.body)
	}
	if r := act(pending, "cancel"); r.status != 200 || r.field("state") != "cancelled" ||
		r.field("failure_kind") != "cancelled" {
		t.Errorf("cancel: %d %s", r.status, r.body)
	}
	if r := act(pending, "cancel"); r.status != 200 {
		t.Errorf("68 cancel again: %d", r.status)
	}
	if r := act(processing, "cancel"); r.status != 202 || r.field("state") != "cancelling" {
		t.Errorf("cancel processing: %d %s", r.status, r.body)
	}
	if r := s.do("GET", "/jobs/"+completed, ""); !strings.Contains(r.body, `"result":{"n":12345678901234567890}`) ||
		r.field("error_message") != nil {
		t.Errorf("result: %s", r.body)
	}
	if r := s.do("POST", "/jobs/"+job(store.VerbFail)+"/retry", `{}`); r.status != 200 {
		t.Errorf("retry with an empty object: %d", r.status)
	}
	for body, status := range map[string]int{`{"force":true}`: 422, `[]`: 422, `null`: 422, `{`: 400,
		`{"a":1,"a":1}`: 400} {
		s.refused(s.do("POST", "/jobs/"+pending+"/cancel", body), status)
	}
	s.refused(s.do("POST", "/jobs/"+pending+"/retry", `{}`, "Content-Type", "text/plain"), 415)

	id := job(store.VerbFail)
	answers := make([]int, 2) // 67
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = act(id, "retry").status })
	}
	wg.Wait()
	if answers[0]+answers[1] != 200+409 {
		t.Errorf("67 retry twice at once: %v", answers)
	}
	if r := s.do("DELETE", "/jobs/"+completed, ""); r.status != 204 {
		t.Errorf("delete: %d", r.status)
	}
	s.refused(s.do("GET", "/jobs/"+completed, ""), 404)
	s.refused(s.do("DELETE", "/jobs/"+completed, ""), 404)
}

func TestRedrive(t *testing.T) {
	s := newSystem(t)
	dead := func(message string) string {
		id := s.submitted(`{"type":"email"}`)
		s.settled(id, store.VerbFail, message)
		return id
	}
	a, b := dead("connection refused"), dead("Connection reset")
	dead("out of paper")
	cancelled := s.submitted(`{"type":"email"}`)
	s.do("POST", "/jobs/"+cancelled+"/cancel", "")

	long := strings.Repeat("x", 201)
	for body, status := range map[string]int{
		``: 400, `{`: 400, `null`: 422, `[]`: 422, `{}`: 422, `{"ids":null}`: 422, `{"ids":[]}`: 422, `{"ids":"` + a +
			`"}`: 422, `{"ids":["x"]}`: 422, `{"ids":[5]}`: 422,
		`{"ids":["` + a + `"],"filter":{}}`: 422, `{"ids":["` + a + `"],"limit":5}`: 422, `{"filter":null}`: 422,
		`{"filter":[]}`: 422, `{"filter":{"foo":1}}`: 422,
		`{"filter":{"type":"A"}}`: 422, `{"filter":{"queue":"a:b"}}`: 422, `{"filter":{"error":""}}`: 422,
		`{"filter":{"error":"` + long + `"}}`: 422,
		`{"filter":{"error":"\u0000"}}`:       422, `{"filter":{"type":null}}`: 422, `{"filter":{},"limit":0}`: 422,
		`{"filter":{},"limit":1001}`: 422, `{"filter":{},"limit":1e2}`: 422,
		`{"filter":{},"spread_seconds":-1}`: 422, `{"filter":{},"spread_seconds":86401}`: 422,
		`{"filter":{},"foo":1}`:                                 422,
		`{"ids":["` + strings.Repeat(a+`","`, 1000) + a + `"]}`: 422,
	} {
		s.refused(s.do("POST", "/dlq/retry", body), status)
	}
	if r := s.do("GET", "/dlq", ""); r.status != 200 || len(r.field("jobs").([]any)) != 3 ||
		strings.Contains(r.body, cancelled) {
		t.Fatalf("dlq: %d %s", r.status, r.body)
	}
	for _, c := range []struct {
		body string
		n    string
	}{
		{`{"ids":["` + strings.ToUpper(a) + `","` + a + `","` + unknownID + `","` + cancelled + `"]}`, "1"},
		{`{"ids":["` + a + `"]}`, "0"},
		{`{"filter":{"error":"CONNECTION","type":"email","queue":"default"},"limit":10,"spread_seconds":60}`, "1"},
		{`{"filter":{"error":"%"}}`, "0"},
		{`{"filter":{}}`, "1"},
		{`{"filter":{}}`, "0"},
	} {
		if r := s.do("POST", "/dlq/retry", c.body); r.status != 200 || fmt.Sprint(r.field("retried")) != c.n {
			t.Errorf("%s: %d %s, want %s", c.body, r.status, r.body, c.n)
		}
	}
	if r := s.do("GET", "/jobs/"+b, ""); r.field("state") != "scheduled" && r.field("state") != "waiting" {
		t.Errorf("spread: %s", r.body)
	}
}
