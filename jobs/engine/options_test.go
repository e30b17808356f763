package engine_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
)

// An option that is missing or wrong is an error that names it, and not a nil pointer in some goroutine later.
func TestOptionsByName(t *testing.T) {
	queue := memory.New(memory.Options{})
	defer queue.Close()
	var noStore *sqlite.Store
	var noQueue *memory.Queue
	good := func() engine.WorkerOptions {
		return engine.WorkerOptions{Store: &sqlite.Store{}, Queue: queue, Bus: queue, Registry: &jobs.Registry{}}
	}
	worker := func(change func(*engine.WorkerOptions)) error {
		opts := good()
		change(&opts)
		_, err := engine.NewWorker(opts)
		return err
	}
	client := func(change func(*engine.ClientOptions)) error {
		opts := engine.ClientOptions{Store: &sqlite.Store{}, Queue: queue, Bus: queue, Registry: &jobs.Registry{}}
		change(&opts)
		_, err := engine.NewClient(opts)
		return err
	}
	maintenance := func(change func(*engine.MaintenanceOptions)) error {
		opts := engine.MaintenanceOptions{Store: &sqlite.Store{}, Queue: queue}
		change(&opts)
		_, err := engine.NewMaintenance(opts)
		return err
	}
	for want, err := range map[string]error{
		"WorkerOptions.Store is missing":       worker(func(o *engine.WorkerOptions) { o.Store = noStore }),
		"WorkerOptions.Queue is missing":       worker(func(o *engine.WorkerOptions) { o.Queue = noQueue }),
		"WorkerOptions.Bus is missing":         worker(func(o *engine.WorkerOptions) { o.Bus = nil }),
		"WorkerOptions.Registry is missing":    worker(func(o *engine.WorkerOptions) { o.Registry = nil }),
		"WorkerOptions.Concurrency is -1":      worker(func(o *engine.WorkerOptions) { o.Concurrency = -1 }),
		"WorkerOptions.LeaseTTL is 10ms":       worker(func(o *engine.WorkerOptions) { o.LeaseTTL = 10 * time.Millisecond }),
		"WorkerOptions.ShutdownTimeout is -1s": worker(func(o *engine.WorkerOptions) { o.ShutdownTimeout = -time.Second }),
		"WorkerOptions.Middleware[0] is miss": worker(func(o *engine.WorkerOptions) {
			o.Middleware = []jobs.Middleware{nil}
		}),
		`WorkerOptions.Queues[0] has the name "A`: worker(func(o *engine.WorkerOptions) {
			o.Queues = []engine.QueueWeight{{Name: "A b", Weight: 1}}
		}),
		"WorkerOptions.Queues[1] (b) has the weight 0": worker(func(o *engine.WorkerOptions) {
			o.Queues = []engine.QueueWeight{{Name: "a", Weight: 1}, {Name: "b"}}
		}),
		`WorkerOptions.Queues[1] names "a", which`: worker(func(o *engine.WorkerOptions) {
			o.Queues = []engine.QueueWeight{{Name: "a", Weight: 1}, {Name: "a", Weight: 1}}
		}),
		"ClientOptions.Store is missing":         client(func(o *engine.ClientOptions) { o.Store = noStore }),
		"ClientOptions.Queue is missing":         client(func(o *engine.ClientOptions) { o.Queue = nil }),
		"ClientOptions.Bus is missing":           client(func(o *engine.ClientOptions) { o.Bus = noQueue }),
		"ClientOptions.Registry is missing":      client(func(o *engine.ClientOptions) { o.Registry = nil }),
		"ClientOptions.MaxPayloadBytes is -1":    client(func(o *engine.ClientOptions) { o.MaxPayloadBytes = -1 }),
		"MaintenanceOptions.Store is missing":    maintenance(func(o *engine.MaintenanceOptions) { o.Store = noStore }),
		"MaintenanceOptions.Queue is missing":    maintenance(func(o *engine.MaintenanceOptions) { o.Queue = nil }),
		"MaintenanceOptions.LeaseTTL is 1ns":     maintenance(func(o *engine.MaintenanceOptions) { o.LeaseTTL = 1 }),
		"MaintenanceOptions.RetentionFailed is ": maintenance(func(o *engine.MaintenanceOptions) { o.RetentionFailed = -1 }),
	} {
		var option *engine.OptionError
		if err == nil || !strings.HasPrefix(err.Error(), "engine: "+want) || !errors.As(err, &option) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, err := range []error{
		worker(func(*engine.WorkerOptions) {}), client(func(*engine.ClientOptions) {}),
		maintenance(func(*engine.MaintenanceOptions) {}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}

// Types may be added while a client uses the registry, and not once a worker does: it has announced what it serves.
func TestRegistryInUse(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("first", nothing)
	var submitting sync.WaitGroup
	submitting.Go(func() {
		for range 100 {
			if _, err := s.client.Submit(t.Context(), jobs.Submission{Jobs: []jobs.New{{Type: "first"}}}); err != nil {
				t.Error(err)
			}
		}
	})
	for _, name := range []string{"second", "third", "fourth"} {
		s.handle(name, nothing)
	}
	submitting.Wait()
	s.submit(jobs.New{Type: "fourth"})
	s.start()
	late, err := jobs.NewHandler("late", nothing)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.registry.Add(late); !errors.Is(err, jobs.ErrRegistryFrozen) {
		t.Errorf("added while a worker runs: %v", err)
	}
	s.registry.Declare(late) // whoever serves it
	if s.submit(jobs.New{Type: "late"})[0].Status != jobs.Pending {
		t.Error("a declared type was not accepted")
	}
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	var mu sync.Mutex
	var order []string
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, what)
	}
	around := func(name string) jobs.Middleware {
		return func(next jobs.RunFunc) jobs.RunFunc {
			return func(ctx context.Context, run *jobs.Run) (any, error) {
				note(name + " before")
				result, err := next(context.WithValue(ctx, key(name), name), run)
				note(name + " after")
				return result, err
			}
		}
	}
	type both struct{ Outer, Inner any }
	s.handle("work", func(ctx context.Context, _ *jobs.Run, _ map[string]any) (any, error) {
		note("handler")
		return both{ctx.Value(key("outer")), ctx.Value(key("inner"))}, nil
	})
	s.handle("refused", nothing, jobs.WithMaxAttempts(1))
	refuse := func(next jobs.RunFunc) jobs.RunFunc {
		return func(ctx context.Context, run *jobs.Run) (any, error) {
			if run.Job.Type == "refused" {
				panic("not today")
			}
			return next(ctx, run)
		}
	}
	s.opts.Middleware = []jobs.Middleware{refuse, around("outer"), around("inner")}
	s.start()
	j := s.awaitStatus(s.submit(jobs.New{Type: "work"})[0].ID, jobs.Completed)
	if got := string(j.Result); got != `{"Inner":"inner","Outer":"outer"}` {
		t.Errorf("result %s", got)
	}
	if got, want := strings.Join(order, ", "),
		"outer before, inner before, handler, inner after, outer after"; got != want {
		t.Errorf("order: %s, want %s", got, want)
	}
	j = s.awaitStatus(s.submit(jobs.New{Type: "refused"})[0].ID, jobs.Failed)
	if !strings.HasPrefix(j.Error, "panic: not today") {
		t.Errorf("error %q", j.Error)
	}
}

type key string

func TestMiddlewareThatReturnsNil(t *testing.T) {
	queue := memory.New(memory.Options{})
	defer queue.Close()
	var registry jobs.Registry
	jobs.Handle(&registry, "work", nothing)
	_, err := engine.NewWorker(engine.WorkerOptions{
		Store: &sqlite.Store{}, Queue: queue, Bus: queue, Registry: &registry,
		Log:        slog.New(slog.NewTextHandler(io.Discard, nil)),
		Middleware: []jobs.Middleware{func(jobs.RunFunc) jobs.RunFunc { return nil }},
	})
	var option *engine.OptionError
	if !errors.As(err, &option) || option.Option != "WorkerOptions.Middleware" {
		t.Errorf("got %v", err)
	}
}
