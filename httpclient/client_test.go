package httpclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/httpclient"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/tests/localapi"
)

// submitter is what typed helpers need. Programs can take either client.
type submitter interface {
	Submit(ctx context.Context, s jobs.Submission) (jobs.Receipt, error)
}

// looker is what else both clients have.
type looker interface {
	submitter
	Get(ctx context.Context, id string) (jobs.Job, []jobs.Attempt, error)
	Wait(ctx context.Context, id string) (jobs.Job, error)
	List(ctx context.Context, q store.ListQuery) (store.Page, error)
	Sessions(ctx context.Context) ([]store.Session, error)
	EndedSessions(ctx context.Context) ([]store.Session, error)
	Session(ctx context.Context, id string) (store.Session, []jobs.Job, error)
	Types(ctx context.Context) ([]jobs.Type, error)
	Retry(ctx context.Context, id string) (jobs.Job, error)
	Redrive(ctx context.Context, r store.Redrive) (int, error)
	Cancel(ctx context.Context, id string) (jobs.Job, error)
	Delete(ctx context.Context, id string) error
}

var (
	_ looker = (*httpclient.Client)(nil)
	_ looker = (*engine.Client)(nil)
)

type greeting struct {
	Name string `json:"name" minLength:"1"`
}

// registry has a type that succeeds and one that fails.
func registry() *jobs.Registry {
	r := &jobs.Registry{}
	jobs.Handle(r, "greet", func(_ context.Context, run *jobs.Run, in greeting) (any, error) {
		return map[string]string{"text": "Hello, " + in.Name}, nil
	}, jobs.WithQueue("greetings"), jobs.WithDescription("Greets."), jobs.WithTimeout(time.Minute),
		jobs.WithExample(greeting{"Ada"}))
	jobs.Handle(r, "break", func(context.Context, *jobs.Run, json.RawMessage) (any, error) {
		return nil, errors.New("broken on purpose")
	}, jobs.WithMaxAttempts(1))
	return r
}

// start serves an API until the test ends.
func start(t *testing.T, wrap func(http.Handler) http.Handler) *localapi.System {
	t.Helper()
	s, err := localapi.Start(t.TempDir(), registry(), wrap)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func client(t *testing.T, opts httpclient.Options) *httpclient.Client {
	t.Helper()
	c, err := httpclient.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func one(n jobs.New) jobs.Submission { return jobs.Submission{Jobs: []jobs.New{n}} }

// over waits until a job is over, and returns it with its history.
func over(t *testing.T, c *httpclient.Client, id string) (jobs.Job, []jobs.Attempt) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := c.Wait(ctx, id); err != nil {
		t.Fatal(err)
	}
	j, history, err := c.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return j, history
}

// work starts a worker.
func work(t *testing.T, s *localapi.System) {
	t.Helper()
	if err := s.Work(); err != nil {
		t.Fatal(err)
	}
}

func TestLifeOfAJob(t *testing.T) {
	s := start(t, nil)
	c := client(t, httpclient.Options{URL: s.URL})
	runAt := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	given := jobs.New{
		Type: "greet", Queue: "vip", Payload: json.RawMessage(`{ "name": "Ada <&> 12345678901234567890.10" }`),
		Priority: 7, MaxAttempts: 3, Timeout: 90 * time.Second, RunAt: runAt,
	}
	receipt, err := c.Submit(t.Context(), one(given))
	if err != nil || receipt.Replayed || receipt.Err != nil || len(receipt.Jobs) != 1 {
		t.Fatalf("%+v, %v", receipt, err)
	}
	got := receipt.Jobs[0]
	want, _, err := s.Client.Get(t.Context(), got.ID)
	if err != nil {
		t.Fatal(err)
	}
	// What HTTP does not show is zero.
	want.Fence, want.LeaseLosses, want.DeadlineAt = 0, 0, time.Time{}
	same(t, got, want)
	if got.Queue != "vip" || got.Priority != 7 || got.MaxAttempts != 3 || got.Timeout != 90*time.Second ||
		!got.RunAt.Equal(runAt) {
		t.Errorf("not what was submitted: %+v", got)
	}

	cancelled, err := c.Cancel(t.Context(), got.ID)
	if err != nil || cancelled.Status != jobs.Failed || cancelled.FailureKind != jobs.KindCancelled {
		t.Fatalf("cancel: %+v, %v", cancelled, err)
	}
	retried, err := c.Retry(t.Context(), got.ID)
	if err != nil || retried.Status != jobs.Pending {
		t.Fatalf("retry: %+v, %v", retried, err)
	}
	work(t, s)
	done, history := over(t, c, got.ID)
	if done.Status != jobs.Completed || len(history) != 0 || done.WorkerID == "" || done.FinishedAt.IsZero() ||
		string(done.Result) != `{"text":"Hello, Ada <&> 12345678901234567890.10"}` {
		t.Errorf("%+v, %+v", done, history)
	}
	if err := c.Delete(t.Context(), got.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Get(t.Context(), got.ID); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("get after delete: %v", err)
	}
}

// same compares what JSON can tell of two jobs.
func same(t *testing.T, got, want jobs.Job) {
	t.Helper()
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("\n got %s\nwant %s", a, b)
	}
}

func TestDeadJobs(t *testing.T) {
	s := start(t, nil)
	work(t, s)
	c := client(t, httpclient.Options{URL: s.URL})
	receipt, err := c.Submit(t.Context(), jobs.Submission{Jobs: []jobs.New{{Type: "break"}, {Type: "break"}}})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{receipt.Jobs[0].ID, receipt.Jobs[1].ID}
	for _, id := range ids {
		j, history := over(t, c, id)
		if j.Error != "broken on purpose" || j.FailureKind != jobs.KindError || len(history) != 1 {
			t.Fatalf("%+v, %+v", j, history)
		}
		a := history[0]
		if a.Outcome != jobs.AttemptFailed || a.Error != j.Error || a.Attempt != 1 || a.WorkerID != j.WorkerID ||
			a.FinishedAt.IsZero() {
			t.Errorf("%+v", a)
		}
	}
	page, err := c.Dead(t.Context(), store.ListQuery{Type: "break", Limit: 1})
	if err != nil || len(page.Jobs) != 1 || page.Next == "" {
		t.Fatalf("%+v, %v", page, err)
	}
	if n, err := c.Redrive(t.Context(), store.Redrive{IDs: ids[:1], Spread: 10 * time.Hour}); err != nil || n != 1 {
		t.Errorf("redrive by id: %d, %v", n, err)
	}
	if n, err := c.Redrive(t.Context(), store.Redrive{Type: "greet"}); err != nil || n != 0 {
		t.Errorf("redrive of another type: %d, %v", n, err)
	}
	filter := store.Redrive{Type: "break", Error: "ON PURPOSE", Limit: 5, Spread: 10 * time.Hour}
	if n, err := c.Redrive(t.Context(), filter); err != nil || n != 1 {
		t.Errorf("redrive by filter: %d, %v", n, err)
	}
	var invalid *jobs.InvalidError
	if _, err := c.Redrive(t.Context(), store.Redrive{Limit: 5000}); !errors.As(err, &invalid) ||
		invalid.Fields[0].Pointer != "/limit" {
		t.Errorf("redrive of too many: %v", err)
	}
}

func TestListsGoOn(t *testing.T) {
	s := start(t, nil)
	c := client(t, httpclient.Options{URL: s.URL})
	list := make([]jobs.New, 7)
	for i := range list {
		list[i] = jobs.New{
			Type:    "greet",
			Payload: json.RawMessage(fmt.Sprintf(`{"name":"%d"}`, i)),
			Delay:   time.Duration(i) * time.Minute,
		}
	}
	receipt, err := c.Submit(t.Context(), jobs.Submission{Jobs: list})
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, j := range slices.Backward(receipt.Jobs) {
		want = append(want, j.ID)
	}
	q := store.ListQuery{Status: jobs.Pending, Type: "greet", Queue: "greetings", Limit: 3}
	for {
		page, err := c.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range page.Jobs {
			got = append(got, j.ID)
		}
		if q.Before = page.Next; page.Next == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if page, err := c.List(t.Context(), store.ListQuery{State: jobs.StateScheduled}); err != nil ||
		len(page.Jobs) != 6 ||
		page.Next != "" {
		t.Errorf("scheduled: %+v, %v", page, err)
	}
	odd := map[string]string{`a:b\c`: "d:e,f&g=%", "customer": "Ada"}
	noted, err := c.Submit(t.Context(), jobs.Submission{Jobs: []jobs.New{{
		Type: "greet", Payload: json.RawMessage(`{"name":"Ada"}`), Metadata: odd,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if page, err := c.List(t.Context(), store.ListQuery{Metadata: odd}); err != nil || len(page.Jobs) != 1 ||
		page.Jobs[0].ID != noted.Jobs[0].ID || !maps.Equal(page.Jobs[0].Metadata, odd) {
		t.Errorf("by metadata: %+v, %v", page, err)
	}
	if page, err := c.Dead(t.Context(), store.ListQuery{Metadata: odd}); err != nil || len(page.Jobs) != 0 {
		t.Errorf("dead ones by metadata: %+v, %v", page, err)
	}
	var p *httpclient.Problem
	if _, err := c.List(t.Context(), store.ListQuery{Metadata: map[string]string{"": "x"}}); !errors.As(err, &p) ||
		p.Status != 400 || p.Errors[0].Parameter != "metadata" {
		t.Errorf("metadata without a name: %v", err)
	}
	if _, err := c.List(t.Context(), store.ListQuery{Limit: 500}); !errors.As(err, &p) || p.Status != 400 ||
		p.Errors[0].Parameter != "limit" {
		t.Errorf("limit 500: %v", err)
	}
	if _, err := c.List(t.Context(), store.ListQuery{Before: "nonsense"}); !errors.As(err, &p) ||
		p.Errors[0].Parameter != "cursor" {
		t.Errorf("a cursor that is none: %v", err)
	}
}

func TestKeys(t *testing.T) {
	s := start(t, nil)
	c := client(t, httpclient.Options{URL: s.URL})
	for i, key := range []string{"order-17", `"quo\ted"x`, strings.Repeat("k", 255)} {
		sub := one(jobs.New{Type: "greet", Payload: json.RawMessage(fmt.Sprintf(`{"name":"%d"}`, i))})
		sub.Key = &jobs.Key{Key: key}
		first, err := c.Submit(t.Context(), sub)
		if err != nil || first.Replayed {
			t.Fatalf("%q: %+v, %v", key, first, err)
		}
		second, err := c.Submit(t.Context(), sub)
		if err != nil || !second.Replayed || second.Jobs[0].ID != first.Jobs[0].ID {
			t.Errorf("%q again: %+v, %v", key, second, err)
		}
		sub.Jobs[0].Priority = 1
		if _, err := c.Submit(t.Context(), sub); !errors.Is(err, jobs.ErrKeyReused) {
			t.Errorf("%q with another request: %v", key, err)
		}
		sub.Jobs[0].Priority = 0
		if _, err := c.Cancel(t.Context(), first.Jobs[0].ID); err != nil {
			t.Fatal(err)
		}
		if err := c.Delete(t.Context(), first.Jobs[0].ID); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Submit(t.Context(), sub); !errors.Is(err, jobs.ErrKeyGone) {
			t.Errorf("%q of a deleted job: %v", key, err)
		}
	}
}

// The same mistakes get the same errors from the engine and over HTTP.
func TestInvalidAsFromTheEngine(t *testing.T) {
	s := start(t, nil)
	c := client(t, httpclient.Options{URL: s.URL})
	ok := jobs.New{Type: "greet", Payload: json.RawMessage(`{"name":"Ada"}`)}
	tests := []struct {
		name string
		jobs []jobs.New
		want []string // pointers; HTTP may point deeper
	}{
		{"no type", []jobs.New{{Type: "nobody"}}, []string{"/0/type"}},
		{"a queue", []jobs.New{{Type: "greet", Queue: "No Queue", Payload: ok.Payload}}, []string{"/0/queue"}},
		{
			"in a list",
			[]jobs.New{ok, {Type: "greet", Priority: 11, MaxAttempts: 101, Payload: ok.Payload}},
			[]string{"/1/max_attempts", "/1/priority"},
		},
		{
			"the payload's type",
			[]jobs.New{{Type: "greet", Payload: json.RawMessage(`{"name":1}`)}},
			[]string{"/0/payload/name"},
		},
		{"no object", []jobs.New{{Type: "break", Payload: json.RawMessage(`[1]`)}}, []string{"/0/payload"}},
		{"no JSON", []jobs.New{ok, {Type: "break", Payload: json.RawMessage(`{`)}}, []string{"/1/payload"}},
		{
			"duplicate fields",
			[]jobs.New{{Type: "break", Payload: json.RawMessage(`{"a":1,"a":2}`)}},
			[]string{"/0/payload"},
		},
		{
			"too large",
			[]jobs.New{
				{Type: "break", Payload: json.RawMessage(`{"a":"` + strings.Repeat("x", jobs.MaxPayloadBytes) + `"}`)},
			},
			[]string{"/0/payload"},
		},
		{
			"half a second",
			[]jobs.New{{Type: "greet", Timeout: 1500 * time.Millisecond, Payload: ok.Payload}},
			[]string{"/0/timeout_seconds"},
		},
		{
			"negative delay",
			[]jobs.New{{Type: "greet", Delay: -time.Second, Payload: ok.Payload}},
			[]string{"/0/delay_seconds"},
		},
		{"nothing", nil, []string{""}},
		{"too many", make([]jobs.New, 1001), []string{""}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for name, to := range map[string]submitter{"engine": s.Client, "http": c} {
				_, err := to.Submit(t.Context(), jobs.Submission{Jobs: slices.Clone(test.jobs)})
				var invalid *jobs.InvalidError
				if !errors.As(err, &invalid) {
					t.Errorf("%s: %v", name, err)
					continue
				}
				var got []string
				for _, f := range invalid.Fields {
					got = append(got, f.Pointer)
				}
				slices.Sort(got)
				if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
					t.Errorf("%s: pointers %q, want %q", name, got, test.want)
				}
			}
		})
	}
	for name, sub := range map[string]jobs.Submission{
		"an id":         one(jobs.New{ID: "0192f000-0000-7000-8000-000000000001", Type: "break"}),
		"an empty key":  {Jobs: []jobs.New{ok}, Key: &jobs.Key{}},
		"a key's scope": {Jobs: []jobs.New{ok}, Key: &jobs.Key{Key: "a", Scope: "b"}},
		"a key's form":  {Jobs: []jobs.New{ok}, Key: &jobs.Key{Key: "a\nb"}},
	} {
		var invalid *jobs.InvalidError
		if _, err := c.Submit(t.Context(), sub); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if m, err := c.Metrics(t.Context()); err != nil || m.Total != 0 {
		t.Errorf("something was stored: %+v, %v", m, err)
	}
}

func TestRefusals(t *testing.T) {
	s := start(t, nil)
	c := client(t, httpclient.Options{URL: s.URL})
	receipt, err := c.Submit(t.Context(), one(jobs.New{Type: "break"}))
	if err != nil {
		t.Fatal(err)
	}
	id := receipt.Jobs[0].ID
	var p *httpclient.Problem
	if _, err := c.Retry(t.Context(), id); !errors.Is(err, jobs.ErrConflict) || !errors.As(err, &p) ||
		p.Status != 409 ||
		!strings.Contains(p.Detail, "pending") {
		t.Errorf("retry of a pending job: %v", err)
	}
	if err := c.Delete(t.Context(), id); !errors.Is(err, jobs.ErrConflict) {
		t.Errorf("delete of a pending job: %v", err)
	}
	for _, id := range []string{"0192f000-0000-7000-8000-000000000001", "", "..", "../metrics", "x"} {
		if _, _, err := c.Get(t.Context(), id); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("get %q: %v", id, err)
		}
		if _, err := c.Cancel(t.Context(), id); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("cancel %q: %v", id, err)
		}
		if err := c.Delete(t.Context(), id); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("delete %q: %v", id, err)
		}
	}
	elsewhere := client(t, httpclient.Options{URL: s.URL + "/elsewhere"})
	if _, err := elsewhere.Queues(t.Context(), store.QueueQuery{}); !errors.As(err, &p) || p.Status != 404 ||
		errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("a wrong path: %v", err)
	}
}

func TestSystem(t *testing.T) {
	s := start(t, nil)
	c := client(t, httpclient.Options{URL: s.URL})
	if ready, err := c.Ready(t.Context()); err != nil || ready.Store != "ok" || ready.Redis != "ok" {
		t.Errorf("%+v, %v", ready, err)
	}
	later := jobs.New{Type: "greet", Payload: json.RawMessage(`{"name":"Ada"}`), Delay: 1500 * time.Millisecond}
	receipt, err := c.Submit(t.Context(), jobs.Submission{Jobs: []jobs.New{{Type: "break"}, later}})
	if err != nil {
		t.Fatal(err)
	}
	if wait := receipt.Jobs[1].RunAt.Sub(receipt.Jobs[1].CreatedAt); wait != 2*time.Second {
		t.Errorf("a delay of 1.5 s became %s", wait)
	}
	types, err := c.Types(t.Context())
	if err != nil || len(types) != 2 {
		t.Fatalf("%+v, %v", types, err)
	}
	greet := types[1]
	if greet.Name != "greet" || greet.Description != "Greets." || greet.Queue != "greetings" ||
		greet.MaxAttempts != jobs.DefaultMaxAttempts ||
		greet.Timeout != time.Minute ||
		string(greet.Example) != `{"name":"Ada"}` ||
		!strings.Contains(string(greet.Schema), "minLength") {
		t.Errorf("%+v", greet)
	}
	queues, err := c.Queues(t.Context(), store.QueueQuery{})
	if list := queues.Queues; err != nil || len(list) != 2 || queues.Total != 2 || list[0].Name != "default" ||
		list[0].Due != 1 || list[1].Later != 1 {
		t.Errorf("%+v, %v", queues, err)
	}
	first, err := c.Queues(t.Context(), store.QueueQuery{Limit: 1})
	second, err2 := c.Queues(t.Context(), store.QueueQuery{Limit: 1, After: first.Next})
	if err = errors.Join(err, err2); err != nil || len(first.Queues) != 1 || len(second.Queues) != 1 ||
		first.Queues[0].Name != "default" || second.Queues[0].Name != "greetings" || second.Next != "" {
		t.Errorf("page by page: %+v, %+v, %v", first, second, err)
	}
	some, err := c.Queues(t.Context(), store.QueueQuery{Prefix: "greet"})
	if err != nil || some.Total != 1 || some.Queues[0].Name != "greetings" {
		t.Errorf("by prefix: %+v, %v", some, err)
	}
	m, err := c.Metrics(t.Context())
	if err != nil || m.Total != 2 || m.Due != 1 || m.Scheduled != 1 || m.Workers != 0 {
		t.Errorf("%+v, %v", m, err)
	}
	work(t, s)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		sessions, err := c.Sessions(t.Context()) // at most 2 s old
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%+v, %v", sessions, err)
		}
		if len(sessions) == 0 {
			continue
		}
		w := sessions[0]
		if w.Slots != 4 || w.State != store.SessionAlive || w.Version != "test" || w.Hostname == "" || w.PID == 0 ||
			len(w.Types) != 2 ||
			w.StartedAt.IsZero() ||
			w.BeatAt.IsZero() {
			t.Errorf("%+v", w)
		}
		one, _, err := c.Session(t.Context(), w.ID)
		if err != nil || one.ID != w.ID || one.Hostname != w.Hostname || one.PID != w.PID || !one.EndedAt.IsZero() {
			t.Errorf("%+v, %v", one, err)
		}
		break
	}
	if ended, err := c.EndedSessions(t.Context()); err != nil || len(ended) != 0 {
		t.Errorf("%+v, %v", ended, err)
	}
	for _, id := range []string{"no UUID", "01900000-0000-7000-8000-00000000dead"} {
		if _, _, err := c.Session(t.Context(), id); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("worker %s: %v", id, err)
		}
	}
}

func TestOptions(t *testing.T) {
	const secret = "s3cret"
	for name, opts := range map[string]httpclient.Options{
		"URL is required":        {},
		"http:// or https://":    {URL: "localhost:8000"},
		"must name a host":       {URL: "http:///jobs"},
		"user or password":       {URL: "http://ada:" + secret + "@localhost"},
		"query":                  {URL: "http://localhost?token=" + secret},
		"cannot be parsed":       {URL: "http://" + secret + "\x7f"},
		"Token must consist":     {URL: "http://localhost", Token: secret + "\r\nX: y"},
		"UserAgent must consist": {URL: "http://localhost", UserAgent: "a\nb"},
		"Attempts must be":       {URL: "http://localhost", Attempts: 21},
		"Attempts must be 1":     {URL: "http://localhost", Attempts: -1},
	} {
		_, err := httpclient.New(opts)
		if !errors.Is(err, httpclient.ErrOptions) || !strings.Contains(err.Error(), name) ||
			strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The API may be mounted beneath a path, and the program's http.Client is left as it is.
func TestPrefixTokenAndOwnClient(t *testing.T) {
	var header http.Header
	s := start(t, func(api http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle(
			"/windlass/api/",
			http.StripPrefix("/windlass/api", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				header = r.Header.Clone()
				api.ServeHTTP(w, r)
			})),
		)
		return mux
	})
	own := &http.Client{}
	var answers []string
	c := client(t, httpclient.Options{
		URL: s.URL + "/windlass/api/", Token: "t0ken", UserAgent: "greeter/1", HTTPClient: own,
		OnAnswer: func(body []byte) { answers = append(answers, string(body)) },
	})
	receipt, err := c.Submit(t.Context(), one(jobs.New{Type: "break"}))
	if err != nil {
		t.Fatal(err)
	}
	if header.Get("Authorization") != "Bearer t0ken" || header.Get("User-Agent") != "greeter/1" {
		t.Errorf("headers %v", header)
	}
	if _, _, err := c.Get(t.Context(), receipt.Jobs[0].ID); err != nil {
		t.Error(err)
	}
	if len(answers) != 2 || !strings.Contains(answers[1], `"history":[]`) {
		t.Errorf("answers %q", answers)
	}
	if own.CheckRedirect != nil {
		t.Error("the program's client was changed")
	}
}
