package httpclient_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/httpclient"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// fault is what happens to a request in place of the API's answer. It returns false where the API shall answer.
type fault func(w http.ResponseWriter, r *http.Request, api http.Handler) bool

// faulty puts faults in front of an API: the first request meets the first fault, and so on; later ones meet none.
type faulty struct {
	faults []fault

	mutex    sync.Mutex
	requests int
}

func (f *faulty) wrap(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mutex.Lock()
		f.requests++
		n := f.requests
		f.mutex.Unlock()
		if n > len(f.faults) || !f.faults[n-1](w, r, api) {
			api.ServeHTTP(w, r)
		}
	})
}

func (f *faulty) seen() int {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.requests
}

// says answers with a status and a body, as a proxy would. headers are pairs.
func says(status int, body string, headers ...string) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

// problem answers as the API does when something is wrong.
func problem(status int, name string, headers ...string) fault {
	doc := fmt.Sprintf(`{"type":"urn:windlass:problem:%s","title":"T","status":%d,"detail":"D"}`, name, status)
	return says(status, doc, append([]string{"Content-Type", "application/problem+json"}, headers...)...)
}

// nothing lets the API answer.
func nothing(http.ResponseWriter, *http.Request, http.Handler) bool { return false }

// breaks ends the connection before the API has seen the request.
func breaks(http.ResponseWriter, *http.Request, http.Handler) bool { panic(http.ErrAbortHandler) }

// loses lets the API do its work, and ends the connection in place of the answer.
func loses(_ http.ResponseWriter, r *http.Request, api http.Handler) bool {
	api.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// cuts ends the connection in the middle of the answer.
func cuts(w http.ResponseWriter, r *http.Request, api http.Handler) bool {
	record := httptest.NewRecorder()
	api.ServeHTTP(record, r)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(record.Body.Len()))
	w.WriteHeader(record.Code)
	_, _ = w.Write(record.Body.Bytes()[:record.Body.Len()/2])
	panic(http.ErrAbortHandler)
}

func TestSubmitThroughFaults(t *testing.T) {
	t.Parallel()
	unknown, unavailable := jobs.ErrOutcomeUnknown, jobs.ErrUnavailable
	tests := []struct {
		name     string
		faults   []fault
		key      bool
		want     error // nil: it is stored
		requests int
		stored   int64
	}{
		{"broken, without a key", []fault{breaks}, false, unknown, 1, 0},
		{"lost, without a key", []fault{loses}, false, unknown, 1, 1},
		{"cut, without a key", []fault{cuts}, false, unknown, 1, 1},
		{"503, without a key", []fault{problem(503, "unavailable", "Retry-After", "0")}, false, unavailable, 1, 0},
		{"429, without a key", []fault{says(429, "slow down")}, false, unavailable, 1, 0},
		{"a proxy's 502, without a key", []fault{says(502, "<html>")}, false, unknown, 1, 0},
		{"500, without a key", []fault{problem(500, "internal")}, false, unknown, 1, 0},
		{"200 of something else", []fault{says(200, "<html>", "Content-Type", "text/html")}, false, unknown, 1, 0},
		{"201 without a job", []fault{says(201, "{}", "Content-Type", "application/json")}, false, unknown, 1, 0},

		{"broken, with a key", []fault{breaks, breaks}, true, nil, 3, 1},
		{"lost, with a key", []fault{loses}, true, nil, 2, 1},
		{"cut, with a key", []fault{cuts}, true, nil, 2, 1},
		{"503 and 429, with a key", []fault{problem(503, "busy"), says(429, "")}, true, nil, 3, 1},
		{"the key is busy", []fault{problem(409, "idempotency_key_busy")}, true, nil, 2, 1},
		{"500, with a key", []fault{problem(500, "internal")}, true, unknown, 1, 0},
		{"come again tomorrow", []fault{problem(503, "busy", "Retry-After", "86400")}, true, jobs.ErrBusy, 1, 0},
		{"never, with a key", []fault{breaks, breaks, breaks, breaks}, true, unknown, 3, 0},
		{"lost, then unavailable", []fault{loses, problem(503, "busy"), problem(503, "busy")}, true, unknown, 3, 1},
		{"unavailable all the time", []fault{says(429, ""), says(429, ""), says(429, "")}, true, unavailable, 3, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := &faulty{faults: test.faults}
			s := start(t, f.wrap)
			c := client(t, httpclient.Options{URL: s.URL, Attempts: 3})
			sub := one(jobs.New{Type: "break"})
			if test.key {
				sub.Key = &jobs.Key{Key: "k"}
			}
			receipt, err := c.Submit(t.Context(), sub)
			if !errors.Is(err, test.want) || test.want == nil && len(receipt.Jobs) != 1 {
				t.Errorf("%+v, %v; want %v", receipt, err, test.want)
			}
			if test.want != unknown && errors.Is(err, jobs.ErrOutcomeUnknown) {
				t.Errorf("the outcome is known: %v", err)
			}
			if f.seen() != test.requests {
				t.Errorf("%d requests, want %d", f.seen(), test.requests)
			}
			if stats, err := s.Client.Stats(t.Context()); err != nil || stats.Total != test.stored {
				t.Errorf("%d jobs are stored, want %d (%v)", stats.Total, test.stored, err)
			}
		})
	}
}

func TestReadThroughFaults(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Second).UTC().Format(http.TimeFormat)
	for name, test := range map[string]struct {
		fault    fault
		want     error
		requests int
	}{
		"broken":         {breaks, nil, 2},
		"cut":            {cuts, nil, 2},
		"503":            {problem(503, "unavailable"), nil, 2},
		"429":            {says(429, "", "Retry-After", soon), nil, 2},
		"504":            {says(504, ""), nil, 2},
		"unknown":        {problem(503, "outcome_unknown", "Retry-After", "3600"), jobs.ErrUnavailable, 1},
		"500":            {problem(500, "internal"), jobs.ErrUnavailable, 1},
		"something else": {says(200, "{}", "Content-Type", "text/plain"), httpclient.ErrAnswer, 1},
		"no JSON":        {says(200, "{", "Content-Type", "application/json"), httpclient.ErrAnswer, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &faulty{faults: []fault{test.fault}}
			s := start(t, f.wrap)
			c := client(t, httpclient.Options{URL: s.URL})
			_, err := c.List(t.Context(), store.ListQuery{})
			if !errors.Is(err, test.want) || f.seen() != test.requests {
				t.Errorf("%v after %d requests; want %v after %d", err, f.seen(), test.want, test.requests)
			}
		})
	}
}

// What changes something and has no key is sent once.
func TestChangesAreNotRepeated(t *testing.T) {
	t.Parallel()
	const id = "0192f000-0000-7000-8000-000000000001"
	for name, do := range map[string]func(*httpclient.Client) error{
		"retry":   func(c *httpclient.Client) error { _, err := c.Retry(t.Context(), id); return err },
		"cancel":  func(c *httpclient.Client) error { _, err := c.Cancel(t.Context(), id); return err },
		"delete":  func(c *httpclient.Client) error { return c.Delete(t.Context(), id) },
		"redrive": func(c *httpclient.Client) error { _, err := c.Redrive(t.Context(), store.Redrive{}); return err },
	} {
		f := &faulty{faults: []fault{breaks}}
		s := start(t, f.wrap)
		if err := do(client(t, httpclient.Options{URL: s.URL})); !errors.Is(err, jobs.ErrOutcomeUnknown) ||
			f.seen() != 1 {
			t.Errorf("%s: %v after %d requests", name, err, f.seen())
		}
	}
	f := &faulty{faults: []fault{says(200, "{}", "Content-Type", "application/json")}}
	err := client(t, httpclient.Options{URL: start(t, f.wrap).URL}).Delete(t.Context(), id)
	if !errors.Is(err, jobs.ErrOutcomeUnknown) {
		t.Errorf("a delete that somebody else answered: %v", err)
	}
}

// Where nothing can have been sent, everything is repeated, and nothing is unknown.
func TestNobodyListens(t *testing.T) {
	t.Parallel()
	const address = "127.0.0.1:1" // a port that was free a moment ago may be another test's by now
	c := client(t, httpclient.Options{URL: "http://" + address, Attempts: 2})
	if _, err := c.Submit(t.Context(), one(jobs.New{Type: "break"})); !errors.Is(err, jobs.ErrUnavailable) ||
		errors.Is(err, jobs.ErrOutcomeUnknown) {
		t.Errorf("submit: %v", err)
	}
	// The second attempt finds the API up.
	s := start(t, nil)
	var dials atomic.Int32
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		to := address
		if dials.Add(1) > 1 {
			to = strings.TrimPrefix(s.URL, "http://")
		}
		return (&net.Dialer{}).DialContext(ctx, network, to)
	}}
	c = client(t, httpclient.Options{URL: "http://localhost:1", HTTPClient: &http.Client{Transport: transport}})
	if receipt, err := c.Submit(t.Context(), one(jobs.New{Type: "break"})); err != nil || len(receipt.Jobs) != 1 ||
		dials.Load() != 2 {
		t.Errorf("%+v, %v after %d dials", receipt, err, dials.Load())
	}
}

// A transport that does not tell whether it has a connection is taken to have sent.
func TestOpaqueTransport(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	opaque := roundTripper(func(*http.Request) (*http.Response, error) {
		calls.Add(1)
		return nil, errors.New("no answer")
	})
	c := client(t, httpclient.Options{URL: "http://localhost", HTTPClient: &http.Client{Transport: opaque}})
	if _, err := c.Submit(t.Context(), one(jobs.New{Type: "break"})); !errors.Is(err, jobs.ErrOutcomeUnknown) ||
		calls.Load() != 1 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A context that ends while the API works leaves the outcome open; one that had ended before does not.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	arrived, done := make(chan struct{}), make(chan struct{})
	f := &faulty{faults: []fault{func(http.ResponseWriter, *http.Request, http.Handler) bool {
		close(arrived)
		<-done
		return false
	}}}
	s := start(t, f.wrap)
	defer close(done)
	c := client(t, httpclient.Options{URL: s.URL})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("no longer of interest")
	go func() {
		<-arrived
		cancel(why)
	}()
	sub := one(jobs.New{Type: "break"})
	sub.Key = &jobs.Key{Key: "k"}
	_, err := c.Submit(ctx, sub)
	if !errors.Is(err, jobs.ErrOutcomeUnknown) || !errors.Is(err, why) {
		t.Errorf("cancelled on the way: %v", err)
	}
	if _, err = c.Submit(ctx, sub); !errors.Is(err, jobs.ErrUnavailable) || errors.Is(err, jobs.ErrOutcomeUnknown) ||
		!errors.Is(err, why) {
		t.Errorf("cancelled before: %v", err)
	}
	if f.seen() != 1 {
		t.Errorf("%d requests", f.seen())
	}
}

// Wait survives an API that is away for a while, and ends with its context or with an answer that does not change.
func TestWait(t *testing.T) {
	t.Parallel()
	away := problem(503, "not_ready", "Retry-After", "3600") // no attempt of one call follows it
	refuses := says(401, "")
	f := &faulty{faults: []fault{nothing, nothing, away, breaks, breaks, nothing, refuses}}
	s := start(t, f.wrap)
	c := client(t, httpclient.Options{URL: s.URL, Attempts: 1})
	receipt, err := c.Submit(t.Context(), one(jobs.New{Type: "break", Delay: time.Hour}))
	if err != nil {
		t.Fatal(err)
	}
	id := receipt.Jobs[0].ID
	var p *httpclient.Problem
	if _, err := c.Wait(t.Context(), id); !errors.As(err, &p) || p.Status != 401 || f.seen() != 7 {
		t.Errorf("%v after %d requests", err, f.seen())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := c.Wait(ctx, id); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the context is over: %v", err)
	}
	if _, err := c.Wait(t.Context(), "0192f000-0000-7000-8000-000000000001"); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("no job: %v", err)
	}
}

// A wait that would outlast the context does not begin.
func TestDeadlineBeforeRetryAfter(t *testing.T) {
	t.Parallel()
	f := &faulty{faults: []fault{problem(503, "unavailable", "Retry-After", "50")}}
	s := start(t, f.wrap)
	ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
	defer cancel()
	begin := time.Now()
	_, err := client(t, httpclient.Options{URL: s.URL}).Queues(ctx, store.QueueQuery{})
	var p *httpclient.Problem
	if !errors.As(err, &p) || p.RetryAfter != 50*time.Second || time.Since(begin) > 30*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
}

// The token goes to one host only.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var stolen atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	defer thief.Close()
	for _, status := range []int{301, 302, 307, 308} {
		f := &faulty{
			faults: []fault{
				says(status, "", "Location", thief.URL+"/jobs?token=x"),
				says(status, "", "Location", thief.URL),
			},
		}
		s := start(t, f.wrap)
		c := client(t, httpclient.Options{URL: s.URL, Token: "t0ken"})
		var p *httpclient.Problem
		if _, err := c.Queues(t.Context(), store.QueueQuery{}); !errors.As(err, &p) || p.Status != status ||
			!strings.Contains(p.Detail, thief.URL) ||
			strings.Contains(p.Detail, "token") {
			t.Errorf("%d: %v", status, err)
		}
		if _, err := c.Submit(t.Context(), one(jobs.New{Type: "break"})); !errors.As(err, &p) || p.Status != status {
			t.Errorf("%d: %v", status, err)
		}
	}
	if stolen.Load() > 0 {
		t.Error("a redirect was followed")
	}
}

// An answer without end is not read to the end.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	chunk := []byte(strings.Repeat(" ", 1<<20))
	written := make(chan int, 2)
	endless := func(status int, media string) fault {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			n := 0
			for ; n < 1000; n++ {
				if _, err := w.Write(chunk); err != nil {
					break
				}
			}
			written <- n
			return true
		}
	}
	f := &faulty{faults: []fault{endless(200, "application/json"), endless(400, "application/problem+json")}}
	c := client(t, httpclient.Options{URL: start(t, f.wrap).URL})
	if _, err := c.Queues(t.Context(), store.QueueQuery{}); !errors.Is(err, httpclient.ErrAnswer) {
		t.Errorf("an endless answer: %v", err)
	}
	var p *httpclient.Problem
	if _, err := c.Queues(t.Context(), store.QueueQuery{}); !errors.As(err, &p) || p.Status != 400 {
		t.Errorf("an endless problem: %v", err)
	}
	for range 2 {
		if n := <-written; n >= 1000 {
			t.Error("the answer was read to the end")
		}
	}
}

// Connections are used again, also after answers that nobody reads.
func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	var dials atomic.Int32
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	c := client(t, httpclient.Options{URL: s.URL, HTTPClient: &http.Client{Transport: transport}})
	for range 10 {
		if _, err := c.Queues(t.Context(), store.QueueQuery{}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Get(t.Context(), "0192f000-0000-7000-8000-000000000001"); !errors.Is(err, jobs.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if dials.Load() != 1 {
		t.Errorf("%d connections", dials.Load())
	}
}

// A server that hangs up in the middle of the request, by a listener that speaks no HTTP.
func TestHangsUpWhileSending(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	defer served.Wait()
	defer listener.Close()
	var connections atomic.Int32
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			_, _ = bufio.NewReader(conn).ReadString('\n') // the request line, no more
			conn.Close()
		}
	})
	c := client(t, httpclient.Options{URL: "http://" + listener.Addr().String(), Attempts: 2})
	large := jobs.New{Type: "break", Payload: json.RawMessage(`{"a":"` + strings.Repeat("x", 200<<10) + `"}`)}
	if _, err := c.Submit(t.Context(), one(large)); !errors.Is(err, jobs.ErrOutcomeUnknown) || connections.Load() != 1 {
		t.Errorf("%v after %d connections", err, connections.Load())
	}
	_, err = c.Queues(t.Context(), store.QueueQuery{})
	if !errors.Is(err, jobs.ErrUnavailable) || connections.Load() != 3 {
		t.Errorf("%v after %d connections", err, connections.Load())
	}
	if _, err := c.Ready(t.Context()); !errors.Is(err, jobs.ErrUnavailable) || connections.Load() != 4 {
		t.Errorf("%v after %d connections", err, connections.Load())
	}
}
