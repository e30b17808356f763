package windlass

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/windlass-jobs/windlass/internal/lifecycle"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
)

// Handle has this App work on the type: fn makes one attempt at a job. See jobs.HandlerFunc for what it may return.
// Call it before Run, once for a type.
//
// It panics where the type has a handler already, fn or app is nil, or the App is running: these are mistakes in the
// program.
func (t JobType[T]) Handle(app *App, fn jobs.HandlerFunc[T]) {
	if app == nil || fn == nil || t.handler == nil {
		panic("windlass: Handle needs a type made with Define, an App and a function")
	}
	app.mu.Lock()
	defer app.mu.Unlock()
	if app.running {
		panic(fmt.Sprintf("windlass: Handle of %q: %v", t.Name(), ErrRunning))
	}
	if err := app.registry.Add(jobs.WithFunc(t.handler, fn)); err != nil {
		panic(fmt.Sprintf("windlass: %v", err))
	}
}

// Use puts middleware around every handler, the first outermost: for logging, tracing, metrics, a connection in the
// context. Call it before Run; it panics afterwards.
func (a *App) Use(middleware ...jobs.Middleware) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running {
		panic(fmt.Sprintf("windlass: Use: %v", ErrRunning))
	}
	a.middleware = append(a.middleware, middleware...)
}

// Run brings the store's schema up to date, works on the types that have a handler, and does the maintenance, until
// ctx ends. Then it takes no more jobs, lets those that run go on for Options.ShutdownTimeout, ends the contexts of
// the others and hands these jobs back, which uses up no attempt. It closes the App and returns nil.
//
// The store may be unreachable at any time, also at the start: Run waits for it. An error says that a migration
// cannot succeed, that too many handlers ignore the end of their context, or ErrRunning.
func (a *App) Run(ctx context.Context) error {
	worker, err := a.start()
	if err != nil {
		return err
	}
	defer a.Close()
	var parts []lifecycle.Part
	if worker != nil {
		parts = append(parts, lifecycle.Part{Name: "worker", Run: worker.Run})
	}
	if !a.opts.SkipMaintenance {
		parts = append(parts, lifecycle.Part{Name: "maintenance", Run: lifecycle.NoError(a.maintenance.Run)})
	}
	if err := a.process.Run(ctx, parts...); err != nil {
		return fmt.Errorf("windlass: %w", err)
	}
	return nil
}

// start makes the worker, or none where no type has a handler. From here on types and middleware are fixed.
func (a *App) start() (*engine.Worker, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed.Load():
		return nil, ErrClosed
	case a.running:
		return nil, ErrRunning
	}
	a.running = true
	if len(a.registry.Served()) == 0 {
		return nil, nil
	}
	opts := a.workerOptions()
	opts.Middleware = a.middleware
	return engine.NewWorker(opts)
}

// migrator is a store whose schema is brought up to date after it was opened.
type migrator interface {
	Migrate(ctx context.Context) error
}

// Migrate brings the store's schema up to date. Run does so, unless Options.SkipMigration says otherwise; a program
// that only submits calls it once, or leaves it to others. It may be called by several processes at the same time.
func (a *App) Migrate(ctx context.Context) error {
	if m, ok := a.opts.Store.(migrator); ok {
		return m.Migrate(ctx)
	}
	return nil // it was done when the store was opened
}

// Ready returns nil where the App can accept a job: the store can be reached, its schema is applied, and Run has not
// been told to stop.
func (a *App) Ready(ctx context.Context) error {
	if a.process.Draining() {
		return lifecycle.ErrDraining
	}
	if p, ok := a.opts.Store.(interface{ Ping(context.Context) error }); ok {
		return p.Ping(ctx)
	}
	return nil
}

func (a *App) workerOptions() engine.WorkerOptions {
	var queues []engine.QueueWeight
	for _, name := range slices.Sorted(maps.Keys(a.opts.Queues)) {
		queues = append(queues, engine.QueueWeight{Name: name, Weight: a.opts.Queues[name]})
	}
	return engine.WorkerOptions{
		Store: a.opts.Store, Queue: a.queue, Bus: a.queue, Registry: a.registry, Log: a.opts.Log,
		LogJobs:     a.opts.LogJobs,
		Concurrency: a.opts.Concurrency, Queues: queues, LeaseTTL: a.opts.LeaseTTL,
		ShutdownTimeout: a.opts.ShutdownTimeout, Version: a.opts.Version,
	}
}

// isNil reports whether v is nil, or an interface that holds a nil pointer.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}
