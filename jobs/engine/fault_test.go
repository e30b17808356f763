package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
)

var errCut = errors.New("connection cut")

func TestQueueLosesItsMemory(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("work", func(context.Context, *jobs.Run, map[string]any) (any, error) { return nil, nil })
	list := s.submit(slices.Repeat([]jobs.New{{Type: "work"}}, 150)...)
	later := s.submit(jobs.New{Type: "work", Delay: 2 * time.Second})[0]
	eventually(t, "hints", func() bool {
		d, err := s.queue.Depths(t.Context(), []string{"default"})
		return err == nil && d.Queues["default"].Ready == 150
	})
	s.queue.Forget()
	s.start()
	for _, j := range append(list, later) {
		s.awaitStatus(j.ID, jobs.Completed)
	}
}

func TestBacklogBeyondTheCap(t *testing.T) {
	t.Parallel()
	s := newSystem(t) // whose queue holds 200 ids
	var runs atomic.Int32
	s.handle("work", func(context.Context, *jobs.Run, map[string]any) (any, error) {
		runs.Add(1)
		return nil, nil
	})
	for range 4 {
		s.submit(slices.Repeat([]jobs.New{{Type: "work"}}, 1000)...)
	}
	s.opts.Concurrency = 50
	s.start()
	eventually(t, "4,000 completed", func() bool {
		stats, err := s.store.Stats(t.Context())
		return err == nil && stats.Completed == 4000
	})
	if n := runs.Load(); n != 4000 {
		t.Errorf("%d executions of 4,000 jobs with no fault", n)
	}
}

func TestQueueOutOfReach(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("work", func(context.Context, *jobs.Run, map[string]any) (any, error) { return nil, nil })
	s.queue.setFail(errCut)
	s.start()
	now := s.submit(jobs.New{Type: "work"})[0]
	later := s.submit(jobs.New{Type: "work", Delay: time.Second})[0]
	s.awaitStatus(now.ID, jobs.Completed)
	s.awaitStatus(later.ID, jobs.Completed)
	if !s.client.Degraded() {
		t.Error("the client does not say that it is degraded")
	}
	s.queue.setFail(nil)
	again := s.submit(jobs.New{Type: "work"})[0]
	s.awaitStatus(again.ID, jobs.Completed)
	eventually(t, "the client to be well", func() bool { return !s.client.Degraded() })
	eventually(t, "the log to say so",
		func() bool { return strings.Contains(s.log.String(), `"queue reachable again"`) })
}

// muteBus cannot publish.
type muteBus struct{ queue.Bus }

func (muteBus) Publish(context.Context, ...queue.Event) error { return errCut }

// A Bus that fails does not take the Queue with it.
func TestBusOutOfReach(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	started := make(chan string, 1)
	s.handle("wait", func(ctx context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		started <- run.Job.ID
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
	s.client.Close()
	s.client = must(engine.NewClient(engine.ClientOptions{
		Store: s.store, Queue: s.queue, Bus: muteBus{s.queue}, Registry: &s.registry, Log: s.opts.Log,
	}))
	s.start()
	id := s.submit(jobs.New{Type: "wait"})[0].ID
	receive(t, "the start", started)
	if _, err := s.client.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if s.client.Degraded() {
		t.Error("the client says that the queue is out of reach")
	}
	s.awaitStatus(id, jobs.Failed) // by a heartbeat
}

// crowdedQueue is a Queue that another installation uses, too, as long as the warning says so.
type crowdedQueue struct {
	*memory.Queue
	warning atomic.Value
	seen    atomic.Value
}

func (q *crowdedQueue) Register(_ context.Context, installation string) (string, error) {
	q.seen.Store(installation)
	return q.warning.Load().(string), nil
}

// identifiedStore is a Store that knows which installation it is.
type identifiedStore struct{ *sqlite.Store }

func (identifiedStore) Installation(context.Context) (string, error) { return "here", nil }

func TestAnotherInstallationIsWarnedOf(t *testing.T) {
	t.Parallel()
	st := must(sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()}))
	defer st.Close()
	q := &crowdedQueue{Queue: memory.New(memory.Options{})}
	defer q.Close()
	q.warning.Store("another one")
	log := &logBook{}
	m := must(engine.NewMaintenance(engine.MaintenanceOptions{
		Store: identifiedStore{st}, Queue: q, Log: slog.New(slog.NewJSONHandler(log, nil)),
	}))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); m.Run(ctx) }()
	defer func() { cancel(); <-done }()
	eventually(t, "a warning", func() bool { return strings.Contains(log.String(), `"another one"`) })
	q.warning.Store("")
	eventually(t, "its end", func() bool { return strings.Contains(log.String(), `"no other installation`) })
	if n := strings.Count(log.String(), "another one"); n != 1 || q.seen.Load() != "here" {
		t.Errorf("%d warnings, registered as %v", n, q.seen.Load())
	}
}

func TestClaimAnswerLost(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	var runs atomic.Int32
	s.handle("work", func(context.Context, *jobs.Run, map[string]any) (any, error) {
		runs.Add(1)
		return nil, nil
	})
	var cut atomic.Bool
	s.store.set(func() {
		s.store.onClaim = func(real func() (store.Claimed, error)) (store.Claimed, error) {
			c, err := real()
			if len(c.Jobs) > 0 && cut.CompareAndSwap(false, true) {
				return store.Claimed{}, errCut
			}
			return c, err
		}
	})
	w := s.start()
	id := s.submit(jobs.New{Type: "work", MaxAttempts: 1})[0].ID
	j := s.awaitStatus(id, jobs.Completed)
	_, history := s.get(id)
	if j.Attempts != 1 || runs.Load() != 1 || len(history) != 1 || history[0].Outcome != jobs.AttemptReleased {
		t.Errorf("job %+v, %d runs, history %+v", j, runs.Load(), history)
	}
	if n := w.Stats().Phantoms; n != 1 {
		t.Errorf("%d phantoms", n)
	}
}

func TestSettleAnswerLost(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	var runs, cuts atomic.Int32
	s.handle("work", func(_ context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		if runs.Add(1) == 1 {
			return nil, errors.New("once")
		}
		return "fine", nil
	}, jobs.WithBackoff(func(int) time.Duration { return 2 * time.Second })) // far longer than until settling is repeated
	s.store.set(func() {
		s.store.onSettle = func(_ []store.Outcome, real func() ([]store.Settled, error)) ([]store.Settled, error) {
			answer, err := real()
			if cuts.Add(1)%2 == 1 { // each outcome is stored, and its first answer lost
				return nil, errCut
			}
			return answer, err
		}
	})
	w := s.start()
	id := s.submit(jobs.New{Type: "work"})[0].ID
	j := s.awaitStatus(id, jobs.Completed)
	eventually(t, "the worker to know", func() bool { return w.Stats().Completed == 1 })
	if stats := w.Stats(); runs.Load() != 2 || j.Attempts != 2 || stats.Stale != 0 || stats.Failed != 1 {
		t.Errorf("%d runs, job %+v, worker %+v", runs.Load(), j, stats)
	}
}

func TestStoreDownAtTheResult(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	var runs, refused atomic.Int32
	s.handle("work", func(context.Context, *jobs.Run, map[string]any) (any, error) {
		runs.Add(1)
		return nil, nil
	})
	s.store.set(func() {
		s.store.onSettle = func(_ []store.Outcome, real func() ([]store.Settled, error)) ([]store.Settled, error) {
			if refused.Add(1) < 5 {
				return nil, jobs.ErrUnavailable
			}
			return real()
		}
	})
	s.start()
	id := s.submit(jobs.New{Type: "work", MaxAttempts: 1})[0].ID
	if s.awaitStatus(id, jobs.Completed); runs.Load() != 1 {
		t.Errorf("%d runs", runs.Load())
	}
}

func TestLeaseLost(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.opts.LeaseTTL = 2 * time.Second
	causes := make(chan error, 10)
	var first atomic.Bool
	s.handle("work", func(ctx context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		if !first.CompareAndSwap(false, true) {
			return "second", nil
		}
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return "zombie", nil
	})
	var silent atomic.Bool
	s.store.set(func() {
		s.store.onBeat = func(p store.Heartbeat, real beat) (store.HeartbeatReply, error) {
			if silent.Load() {
				return store.HeartbeatReply{}, errCut
			}
			return real()
		}
	})
	w := s.start()
	id := s.submit(jobs.New{Type: "work"})[0].ID
	eventually(t, "the start", first.Load)
	silent.Store(true)
	if cause := receive(t, "the end of the context", causes); !errors.Is(cause, jobs.ErrLeaseLost) {
		t.Errorf("cause: %v", cause)
	}
	silent.Store(false)
	j := s.awaitStatus(id, jobs.Completed)
	if string(j.Result) != `"second"` {
		t.Errorf("the zombie's result was recorded: %s", j.Result)
	}
	if w.Stats().LeasesLost != 1 {
		t.Errorf("worker %+v", w.Stats())
	}
}

func TestSessionMarkedDead(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	started := make(chan string, 10)
	gate := make(chan struct{})
	s.handle("work", func(ctx context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		started <- run.Job.WorkerID
		if run.Job.Attempts == 1 {
			<-gate // does not even look at its context
		}
		return run.Job.Attempts, nil
	})
	w := s.start()
	id := s.submit(jobs.New{Type: "work"})[0].ID
	session := receive(t, "the start", started)
	// Another process finds that this session has expired.
	if _, err := s.store.Store.Heartbeat(t.Context(),
		store.Heartbeat{Session: session, State: store.SessionDead, SinceCompletion: -1}); err != nil {
		t.Fatal(err)
	}
	if next := receive(t, "the second attempt", started); next == session {
		t.Error("the dead session claimed a job")
	}
	j := s.awaitStatus(id, jobs.Completed)
	close(gate)
	eventually(t, "the first attempt to be dropped", func() bool { return w.Stats().LeasesLost == 1 })
	if string(j.Result) != "2" {
		t.Errorf("result %s", j.Result)
	}
	_, history := s.get(id)
	if len(history) != 1 || history[0].Outcome != jobs.AttemptLeaseLost || history[0].WorkerID != session {
		t.Errorf("history %+v", history)
	}
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.opts.ShutdownTimeout = 2 * time.Second
	s.opts.Concurrency = 2
	started, finish := make(chan string, 10), make(chan struct{})
	s.handle("quick", func(ctx context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		started <- run.Job.ID
		<-finish
		return "done", ctx.Err()
	})
	s.handle("endless", func(ctx context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		started <- run.Job.ID
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
	ctx, stop := context.WithCancel(t.Context())
	worker := must(engine.NewWorker(s.opts))
	stopped := make(chan error, 1)
	go func() { stopped <- worker.Run(ctx) }()
	quick := s.submit(jobs.New{Type: "quick"})[0].ID
	endless := s.submit(jobs.New{Type: "endless", MaxAttempts: 1})[0].ID
	receive(t, "a start", started)
	receive(t, "a start", started)
	waiting := s.submit(jobs.New{Type: "quick"})[0].ID
	stop()
	eventually(t, "draining", worker.Draining)
	close(finish)
	if err := receive(t, "the worker's end", stopped); err != nil {
		t.Error(err)
	}
	if j, _ := s.get(quick); j.Status != jobs.Completed {
		t.Errorf("the job that could finish: %+v", j)
	}
	if j, history := s.get(endless); j.Status != jobs.Pending || j.Attempts != 0 || len(history) != 1 ||
		history[0].Outcome != jobs.AttemptReleased {
		t.Errorf("the job that could not: %+v, %+v", j, history)
	}
	if j, _ := s.get(waiting); j.Status != jobs.Pending || j.Attempts != 0 {
		t.Errorf("the job that had not begun: %+v", j)
	}
	if list, err := s.store.Sessions(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("sessions left: %+v, %v", list, err)
	}
}

func TestHandlerIgnoresItsContext(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.opts.ExitWhenStuck = true
	s.opts.Concurrency = 2
	gate := make(chan struct{})
	s.handle("deaf", func(context.Context, *jobs.Run, map[string]any) (any, error) {
		<-gate
		return "too late", nil
	}, jobs.WithMaxAttempts(1))
	stopped := make(chan error, 1)
	worker := must(engine.NewWorker(s.opts))
	go func() { stopped <- worker.Run(t.Context()) }()
	id := s.submit(jobs.New{Type: "deaf", Timeout: time.Second})[0].ID
	if j := s.awaitStatus(id, jobs.Failed); j.FailureKind != jobs.KindTimeout {
		t.Errorf("job %+v", j)
	}
	if err := receive(t, "the worker's end", stopped); !errors.Is(err, engine.ErrStuck) {
		t.Errorf("the worker ended with %v", err)
	}
	close(gate)
}
