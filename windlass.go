// Package windlass runs background jobs inside your program and loses none of them.
//
// A job is accepted once it is durable in PostgreSQL or SQLite. It runs at least once, is retried with exponential
// backoff, and ends as completed or failed; what failed for good waits in the dead-letter queue. At most one
// completion of a job is recorded, also when a worker was cut off and another took over.
//
// A program opens a store, makes an [App], defines its job types and runs:
//
//	store, err := sqlite.Open(ctx, sqlite.Options{Dir: "./data"})   // or postgres.Open
//	app, err := windlass.New(windlass.Options{Store: store})
//	greet := windlass.Define[Greeting]("greet")
//	greet.Handle(app, func(ctx context.Context, run *jobs.Run, in Greeting) (any, error) { … })
//	job, err := greet.Submit(ctx, app, Greeting{Name: "Ada"})
//	err = app.Run(ctx)
//
// The drivers are values, so a program links only those that it opens: jobs/store/sqlite, jobs/store/postgres,
// jobs/queue/redis. A program that only submits may do so over HTTP, with package httpclient in place of the App.
// Package windlasstest has what tests need.
package windlass

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windlass-jobs/windlass/internal/lifecycle"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// Options are what an App needs. Only Store is required.
type Options struct {
	// Store keeps the jobs. The App does not close it.
	Store store.Store
	// Queue makes jobs start at once; nil is a queue in this process's memory. With a store that several processes
	// share, a worker finds jobs that another process has submitted within a second then; with Redis, at once. The App
	// does not close it.
	Queue queue.Driver
	// Log gets a line for each change of a job's state; slog.Default() if nil.
	Log *slog.Logger
	// LogJobs says which of these lines are written: engine.LogAll (about three for each job; the default),
	// engine.LogFailures or engine.LogNone. Jobs that are submitted together get one line.
	LogJobs engine.LogJobs

	// Concurrency is how many jobs run at once; 5 if 0.
	Concurrency int
	// Queues are the queues to serve, with weights of 1 or more: of two queues with work, one with twice the weight is
	// asked first twice as often. Empty: every queue there is, alike.
	Queues map[string]int
	// LeaseTTL is how long a process may be silent before its jobs are given to others; 30 s if 0, 1 s at least. All
	// processes on a store should have the same.
	LeaseTTL time.Duration
	// ShutdownTimeout is how long running jobs may go on after Run's context has ended; 25 s if 0.
	ShutdownTimeout time.Duration

	// RetentionCompleted is how long completed jobs are kept; 168 h if 0.
	RetentionCompleted time.Duration
	// RetentionFailed is how long dead and cancelled jobs are kept; 2,160 h if 0.
	RetentionFailed time.Duration
	// RetentionAudit is how long entries of the audit log are kept; 8,760 h if 0.
	RetentionAudit time.Duration
	// MaxPayloadBytes bounds one payload in canonical form; jobs.MaxPayloadBytes if 0.
	MaxPayloadBytes int
	// MaxQueues is how many queues there may be; jobs.DefaultMaxQueues if 0. A job that would make another one is refused.
	MaxQueues int

	// SkipMigration leaves the store's schema alone: somebody else brings it up to date (see `windlass migrate`).
	SkipMigration bool
	// SkipMaintenance leaves retries, delayed jobs and lost workers to other processes. At least one process on a store
	// has to do the maintenance; a worker warns when none does.
	SkipMaintenance bool
	// Version of the program, for people; it is shown beside its workers.
	Version string
}

// App is Windlass within a program: it submits jobs, and Run works on them. Its methods may be called by several
// goroutines, also before Run and without it.
//
// Besides what is declared here it has the methods of engine.Client: Get, List, Stats, Sessions, Types, Retry,
// Redrive, Cancel, Delete, Wait and Committed.
type App struct {
	*client
	opts        Options
	queue       queue.Driver
	ownQueue    *memory.Queue // nil where the caller gave one
	registry    *jobs.Registry
	maintenance *engine.Maintenance
	process     *lifecycle.Process

	mu         sync.Mutex
	middleware []jobs.Middleware
	running    bool
	closed     atomic.Bool
}

// client lends its methods to App without being a field that others could change.
type client = engine.Client

var (
	// ErrRunning says that Run was called before: an App runs once, and its types and middleware are fixed from then on.
	ErrRunning = errors.New("windlass: the App runs already, or has run")
	// ErrClosed says that the App was closed.
	ErrClosed = errors.New("windlass: the App is closed")
)

// New returns an App. It opens no connection, and nothing runs until something is submitted or Run is called. Let Run
// close it, or call Close.
//
// The error names each option that is missing or not valid.
func New(opts Options) (*App, error) {
	if isNil(opts.Store) {
		return nil, errors.New("windlass: Options.Store is missing: open one, for example with sqlite.Open")
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	a := &App{opts: opts, queue: opts.Queue, registry: &jobs.Registry{}}
	if isNil(opts.Queue) {
		a.ownQueue = memory.New(memory.Options{})
		a.queue = a.ownQueue
	}
	if err := a.prepare(); err != nil {
		a.closeQueue()
		return nil, fmt.Errorf("windlass: %w", err)
	}
	return a, nil
}

func (a *App) prepare() (err error) {
	// The worker is made by Run, when its types are known; its options are checked now.
	check := a.workerOptions()
	check.Registry = &jobs.Registry{}
	_, unfit := engine.NewWorker(check)
	a.client, err = engine.NewClient(engine.ClientOptions{
		Store: a.opts.Store, Queue: a.queue, Bus: a.queue, Registry: a.registry, Log: a.opts.Log,
		LogJobs: a.opts.LogJobs, MaxPayloadBytes: a.opts.MaxPayloadBytes, MaxQueues: a.opts.MaxQueues,
	})
	unfit = errors.Join(unfit, err)
	a.maintenance, err = engine.NewMaintenance(engine.MaintenanceOptions{
		Store: a.opts.Store, Queue: a.queue, Log: a.opts.Log, LogJobs: a.opts.LogJobs, LeaseTTL: a.opts.LeaseTTL,
		RetentionCompleted: a.opts.RetentionCompleted, RetentionFailed: a.opts.RetentionFailed,
		RetentionAudit: a.opts.RetentionAudit,
	})
	life := lifecycle.Options{Log: a.opts.Log, Waiting: "migration failed, trying again every second"}
	if !a.opts.SkipMigration {
		life.Prepare = a.Migrate
	}
	a.process = lifecycle.New(life)
	return errors.Join(unfit, err)
}

// Close waits until everything handed in has been answered, and frees what the App itself has made. The Store and the
// Queue stay open. Run does it at its end. A second Close does nothing.
func (a *App) Close() {
	if a.closed.Swap(true) {
		return
	}
	a.client.Close()
	a.closeQueue()
}

func (a *App) closeQueue() {
	if a.ownQueue != nil {
		a.ownQueue.Close()
	}
}

// Must returns v, or panics with err. It is for main functions and examples:
//
//	app := windlass.Must(windlass.New(windlass.Options{Store: store}))
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
