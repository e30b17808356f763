// Package lifecycle starts what a process is made of, and stops it in the right order.
//
//	process := lifecycle.New(lifecycle.Options{Log: log, Prepare: store.Migrate})
//	err := process.Run(ctx,
//		lifecycle.Part{Name: "worker", Run: worker.Run},
//		lifecycle.Part{Name: "maintenance", Run: lifecycle.NoError(maintenance.Run)},
//		lifecycle.Server("api", server, listener, timeout, log))
//
// It knows no store, no queue and no engine: a [Part] is a function that works until its context ends. The processes
// under services/ and the App of package windlass are made with it. Signals are not its business: what it is told is
// that ctx ends.
//
// The order of events:
//
//  1. Parts that are Early start. HTTP servers are Early: they answer health checks while the process waits for its
//     store. The state is Starting.
//  2. Options.Prepare is tried once a second until it succeeds.
//  3. The other parts start. The state is Ready.
//  4. ctx ends. The state is Draining, so a health check fails. For Options.ShutdownDelay everything goes on as before.
//  5. The contexts of all parts that are not Last end, all at once. Run waits until these parts have returned. How long
//     they take is up to them: each part has its own time-out.
//  6. The parts that are Last follow in the same way.
//
// A part that returns before its context ends has failed. Then the process goes to step 5 at once, and Run returns
// the error.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// Part is something that works while the process lives.
type Part struct {
	// Name is for errors and log lines.
	Name string
	// Run works until ctx ends, then brings what is under way to an end within a time-out of its own and returns nil.
	// It must not return before ctx ends unless it has failed. The context of a part ends later than the one of
	// Process.Run.
	Run func(ctx context.Context) error
	// Early starts the part before Options.Prepare has succeeded.
	Early bool
	// Last stops the part when all others have returned. It is for what tells how the process is.
	Last bool
}

// State is where a process is in its life.
type State int32

// The states, in their order. A process that is told to stop while it starts goes from Starting to Draining.
const (
	Starting State = iota // Prepare has not succeeded yet
	Ready                 // all parts work
	Draining              // told to stop, or a part has failed; there is no way back
)

// String returns the state in lower case.
func (s State) String() string {
	switch s {
	case Starting:
		return "starting"
	case Ready:
		return "ready"
	default:
		return "draining"
	}
}

// ErrEnded is the error of a part that returned nil before it was told to stop.
var ErrEnded = errors.New("ended by itself")

// ErrStarting is what [Process.Check] returns before Prepare has succeeded.
var ErrStarting = errors.New("the process is starting")

// ErrDraining is what [Process.Check] returns after the process has been told to stop.
var ErrDraining = errors.New("the process is shutting down")

// Options of a Process. The zero value is valid.
type Options struct {
	Log *slog.Logger // slog.Default() if nil

	// Prepare makes the store ready for the parts, for example by applying its migrations; nil: there is nothing to
	// do. It is called once a second until it returns nil, because a process may start before its database does. Its
	// first error is logged as a warning; later ones where their text differs, at most every 10 s. An error with a
	// method Permanent() bool that
	// returns true, like a right that is missing in the database, will not go away by itself: Run stops and returns it.
	Prepare func(ctx context.Context) error
	// Waiting is the message of that warning; "preparation failed, trying again every second" if empty.
	Waiting string

	// ShutdownDelay is how long the parts go on as before after ctx has ended, so that a load balancer notices that the
	// process is no longer ready. There is no delay where the process was never ready, or a part has failed.
	ShutdownDelay time.Duration
}

// Process runs parts. Its state may be read at any time by several goroutines.
type Process struct {
	opts  Options
	log   *slog.Logger
	state atomic.Int32
	begun atomic.Bool
}

// New returns a Process in the state Starting. It starts nothing.
func New(opts Options) *Process {
	p := &Process{opts: opts, log: opts.Log}
	if p.log == nil {
		p.log = slog.Default()
	}
	if p.opts.Waiting == "" {
		p.opts.Waiting = "preparation failed, trying again every second"
	}
	return p
}

// State returns where the process is in its life.
func (p *Process) State() State { return State(p.state.Load()) }

// Draining reports whether the process has been told to stop.
func (p *Process) Draining() bool { return p.State() == Draining }

// Check returns nil where the process is Ready, else ErrStarting or ErrDraining.
func (p *Process) Check() error {
	switch p.State() {
	case Starting:
		return ErrStarting
	case Ready:
		return nil
	default:
		return ErrDraining
	}
}

// ended is a part that has returned.
type ended struct {
	part Part
	err  error
}

// Run starts the parts, waits until ctx ends or a part fails, and stops them; see the package comment for the order. It
// returns when all parts have returned. It may be called once.
//
// It returns nil where ctx ended and every part returned nil. Otherwise it returns the errors of the parts, each with
// the part's name, joined; or the permanent error of Prepare.
func (p *Process) Run(ctx context.Context, parts ...Part) error {
	if p.begun.Swap(true) {
		return errors.New("lifecycle: Run was called twice")
	}
	// The contexts of the parts keep the values of ctx, but not its end: the delay and the order are decided here.
	working := newStage(ctx, len(parts))
	lasting := newStage(ctx, len(parts))
	stageOf := func(part Part) *stage {
		if part.Last {
			return lasting
		}
		return working
	}
	for _, part := range parts {
		if part.Early {
			stageOf(part).start(part)
		}
	}

	preparing, stopPreparing := context.WithCancel(ctx)
	defer stopPreparing()
	prepared := make(chan error, 1)
	go func() { prepared <- p.prepare(preparing) }()
	var failure error
	select {
	case failure = <-prepared:
		prepared = nil
	case end := <-working.ended:
		failure = working.early(end)
	case end := <-lasting.ended:
		failure = lasting.early(end)
	}
	if prepared != nil {
		stopPreparing()
		<-prepared
	}

	if failure == nil && ctx.Err() == nil {
		for _, part := range parts {
			if !part.Early {
				stageOf(part).start(part)
			}
		}
		p.state.Store(int32(Ready))
		failure = p.wait(ctx.Done(), working, lasting)
		p.state.Store(int32(Draining))
		if failure == nil && p.opts.ShutdownDelay > 0 {
			delay := make(chan struct{})
			timer := time.AfterFunc(p.opts.ShutdownDelay, func() { close(delay) })
			failure = p.wait(delay, working, lasting)
			timer.Stop()
		}
	}
	p.state.Store(int32(Draining))
	if failure != nil {
		p.log.Error("shutting down after a failure", "error", failure)
	}
	return errors.Join(failure, working.stop(context.Cause(ctx)), lasting.stop(context.Cause(ctx)))
}

// wait returns nil when done is closed, or the error of a part that returns before.
func (p *Process) wait(done <-chan struct{}, working, lasting *stage) error {
	select {
	case <-done:
		return nil
	case end := <-working.ended:
		return working.early(end)
	case end := <-lasting.ended:
		return lasting.early(end)
	}
}

const (
	prepareEvery = time.Second      // the pause between two tries of Prepare
	warnEvery    = 10 * time.Second // the least time between two warnings: an error's text may differ with each try
)

// prepare calls Prepare until it succeeds. It returns nil then, and where ctx ends; or an error that is permanent.
func (p *Process) prepare(ctx context.Context) error {
	if p.opts.Prepare == nil {
		return nil
	}
	var said string
	var at time.Time
	for {
		err := p.opts.Prepare(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			return nil
		case permanent(err):
			return err
		case err.Error() != said && time.Since(at) >= warnEvery:
			said, at = err.Error(), time.Now()
			p.log.Warn(p.opts.Waiting, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(prepareEvery):
		}
	}
}

// permanent reports whether an error says that trying again does not help.
func permanent(err error) bool {
	var e interface{ Permanent() bool }
	return errors.As(err, &e) && e.Permanent()
}

// stage is the parts that stop together.
type stage struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	ended   chan ended
	running int
}

func newStage(ctx context.Context, size int) *stage {
	s := &stage{ended: make(chan ended, size)}
	s.ctx, s.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return s
}

func (s *stage) start(part Part) {
	s.running++
	go func() { s.ended <- ended{part, part.Run(s.ctx)} }()
}

// early is the error of a part that returned without being told to.
func (s *stage) early(end ended) error {
	s.running--
	if end.err == nil {
		end.err = ErrEnded
	}
	return fmt.Errorf("%s: %w", end.part.Name, end.err)
}

// stop ends the context of the parts and waits for them.
func (s *stage) stop(cause error) (err error) {
	s.cancel(cause)
	for ; s.running > 0; s.running-- {
		if end := <-s.ended; end.err != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", end.part.Name, end.err))
		}
	}
	return err
}

// NoError makes a Part's Run of a function that cannot fail.
func NoError(run func(ctx context.Context)) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		run(ctx)
		return nil
	}
}
