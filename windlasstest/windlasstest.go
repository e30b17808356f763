// Package windlasstest helps to test programs that use Windlass.
//
// [Run] makes one attempt at a job with a handler, without a store. [New] is a whole engine on SQLite in a temporary
// folder, which takes some 15 ms; its clock is moved by the test, so that nothing waits for a retry or a delay.
// [Submitted] tells what was submitted.
package windlasstest

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass"
	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
)

// waitLimit is how long a test waits for a job before it fails.
const waitLimit = 30 * time.Second

// Run makes one attempt: it takes the payload through JSON and the schema of the type, as a submission does, and
// calls fn. It returns what fn returns. The job has an id, attempt 1 of jobs.DefaultMaxAttempts, and t's context. A
// payload that a submission would refuse fails the test, and so does a result that cannot be stored.
//
// Run.CompleteTx fails with jobs.ErrUnsupported there; use New for that.
func Run[T any](t testing.TB, typ windlass.JobType[T], fn jobs.HandlerFunc[T], payload T) (any, error) {
	t.Helper()
	handler := typ.Handler(fn)
	raw, err := json.Marshal(payload)
	if err == nil {
		raw, err = canonjson.Canonical(raw, canonjson.Limits{})
	}
	if err == nil {
		err = handler.Check(raw)
	}
	if err != nil {
		t.Fatalf("payload of %s: %v", typ.Name(), err)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	job := jobs.Job{
		ID: uuid.Must(uuid.NewV7()).String(), Type: typ.Name(), Queue: handler.Type.Queue,
		Payload: raw, Status: jobs.Processing,
		Attempts: 1, MaxAttempts: handler.Type.MaxAttempts, Timeout: handler.Type.Timeout, Fence: 1,
		RunAt: now, CreatedAt: now, UpdatedAt: now, StartedAt: now,
	}
	result, err := handler.Run(t.Context(), jobs.NewRun(job, logTo(t), nil))
	if err == nil && result != nil {
		out, bad := json.Marshal(result)
		if bad == nil {
			_, bad = canonjson.Canonical(out, canonjson.Limits{Bytes: jobs.MaxResultBytes})
		}
		if bad != nil {
			t.Errorf("result of %s: %v", typ.Name(), bad)
		}
	}
	return result, err
}

// App is a windlass.App for one test.
type App struct {
	*windlass.App
	Store *sqlite.Store
	Clock *Clock

	t     testing.TB
	start sync.Once
}

// New returns an App on SQLite in a temporary folder. It submits at once, and works once Start was called. The
// options may be changed, but for the Store and the Queue. Everything ends with the test.
func New(t testing.TB, change ...func(*windlass.Options)) *App {
	t.Helper()
	clock := &Clock{}
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	queue := memory.New(memory.Options{Now: clock.Now})
	opts := windlass.Options{Log: logTo(t), LeaseTTL: forever}
	for _, c := range change {
		c(&opts)
	}
	opts.Store, opts.Queue = db, queue
	app, err := windlass.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		app.Close()
		queue.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &App{App: app, Store: db, Clock: clock, t: t}
}

// forever is a lease that no movement of the clock ends: a worker of the same process cannot be lost.
const forever = 100 * 365 * 24 * time.Hour

// Start works on the types that have a handler, until the test ends. Jobs that run then have their context ended.
func (a *App) Start() {
	a.start.Do(func() {
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- a.App.Run(ctx) }()
		a.t.Cleanup(func() {
			stop()
			if err := <-done; err != nil {
				a.t.Errorf("Run: %v", err)
			}
		})
	})
}

// Wait returns a job when it is completed or failed. It fails the test after 30 s. With a retry or a delay in the
// way, move the clock first.
func (a *App) Wait(id string) jobs.Job {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), waitLimit)
	defer cancel()
	job, err := a.App.Wait(ctx, id)
	if err != nil {
		now, _, _ := a.Get(a.t.Context(), id)
		a.t.Fatalf("job %s is not over after %s: %v; it is %s, attempt %d, last error %q",
			id, waitLimit, err, now.Status, now.Attempts, now.Error)
	}
	return job
}

// WaitState returns a job when it is in a state, for example jobs.StateRetrying. It fails the test after 30 s.
func (a *App) WaitState(id string, state jobs.State) jobs.Job {
	a.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(waitLimit); ; <-tick.C {
		job, _, err := a.Get(a.t.Context(), id)
		switch {
		case err != nil:
			a.t.Fatalf("job %s: %v", id, err)
		case job.State(a.Clock.Now()) == state:
			return job
		case time.Now().After(end):
			a.t.Fatalf("job %s is not %s after %s, but %s, attempt %d, last error %q",
				id, state, waitLimit, job.State(a.Clock.Now()), job.Attempts, job.Error)
		}
	}
}

// Clock is the clock of an App: it goes like that of the machine, plus what it was advanced by.
type Clock struct{ ahead atomic.Int64 }

// Now tells the time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// Advance moves the clock ahead by d, which must not be negative. Jobs that are due by then run at once.
func (c *Clock) Advance(d time.Duration) {
	if d < 0 {
		panic("windlasstest: a clock does not go back")
	}
	c.ahead.Add(int64(d))
}

// Submission is a job that was submitted, with its payload.
type Submission[T any] struct {
	Job     jobs.Job
	Payload T
}

// Submitted returns the jobs of a type, in the order in which they were submitted, whatever has become of them.
func Submitted[T any](t testing.TB, app *App, typ windlass.JobType[T]) []Submission[T] {
	t.Helper()
	var list []Submission[T]
	query := store.ListQuery{Type: typ.Name(), Limit: 200}
	for {
		page, err := app.List(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for _, listed := range page.Jobs {
			job, _, err := app.Get(t.Context(), listed.ID)
			if err != nil {
				t.Fatal(err)
			}
			s := Submission[T]{Job: job}
			if err := json.Unmarshal(job.Payload, &s.Payload); err != nil {
				t.Fatalf("payload of job %s: %v", job.ID, err)
			}
			list = append(list, s)
		}
		if query.Before = page.Next; query.Before == "" {
			slices.Reverse(list)
			return list
		}
	}
}

// logTo writes log lines into the test's output.
func logTo(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}
