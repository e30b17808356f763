package engine

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/internal/fault"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/store"
)

const (
	headLimit    = 1000 // of each queue, pushed again every second
	feedPage     = 5000
	rebuildAhead = time.Hour // what is due within this is pushed when the Queue has lost its memory
	feedRestMin  = 2 * time.Second
	feedRestMax  = 10 * time.Second
)

// reconciler is the name of the chores that bring lost hints back, for the tests that remove them.
const reconciler = "reconciler"

// feeder remembers how far each queue has been read from the Store. Chores run in parallel, so it has a lock.
type feeder struct {
	mu     sync.Mutex
	epoch  string
	queues map[string]*feed
}

// feed is how far one queue has been read.
type feed struct {
	after *jobs.Hint // read so far
	read  int        // since the front
	added int        // of those, how many the Queue did not have
	rest  time.Duration
	until time.Time
}

func (f *feeder) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch, f.queues = "", map[string]*feed{}
}

// promote moves what has come due in the Queue.
func (m *Maintenance) promote(ctx context.Context) error {
	for m.notify.ok() {
		moved, err := m.opts.Queue.Promote(ctx)
		if err != nil {
			return m.queueFailed(ctx, err)
		}
		if moved == 0 {
			return nil
		}
	}
	return nil
}

// repairHead pushes the hints of the first due jobs of each queue again, so that a hint that was lost is back within a
// second.
func (m *Maintenance) repairHead(ctx context.Context) error {
	if !m.notify.ok() || fault.Removed(reconciler) {
		return nil
	}
	names, err := m.opts.Store.Queues(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		hints, err := m.opts.Store.Due(ctx, store.Due{Queue: name, Limit: headLimit})
		if err != nil {
			return err
		}
		if _, err := m.pushAll(ctx, hints); err != nil {
			return m.queueFailed(ctx, err)
		}
		m.feeder.add(name)
	}
	return nil
}

// add makes sure that the feeder knows a queue.
func (f *feeder) add(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.queues[name] == nil {
		f.queues[name] = &feed{}
	}
}

// enough reports whether the Queue holds so many ids of a queue that reading more from the Store can wait. The first
// ones are repaired every second in any case.
func enough(d queue.Depths, name string) bool { return d.Queues[name].Ready >= d.Cap/4 }

// feed fills each queue that runs low from the Store, from where it stopped the last time. When the Queue has lost its
// memory, or may have lost it before this process had the role, feed begins anew, and pushes what is due soon as well.
func (m *Maintenance) feed(ctx context.Context) error {
	if !m.notify.ok() || fault.Removed(reconciler) {
		return nil
	}
	f := &m.feeder
	f.mu.Lock()
	defer f.mu.Unlock()
	depths, err := m.opts.Queue.Depths(ctx, slices.Collect(maps.Keys(f.queues)))
	if err != nil {
		return m.queueFailed(ctx, err)
	}
	m.notify.works()
	if f.epoch != depths.Epoch {
		known := f.epoch != ""
		if err := m.rebuild(ctx); err != nil {
			return err
		}
		f.epoch = depths.Epoch
		if known {
			m.log.Warn("queue had lost its memory, rebuilt from the store")
		}
		return nil
	}
	for name, q := range f.queues {
		if time.Now().Before(q.until) || enough(depths, name) {
			continue
		}
		if err := m.fill(ctx, name, q, depths.Cap-depths.Queues[name].Ready, 0); err != nil {
			return err
		}
	}
	return nil
}

// rebuild reads every queue that runs low, from the front and up to the cap.
func (m *Maintenance) rebuild(ctx context.Context) error {
	names, err := m.opts.Store.Queues(ctx)
	if err != nil {
		return err
	}
	depths, err := m.opts.Queue.Depths(ctx, names)
	if err != nil {
		return err
	}
	m.feeder.queues = map[string]*feed{}
	for _, name := range names {
		q := &feed{}
		m.feeder.queues[name] = q
		if !enough(depths, name) {
			if err := m.fill(ctx, name, q, depths.Cap, 0); err != nil {
				return err
			}
		}
		if err := m.fill(ctx, name, &feed{}, depths.Cap, rebuildAhead); err != nil {
			return err
		}
	}
	return nil
}

// fill reads on in a queue and pushes about room ids: of jobs that are due, or that will be due within the time ahead.
func (m *Maintenance) fill(ctx context.Context, name string, q *feed, room int, ahead time.Duration) error {
	for room > 0 {
		hints, err := m.opts.Store.Due(ctx, store.Due{Queue: name, After: q.after, Ahead: ahead, Limit: feedPage})
		if err != nil {
			return err
		}
		added, err := m.pushAll(ctx, hints)
		if err != nil {
			return m.queueFailed(ctx, err)
		}
		q.read += len(hints)
		q.added += added
		room -= len(hints)
		if len(hints) < feedPage {
			q.endOfPass()
			return nil
		}
		q.after = &hints[len(hints)-1]
	}
	return nil
}

// endOfPass has the next pass begin at the front. It begins at once where this pass found many ids that the Queue did
// not have, and otherwise after a rest that grows. A few ids look new in every pass while workers are busy: those
// between their pop and their claim.
func (q *feed) endOfPass() {
	if q.added > q.read/4 {
		q.rest = 0
	} else {
		q.rest = min(max(2*q.rest, feedRestMin), feedRestMax)
		q.until = time.Now().Add(q.rest)
	}
	q.after, q.read, q.added = nil, 0, 0
}

// pushAll pushes any number of hints and returns how many became ready.
func (m *Maintenance) pushAll(ctx context.Context, hints []jobs.Hint) (added int, err error) {
	for len(hints) > 0 {
		batch := hints[:min(len(hints), batchMax)]
		hints = hints[len(batch):]
		n, err := m.opts.Queue.Push(ctx, batch)
		if err != nil {
			return added, err
		}
		added += n
	}
	return added, nil
}

// queueFailed notes that the Queue is out of reach. For a chore that is not a failure: the workers go on without the
// Queue.
func (m *Maintenance) queueFailed(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		m.notify.failed(err)
	}
	return nil
}
