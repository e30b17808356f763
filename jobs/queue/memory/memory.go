// Package memory is the Queue and the Bus of a single process.
//
// It keeps everything in memory and loses it when the process ends. That is enough: the Store repeats whatever was
// lost. It reaches no other process. It behaves like the Redis driver; the tests in package queuetest check both.
package memory

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
)

// DefaultCap is how many ids each set of a queue holds where Options say nothing.
const DefaultCap = 80_000

const (
	promoteLimit = 500  // ids moved by one Promote
	deadLimit    = 1000 // ids in the list of dead jobs
)

var errClosed = errors.New("memory queue: closed")

var (
	_ queue.Queue  = (*Queue)(nil)
	_ queue.Bus    = (*Queue)(nil)
	_ queue.Losses = (*Queue)(nil)
)

// Options of New. The zero value is ready for use.
type Options struct {
	Cap int              // ids that each set of a queue holds at most; 0: DefaultCap
	Now func() time.Time // the clock; nil: time.Now, which a change of the system clock does not disturb
}

// Queue is a queue.Queue and a queue.Bus in this process.
type Queue struct {
	cap int
	now func() time.Time

	mu       sync.Mutex
	closed   bool
	epoch    string
	lines    map[string]*line // by queue; only those that hold something
	ready    map[string]*bag  // by type: the queues that have something due of it
	suspects map[string]*bag  // the same for suspects
	due      delays           // the queues that hold later ids, by the first one
	large    map[*set]struct{}
	sets     int // in all queues
	dead     []queue.DeadID
	waiting  map[*waiter]struct{}

	subscribers map[*subscriber]struct{}
	lost        atomic.Int64 // events
}

// New returns an empty Queue. Close it when done.
func New(o Options) *Queue {
	if o.Cap <= 0 {
		o.Cap = DefaultCap
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	q := &Queue{cap: o.Cap, now: o.Now, waiting: map[*waiter]struct{}{}, subscribers: map[*subscriber]struct{}{}}
	q.forget()
	return q
}

// Local reports that the Queue reaches no other process; see queue.Local.
func (q *Queue) Local() bool { return true }

// Ping fails once the Queue is closed.
func (q *Queue) Ping(context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.open()
}

// Close ends the waits and the subscriptions. Later calls fail.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil
	}
	q.closed = true
	for w := range q.waiting {
		w.wake()
	}
	for s := range q.subscribers {
		q.unsubscribe(s)
	}
	return nil
}

// Forget loses every id and begins a new life, as a FLUSHALL does to Redis. Subscriptions go on.
func (q *Queue) Forget() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forget()
}

func (q *Queue) forget() {
	q.lines, q.large = map[string]*line{}, map[*set]struct{}{}
	q.ready, q.suspects = map[string]*bag{}, map[string]*bag{}
	q.due, q.dead, q.sets = nil, nil, 0
	q.epoch = strconv.FormatUint(rand.Uint64(), 36)
}

// open reports an error where the Queue is closed. The caller holds the lock.
func (q *Queue) open() error {
	if q.closed {
		return errClosed
	}
	return nil
}

// Push adds hints; see queue.Queue.
func (q *Queue) Push(ctx context.Context, hints []jobs.Hint) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.open(); err != nil {
		return 0, err
	}
	// Sets are trimmed once, after all hints are in: the best of old and new stay, whatever the order within the slice.
	now, touched := q.now(), map[*set]struct{}{}
	var fresh []*entry
	for _, h := range hints {
		e := &entry{hint: h, ms: h.RunAt.UnixMilli()}
		if h.In > 0 {
			e.due = now.Add(h.In)
		}
		if s := q.setOf(e); s.add(e) {
			touched[s] = struct{}{}
			if h.In <= 0 {
				fresh = append(fresh, e)
			}
		}
	}
	for s := range touched {
		q.settle(s)
	}
	return q.wake(fresh), nil
}

// wake wakes the Pops that may take one of the entries, as far as these are still held, and returns how many are. The
// caller holds the lock.
func (q *Queue) wake(fresh []*entry) (added int) {
	var last *entry
	for _, e := range fresh {
		if !e.held() {
			continue
		}
		added++
		if last != nil && last.set == e.set {
			continue
		}
		last = e
		for w := range q.waiting {
			if w.wants(&e.hint) {
				w.wake()
			}
		}
	}
	return added
}

// Promote moves what has become due to the ready sets; see queue.Queue.
func (q *Queue) Promote(ctx context.Context) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.open(); err != nil {
		return 0, err
	}
	now := q.now()
	lines := q.due.before(now)
	var moved []*entry
	touched := map[*set]struct{}{}
	// Each queue has its share, so that many ids of one do not delay the others for long; then whoever has more.
	for _, fair := range []bool{true, false} {
		for i, l := range lines {
			left := promoteLimit - len(moved)
			if fair {
				left = (left + len(lines) - i - 1) / (len(lines) - i)
			}
			for ; left > 0; left-- {
				e := l.later.best()
				if e == nil || e.due.After(now) {
					break
				}
				l.later.remove(e)
				e.due = time.Time{}
				s := q.setOf(e)
				s.add(e)
				touched[s] = struct{}{}
				moved = append(moved, e)
			}
			touched[l.later] = struct{}{}
		}
	}
	for s := range touched {
		q.settle(s)
	}
	q.wake(moved)
	return len(moved), nil
}

// SetDead replaces the list of dead jobs; see queue.Queue.
func (q *Queue) SetDead(ctx context.Context, dead []queue.DeadID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.open(); err != nil {
		return err
	}
	q.dead = append([]queue.DeadID(nil), dead[:min(len(dead), deadLimit)]...)
	return nil
}

// Depths counts what is held of some queues; see queue.Queue.
func (q *Queue) Depths(ctx context.Context, queues []string) (queue.Depths, error) {
	if err := ctx.Err(); err != nil {
		return queue.Depths{}, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.open(); err != nil {
		return queue.Depths{}, err
	}
	_, large := q.shares()
	d := queue.Depths{
		Queues: make(map[string]queue.Depth, len(queues)), Dead: len(q.dead), Epoch: q.epoch, Cap: min(q.cap, large),
	}
	for _, name := range queues {
		l := q.lines[name]
		if l == nil {
			continue
		}
		held := queue.Depth{Later: l.later.len()}
		for _, s := range l.suspects {
			held.Suspects += s.len()
		}
		for kind, s := range l.ready {
			if held.Types == nil {
				held.Types = map[string]int{}
			}
			held.Ready += s.len()
			held.Types[kind] = s.len()
		}
		d.Queues[name] = held
	}
	return d, nil
}
