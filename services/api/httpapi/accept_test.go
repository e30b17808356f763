package httpapi_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// TestGoodBodies is the other half of the table: what is valid is stored and comes back unchanged.
func TestGoodBodies(t *testing.T) {
	s := newSystem(t)
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	for _, c := range []struct {
		name, body string
		payload    string            // as it comes back
		fields     map[string]string // others, as they come back
	}{
		{"21 payload missing", `{"type":"email"}`, `{}`, map[string]string{
			"queue": `"default"`, "priority": "0", "max_attempts": "5", "timeout_seconds": "300", "status": `"pending"`,
			"state": `"waiting"`, "attempts": "0",
			"error_message": "null", "failure_kind": "null", "result": "null", "progress": "null", "worker_id": "null",
			"cancel_requested_at": "null",
			"started_at":          "null", "finished_at": "null",
		}},
		{"the type's own defaults", `{"type":"report"}`, `{}`,
			map[string]string{"queue": `"reports"`, "max_attempts": "3", "timeout_seconds": "60"}},
		{"everything", `{"type":"email","payload":{"to":"a@example.com"},"queue":"critical","priority":-10,"max_attempts":100,"timeout_seconds":86400,"run_at":"` +
			soon.Format(time.RFC3339) + `"}`, `{"to":"a@example.com"}`, map[string]string{
			"queue": `"critical"`, "priority": "-10", "max_attempts": "100", "timeout_seconds": "86400",
			"state": `"scheduled"`, "run_at": `"` + soon.Format(time.RFC3339) + `"`,
		}},
		{"13 surrogate pair, right to left, zero width", payload(`{"a":"\ud83d\ude00 שלום \u200b\ufeff\u202e"}`),
			"{\"a\":\"😀 שלום \u200b\ufeff\u202e\"}", nil},
		{"13 escapes", payload(`{"a":"\u0041\/\n\u001f\u2028\uffff"}`), "{\"a\":\"A/\\n\\u001f\u2028\uffff\"}", nil},
		{"23 payload of depth 32", payload(nested(32)), nested(32), nil},
		{"25 payload of 256 KiB", sized(jobs.MaxPayloadBytes),
			`{"x":"` + strings.Repeat("y", jobs.MaxPayloadBytes-8) + `"}`, nil},
		{"25 spaces do not count", payload(strings.Repeat(" ", 300_000) + `{}`), `{}`, nil},
		{"27 20 digits", payload(`{"a":12345678901234567890,"b":-9007199254740993,"c":1.00,"d":0.1000000000000000055511151231257827}`),
			`{"a":12345678901234567890,"b":-9007199254740993,"c":1.00,"d":0.1000000000000000055511151231257827}`, nil},
		{"27 exponents are written out", payload(`{"a":1e2,"b":-0,"c":1.50e1,"d":1e-3}`),
			`{"a":100,"b":0,"c":15.0,"d":0.001}`, nil},
		{"32 key of 256 bytes", payload(`{"` + strings.Repeat("k", 256) + `":1}`),
			`{"` + strings.Repeat("k", 256) + `":1}`, nil},
		{"34 markup", payload(`{"a":"<script>alert(1)</script>","b":"<img src=x onerror=alert(1)>","c":"javascript:alert(1)","d":"&amp;"}`),
			`{"a":"<script>alert(1)</script>","b":"<img src=x onerror=alert(1)>","c":"javascript:alert(1)","d":"&amp;"}`,
			nil},
		{"35 max_attempts 1", email(`"max_attempts":1`), `{}`, map[string]string{"max_attempts": "1"}},
		{"39 priority 10", email(`"priority":10`), `{}`, map[string]string{"priority": "10"}},
		{"39 priority -0", email(`"priority":-0`), `{}`, map[string]string{"priority": "0"}},
		{"40 run_at in the past", email(`"run_at":"2001-01-01T00:00:00Z"`), `{}`,
			map[string]string{"state": `"waiting"`}},
		{"40 run_at in another zone",
			email(`"run_at":"` + soon.In(time.FixedZone("", 5*3600+1800)).Format(time.RFC3339) + `"`), `{}`,
			map[string]string{"run_at": `"` + soon.Format(time.RFC3339) + `"`, "state": `"scheduled"`}},
		{"40 run_at with a fraction", email(`"run_at":"` + soon.Format("2006-01-02T15:04:05") + `.1234567Z"`), `{}`,
			map[string]string{"run_at": `"` + soon.Format("2006-01-02T15:04:05") + `.123456Z"`}},
		{"41 delay", email(`"delay_seconds":31622399`), `{}`, map[string]string{"state": `"scheduled"`}},
		{"41 delay 0", email(`"delay_seconds":0`), `{}`, map[string]string{"state": `"waiting"`}},
		{"42 queue of 63 characters", email(`"queue":"` + strings.Repeat("q", 63) + `"`), `{}`, nil},
		{"keys are sorted, unknown ones kept", `{"type":"report","payload":{"zz":[],"a":{},"rows":1,"\u00e9":null}}`,
			`{"a":{},"zz":[],"é":null,"rows":1}`, nil},
		{"escaped names of fields", `{"\u0074ype":"ema\u0069l","payl\u006fad":{"a":1}}`, `{"a":1}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			created := s.post(c.body)
			if created.status != 201 {
				t.Fatalf("%d %.300s", created.status, created.body)
			}
			id := created.field("id").(string)
			if got := created.header.Get("Location"); got != "/jobs/"+id {
				t.Errorf("Location %q", got)
			}
			got := s.do("GET", "/jobs/"+id, "")
			for _, r := range []reply{created, got} {
				if !strings.Contains(r.body, `"payload":`+c.payload) {
					t.Errorf("payload of %.600s, want %.300s", r.body, c.payload)
				}
				for name, value := range c.fields {
					if !strings.Contains(r.body, `"`+name+`":`+value) {
						t.Errorf("%s of %s, want %s", name, r.body, value)
					}
				}
			}
		})
	}
}

func TestIdempotency(t *testing.T) {
	s := newSystem(t)
	const key = "Idempotency-Key"
	body := `{"type":"email","payload":{"a":1,"b":{"x":2,"y":3.0}},"delay_seconds":60}`
	first := s.post(body, key, `"abc"`)
	if first.status != 201 || first.header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("%d %s", first.status, first.body)
	}
	for name, c := range map[string]struct {
		body, key string
		status    int
	}{
		"52 the same, bare":   {body, `abc`, 200},
		"52 the same, quoted": {body, `"abc"`, 200},
		"53 other order and spaces": {` { "delay_seconds":60, "payload" : {"b":{"y":3.0,"x":2},"a":1},"type":"email"} `,
			`abc`, 200},
		"53 other spelling of a number":      {strings.Replace(body, `"a":1`, `"a":0.1e1`, 1), `abc`, 200},
		"54 other payload":                   {strings.Replace(body, `"a":1`, `"a":2`, 1), `abc`, 422},
		"54 other digits of a number":        {strings.Replace(body, `3.0`, `3.00`, 1), `abc`, 422},
		"54 other priority":                  {strings.Replace(body, `{`, `{"priority":1,`, 1), `abc`, 422},
		"48 key of 255 characters":           {body, strings.Repeat("k", 255), 201},
		"48 quoted key of 255 characters":    {body, `"` + strings.Repeat("q", 255) + `"`, 201},
		"48 key of 256 characters":           {body, strings.Repeat("k", 256), 400},
		"48 key of 100,000 characters":       {body, strings.Repeat("k", 100_000), 400},
		"47 empty":                           {body, "", 400},
		"47 empty string":                    {body, `""`, 400},
		"47 space inside":                    {body, "a b", 400},
		"47 space inside quotes":             {body, `"a b"`, 400},
		"49 NUL":                             {body, "a\x00", 400},
		"49 control":                         {body, "a\x01", 400},
		"49 DEL":                             {body, "a\x7f", 400},
		"50 TAB":                             {body, "a\tb", 400},
		"50 Cyrillic":                        {body, "ключ", 400},
		"50 no UTF-8":                        {body, "\xff\xfe", 400},
		"50 quote that does not end":         {body, `"abc`, 400},
		"50 something after the quote":       {body, `"abc";a=1`, 400},
		"50 quote and nothing":               {body, `"`, 400},
		"50 escape of another character":     {body, `"a\bc"`, 400},
		"escaped quote is a character":       {body, `"a\"c"`, 201},
		"key of an invalid body is not used": {`{"type":"email","priority":99}`, `unused`, 422},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			before := s.rows()
			r := s.post(c.body, key, c.key)
			if c.status >= 400 {
				s.refused(r, c.status)
			}
			if r.status != c.status || (r.header.Get("Idempotency-Replayed") == "true") != (c.status == 200) {
				t.Fatalf("%d %v: %s", r.status, r.header, r.body)
			}
			if c.status == 200 && r.field("id") != first.field("id") {
				t.Errorf("another job: %s", r.body)
			}
			if stored := s.rows() > before; stored != (c.status == 201) {
				t.Errorf("stored %v", stored)
			}
		})
	}
	s.t = t
	s.refused(s.post(body, key, "a", key, "b"), 400)
	s.refused(s.post(body, key, "a", key, "a"), 400)
	if r := s.post(body, key, `unused`); r.status != 201 {
		t.Errorf("a key that came with an invalid body was kept: %d", r.status)
	}
	if r := s.do("POST", "/jobs/bulk", `{"jobs":[`+body+`]}`, key, "abc"); r.status != 422 {
		t.Errorf("54 the same key at another path: %d", r.status)
	}
	if r := s.do("POST", "/jobs/bulk", `{"jobs":[`+body+`,`+body+`]}`, key, "bulk"); r.status != 201 {
		t.Errorf("bulk: %d %s", r.status, r.body)
	}
	if r := s.do("POST", "/jobs/bulk", `{"jobs":[`+body+`,`+body+`]}`, key, "bulk"); r.status != 200 ||
		r.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("bulk again: %d %s", r.status, r.body)
	}
}

func TestIdempotencyAfterDelete(t *testing.T) {
	s := newSystem(t)
	id := s.post(`{"type":"email"}`, "Idempotency-Key", "k").field("id").(string)
	s.settled(id, store.VerbComplete, "")
	if r := s.do("DELETE", "/jobs/"+id, ""); r.status != 204 || r.body != "" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	s.refused(s.post(`{"type":"email"}`, "Idempotency-Key", "k"), 409)
}

// TestSameKeyAtOnce is number 55.
func TestSameKeyAtOnce(t *testing.T) {
	s := newSystem(t)
	answers := make([]reply, 50)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = s.post(`{"type":"email","payload":{"n":1}}`, "Idempotency-Key", "same") })
	}
	wg.Wait()
	count := map[int]int{}
	ids := map[any]bool{}
	for _, r := range answers {
		count[r.status]++
		ids[r.field("id")] = true
	}
	if count[201] != 1 || count[200] != 49 || len(ids) != 1 || s.rows() != 1 {
		t.Errorf("%v, %d ids, %d rows", count, len(ids), s.rows())
	}
}

// TestKeyAfterExpiry is number 56.
func TestKeyAfterExpiry(t *testing.T) {
	s := newSystem(t)
	first := s.post(`{"type":"email"}`, "Idempotency-Key", "k")
	s.ahead.Store(int64(jobs.KeyTTL + time.Minute))
	count := map[int]int{}
	ids := map[any]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			r := s.post(`{"type":"email"}`, "Idempotency-Key", "k")
			mu.Lock()
			defer mu.Unlock()
			count[r.status]++
			ids[r.field("id")] = true
		})
	}
	wg.Wait()
	if count[201] != 1 || count[200] != 11 || len(ids) != 1 || ids[first.field("id")] || s.rows() != 2 {
		t.Errorf("%v, %v, %d rows", count, ids, s.rows())
	}
}

// TestBulk is number 80.
func TestBulk(t *testing.T) {
	s := newSystem(t)
	items := func(n int) []string { return slices.Repeat([]string{`{"type":"email","payload":{"a":1}}`}, n) }
	body := func(items []string) string { return `{"jobs":[` + strings.Join(items, ",") + `]}` }
	with := func(i int, item string) string {
		list := items(100)
		list[i] = item
		return body(list)
	}
	for _, c := range []struct {
		name, body string
		status     int
		pointer    string
	}{
		{"no items", body(nil), 422, "/jobs"},
		{"1,001 items", body(items(1001)), 422, "/jobs"},
		// too many values, before they are counted as jobs
		{"20,000 items", body(items(20_000)), 422, "/jobs/3332/payload"},
		{"no jobs", `{}`, 422, "/jobs"},
		{"jobs null", `{"jobs":null}`, 422, "/jobs"},
		{"jobs an object", `{"jobs":{}}`, 422, "/jobs"},
		{"an array", `[]`, 422, ""},
		{"null", `null`, 422, ""},
		{"unknown field", `{"jobs":[{"type":"email"}],"foo":1}`, 422, "/foo"},
		{"one of an unknown type", with(57, `{"type":"nobody"}`), 422, "/jobs/57/type"},
		{"one with a bad priority", with(99, `{"type":"email","priority":11}`), 422, "/jobs/99/priority"},
		{"one with a bad payload", with(3, `{"type":"report","payload":{"rows":"x"}}`), 422, "/jobs/3/payload/rows"},
		{"one no object", with(5, `[]`), 422, "/jobs/5"},
		{"one null", with(5, `null`), 422, "/jobs/5"},
		{"one too large", with(7, sized(jobs.MaxPayloadBytes+1)), 413, "/jobs/7/payload"},
		{"one too deep", with(7, payload(nested(33))), 422, "/jobs/7/payload" + strings.Repeat("/a", 32)},
		{"one with NUL", with(7, payload(`{"a":"\u0000"}`)), 422, "/jobs/7/payload/a"},
		{"one with a duplicate key", with(7, `{"type":"email","type":"email"}`), 400, "/jobs/7/type"},
		{"body of more than 16 MiB", body(items(1)) + strings.Repeat(" ", 16<<20), 413, ""},
		{"empty body", "", 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			r := s.do("POST", "/jobs/bulk", c.body)
			s.refused(r, c.status)
			if got := r.pointers(); c.pointer != "" && (len(got) == 0 || got[0] != c.pointer) {
				t.Errorf("pointers %.200q, want %q", got, c.pointer)
			}
			if n := s.rows(); n != 0 {
				t.Fatalf("%d rows were stored", n)
			}
		})
	}
	s.t = t
	list := items(1000)
	for i := range list {
		list[i] = fmt.Sprintf(`{"type":"email","payload":{"i":%d}}`, i)
	}
	list[500] = sized(jobs.MaxPayloadBytes)
	r := s.do("POST", "/jobs/bulk", body(list))
	if stored, ok := r.field("jobs").([]any); r.status != 201 || !ok || len(stored) != 1000 || s.rows() != 1000 {
		t.Fatalf("%d %.300s, %d rows", r.status, r.body, s.rows())
	}
	if !strings.Contains(r.body, `"payload":{"i":999}`) {
		t.Error("the last job is missing")
	}
}
