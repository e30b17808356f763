// Package engine holds the verbs of Windlass, on top of the contracts of package jobs:
//
//   - [Client] submits, lists, retries and cancels;
//   - [Worker] claims jobs, runs their handlers and records how they ended;
//   - [Maintenance] does the chores that keep the Queue filled and the Store tidy.
//
// A process runs any of them, any number of processes may do so side by side, and each may be killed at any moment: the
// Store's conditional updates decide every race. The engine knows no driver.
package engine

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// MaintenanceOptions are what Maintenance needs. Store and Queue are required.
type MaintenanceOptions struct {
	Store interface {
		store.Client
		store.Maintenance
	}
	Queue queue.Queue
	Log   *slog.Logger // slog.Default() if nil

	LeaseTTL           time.Duration // of the workers' sessions; DefaultLeaseTTL if 0
	RetentionCompleted time.Duration // completed jobs are kept for so long; 168 h if 0
	RetentionFailed    time.Duration // dead and cancelled ones; 2160 h if 0
}

const (
	// leadTTL is how long the role of the one who does the chores outlives its holder.
	leadTTL = 10 * time.Second
	// leadAsk is how often the others ask for it.
	leadAsk = 4 * time.Second
)

// Maintenance does the chores while it holds the role "maintenance"; of all processes that run one, one does. Should two do so for a moment, nothing
// breaks.
type Maintenance struct {
	opts   MaintenanceOptions
	log    *slog.Logger
	holder string
	notify *notifier
	guard  guard
	feeder feeder
	pruned string // where pruning goes on
	ailing ailing
}

// NewMaintenance returns a Maintenance. The error is one or more *OptionError.
func NewMaintenance(opts MaintenanceOptions) (*Maintenance, error) {
	check := optionCheck{owner: "MaintenanceOptions"}
	check.required("Store", opts.Store)
	check.required("Queue", opts.Queue)
	check.leaseTTL(opts.LeaseTTL)
	notNegative(&check, "RetentionCompleted", opts.RetentionCompleted)
	notNegative(&check, "RetentionFailed", opts.RetentionFailed)
	if err := check.err(); err != nil {
		return nil, err
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.LeaseTTL == 0 {
		opts.LeaseTTL = DefaultLeaseTTL
	}
	if opts.RetentionCompleted == 0 {
		opts.RetentionCompleted = 168 * time.Hour
	}
	if opts.RetentionFailed == 0 {
		opts.RetentionFailed = 2160 * time.Hour
	}
	return &Maintenance{
		opts: opts, log: opts.Log, holder: uuid.NewString(),
		notify: &notifier{queue: opts.Queue, log: opts.Log},
		guard:  guard{ttl: opts.LeaseTTL},
	}, nil
}

// chore is a line of the timetable. Chores run side by side, each never twice at once.
type chore struct {
	name  string
	every time.Duration
	do    func(ctx context.Context) error
}

func (u *Maintenance) timetable() []chore {
	return []chore{
		{"promote", 100 * time.Millisecond, u.promote}, // what has come due in the Queue
		{"feed", 250 * time.Millisecond, u.feed},       // the Queue from the Store, as it empties
		{"repair head", time.Second, u.repairHead},     // hints that were lost
		{"mirror dead", time.Minute, u.mirrorDead},     // for people who look into the Queue
		{"prune", time.Minute, u.prune},                // what is past its retention
	}
}

// Run does the chores until ctx ends, whenever it is this process's turn, and then gives the role to the next.
func (u *Maintenance) Run(ctx context.Context) {
	every := min(2*time.Second, u.opts.LeaseTTL/4)
	var endShift func() // nil while another holds the role
	defer func() {
		if endShift != nil {
			endShift()
			u.resign(ctx)
		}
		u.notify.wait()
	}()
	for {
		held, known := u.lead(ctx)
		switch {
		case held && endShift == nil:
			endShift = u.beginShift(ctx)
			u.log.Info("maintenance taken over", "holder", u.holder)
		case known && !held && endShift != nil:
			endShift()
			endShift = nil
			u.log.Info("maintenance handed over", "holder", u.holder)
		}
		wait := every
		if endShift == nil {
			wait = leadAsk
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

// beginShift starts the chores; the function it returns ends them.
func (u *Maintenance) beginShift(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var chores sync.WaitGroup
	u.feeder.reset()
	for _, c := range u.timetable() {
		chores.Go(func() { u.repeat(ctx, c) })
	}
	return func() {
		cancel()
		chores.Wait()
	}
}

// lead asks for the role, or renews it, and reaps while it is held. known is false where the Store did not answer: the chores go on then, for
// they fail by themselves.
func (u *Maintenance) lead(ctx context.Context) (held, known bool) {
	call, cancel := context.WithTimeout(ctx, choreTimeout)
	defer cancel()
	l, err := u.opts.Store.Lead(call, maintenanceRole, u.holder, leadTTL)
	if u.failed(ctx, "lead", err) {
		return false, false
	}
	asOf := u.guard.look(l)
	if l.Held {
		u.failed(ctx, "reap", u.reap(call, asOf))
	}
	return l.Held, true
}

func (u *Maintenance) resign(ctx context.Context) {
	// It outlives ctx, which has ended: the next one need not wait for the lease to run out.
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_, err := u.opts.Store.Lead(call, maintenanceRole, u.holder, 0)
	u.failed(ctx, "resign", err)
}

// choreTimeout bounds one round of a chore.
const choreTimeout = 5 * time.Second

func (u *Maintenance) repeat(ctx context.Context, c chore) {
	for {
		call, cancel := context.WithTimeout(ctx, choreTimeout)
		err := c.do(call)
		cancel()
		u.failed(ctx, c.name, err)
		if !pause(ctx, c.every) {
			return
		}
	}
}

// ailing remembers which chores failed when last tried, so that a log tells of an outage once and not with every round.
type ailing struct {
	mu     sync.Mutex
	chores map[string]bool
}

// failed takes in how a chore went and reports whether it failed.
func (u *Maintenance) failed(ctx context.Context, name string, err error) bool {
	if ctx.Err() != nil {
		return err != nil // the process is stopping
	}
	a := &u.ailing
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.chores == nil {
		a.chores = map[string]bool{}
	}
	switch was := a.chores[name]; {
	case err != nil && !was:
		u.log.Warn("chore failed, trying again", "chore", name, "error", err)
	case err == nil && was:
		u.log.Info("chore works again", "chore", name)
	}
	a.chores[name] = err != nil
	return err != nil
}
