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
	_ queue.Queue = (*Queue)(nil)
	_ queue.Bus   = (*Queue)(nil)
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

	mu      sync.Mutex
	closed  bool
	epoch   string
	lines   map[string]*line // by queue; one without any id is removed
	dead    []queue.DeadID
	arrived chan struct{} // closed and replaced when ids became ready: every waiting Pop wakes up and looks again
	waiting int           // Pops that wait for arrived

	subscribers map[*subscriber]struct{}
}

// line is what is held of one queue.
type line struct{ ready, suspects, later *set }

// New returns an empty Queue. Close it when done.
func New(o Options) *Queue {
	if o.Cap <= 0 {
		o.Cap = DefaultCap
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	q := &Queue{cap: o.Cap, now: o.Now, arrived: make(chan struct{}), subscribers: map[*subscriber]struct{}{}}
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
	close(q.arrived)
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
	q.lines = map[string]*line{}
	q.dead = nil
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
		l := q.line(h.Queue)
		e := &entry{hint: h, ms: h.RunAt.UnixMilli()}
		s := l.readySet(h.Suspect)
		if h.In > 0 {
			s, e.due = l.later, now.Add(h.In)
		}
		if s.add(e) {
			touched[s] = struct{}{}
			if h.In <= 0 {
				fresh = append(fresh, e)
			}
		}
	}
	for s := range touched {
		s.trim(q.cap)
	}
	added := 0
	for _, e := range fresh {
		if e.held() {
			added++
		}
	}
	q.wake(added)
	return added, nil
}

// line returns a queue's line, new where there was none. The caller holds the lock.
func (q *Queue) line(queue string) *line {
	l := q.lines[queue]
	if l == nil {
		l = &line{ready: newSet(inOrder), suspects: newSet(inOrder), later: newSet(byDue)}
		q.lines[queue] = l
	}
	return l
}

func (l *line) readySet(suspect bool) *set {
	if suspect {
		return l.suspects
	}
	return l.ready
}

// wake lets the waiting Pops look again. The caller holds the lock.
func (q *Queue) wake(added int) {
	if added > 0 {
		close(q.arrived)
		q.arrived = make(chan struct{})
	}
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
	now, moved := q.now(), 0
	for _, name := range q.names() { // in random order, so that many ids in one queue do not delay the others for long
		l := q.lines[name]
		for moved < promoteLimit {
			e := l.later.best()
			if e == nil || e.due.After(now) {
				break
			}
			l.later.remove(e)
			e.due = time.Time{}
			l.readySet(e.hint.Suspect).add(e)
			moved++
		}
		l.ready.trim(q.cap)
		l.suspects.trim(q.cap)
	}
	q.wake(moved)
	return moved, nil
}

// names lists the queues in random order. The caller holds the lock.
func (q *Queue) names() []string {
	names := make([]string, 0, len(q.lines))
	for name := range q.lines {
		names = append(names, name)
	}
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names
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
	d := queue.Depths{Queues: make(map[string]queue.Depth, len(queues)), Dead: len(q.dead), Epoch: q.epoch, Cap: q.cap}
	for _, name := range queues {
		l := q.lines[name]
		if l == nil {
			continue
		}
		held := queue.Depth{Ready: l.ready.len(), Suspects: l.suspects.len(), Later: l.later.len()}
		if held.Ready+held.Suspects+held.Later == 0 {
			delete(q.lines, name) // otherwise names that are used once would accumulate
			continue
		}
		d.Queues[name] = held
	}
	return d, nil
}
