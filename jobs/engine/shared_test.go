package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/postgres"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// Three processes on one PostgreSQL without Redis: one submits, one works, one does the maintenance. Each has a queue
// in its own memory, so no hint reaches the worker, and still every job runs.
func TestProcessesWithoutASharedQueue(t *testing.T) {
	t.Parallel()
	url := servers.Postgres(t)
	open := func() (store.Store, *memory.Queue) {
		st, err := postgres.Open(t.Context(), postgres.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		queue := memory.New(memory.Options{})
		t.Cleanup(func() { queue.Close(); st.Close() })
		return st, queue
	}
	quiet := slog.New(slog.DiscardHandler)
	var registry jobs.Registry
	started := make(chan string, 1000)
	soon := jobs.WithBackoff(func(int) time.Duration { return time.Millisecond })
	jobs.Handle(&registry, "work", func(_ context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		started <- run.Job.ID
		return nil, nil
	})
	jobs.Handle(&registry, "flaky", func(_ context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		if run.Job.Attempts < 3 {
			return nil, errors.New("not yet")
		}
		return nil, nil
	}, soon)

	var running sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(func() { stop(); running.Wait() })
	st, queue := open()
	client := must(engine.NewClient(engine.ClientOptions{Store: st, Queue: queue, Bus: queue, Registry: &registry,
		Log: quiet}))
	t.Cleanup(client.Close)
	st, queue = open()
	worker := must(engine.NewWorker(engine.WorkerOptions{Store: st, Queue: queue, Bus: queue, Registry: &registry,
		Log: quiet}))
	running.Go(func() { worker.Run(ctx) })
	st, queue = open()
	maintenance := must(engine.NewMaintenance(engine.MaintenanceOptions{Store: st, Queue: queue, Log: quiet}))
	running.Go(func() { maintenance.Run(ctx) })

	submit := func(list ...jobs.New) []jobs.Job {
		t.Helper()
		r, err := client.Submit(t.Context(), jobs.Submission{Jobs: list})
		if err != nil {
			t.Fatal(err)
		}
		return r.Jobs
	}
	first := submit(jobs.New{Type: "work"})[0]
	receive(t, "the first job", started) // the worker is up
	slowest := time.Duration(0)
	for range 5 {
		id := submit(jobs.New{Type: "work"})[0].ID
		at := time.Now()
		receive(t, "a lone job", started)
		slowest = max(slowest, time.Since(at))
		if j, err := client.Wait(t.Context(), id); err != nil || j.Status != jobs.Completed {
			t.Errorf("%+v, %v", j, err)
		}
	}
	t.Logf("the slowest lone job started %s after its submission", slowest)
	if slowest > 5*time.Second { // about a second on an idle machine
		t.Errorf("a lone job started %s after its submission", slowest)
	}

	// More than the slots: the worker goes on as long as it finds enough, and not with five a second.
	began := time.Now()
	many := submit(slices.Repeat([]jobs.New{{Type: "work"}}, 500)...)
	many = append(many, first)
	many = append(many, submit(jobs.New{Type: "work", Delay: time.Second}, jobs.New{Type: "flaky"})...)
	for _, j := range many {
		if j, err := client.Wait(t.Context(), j.ID); err != nil || j.Status != jobs.Completed {
			t.Errorf("%+v, %v", j, err)
		}
	}
	t.Logf("500 jobs, one delayed and one with two retries took %s", time.Since(began))
	if took := time.Since(began); took > patience/2 {
		t.Errorf("500 jobs took %s", took)
	}
}
