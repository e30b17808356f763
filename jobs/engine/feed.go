package engine

import (
	"context"
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

// reconciler is what the torture calls the chores that bring lost hints back.
const reconciler = "reconciler"

// feeder remembers how far each queue has been read from the Store. Chores run side by side, so it is locked.
type feeder struct {
	mu     sync.Mutex
	epoch  string
	queues map[string]*feed
}

// feed is one queue's place.
type feed struct {
	after *jobs.Hint // read so far
	read  int        // since the front
	added int        // of them, those that the Queue did not have
	rest  time.Duration
	until time.Time
}

func (f *feeder) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch, f.queues = "", map[string]*feed{}
}

// promote moves what has come due in the Queue.
func (u *Maintenance) promote(ctx context.Context) error {
	for u.notify.ok() {
		moved, err := u.opts.Queue.Promote(ctx)
		if err != nil {
			return u.queueFailed(ctx, err)
		}
		if moved == 0 {
			return nil
		}
	}
	return nil
}

// repairHead pushes the first due jobs of each queue again. Whatever became of their hints, they are back within a second.
func (u *Maintenance) repairHead(ctx context.Context) error {
	if !u.notify.ok() || fault.Removed(reconciler) {
		return nil
	}
	names, err := u.opts.Store.Queues(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		hints, err := u.opts.Store.Due(ctx, store.Due{Queue: name, Limit: headLimit})
		if err != nil {
			return err
		}
		if _, err := u.pushAll(ctx, hints); err != nil {
			return u.queueFailed(ctx, err)
		}
		u.feeder.add(name)
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

// enough reports whether a queue has so many ids that reading more from the Store can wait: the first are repaired every second in any case.
func enough(d queue.Depths, name string) bool { return d.Queues[name].Ready >= d.Cap/4 }

// feed fills each queue that runs low from the Store, from where it stopped the last time. When the Queue has lost its memory, or may have before
// this shift began, it begins anew, with what is due soon as well.
func (u *Maintenance) feed(ctx context.Context) error {
	if !u.notify.ok() || fault.Removed(reconciler) {
		return nil
	}
	depths, err := u.opts.Queue.Depths(ctx)
	if err != nil {
		return u.queueFailed(ctx, err)
	}
	u.notify.works()
	f := &u.feeder
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.epoch != depths.Epoch {
		known := f.epoch != ""
		if err := u.rebuild(ctx, depths); err != nil {
			return err
		}
		f.epoch = depths.Epoch
		if known {
			u.log.Warn("queue had lost its memory, rebuilt from the store")
		}
		return nil
	}
	for name, q := range f.queues {
		if time.Now().Before(q.until) || enough(depths, name) {
			continue
		}
		if err := u.fill(ctx, name, q, depths.Cap-depths.Queues[name].Ready, 0); err != nil {
			return err
		}
	}
	return nil
}

// rebuild reads every queue that runs low from the front, up to its cap.
func (u *Maintenance) rebuild(ctx context.Context, depths queue.Depths) error {
	names, err := u.opts.Store.Queues(ctx)
	if err != nil {
		return err
	}
	u.feeder.queues = map[string]*feed{}
	for _, name := range names {
		q := &feed{}
		u.feeder.queues[name] = q
		if !enough(depths, name) {
			if err := u.fill(ctx, name, q, depths.Cap, 0); err != nil {
				return err
			}
		}
		if err := u.fill(ctx, name, &feed{}, depths.Cap, rebuildAhead); err != nil {
			return err
		}
	}
	return nil
}

// fill reads on in a queue and pushes about room ids, or what is left of it: those that are due, or those that will be within the time ahead.
func (u *Maintenance) fill(ctx context.Context, name string, q *feed, room int, ahead time.Duration) error {
	for room > 0 {
		hints, err := u.opts.Store.Due(ctx, store.Due{Queue: name, After: q.after, Ahead: ahead, Limit: feedPage})
		if err != nil {
			return err
		}
		added, err := u.pushAll(ctx, hints)
		if err != nil {
			return u.queueFailed(ctx, err)
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

// endOfPass begins at the front again: at once where the pass was worth its cost, else after a rest that grows. (While workers are busy a few ids
// always look new: those between their pop and their claim.)
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
func (u *Maintenance) pushAll(ctx context.Context, hints []jobs.Hint) (added int, err error) {
	for len(hints) > 0 {
		batch := hints[:min(len(hints), batchMax)]
		hints = hints[len(batch):]
		n, err := u.opts.Queue.Push(ctx, batch)
		if err != nil {
			return added, err
		}
		added += n
	}
	return added, nil
}

// queueFailed notes that the Queue is out of reach. That is no failure of a chore: the workers go on without it.
func (u *Maintenance) queueFailed(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		u.notify.failed(err)
	}
	return nil
}
