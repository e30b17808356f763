package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

func TestCompletes(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("add", func(_ context.Context, run *jobs.Run, in map[string]any) (any, error) {
		return map[string]any{"sum": 3, "echo": in["n"]}, nil
	})
	s.start()
	id := s.submit(jobs.New{Type: "add", Payload: []byte(`{"n": 12345678901234567890}`)})[0].ID
	j := s.awaitStatus(id, jobs.Completed)
	if got := string(j.Result); got != `{"sum":3,"echo":12345678901234567890}` {
		t.Errorf("result %s", got)
	}
	if j.Attempts != 1 || j.Error != "" || j.WorkerID == "" || j.FinishedAt.IsZero() {
		t.Errorf("job %+v", j)
	}
	eventually(t, "its log lines", func() bool {
		return slices.Equal(s.log.messages(t, id), []string{"job received", "job started", "job completed"})
	})
	for _, line := range s.log.lines(t, id) {
		if line["type"] != "add" || line["queue"] != "default" || strings.Contains(fmt.Sprint(line), "1234567890") {
			t.Errorf("log line %v", line)
		}
	}
}

func TestRetriesThenDies(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	var calls atomic.Int32
	s.handle("flaky", func(context.Context, *jobs.Run, map[string]any) (any, error) {
		return nil, fmt.Errorf("refused %d", calls.Add(1))
	})
	s.start()
	id := s.submit(jobs.New{Type: "flaky", MaxAttempts: 3})[0].ID
	j := s.awaitStatus(id, jobs.Failed)
	if j.FailureKind != jobs.KindError || j.Error != "refused 3" || j.Attempts != 3 || calls.Load() != 3 {
		t.Errorf("job %+v after %d calls", j, calls.Load())
	}
	_, history := s.get(id)
	for i, a := range history {
		if a.Attempt != i+1 || a.Outcome != jobs.AttemptFailed || a.Error != fmt.Sprintf("refused %d", i+1) {
			t.Errorf("attempt %d: %+v", i+1, a)
		}
	}
	if len(history) != 3 {
		t.Errorf("%d attempts in the history", len(history))
	}
	want := []string{
		"job received", "job started", "job failed", "retry scheduled", "job started", "job failed", "retry scheduled",
		"job started", "job failed", "job dead",
	}
	eventually(t, "its log lines", func() bool { return slices.Equal(s.log.messages(t, id), want) })

	// By hand it goes again, from the start.
	if _, err := s.client.Retry(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	eventually(t, "three more calls", func() bool { return calls.Load() == 6 })
	s.awaitStatus(id, jobs.Failed)
	if _, history := s.get(id); len(history) != 6 {
		t.Errorf("%d attempts in the history after the redrive", len(history))
	}
}

func TestRetryWaits(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	jobs.Handle(&s.registry, "slow", func(context.Context, *jobs.Run, map[string]any) (any, error) {
		return nil, errors.New("not yet")
	})
	s.start()
	id := s.submit(jobs.New{Type: "slow"})[0].ID
	j := s.await(id, "a retry", func(j jobs.Job) bool { return j.Status == jobs.Pending && j.Attempts == 1 })
	if wait := j.RunAt.Sub(j.UpdatedAt); wait < 2*time.Second || wait > 2200*time.Millisecond {
		t.Errorf("the first retry waits %s, want 2 s and up to a tenth more", wait)
	}
	if j.State(time.Now()) != jobs.StateRetrying || j.Error != "not yet" {
		t.Errorf("job %+v", j)
	}
	s.await(id, "the second attempt", func(j jobs.Job) bool { return j.Attempts == 2 })
}

func TestAnswersOfHandlers(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("permanent", func(context.Context, *jobs.Run, map[string]any) (any, error) {
		return nil, jobs.Permanent(errors.New("no such address"))
	})
	s.handle("panic", func(context.Context, *jobs.Run, map[string]any) (any, error) { panic("out of\x00 cheese") },
		jobs.WithMaxAttempts(1))
	s.handle("exit", func(context.Context, *jobs.Run, map[string]any) (any, error) {
		runtime.Goexit()
		return nil, nil
	}, jobs.WithMaxAttempts(1))
	s.handle("nan", func(context.Context, *jobs.Run, map[string]any) (any, error) { return math.NaN(), nil })
	s.handle("nul", func(context.Context, *jobs.Run, map[string]any) (any, error) { return "a\x00b", nil })
	s.handle("huge", func(context.Context, *jobs.Run, map[string]any) (any, error) {
		return strings.Repeat("x", jobs.MaxResultBytes), nil
	})
	s.handle("text", func(context.Context, *jobs.Run, map[string]any) (any, error) {
		return nil, errors.New("\xff\x00\x1b[31m" + strings.Repeat("é", 1<<20))
	}, jobs.WithMaxAttempts(1))
	var naps atomic.Int32
	s.handle("nap", func(context.Context, *jobs.Run, map[string]any) (any, error) {
		if naps.Add(1) < 4 {
			return nil, jobs.Snooze(0)
		}
		return "rested", nil
	}, jobs.WithMaxAttempts(1))
	s.start()

	id := func(name string) string { return s.submit(jobs.New{Type: name})[0].ID }
	if j := s.awaitStatus(id("permanent"), jobs.Failed); j.FailureKind != jobs.KindPermanent || j.Attempts != 1 ||
		j.Error != "no such address" {
		t.Errorf("permanent: %+v", j)
	}
	if j := s.awaitStatus(id("panic"), jobs.Failed); j.FailureKind != jobs.KindError ||
		!strings.HasPrefix(j.Error, "panic: out of cheese") ||
		!strings.Contains(j.Error, "work_test.go") {
		t.Errorf("panic: %+v", j)
	}
	if j := s.awaitStatus(id("exit"), jobs.Failed); j.Error != "the handler ended its goroutine" {
		t.Errorf("exit: %+v", j)
	}
	for _, name := range []string{"nan", "nul", "huge"} {
		job := id(name)
		if j := s.awaitStatus(job, jobs.Completed); j.Result != nil {
			t.Errorf("%s: result %.40s", name, j.Result)
		}
		eventually(t, "a warning", func() bool { return slices.Contains(s.log.messages(t, job), "result not stored") })
	}
	if j := s.awaitStatus(id("text"), jobs.Failed); len(j.Error) > jobs.MaxErrorBytes ||
		!strings.Contains(j.Error, "éé") || strings.ContainsAny(j.Error, "\x00\x1b") {
		t.Errorf("text: %d bytes, %.40q", len(j.Error), j.Error)
	}
	if j := s.awaitStatus(id("nap"), jobs.Completed); j.Attempts != 1 || string(j.Result) != `"rested"` {
		t.Errorf("nap: %+v", j)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("slow", func(ctx context.Context, _ *jobs.Run, _ map[string]any) (any, error) {
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), jobs.ErrTimeout) {
			t.Errorf("cause: %v", context.Cause(ctx))
		}
		return nil, ctx.Err()
	}, jobs.WithMaxAttempts(1))
	s.start()
	id := s.submit(jobs.New{Type: "slow", Timeout: time.Second})[0].ID
	j := s.awaitStatus(id, jobs.Failed)
	_, history := s.get(id)
	if j.FailureKind != jobs.KindTimeout || len(history) != 1 || history[0].Outcome != jobs.AttemptTimeout ||
		!strings.Contains(j.Error, "1s") {
		t.Errorf("job %+v, history %+v", j, history)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	started := make(chan string, 1)
	s.handle("wait", func(ctx context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		started <- run.Job.ID
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
	later := s.submit(jobs.New{Type: "wait", Delay: time.Hour})[0].ID
	if j, err := s.client.Cancel(t.Context(), later); err != nil || j.Status != jobs.Failed ||
		j.FailureKind != jobs.KindCancelled {
		t.Errorf("cancel of a pending job: %+v, %v", j, err)
	}
	s.start()
	id := s.submit(jobs.New{Type: "wait"})[0].ID
	receive(t, "the start", started)
	if j, err := s.client.Cancel(t.Context(), id); err != nil || j.Status != jobs.Processing {
		t.Errorf("cancel of a running job: %+v, %v", j, err)
	}
	if j := s.awaitStatus(id, jobs.Failed); j.FailureKind != jobs.KindCancelled || j.Attempts != 1 {
		t.Errorf("after its handler saw it: %+v", j)
	}
	if _, err := s.client.Cancel(t.Context(), id); err != nil {
		t.Errorf("cancel again: %v", err)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	step, done := make(chan float64), make(chan struct{})
	s.handle("steps", func(_ context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		for p := range step {
			run.Progress(p, strings.Repeat("ü", 150))
		}
		close(done)
		return nil, nil
	})
	s.start()
	id := s.submit(jobs.New{Type: "steps"})[0].ID
	step <- 10
	step <- 250
	j := s.await(id, "its progress", func(j jobs.Job) bool { return j.Progress != nil })
	if j.Progress.Percent != 100 || j.Progress.Message != strings.Repeat("ü", 100) {
		t.Errorf("progress %+v", j.Progress)
	}
	if age := j.Progress.At.Sub(j.StartedAt); age < 900*time.Millisecond {
		t.Errorf("written %s after the start, before the attempt was a second old", age)
	}
	close(step)
	<-done
	s.awaitStatus(id, jobs.Completed)
}

func TestConcurrencyLimit(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.opts.Concurrency = 3
	var now, most atomic.Int32
	gate := make(chan struct{})
	s.handle("count", func(context.Context, *jobs.Run, map[string]any) (any, error) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-gate
		now.Add(-1)
		return nil, nil
	})
	w := s.start()
	list := s.submit(slices.Repeat([]jobs.New{{Type: "count"}}, 20)...)
	eventually(t, "three at once", func() bool { return now.Load() == 3 && w.Stats().Running == 3 })
	close(gate)
	for _, j := range list {
		s.awaitStatus(j.ID, jobs.Completed)
	}
	if most.Load() != 3 {
		t.Errorf("%d ran at once", most.Load())
	}
}

func TestOneSuspectAtATime(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	var suspects, most, others atomic.Int32
	gate := make(chan struct{})
	s.handle("mixed", func(_ context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		if !run.Job.Suspect() {
			others.Add(1)
			<-gate
			return nil, nil
		}
		if n := suspects.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-gate
		suspects.Add(-1)
		return nil, nil
	})
	// Five jobs lose their worker, one after the other's claim.
	list := s.submit(slices.Repeat([]jobs.New{{Type: "mixed"}}, 5)...)
	lost := store.Session{ID: "7f0a2f64-31d6-4c1c-9f41-3d9df0a7c1aa", Types: []string{"mixed"}}
	if err := s.store.Register(t.Context(), lost, nil, time.Minute); err != nil {
		t.Fatal(err)
	}
	if c, err := s.store.Claim(t.Context(), store.Claim{Session: lost.ID, Types: lost.Types, Next: 5}); err != nil ||
		len(c.Jobs) != 5 {
		t.Fatalf("claimed %d, %v", len(c.Jobs), err)
	}
	if _, err := s.store.Heartbeat(t.Context(),
		store.Heartbeat{Session: lost.ID, State: store.SessionDead, SinceCompletion: -1}); err != nil {
		t.Fatal(err)
	}
	s.opts.Concurrency = 8
	w := s.start()
	fresh := s.submit(slices.Repeat([]jobs.New{{Type: "mixed"}}, 7)...)
	eventually(t, "one suspect beside seven others", func() bool { return suspects.Load() == 1 && others.Load() == 7 })
	close(gate)
	for _, j := range append(list, fresh...) {
		s.awaitStatus(j.ID, jobs.Completed)
	}
	if most.Load() != 1 {
		t.Errorf("%d suspects ran at once", most.Load())
	}
	eventually(t, "free slots", func() bool { return w.Stats().Completed == 12 })
}
