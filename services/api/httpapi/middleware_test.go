package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"

	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/services/api/httpapi"
)

func TestHosts(t *testing.T) {
	s := newSystem(t)
	for host, status := range map[string]int{
		"localhost": 200, "localhost:8000": 200, "LOCALHOST:1": 200, "127.0.0.1:8000": 200, "[::1]:8000": 200,
		"[::1]": 200,
		"":      400, "evil.example": 421, "evil.example:8000": 421, "localhost.evil.example": 421, "localhost.": 421,
		"127.0.0.2": 421, "10.0.0.1": 421, "localhost:80:80": 421, "<script>": 421,
	} {
		r := httptest.NewRequest("GET", "/jobs", nil)
		r.Host = host
		got := s.send(r)
		if got.status != status {
			t.Errorf("%q: %d", host, got.status)
		}
		if status != 200 {
			s.refused(got, status)
		}
	}
	named := newSystem(t, func(o *httpapi.Options) { o.AllowedHosts = []string{"Jobs.example", "[fd00::1]"} })
	for host, status := range map[string]int{"jobs.example:80": 200, "[fd00::1]:8000": 200, "localhost": 421} {
		r := httptest.NewRequest("GET", "/jobs", nil)
		r.Host = host
		if got := named.send(r); got.status != status {
			t.Errorf("%q: %d", host, got.status)
		}
	}
}

// A proxy sends its own name for the API as Host, and the name that the browser used as X-Forwarded-Host. Both are
// checked: else a page could reach the API through the web interface, under a name that resolves to this machine.
func TestForwardedHosts(t *testing.T) {
	s := newSystem(t)
	for forwarded, status := range map[string]int{
		"localhost:3000": 200, "127.0.0.1": 200, "localhost, 127.0.0.1:3000": 200,
		"evil.example": 421, "localhost, evil.example": 421, "evil.example,localhost": 421, "": 421,
	} {
		r := httptest.NewRequest("GET", "/jobs", nil)
		r.Host = "localhost:8000"
		r.Header.Set("X-Forwarded-Host", forwarded)
		got := s.send(r)
		if got.status != status {
			t.Errorf("%q: %d", forwarded, got.status)
		}
		if status != 200 {
			s.refused(got, status)
		}
	}
	r := httptest.NewRequest("GET", "/jobs", nil)
	r.Host = "localhost:8000"
	r.Header["X-Forwarded-Host"] = []string{"localhost", "evil.example"}
	if got := s.send(r); got.status != 421 {
		t.Errorf("two headers: %d", got.status)
	}
}

// TestOrigins is number 77.
func TestOrigins(t *testing.T) {
	s := newSystem(t, func(o *httpapi.Options) { o.TrustedOrigins = []string{"https://ui.example"} })
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"no browser", nil, 201},
		{"same origin", []string{"Origin", "http://localhost:8000"}, 201},
		{"same origin by fetch metadata", []string{"Origin", "http://localhost:3000", "Sec-Fetch-Site", "same-origin"},
			201},
		{"trusted", []string{"Origin", "https://ui.example", "Sec-Fetch-Site", "cross-site"}, 201},
		{"foreign", []string{"Origin", "https://evil.example"}, 403},
		{"foreign by fetch metadata", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"same site, another host", []string{"Origin", "http://localhost:3000", "Sec-Fetch-Site", "same-site"}, 403},
		{"null", []string{"Origin", "null"}, 403},
	} {
		before := s.rows()
		r := s.post(`{"type":"email"}`, c.headers...)
		if r.status != c.status {
			t.Errorf("%s: %d", c.name, r.status)
		}
		if c.status == 403 {
			s.refused(r, 403)
			if s.rows() != before {
				t.Errorf("%s: stored", c.name)
			}
		}
	}
	if r := s.do("GET", "/jobs", "", "Origin", "https://evil.example"); r.status != 200 ||
		r.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a foreign page's GET: %d %v", r.status, r.header)
	}
	if _, err := httpapi.New(httpapi.Options{TrustedOrigins: []string{"no origin"},
		Registry: prometheus.NewRegistry()}); err == nil {
		t.Error("a bad trusted origin was taken")
	}
}

// TestMediaTypes is numbers 43 and 45.
func TestMediaTypes(t *testing.T) {
	s := newSystem(t)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(`{"type":"email"}`))
	_ = z.Close()
	for _, c := range []struct {
		contentType, encoding string
		body                  string
		status                int
	}{
		{"application/json", "", `{"type":"email"}`, 201},
		{"application/json; charset=utf-8", "", `{"type":"email"}`, 201},
		{"Application/JSON;charset=UTF-8", "", `{"type":"email"}`, 201},
		{"", "", `{"type":"email"}`, 415},
		{"text/plain", "", `{"type":"email"}`, 415},
		{"text/json", "", `{"type":"email"}`, 415},
		{"application/x-www-form-urlencoded", "", `{"type":"email"}`, 415},
		{"multipart/form-data; boundary=x", "", `{"type":"email"}`, 415},
		{"application/json; charset=utf-16", "", `{"type":"email"}`, 415},
		{"application/json, text/plain", "", `{"type":"email"}`, 415},
		{"application/merge-patch+json", "", `{"type":"email"}`, 415},
		{"application/jsonx", "", `{"type":"email"}`, 415},
		{"application/cbor", "", "\xa0", 415},
		{";", "", `{"type":"email"}`, 415},
		{"application/json", "gzip", zipped.String(), 415},
		{"application/json", "gzip", "garbage", 415},
		{"application/json", "br", `{"type":"email"}`, 415},
		{"application/json", "identity", `{"type":"email"}`, 415},
		{"application/json", "", zipped.String(), 400},
		{"", "gzip", "", 415},
	} {
		before := s.rows()
		req := httptest.NewRequest("POST", "/jobs", strings.NewReader(c.body))
		req.Host = "localhost"
		if c.contentType != "" {
			req.Header.Set("Content-Type", c.contentType)
		}
		if c.encoding != "" {
			req.Header.Set("Content-Encoding", c.encoding)
		}
		r := s.send(req)
		if r.status != c.status || (s.rows() > before) != (c.status == 201) {
			t.Errorf("%q %q: %d %s", c.contentType, c.encoding, r.status, r.body)
		}
		if c.status != 201 {
			s.refused(r, c.status)
		}
	}
	s.refused(s.post(`{"type":"email"}`, "Content-Type", "application/json"), 415) // twice
}

// failing is a client whose store fails.
type failing struct {
	httpapi.Client
	err error
}

func (f failing) Submit(context.Context, jobs.Submission) (jobs.Receipt, error) {
	return jobs.Receipt{}, fmt.Errorf("submit: %w", f.err)
}

func (f failing) Get(context.Context, string) (jobs.Job, []jobs.Attempt, error) {
	return jobs.Job{}, nil, fmt.Errorf("get: %w", f.err)
}

func (f failing) Stats(context.Context) (store.Stats, error) { return store.Stats{}, f.err }

func (f failing) Queues(context.Context, store.QueueQuery) (store.QueuePage, error) {
	return store.QueuePage{}, f.err
}

func (f failing) Cancel(context.Context, string) (jobs.Job, error) { return jobs.Job{}, f.err }

func (f failing) Degraded() bool { return true }

// TestFailures is number 81 and the table of problems.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		err                    error
		submit, keyed, get     string
		submitStatus, retryIn  int
		keyedStatus, getStatus int
	}{
		{jobs.ErrUnavailable, "unavailable", "unavailable", "unavailable", 503, 2, 503, 503},
		{jobs.ErrOutcomeUnknown, "outcome_unknown", "outcome_unknown", "unavailable", 503, 2, 503, 503},
		{context.DeadlineExceeded, "outcome_unknown", "outcome_unknown", "unavailable", 503, 2, 503, 503},
		{errors.New("password=secret"), "outcome_unknown", "outcome_unknown", "unavailable", 503, 2, 503, 503},
		{jobs.ErrBusy, "busy", "idempotency_key_busy", "busy", 503, 1, 409, 503},
		{jobs.ErrRejected, "rejected", "rejected", "rejected", 422, 0, 422, 422},
		{jobs.ErrKeyReused, "idempotency_key_reused", "idempotency_key_reused", "", 422, 0, 422, 0},
	} {
		s := newSystem(t, func(o *httpapi.Options) { o.Client = failing{o.Client, c.err} })
		check := func(what string, r reply, status int, name string) {
			s.refused(r, status)
			if r.field("type") != "urn:windlass:problem:"+name || strings.Contains(r.body, "secret") {
				t.Errorf("%v, %s: %s", c.err, what, r.body)
			}
			if has := r.header.Get("Retry-After") != ""; has != (c.retryIn > 0) {
				t.Errorf("%v, %s: Retry-After %v", c.err, what, has)
			}
		}
		check("submit", s.post(`{"type":"email"}`), c.submitStatus, c.submit)
		check("keyed", s.post(`{"type":"email"}`, "Idempotency-Key", "k"), c.keyedStatus, c.keyed)
		if c.get != "" {
			check("get", s.do("GET", "/jobs/"+unknownID, ""), c.getStatus, c.get)
			check("metrics", s.do("GET", "/metrics", ""), c.getStatus, c.get)
			check("cancel", s.do("POST", "/jobs/"+unknownID+"/cancel", ""), c.submitStatus, c.submit)
		}
		if c.submitStatus == 503 && !strings.Contains(s.log.String(), "request failed") {
			t.Errorf("%v: nothing in the log", c.err)
		}
	}
}

// stuck is a client whose store never answers.
type stuck struct{ httpapi.Client }

func (stuck) Submit(ctx context.Context, _ jobs.Submission) (jobs.Receipt, error) {
	<-ctx.Done()
	return jobs.Receipt{}, context.Cause(ctx)
}

func TestAnswersWithin5Seconds(t *testing.T) {
	t.Parallel()
	s := newSystem(t, func(o *httpapi.Options) { o.Client = stuck{o.Client} })
	begin := time.Now()
	s.refused(s.post(`{"type":"email"}`), 503)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

// broken is a client with a mistake in it.
type broken struct{ httpapi.Client }

func (broken) Stats(context.Context) (store.Stats, error) { panic("a mistake") }

func TestPanic(t *testing.T) {
	s := newSystem(t, func(o *httpapi.Options) { o.Client = broken{o.Client} })
	r := s.do("GET", "/metrics", "")
	s.refused(r, 500)
	if strings.Contains(r.body, "mistake") || !strings.Contains(s.log.String(), "a mistake") ||
		!strings.Contains(s.log.String(), "middleware_test.go") {
		t.Errorf("%s\n%s", r.body, s.log)
	}
}

func TestReadiness(t *testing.T) {
	var down error
	var draining, degraded bool
	s := newSystem(t, func(o *httpapi.Options) {
		o.Ping = func(context.Context) error { return down }
		o.Draining = func() bool { return draining }
		o.Client = degradable{o.Client, &degraded}
	})
	if r := s.do("GET", "/readyz", ""); r.status != 200 ||
		strings.TrimSpace(r.body) != `{"status":"ready","store":"ok","redis":"ok"}` {
		t.Errorf("%d %s", r.status, r.body)
	}
	degraded = true
	if r := s.do("GET", "/readyz", ""); r.status != 200 ||
		strings.TrimSpace(r.body) != `{"status":"ready","store":"ok","redis":"degraded"}` {
		t.Errorf("%d %s", r.status, r.body)
	}
	down = errors.New("password=secret")
	if r := s.do("GET", "/readyz", ""); r.header.Get("Retry-After") == "" || strings.Contains(r.body, "secret") {
		t.Errorf("%s", r.body)
	} else {
		s.refused(r, 503)
	}
	down, draining = nil, true
	s.refused(s.do("GET", "/readyz", ""), 503)
	for _, path := range []string{"/livez", "/healthz"} {
		if r := s.do("GET", path, ""); r.status != 200 || strings.TrimSpace(r.body) != `{"status":"ok"}` {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}

type degradable struct {
	httpapi.Client
	degraded *bool
}

func (d degradable) Degraded() bool { return *d.degraded }

func TestSystem(t *testing.T) {
	s := newSystem(t)
	s.submitted(`{"type":"email"}`)
	s.submitted(`{"type":"report","delay_seconds":3600}`)
	s.claimed(s.submitted(`{"type":"email","queue":"critical"}`))
	s.settled(s.submitted(`{"type":"email"}`), store.VerbFail, "x")
	s.settled(s.submitted(`{"type":"email"}`), store.VerbRetry, "x")

	r := s.do("GET", "/metrics", "", "Accept", "*/*")
	for name, want := range map[string]string{
		"total_jobs": "5", "active_jobs": "1", "failed_jobs": "1", "queue_length": "1", "scheduled": "1",
		"retrying": "1", "dead": "1", "cancelled": "0",
		"completed_jobs": "0", "workers": "1", "slots": "4", "failed_last_minute": "1", "completed_last_minute": "0",
		"attempts_last_minute": "2", "failed_attempts_last_minute": "2", "cancelled_last_minute": "0",
	} {
		if got := fmt.Sprint(r.field(name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if r := s.do("GET", "/queues", ""); !regexp.MustCompile(
		`"queues":\[\{"name":"default","depth":1,"scheduled":1,.*"name":"critical","depth":0,"scheduled":0,"running":1,"oldest_pending_seconds":0\}`).
		MatchString(r.body) {
		t.Errorf("%s", r.body)
	}
	if r := s.do("GET", "/workers", ""); !strings.Contains(r.body,
		`"hostname":"host","pid":7,"version":"test","state":"alive","slots":4,"running":0,"types":["email","report"],"queues":[],`) {
		t.Errorf("%s", r.body)
	}
	if r := s.do("GET", "/workers?state=dead", ""); r.status != 200 || strings.TrimSpace(r.body) != `{"workers":[]}` {
		t.Errorf("%s", r.body)
	}
	s.refused(s.do("GET", "/workers?state=gone", ""), 400)
	s.refused(s.do("GET", "/workers/host", ""), 400)
	if r := s.do("GET", "/workers/"+unknownID, ""); !strings.Contains(r.body, "worker_not_found") {
		t.Errorf("%s", r.body)
	}
	listed, err := s.store.Sessions(t.Context())
	if err != nil || len(listed) != 1 {
		t.Fatalf("%v, %v", listed, err)
	}
	id := listed[0].ID
	if r := s.do("GET", "/workers/"+id, ""); !strings.HasPrefix(r.body, `{"worker":{"id":"`+id+`","hostname":"host"`) ||
		strings.Count(r.body, `"worker_id":"`+id+`"`) != 1 || !strings.Contains(r.body, `"queue":"critical"`) {
		t.Errorf("%s", r.body)
	}
	r = s.do("GET", "/job-types", "")
	if !strings.Contains(r.body,
		`{"name":"report","description":null,"queue":"reports","max_attempts":3,"timeout_seconds":60,"schema":{`) ||
		!strings.Contains(r.body, `"name":"email"`) {
		t.Errorf("%s", r.body)
	}
}

func TestPrometheus(t *testing.T) {
	s := newSystem(t)
	s.submitted(`{"type":"email"}`)
	s.settled(s.submitted(`{"type":"email"}`), store.VerbFail, "x")
	s.settled(s.submitted(`{"type":"email"}`), store.VerbRetry, "x")
	s.do("POST", "/jobs/"+s.submitted(`{"type":"email"}`)+"/cancel", "{}")
	s.do("GET", "/jobs/"+unknownID, "")
	s.do("GET", "/made/up/path", "")
	s.do("MADEUP", "/jobs", "")
	const scraper = "application/openmetrics-text;version=1.0.0;q=0.5," +
		"application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
	r := s.do("GET", "/metrics", "", "Accept", scraper)
	for _, want := range []string{
		`windlass_jobs{state="waiting"} 1`, "windlass_queue_length 1", `windlass_queue_depth{queue="default"} 1`,
		`windlass_attempts_total{outcome="failed"} 2`, `windlass_attempts_total{outcome="timeout"} 0`,
		`windlass_attempts_total{outcome="completed"} 0`, `windlass_jobs_finished_total{status="dead"} 1`,
		`windlass_jobs_finished_total{status="cancelled"} 1`, `windlass_finished_last_minute{status="failed"} 1`,
		"windlass_workers 1", "windlass_slots 4", "windlass_store_up 1",
		"windlass_oldest_pending_seconds", `windlass_http_requests_total{code="404",method="GET",route="/jobs/{id}"} 1`,
		`windlass_http_requests_total{code="404",method="GET",route="none"} 1`,
		`windlass_http_requests_total{code="405",method="other",route="none"} 1`,
		`windlass_http_request_seconds_bucket{route="/jobs",le="0.001"}`, "go_goroutines",
		"process_resident_memory_bytes",
	} {
		if !strings.Contains(r.body, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if r.status != 200 || !strings.HasPrefix(r.header.Get("Content-Type"), "application/openmetrics-text") ||
		t.Failed() {
		t.Errorf("%d %v\n%.6000s", r.status, r.header, r.body)
	}
	for accept, text := range map[string]bool{
		"text/plain": true, "text/plain;version=0.0.4": true, "application/openmetrics-text": true, "": false,
		"*/*": false, "application/json": false, "text/html,*/*;q=0.8": false,
		"application/json, text/plain, */*": false, "text/plain;q=0": false, "text/plain;q=x": false,
		"application/json;q=0.1,text/plain": true, "text/*": false, ";;;": false,
	} {
		r := s.do("GET", "/metrics", "", "Accept", accept)
		if got := !strings.HasPrefix(r.header.Get("Content-Type"), "application/json"); r.status != 200 || got != text {
			t.Errorf("Accept %q: %d %v", accept, r.status, r.header)
		}
	}
	down := newSystem(t, func(o *httpapi.Options) { o.Client = failing{o.Client, jobs.ErrUnavailable} })
	r = down.do("GET", "/metrics", "", "Accept", "text/plain")
	if r.status != 200 || !strings.Contains(r.body, "windlass_store_up 0") ||
		strings.Contains(r.body, "windlass_jobs{") || !strings.Contains(r.body, "windlass_queue_degraded 1") {
		t.Errorf("store down: %d %.500s", r.status, r.body)
	}
}

func TestDocs(t *testing.T) {
	s := newSystem(t)
	page := s.do("GET", "/docs", "")
	policy := page.header.Get("Content-Security-Policy")
	if page.status != 200 || !strings.Contains(policy, "script-src 'self';") ||
		!strings.Contains(policy, "frame-ancestors 'none'") {
		t.Fatalf("%d %v", page.status, page.header)
	}
	if outside := regexp.MustCompile(`(?i)(src|href|url)\s*=\s*"(https?:)?//`).FindString(page.body); outside != "" ||
		strings.Contains(page.body, "<script>") {
		t.Errorf("the page needs more than this server: %s", outside)
	}
	for _, m := range regexp.MustCompile(`(?:src|href|spec-url)="([^":]+)"`).FindAllStringSubmatch(page.body, -1) {
		r := s.do("GET", "/"+m[1], "")
		if r.status != 200 || len(r.body) < 100 {
			t.Errorf("%s: %d, %d bytes", m[1], r.status, len(r.body))
		}
	}
	const script = "/docs/rapidoc-9.3.8.js"
	plain, zipped := s.do("GET", script, ""), s.do("GET", script, "", "Accept-Encoding", "br, gzip")
	z, err := gzip.NewReader(strings.NewReader(zipped.body))
	if err != nil || zipped.header.Get("Content-Encoding") != "gzip" || plain.header.Get("Content-Encoding") != "" {
		t.Fatalf("%v %v", err, zipped.header)
	}
	var unzipped bytes.Buffer
	if _, err := unzipped.ReadFrom(z); err != nil || unzipped.String() != plain.body ||
		!strings.Contains(plain.body, "RapiDoc 9.3.8") {
		t.Errorf("the script is not the same compressed: %v", err)
	}
	if r := s.do("GET", "/docs/license.txt", ""); !strings.Contains(r.body, "MIT License") {
		t.Errorf("%.100s", r.body)
	}
}

func TestHeaders(t *testing.T) {
	s := newSystem(t)
	for path, cache := range map[string]string{
		"/jobs": "no-store", "/nothing": "no-store", "/metrics": "private, no-cache", "/jobs/x": "no-store",
	} {
		h := s.do("GET", path, "").header
		for name, want := range map[string]string{
			"Cache-Control": cache, "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
		if h.Get("Link") != "" {
			t.Errorf("%s: Link %q", path, h.Get("Link"))
		}
	}
}
