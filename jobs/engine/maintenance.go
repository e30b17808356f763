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

// MaintenanceOptions are what a Maintenance needs. Store and Queue are required.
type MaintenanceOptions struct {
	Store interface {
		store.Client
		store.Maintenance
	}
	Queue queue.Queue
	Log   *slog.Logger // slog.Default() if nil

	LogJobs            LogJobs       // LogAll if empty
	LeaseTTL           time.Duration // of the workers' sessions; DefaultLeaseTTL if 0, at least MinLeaseTTL
	RetentionCompleted time.Duration // completed jobs are kept for so long; 168 h if 0
	RetentionFailed    time.Duration // dead and cancelled jobs are kept for so long; 2160 h if 0
	RetentionAudit     time.Duration // entries of the audit log are kept for so long; 8760 h if 0
}

const (
	// maintenanceRole is the role of the process that does the chores.
	maintenanceRole = "maintenance"
	// roleTTL is how long the role stays with a process that does not renew it.
	roleTTL = 10 * time.Second
	// roleAsk is how often the other processes ask for the role.
	roleAsk = 4 * time.Second
)

// Maintenance does the chores while its process has the role "maintenance". Of all processes that run one, one has the
// role. Should two processes do the chores for a moment, nothing breaks.
type Maintenance struct {
	opts    MaintenanceOptions
	log     *slog.Logger
	holder  string
	notify  *notifier
	guard   guard
	feeder  feeder
	pruned  string      // where pruning goes on
	tidied  store.Place // where the walk over the names of queues goes on
	crowded bool        // another installation uses the Queue; see register
	failing failingChores

	recounting recounting
}

// NewMaintenance returns a Maintenance. The error is one or more *OptionError.
func NewMaintenance(opts MaintenanceOptions) (*Maintenance, error) {
	check := optionCheck{owner: "MaintenanceOptions"}
	check.required("Store", opts.Store)
	check.required("Queue", opts.Queue)
	check.leaseTTL(opts.LeaseTTL)
	check.logJobs(opts.LogJobs)
	notNegative(&check, "RetentionCompleted", opts.RetentionCompleted)
	notNegative(&check, "RetentionFailed", opts.RetentionFailed)
	notNegative(&check, "RetentionAudit", opts.RetentionAudit)
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
	if opts.RetentionAudit == 0 {
		opts.RetentionAudit = 8760 * time.Hour
	}
	return &Maintenance{
		opts: opts, log: opts.Log, holder: uuid.NewString(),
		notify: &notifier{queue: opts.Queue, log: opts.Log},
		guard:  guard{ttl: opts.LeaseTTL},
	}, nil
}

// chore is a line of the timetable. Chores run in parallel, but none runs twice at the same time.
type chore struct {
	name  string
	every time.Duration
	do    func(ctx context.Context) error
}

func (m *Maintenance) timetable() []chore {
	return []chore{
		{"promote", 100 * time.Millisecond, m.promote}, // ids in the Queue that have become due
		{"feed", 250 * time.Millisecond, m.feed},       // the Queue from the Store, when it runs low
		{"repair head", time.Second, m.repairHead},     // hints that were lost
		{"mirror dead", time.Minute, m.mirrorDead},     // for people who look into the Queue
		{"prune", time.Minute, m.prune},                // what is past its retention
		{"recount", 2 * time.Second, m.recount},        // numbers that somebody has made wrong by hand
		{"tidy queues", time.Minute, m.tidyQueues},     // the names of queues
		{"register", 5 * time.Second, m.register},      // the installation, for others on the same Queue
	}
}

// Run does the chores until ctx ends, as long as this process has the role. At the end it gives the role back.
func (m *Maintenance) Run(ctx context.Context) {
	every := min(2*time.Second, m.opts.LeaseTTL/4)
	var endShift func() // nil while another process has the role
	defer func() {
		if endShift != nil {
			endShift()
			m.resign(ctx)
		}
		m.notify.wait()
	}()
	for {
		held, known := m.lead(ctx)
		switch {
		case held && endShift == nil:
			endShift = m.beginShift(ctx)
			m.log.Info("maintenance taken over", "holder", m.holder)
		case known && !held && endShift != nil:
			endShift()
			endShift = nil
			m.log.Info("maintenance handed over", "holder", m.holder)
		}
		wait := every
		if endShift == nil {
			wait = roleAsk
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

// beginShift starts the chores; the function it returns ends them.
func (m *Maintenance) beginShift(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var chores sync.WaitGroup
	m.feeder.reset()
	m.recounting.ask = time.Now().Add(recountAsk)
	for _, c := range m.timetable() {
		chores.Go(func() { m.repeat(ctx, c) })
	}
	return func() {
		cancel()
		chores.Wait()
		m.forgetRecount(ctx)
	}
}

// lead asks for the role, or renews it, and reaps while this process has it. known is false where the Store did not
// answer. The chores go on then: they need the Store too, and fail by themselves.
func (m *Maintenance) lead(ctx context.Context) (held, known bool) {
	call, cancel := context.WithTimeout(ctx, choreTimeout)
	defer cancel()
	l, err := m.opts.Store.Lead(call, maintenanceRole, m.holder, roleTTL)
	if m.failed(ctx, "lead", err) {
		return false, false
	}
	asOf := m.guard.look(l)
	if l.Held {
		m.failed(ctx, "reap", m.reap(call, asOf))
	}
	return l.Held, true
}

func (m *Maintenance) resign(ctx context.Context) {
	// ctx has ended, and this call is to be made all the same: without it the next process has to wait for the lease to
	// expire.
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_, err := m.opts.Store.Lead(call, maintenanceRole, m.holder, 0)
	m.failed(ctx, "resign", err)
}

// choreTimeout bounds one round of a chore.
const choreTimeout = 5 * time.Second

func (m *Maintenance) repeat(ctx context.Context, c chore) {
	for {
		call, cancel := context.WithTimeout(ctx, choreTimeout)
		err := c.do(call)
		cancel()
		m.failed(ctx, c.name, err)
		if !pause(ctx, c.every) {
			return
		}
	}
}

// failingChores remembers which chores failed the last time. So the log has one line for an outage, and not one for
// every round.
type failingChores struct {
	mu    sync.Mutex
	names map[string]bool
}

// failed logs when a chore begins to fail or works again, and reports whether it failed this time.
func (m *Maintenance) failed(ctx context.Context, name string, err error) bool {
	if ctx.Err() != nil {
		return err != nil // the process is stopping
	}
	f := &m.failing
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names == nil {
		f.names = map[string]bool{}
	}
	switch before := f.names[name]; {
	case err != nil && !before:
		m.log.Warn("chore failed, trying again", "chore", name, "error", err)
	case err == nil && before:
		m.log.Info("chore works again", "chore", name)
	}
	f.names[name] = err != nil
	return err != nil
}
