package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/store"
)

const (
	// DefaultLeaseTTL is how long a worker may be silent before its jobs are given to others.
	DefaultLeaseTTL = 30 * time.Second
	// MinLeaseTTL leaves time for a heartbeat to fail and to be repeated.
	MinLeaseTTL = time.Second
)

// WorkerOptions are what a Worker needs. Store, Queue, Bus and Registry are required.
type WorkerOptions struct {
	Store store.Worker
	// Queue makes jobs start at once. Where it is local (queue.Local) and several processes use the Store
	// (store.Shared), jobs of other processes start within about a second: the worker asks the Store once a second.
	Queue queue.Queue
	// Bus brings word of cancels. One that was not heard, from another process on a local Bus for example, is found by the
	// next heartbeat, within a sixth of LeaseTTL.
	Bus      queue.Bus
	Registry *jobs.Registry // NewWorker freezes it: add all types before
	Log      *slog.Logger   // slog.Default() if nil
	LogJobs  LogJobs        // LogAll if empty

	Concurrency     int               // jobs at once; 5 if 0
	Queues          []QueueWeight     // empty: every queue there is
	Middleware      []jobs.Middleware // around every handler, the first one outermost
	LeaseTTL        time.Duration     // DefaultLeaseTTL if 0, at least MinLeaseTTL; a heartbeat every sixth of it
	ShutdownTimeout time.Duration     // how long running jobs may go on after the stop; 25 s if 0
	Version         string            // of the program, for people

	// ExitWhenStuck makes Run return ErrStuck when more than a quarter of the slots are held by handlers that
	// did not return 10 s after their context ended, so that a supervisor can start afresh.
	ExitWhenStuck bool
}

// QueueWeight is a queue to serve. Of two queues with work, one with twice the weight is asked first twice as often.
type QueueWeight struct {
	Name   string
	Weight int // 1 to 1,000,000
}

const maxWeight = 1_000_000

// ErrStuck is what Run returns when handlers ignore the end of their context: see WorkerOptions.ExitWhenStuck.
var ErrStuck = errors.New("too many handlers ignore the end of their context")

// Worker claims jobs and runs them. It serves one call of Run.
type Worker struct {
	opts     WorkerOptions
	log      *slog.Logger
	handlers map[string]*jobs.Handler // by type, with the middleware around them
	types    []string                 // their names
	announce []jobs.Type

	notify   *notifier
	settler  batcher[*run, store.Settled]
	repeats  sync.WaitGroup // outcomes that wait to be tried again
	slots    slots
	looks    looks
	lease    lease
	runs     runs
	pool     *pool
	draining atomic.Bool
	stuck    chan struct{} // closed when too many handlers are stuck
	giveUp   func()        // closes stuck

	recording     context.Context // ends when Run gives up outcomes that cannot be recorded
	stopRecording context.CancelFunc

	counters counters
}

// counters are the source of WorkerStats.
type counters struct {
	completed, failed, stale, leasesLost, phantoms, stuck atomic.Int64
	completedAt                                           atomic.Int64 // see since; 0: never
}

// WorkerStats counts what a Worker has done since its start.
type WorkerStats struct {
	Slots, Running int
	Completed      int64 // outcomes recorded as completed
	Failed         int64 // attempts recorded as failed, timed out or cancelled
	Stale          int64 // results that were dropped because another worker had the job by then
	LeasesLost     int64 // attempts that were cut off because the worker lost touch with the Store
	Phantoms       int64 // jobs handed back because the Store said that they ran here, and they did not
	EventsLost     int64 // messages between processes that were dropped here; see queue.Losses
	Stuck          int   // slots held by handlers that ignore the end of their context
	LeaseFresh     bool  // whether the worker may claim
}

func (opts *WorkerOptions) check() error {
	check := optionCheck{owner: "WorkerOptions"}
	check.required("Store", opts.Store)
	check.required("Queue", opts.Queue)
	check.required("Bus", opts.Bus)
	check.required("Registry", opts.Registry)
	notNegative(&check, "Concurrency", opts.Concurrency)
	check.leaseTTL(opts.LeaseTTL)
	check.logJobs(opts.LogJobs)
	notNegative(&check, "ShutdownTimeout", opts.ShutdownTimeout)
	seen := map[string]bool{}
	for i, q := range opts.Queues {
		option := fmt.Sprintf("Queues[%d]", i)
		switch {
		case !jobs.QueuePattern.MatchString(q.Name):
			check.fault(option, "has the name %q, which does not match %s", q.Name, jobs.QueuePattern)
		case seen[q.Name]:
			check.fault(option, "names %q, which is listed before", q.Name)
		case q.Weight < 1 || q.Weight > maxWeight:
			check.fault(option, "(%s) has the weight %d, which must be 1 to %d", q.Name, q.Weight, maxWeight)
		}
		seen[q.Name] = true
	}
	for i, m := range opts.Middleware {
		check.required(fmt.Sprintf("Middleware[%d]", i), m)
	}
	return check.err()
}

// NewWorker returns a Worker for the types that the Registry has now, and freezes the Registry. The error is one or
// more *OptionError.
func NewWorker(opts WorkerOptions) (*Worker, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.Concurrency == 0 {
		opts.Concurrency = 5
	}
	if opts.LeaseTTL == 0 {
		opts.LeaseTTL = DefaultLeaseTTL
	}
	if opts.ShutdownTimeout == 0 {
		opts.ShutdownTimeout = 25 * time.Second
	}
	w := &Worker{
		opts: opts, log: opts.Log, handlers: map[string]*jobs.Handler{},
		notify: &notifier{queue: opts.Queue, log: opts.Log},
		stuck:  make(chan struct{}),
	}
	opts.Registry.Freeze()
	for _, h := range opts.Registry.Served() {
		w.types, w.announce = append(w.types, h.Type.Name), append(w.announce, h.Type)
		if w.handlers[h.Type.Name] = wrapped(h, opts.Middleware); w.handlers[h.Type.Name].Run == nil {
			return nil, &OptionError{"WorkerOptions.Middleware", "has an element that returns nil"}
		}
	}
	w.pool = newPool(w.execute)
	w.giveUp = sync.OnceFunc(func() { close(w.stuck) })
	w.recording, w.stopRecording = context.WithCancel(context.Background())
	w.slots.init(opts.Concurrency)
	w.looks.on = mustLook(opts.Store, opts.Queue)
	w.lease.wake = make(chan struct{}, 1)
	w.settler = batcher[*run, store.Settled]{
		flush: w.record, answer: w.answered,
		weight:    func(r *run) int { return jobWeight + len(r.outcome.Result) + len(r.outcome.Error) },
		weightMax: batchWeight,
	}
	return w, nil
}

// wrapped returns a handler with middleware around its function, the first one outermost.
func wrapped(h *jobs.Handler, middleware []jobs.Middleware) *jobs.Handler {
	if len(middleware) == 0 {
		return h
	}
	around := *h
	for _, m := range slices.Backward(middleware) {
		if around.Run = m(around.Run); around.Run == nil {
			break
		}
	}
	return &around
}

// Stats counts.
func (w *Worker) Stats() WorkerStats {
	c := &w.counters
	var lost int64
	if bus, ok := w.opts.Bus.(queue.Losses); ok {
		lost = bus.Lost()
	}
	return WorkerStats{
		EventsLost: lost,
		Slots:      w.opts.Concurrency, Running: w.running(),
		Completed: c.completed.Load(), Failed: c.failed.Load(), Stale: c.stale.Load(),
		LeasesLost: c.leasesLost.Load(), Phantoms: c.phantoms.Load(), Stuck: int(c.stuck.Load()),
		LeaseFresh: w.lease.fresh(w.opts.LeaseTTL),
	}
}

// shutdownGrace is how long handlers may take to return once their context has ended with ErrShutdown.
const shutdownGrace = 3 * time.Second

// Run works until ctx ends, then shuts down: it claims nothing more, lets running jobs go on for ShutdownTimeout, ends
// their contexts with jobs.ErrShutdown, and hands back those that stop without a result, so that no attempt is used up.
// It returns nil then, or ErrStuck.
//
// The Store may be unreachable at any time, also at the start: Run waits for it.
func (w *Worker) Run(ctx context.Context) error {
	if len(w.types) == 0 {
		w.log.Warn("the worker serves no job type: its registry is empty")
	}
	// Heartbeats, results and progress go on while jobs run, longer than ctx.
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	var background, fetchers sync.WaitGroup
	if !w.open(ctx) {
		stopServing()
		return nil
	}
	background.Go(func() { w.keepLease(serving) })
	background.Go(func() { w.hearCancels(serving) })
	background.Go(func() { w.writeProgress(serving) })
	background.Go(func() { w.watchdog(serving) })
	fetching, stopFetching := context.WithCancel(ctx)
	background.Go(func() { w.watchMaintenance(fetching) }) // not while it drains: everything may be stopping then
	for range batchesInFlight {
		fetchers.Go(func() { w.fetch(fetching) })
	}
	w.log.Info("worker started", "worker_id", w.lease.id(), "slots", w.opts.Concurrency, "types", w.types)

	var err error
	select {
	case <-ctx.Done():
	case <-w.stuck:
		err = ErrStuck
	}
	w.draining.Store(true)
	stopFetching()
	fetchers.Wait()
	w.lease.heartbeatNow() // so that people see it draining
	w.log.Info("worker draining", "worker_id", w.lease.id(), "running", w.running())
	if !w.runs.idle(w.opts.ShutdownTimeout) {
		w.runs.endAll(jobs.ErrShutdown)
		if !w.runs.idle(shutdownGrace) {
			w.log.Warn("handlers still running at exit", "running", w.running())
		}
	}
	w.stopRecording()
	w.settler.wait()
	w.repeats.Wait()
	w.settler.wait()
	w.pool.close()
	w.notify.wait()
	stopServing()
	background.Wait()
	w.closeSession()
	w.log.Info("worker stopped", "worker_id", w.lease.id())
	return err
}

// running counts the handlers that run, stuck ones included.
func (w *Worker) running() int { return w.runs.count() + int(w.counters.stuck.Load()) }

// Draining reports whether the worker has begun to stop.
func (w *Worker) Draining() bool { return w.draining.Load() }

// session describes this worker.
func (w *Worker) session(id string) store.Session {
	host, _ := os.Hostname()
	s := store.Session{
		ID: id, Hostname: host, PID: os.Getpid(), Version: w.opts.Version, Slots: w.opts.Concurrency, Types: w.types,
	}
	for _, q := range w.opts.Queues {
		s.Queues = append(s.Queues, q.Name)
	}
	return s
}

// slots counts the jobs that may still be started.
type slots struct {
	mu   sync.Mutex
	free int
	wake chan struct{} // holds a token while some are free
}

func (s *slots) init(n int) {
	s.free, s.wake = n, make(chan struct{}, 1)
	s.wake <- struct{}{}
}

// take waits until a slot is free, then takes all there are, up to most. It returns 0 when ctx ends.
func (s *slots) take(ctx context.Context, most int) int {
	for {
		select {
		case <-ctx.Done():
			return 0
		case <-s.wake:
		}
		s.mu.Lock()
		n := min(s.free, most)
		s.free -= n
		s.signal()
		s.mu.Unlock()
		if n > 0 {
			return n
		}
	}
}

func (s *slots) give(n int) {
	s.mu.Lock()
	s.free += n
	s.signal()
	s.mu.Unlock()
}

func (s *slots) signal() {
	if s.free > 0 {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// pause waits d/2 to 3d/2, or until ctx ends, and reports whether ctx goes on. The random part keeps workers from
// asking all at the same time.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d/2 + rand.N(d))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
