package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// queues reads GET /queues page by page and returns the names, and how many the API says there are.
func (s *system) queues(query string) (names []string, total int) {
	s.t.Helper()
	for cursor := ""; ; {
		target := "/queues?" + query
		if cursor != "" {
			target += "&cursor=" + url.QueryEscape(cursor)
		}
		r := s.do("GET", target, "")
		var page struct {
			Queues []struct{ Name string }
			Total  int
			Next   *string `json:"next_cursor"`
		}
		if err := json.Unmarshal([]byte(r.body), &page); err != nil || r.status != 200 {
			s.t.Fatalf("%d %s", r.status, r.body)
		}
		for _, q := range page.Queues {
			names = append(names, q.Name)
		}
		total = page.Total
		if page.Next == nil {
			return names, total
		}
		cursor = *page.Next
	}
}

func TestQueuesArePaged(t *testing.T) {
	s := newSystem(t)
	var jobs []string
	for i := range 120 {
		jobs = append(jobs, fmt.Sprintf(`{"type":"email","queue":"%05d","delay_seconds":3600}`, i))
	}
	s.do("POST", "/jobs/bulk", `{"jobs":[`+strings.Join(jobs, ",")+`]}`)
	s.submitted(`{"type":"email"}`)
	for _, query := range []string{"", "limit=7", "limit=1000"} {
		names, total := s.queues(query)
		if len(names) != 121 || total != 121 || names[0] != "default" || names[1] != "00000" || names[120] != "00119" {
			t.Errorf("%q: %d names of %d: %v", query, len(names), total, names)
		}
	}
	if names, total := s.queues("prefix=0010&limit=3"); strings.Join(names, " ") !=
		"00100 00101 00102 00103 00104 00105 00106 00107 00108 00109" || total != 10 {
		t.Errorf("by prefix: %d, %v", total, names)
	}
	var page struct {
		Next string `json:"next_cursor"`
	}
	if err := json.Unmarshal([]byte(s.do("GET", "/queues?limit=1", "").body), &page); err != nil || page.Next == "" {
		t.Fatalf("no cursor: %v", err)
	}
	for _, query := range []string{
		"cursor=x", "cursor=" + page.Next + "AAAA", "prefix=de&cursor=" + page.Next, "limit=0", "limit=1001", "prefix=A",
	} {
		s.refused(s.do("GET", "/queues?"+query, ""), 400)
	}
}

// Empty queues do not hide the ones with work from Prometheus, which gets few of them.
func TestPrometheusHasTheQueuesWithMostWork(t *testing.T) {
	for round, delay := range []string{`,"delay_seconds":3600`, ""} {
		s := newSystem(t)
		var jobs []string
		for i := range 120 {
			jobs = append(jobs, fmt.Sprintf(`{"type":"email","queue":"%05d"%s}`, i, delay))
		}
		s.do("POST", "/jobs/bulk", `{"jobs":[`+strings.Join(jobs, ",")+`]}`)
		s.submitted(`{"type":"email"}`)
		s.submitted(`{"type":"email"}`)
		r := s.do("GET", "/metrics", "", "Accept", "text/plain")
		others := map[int]string{0: "0", 1: "21"}[round]
		for _, want := range []string{`windlass_queue_depth{queue="default"} 2`, `windlass_queue_depth{queue="(others)"} ` + others} {
			if !strings.Contains(r.body, want+"\n") {
				t.Errorf("round %d lacks %s", round, want)
			}
		}
		if n := strings.Count(r.body, "windlass_queue_depth{"); n != 101 {
			t.Errorf("round %d has %d queues, want 100 and the others", round, n)
		}
	}
}

// A job that would make a queue beyond the limit is refused with the pointer of the field.
func TestNewQueuesBeyondTheLimit(t *testing.T) {
	s := newSystem(t)
	var jobs []string
	for i := range maxQueues {
		jobs = append(jobs, fmt.Sprintf(`{"type":"email","queue":"tenant-%d"}`, i))
	}
	if r := s.do("POST", "/jobs/bulk", `{"jobs":[`+strings.Join(jobs, ",")+`]}`); r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	for _, c := range []struct{ path, body, pointer string }{
		{"/jobs", `{"type":"email","queue":"new"}`, "/queue"},
		{"/jobs", `{"type":"email"}`, "/type"},
		{"/jobs", `{"type":"report","payload":{"rows":1}}`, "/type"},
		{"/jobs/bulk", `{"jobs":[{"type":"email","queue":"tenant-1"},{"type":"email","queue":"new"}]}`, "/jobs/1/queue"},
	} {
		r := s.do("POST", c.path, c.body)
		s.refused(r, 422)
		if !strings.Contains(r.body, `"pointer":"`+c.pointer+`"`) || !strings.Contains(r.body, "MAX_QUEUES") {
			t.Errorf("%s %s: %s", c.path, c.body, r.body)
		}
	}
	if r := s.do("POST", "/jobs", `{"type":"email","queue":"tenant-149"}`); r.status != 201 {
		t.Errorf("a queue that is there: %d %s", r.status, r.body)
	}
}
