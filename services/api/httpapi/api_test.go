package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
	"github.com/windlass-jobs/windlass/services/api/httpapi"
)

// system is the API on the real engine, with the embedded store and queue.
type system struct {
	t       *testing.T
	store   *sqlite.Store
	queue   *memory.Queue
	client  *engine.Client
	handler http.Handler
	log     *bytes.Buffer
	session string
	ahead   atomic.Int64 // how far the store's clock is ahead
}

// reportSchema is announced by a worker.
const reportSchema = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{
	"rows":{"type":"integer","minimum":1},"rate":{"type":"number","minimum":0,"maximum":0.5},"title":{"type":"string","maxLength":10},
	"tags":{"type":"array","items":{"type":"string"}},"deep":{"type":"object","properties":{"on":{"type":"boolean"}},"required":["on"]}}}`

// maxQueues is the limit of queues in each system.
const maxQueues = 150

func newSystem(t *testing.T, change ...func(*httpapi.Options)) *system {
	t.Helper()
	s := &system{t: t, log: new(bytes.Buffer), session: "0192f000-0000-7000-8000-000000000001"}
	now := func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	queue := memory.New(memory.Options{})
	s.store, s.queue = db, queue
	log := slog.New(slog.NewTextHandler(s.log, nil))
	var registry jobs.Registry
	jobs.Handle(&registry, "email", func(context.Context, *jobs.Run, json.RawMessage) (any, error) { return nil, nil })
	s.client, err = engine.NewClient(engine.ClientOptions{Store: db, Queue: queue, Bus: queue, Registry: &registry,
		Log: slog.New(slog.DiscardHandler), MaxQueues: maxQueues})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.client.Close()
		queue.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	report := jobs.Type{Name: "report", Queue: "reports", MaxAttempts: 3, Timeout: time.Minute,
		Schema: json.RawMessage(reportSchema), Example: json.RawMessage(`{"rows":1}`)}
	worker := store.Session{ID: s.session, Hostname: "host", PID: 7, Version: "test", Slots: 4,
		Types: []string{"email", "report"}}
	if err := db.Register(t.Context(), worker, []jobs.Type{report}, time.Minute); err != nil {
		t.Fatal(err)
	}
	opts := httpapi.Options{Client: s.client, Ping: func(context.Context) error { return nil }, Log: log}
	for _, c := range change {
		c(&opts)
	}
	if s.handler, err = httpapi.New(opts); err != nil {
		t.Fatal(err)
	}
	return s
}

// reply is an answer of the API.
type reply struct {
	status int
	header http.Header
	body   string
}

// field returns a field of the answer's document.
func (r reply) field(name string) any {
	var doc map[string]any
	dec := json.NewDecoder(strings.NewReader(r.body))
	dec.UseNumber()
	if err := dec.Decode(&doc); err != nil {
		return nil
	}
	return doc[name]
}

// pointers returns the pointers and parameters of the faults in an answer.
func (r reply) pointers() (list []string) {
	var p httpapi.Problem
	_ = json.Unmarshal([]byte(r.body), &p)
	for _, f := range p.Errors {
		if f.Pointer != nil {
			list = append(list, *f.Pointer)
		} else {
			list = append(list, f.Parameter)
		}
	}
	return list
}

// do sends a request; headers are pairs.
func (s *system) do(method, target, body string, headers ...string) reply {
	s.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, reader)
	r.Host = "localhost:8000"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return s.send(r)
}

func (s *system) send(r *http.Request) reply {
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.String()}
}

// post submits.
func (s *system) post(body string, headers ...string) reply {
	s.t.Helper()
	return s.do("POST", "/jobs", body, headers...)
}

// submitted submits a job and returns its id.
func (s *system) submitted(body string) string {
	s.t.Helper()
	r := s.post(body)
	if r.status != 201 {
		s.t.Fatalf("submit %s: %d %s", body, r.status, r.body)
	}
	return r.field("id").(string)
}

// rows counts what is stored, and ids in the queue.
func (s *system) rows() (rows int64) {
	s.t.Helper()
	stats, err := s.store.Stats(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return stats.Total
}

// refused checks that an answer is a proper problem.
func (s *system) refused(r reply, status int) {
	s.t.Helper()
	if r.status != status {
		s.t.Fatalf("status %d, want %d: %.300s", r.status, status, r.body)
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		s.t.Errorf("content type %q", got)
	}
	var p httpapi.Problem
	if err := json.Unmarshal([]byte(r.body), &p); err != nil || p.Status != status || p.Title == "" || p.Detail == "" ||
		!strings.HasPrefix(p.Type, "urn:windlass:problem:") {
		s.t.Errorf("no proper problem (%v): %s", err, r.body)
	}
	if strings.ContainsAny(strings.NewReplacer("<= ", "", ">= ", "").Replace(r.body), "<>") || len(r.body) > 30_000 {
		s.t.Errorf("the answer repeats the request: %.300s", r.body)
	}
}

// claimed moves a job to processing.
func (s *system) claimed(id string) jobs.Job {
	s.t.Helper()
	got, err := s.store.Claim(s.t.Context(),
		store.Claim{Session: s.session, Types: []string{"email", "report"}, IDs: []string{id}, Suspects: 1})
	if err != nil || len(got.Jobs) != 1 {
		s.t.Fatalf("claim: %+v, %v", got, err)
	}
	return got.Jobs[0]
}

// settled ends a job's attempt.
func (s *system) settled(id string, verb store.Verb, message string) {
	s.t.Helper()
	job := s.claimed(id)
	o := store.Outcome{ID: id, Fence: job.Fence, Session: s.session, Verb: verb, Error: message}
	switch verb {
	case store.VerbFail:
		o.Kind, o.Attempt = jobs.KindError, jobs.AttemptFailed
	case store.VerbRetry:
		o.Delay, o.Attempt = time.Hour, jobs.AttemptFailed
	case store.VerbComplete:
		o.Result = json.RawMessage(`{"n":12345678901234567890}`)
	}
	got, err := s.store.Settle(s.t.Context(), []store.Outcome{o})
	if err != nil || got[0].Result != store.Recorded {
		s.t.Fatalf("settle: %+v, %v", got, err)
	}
}
