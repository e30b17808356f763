package windlass_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/access"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
)

func TestNewNamesTheOptionAtFault(t *testing.T) {
	db := openSQLite(t)
	var noStore *sqlite.Store
	var noQueue *memory.Queue
	for _, c := range []struct {
		name string
		opts windlass.Options
		want string // part of the error; empty: none
	}{
		{"nothing", windlass.Options{}, "Options.Store is missing"},
		{"a nil store in the interface", windlass.Options{Store: noStore}, "Options.Store is missing"},
		{"a nil queue in the interface", windlass.Options{Store: db, Queue: noQueue}, ""},
		{"a negative concurrency", windlass.Options{Store: db, Concurrency: -1}, "Concurrency"},
		{"a queue without a weight", windlass.Options{Store: db, Queues: map[string]int{"mail": 0}}, "mail"},
		{"a queue with a bad name", windlass.Options{Store: db, Queues: map[string]int{"Mail!": 1}}, "Mail!"},
		{"a lease that is too short", windlass.Options{Store: db, LeaseTTL: time.Millisecond}, "LeaseTTL"},
		{"a negative retention", windlass.Options{Store: db, RetentionFailed: -time.Hour}, "RetentionFailed"},
		{"a negative payload limit", windlass.Options{Store: db, MaxPayloadBytes: -1}, "MaxPayloadBytes"},
	} {
		app, err := windlass.New(c.opts)
		if app != nil {
			app.Close()
		}
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want it to name %s", c.name, err, c.want)
		}
	}
}

func TestTwoFaultsAreNamedTogether(t *testing.T) {
	_, err := windlass.New(windlass.Options{Store: openSQLite(t), Concurrency: -1, RetentionCompleted: -1})
	var option *engine.OptionError
	text := fmt.Sprint(err)
	both := strings.Contains(text, "Concurrency") && strings.Contains(text, "RetentionCompleted")
	if !errors.As(err, &option) || !both {
		t.Errorf("%v", err)
	}
}

func TestMistakesOfTheProgramPanicWhereTheyAreMade(t *testing.T) {
	app := newApp(t)
	ok := func(context.Context, *jobs.Run, Greeting) (any, error) { return nil, nil }
	for name, mistake := range map[string]func(){
		"a type with a bad name":   func() { windlass.Define[Greeting]("Greet!") },
		"a bad option":             func() { windlass.Define[Greeting]("greet", jobs.WithMaxAttempts(0)) },
		"a handler that is nil":    func() { greet.Handle(app, nil) },
		"an app that is nil":       func() { greet.Handle(nil, ok) },
		"a type without Define":    func() { var none windlass.JobType[Greeting]; none.Handle(app, ok) },
		"a second handler":         func() { greet.Handle(app, ok); greet.Handle(app, ok) },
		"a base path with a slash": func() { app.Handler(windlass.BasePath("/windlass/")) },
		"a bad origin":             func() { app.Handler(windlass.TrustedOrigins("example.com")) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			mistake()
		}()
	}
}

// A program with little memory says how much of it requests may take. The largest body follows from that.
func TestRequestMemoryOfTheHandler(t *testing.T) {
	app := newApp(t)
	body := `{"jobs":[{"type":"greet","payload":{"name":"Ada"}}` + strings.Repeat(" ", 4<<20) + `]}`
	for want, options := range map[int][]windlass.HandlerOption{
		http.StatusUnprocessableEntity:   nil, // nobody handles the type
		http.StatusRequestEntityTooLarge: {windlass.RequestMemory(16 << 20)},
	} {
		r := httptest.NewRequest("POST", "/api/jobs/bulk", strings.NewReader(body))
		r.Host = "localhost"
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if app.Handler(options...).ServeHTTP(w, r); w.Code != want {
			t.Errorf("%d %s, want %d", w.Code, w.Body, want)
		}
	}
}

func TestSubmitToNobody(t *testing.T) {
	var none *windlass.App
	if _, err := greet.Submit(t.Context(), none, Greeting{Name: "Ada"}); !strings.Contains(fmt.Sprint(err), "is nil") {
		t.Errorf("nil App: %v", err)
	}
	if _, err := greet.Submit(t.Context(), nil, Greeting{Name: "Ada"}); err == nil {
		t.Error("nil: no error")
	}
	if _, err := greet.SubmitTx(t.Context(), nil, none, Greeting{Name: "Ada"}); err == nil {
		t.Error("SubmitTx to a nil App: no error")
	}
	if _, err := windlass.Wait[string](t.Context(), none, "x"); err == nil {
		t.Error("Wait on a nil App: no error")
	}
	var empty windlass.JobType[Greeting]
	if _, err := empty.Submit(t.Context(), newApp(t), Greeting{Name: "Ada"}); err == nil {
		t.Error("a type without Define: no error")
	}
	unmarshalable := windlass.Define[map[string]any]("odd")
	if _, err := unmarshalable.Submit(t.Context(), newApp(t), map[string]any{"f": func() {}}); err == nil {
		t.Error("a payload that is no JSON: no error")
	}
}

// The caller of Metadata may change its map afterwards, and jobs do not share one.
func TestMetadataIsCopied(t *testing.T) {
	app, pairs := newApp(t), map[string]string{"customer": "ada"}
	option := windlass.Metadata(pairs)
	pairs["customer"], pairs["order"] = "grace", "7"
	first, err := greet.Submit(t.Context(), app, Greeting{Name: "Ada"}, option)
	if err != nil {
		t.Fatal(err)
	}
	first.Metadata["customer"] = "grace"
	second, err := greet.Submit(t.Context(), app, Greeting{Name: "Ada"}, option)
	if err != nil || len(second.Metadata) != 1 || second.Metadata["customer"] != "ada" {
		t.Errorf("the second job: %v, error %v", second.Metadata, err)
	}
	job, _, err := app.Get(t.Context(), first.ID)
	if err != nil || len(job.Metadata) != 1 || job.Metadata["customer"] != "ada" {
		t.Errorf("the first job: %v, error %v", job.Metadata, err)
	}
}

func TestForeignTransactions(t *testing.T) {
	app := newApp(t)
	for name, tx := range map[string]any{"nil": nil, "a string": "tx", "a number": 7} {
		_, err := greet.SubmitTx(t.Context(), tx, app, Greeting{Name: "Ada"})
		if !errors.Is(err, store.ErrForeignTx) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunOnce(t *testing.T) {
	app := newApp(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := app.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if err := app.Run(ctx); !errors.Is(err, windlass.ErrRunning) && !errors.Is(err, windlass.ErrClosed) {
		t.Errorf("a second Run: %v", err)
	}
	app.Close()
	if _, err := greet.Submit(t.Context(), app, Greeting{Name: "Ada"}); !errors.Is(err, windlass.ErrClosed) {
		t.Errorf("Submit after Close: %v", err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	app := newApp(t)
	job, err := greet.Submit(t.Context(), app, Greeting{Name: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := windlass.Wait[string](ctx, app, job.ID); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	unknown := "0192f000-0000-7000-8000-00000000dead"
	if _, err := windlass.Wait[string](t.Context(), app, unknown); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("a job that is not there: %v", err)
	}
}

func openSQLite(t *testing.T) *sqlite.Store {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func newApp(t *testing.T) *windlass.App {
	t.Helper()
	app, err := windlass.New(windlass.Options{Store: openSQLite(t), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.Close)
	return app
}

func TestHandlerAsksForTokens(t *testing.T) {
	db := openSQLite(t)
	app := windlass.Must(windlass.New(windlass.Options{Store: db}))
	defer app.Close()
	token, secret, err := access.NewToken("ci", []access.Scope{access.Read}, nil, nil, "test")
	if err == nil {
		_, err = db.CreateToken(t.Context(), token, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	guard := windlass.Must(access.NewGuard(access.GuardOptions{Store: db}))
	defer guard.Close()
	for path, want := range map[string][2]int{ // without and with the token
		"/w/api/jobs": {401, 200}, "/w/metrics": {401, 200}, "/w/livez": {200, 200}, "/w/api/tokens": {401, 403},
	} {
		for i, status := range want {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Host = "localhost"
			if i == 1 {
				r.Header.Set("Authorization", "Bearer "+secret)
			}
			w := httptest.NewRecorder()
			app.Handler(windlass.BasePath("/w"), windlass.Tokens(guard)).ServeHTTP(w, r)
			if w.Code != status {
				t.Errorf("%s, with a token: %v: %d, want %d", path, i == 1, w.Code, status)
			}
		}
	}
}
