package engine

import (
	"context"
	"errors"
	"fmt"
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
	// Every second the first due jobs of each place, a pair of a queue and a priority, are pushed again. One round looks
	// at headPlaces of them, which costs PostgreSQL about 20 ms; with more, the next round goes on behind. So 20,000
	// queues are looked at within 5 s, and cost no more statements than one.
	headPlaces = 4000
	headEach   = 1000   // of one place
	headHints  = 20_000 // in one round
	// headAhead: where a round does not come to the end, also what is due before the walk comes by again is pushed.
	headAhead = 10 * time.Second

	feedPage    = 5000
	feedPages   = 20  // of one queue in one round
	feedQueues  = 500 // in one round
	feedRestMin = 2 * time.Second
	feedRestMax = 10 * time.Second
	// A pass that had to read past many jobs of other types is followed by a rest of feedIdle times that time, feedIdleMax
	// at most: they cost the Store at most 2 % of a core.
	feedIdle    = 50
	feedIdleMax = time.Minute

	rebuildAhead = time.Hour // what is due within this is pushed when the Queue has lost its memory
	rebuildEach  = 100       // of one place, before anything else
)

// reconciler is the name of the chores that bring lost hints back, for the tests that remove them.
const reconciler = "reconciler"

// feeder remembers how far the Store has been read. Each of the two chores has a part of it for itself, and they share
// the map of deep queues, which has a lock.
type feeder struct {
	after store.Place // where the walk over the heads goes on

	epoch   string  // of the Queue when it was filled last
	rebuild rebuild // under way for another epoch

	mu   sync.Mutex
	deep map[string]*deepQueue // by name: queues with more due jobs than the heads have
}

// rebuild is how far a rebuild has come.
type rebuild struct {
	epoch string
	soon  bool // the heads are pushed; now what is due soon
	after store.Place
	end   bool    // the walk over the heads has come to its end
	full  []ahead // queues of the last page of which more is due soon
}

// ahead is how far a queue has been read for what is due soon.
type ahead struct {
	queue string
	after *jobs.Hint
	room  int // for so many hints
}

// deepQueue is how far a queue has been read. A Queue holds a bounded number of ids of each type, so each type is
// read by itself: a queue may begin with a million jobs of a type that nobody serves now. Types that are not known
// yet are looked for in passes that leave out those that are.
type deepQueue struct {
	kinds  map[string]*reading
	others reading
}

// reading is how far the jobs of some types have been read.
type reading struct {
	after *jobs.Hint // read so far
	read  int        // since the front
	added int        // of those, how many the Queue did not have
	whole int        // how many the last pass has read from the front to the end; -1: there was none yet
	// wasted is the time of this pass that went to jobs of other types.
	wasted time.Duration
	rest   time.Duration
	until  time.Time
}

func (f *feeder) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.after, f.epoch, f.rebuild, f.deep = store.Place{}, "", rebuild{}, map[string]*deepQueue{}
}

// again has the deep queues read from the front.
func (f *feeder) again() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name := range f.deep {
		f.deep[name] = newDeepQueue()
	}
}

func newDeepQueue() *deepQueue {
	return &deepQueue{kinds: map[string]*reading{}, others: reading{whole: -1}}
}

// note makes the queues deep of which a page has as many hints of one place as it may have.
func (f *feeder) note(hints []jobs.Hint, each int) {
	for len(hints) >= each {
		last := &hints[each-1]
		if last.Queue == hints[0].Queue && last.Priority == hints[0].Priority {
			f.mu.Lock()
			if f.deep[last.Queue] == nil {
				f.deep[last.Queue] = newDeepQueue()
			}
			f.mu.Unlock()
			hints = hints[each:]
			continue
		}
		n := 1
		for hints[n].Queue == hints[0].Queue && hints[n].Priority == hints[0].Priority {
			n++
		}
		hints = hints[n:]
	}
}

// some returns deep queues to look at in one round.
func (f *feeder) some() map[string]*deepQueue {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, some := time.Now(), map[string]*deepQueue{}
	for name, q := range f.deep { // in random order
		if q.resting(now) {
			continue
		}
		if some[name] = q; len(some) == feedQueues {
			break
		}
	}
	return some
}

func (f *feeder) forget(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.deep, name)
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
// second, or within a few where there are many queues.
func (m *Maintenance) repairHead(ctx context.Context) error {
	if !m.notify.ok() || fault.Removed(reconciler) {
		return nil
	}
	f := &m.feeder
	want := store.Heads{After: f.after, Pairs: headPlaces, Each: headEach, Limit: feedPage}
	if f.after != (store.Place{}) {
		want.Ahead = headAhead
	}
	for pushed := 0; pushed < headHints; {
		page, err := m.opts.Store.Heads(ctx, want)
		if err != nil {
			return err
		}
		if _, err := m.pushAll(ctx, page.Hints); err != nil {
			return m.queueFailed(ctx, err)
		}
		f.note(page.Hints, headEach)
		want.After, f.after = page.Next, page.Next
		pushed += len(page.Hints)
		if page.Next == (store.Place{}) || len(page.Hints) <= feedPage-headEach {
			break // at the end, or after so many places; not after so many hints
		}
	}
	return nil
}

// feed fills each deep queue that runs low from the Store, from where it stopped the last time. When the Queue has lost
// its memory, or may have lost it before this process had the role, it rebuilds the Queue first.
func (m *Maintenance) feed(ctx context.Context) error {
	if !m.notify.ok() || fault.Removed(reconciler) {
		return nil
	}
	f := &m.feeder
	queues := f.some()
	depths, err := m.opts.Queue.Depths(ctx, slices.Collect(maps.Keys(queues)))
	if err != nil {
		return m.queueFailed(ctx, err)
	}
	m.notify.works()
	if f.epoch != depths.Epoch {
		return m.rebuild(ctx, depths)
	}
	for name, q := range queues {
		switch err := m.fill(ctx, name, q, depths); {
		case errors.Is(err, errQueue):
			return m.queueFailed(ctx, err)
		case err != nil:
			return err
		case q.shallow():
			f.forget(name)
		}
	}
	return nil
}

// rebuild pushes the heads of all queues, and then what is due soon. Where the time of one round is not enough, the
// next one goes on. The rest of the deep queues follows by itself.
func (m *Maintenance) rebuild(ctx context.Context, depths queue.Depths) error {
	f := &m.feeder
	r := &f.rebuild
	if r.epoch != depths.Epoch {
		*r = rebuild{epoch: depths.Epoch}
		f.again()
	}
	for begun := time.Now(); len(r.full) > 0 || !r.end || !r.soon; {
		if time.Since(begun) > choreTimeout/2 {
			return nil // the next round goes on
		}
		switch err := m.rebuildStep(ctx, r, depths.Cap); {
		case errors.Is(err, errQueue):
			return m.queueFailed(ctx, err)
		case err != nil:
			return err
		}
	}
	known := f.epoch != ""
	f.epoch, f.rebuild = depths.Epoch, rebuild{}
	if known {
		m.log.Warn("queue had lost its memory, rebuilt from the store")
	}
	return nil
}

// rebuildStep reads one page and pushes it. After an error the next step reads the same page again. most is how many
// ids of a type the Queue takes.
func (m *Maintenance) rebuildStep(ctx context.Context, r *rebuild, most int) error {
	if len(r.full) > 0 {
		q := &r.full[0]
		p, err := m.readDue(ctx, store.Due{Queue: q.queue, After: q.after, Ahead: rebuildAhead, Limit: feedPage})
		if err != nil {
			return err
		}
		if q.after, q.room = p.Next, q.room-feedPage; q.after == nil || q.room <= 0 {
			r.full = r.full[1:]
		}
		return nil
	}
	if r.end {
		r.soon, r.end = true, false
	}
	want := store.Heads{After: r.after, Pairs: headPlaces, Each: rebuildEach, Limit: feedPage}
	if r.soon {
		want.Ahead, want.Later, want.Each = rebuildAhead, true, headEach
	}
	page, err := m.opts.Store.Heads(ctx, want)
	if err != nil {
		return err
	}
	if _, err := m.pushAll(ctx, page.Hints); err != nil {
		return fmt.Errorf("%w: %w", errQueue, err)
	}
	if r.soon {
		var full feeder
		full.reset()
		full.note(page.Hints, headEach)
		for name := range full.deep {
			r.full = append(r.full, ahead{queue: name, room: most})
		}
	}
	r.after, r.end = page.Next, page.Next == store.Place{}
	return nil
}

// fill reads on in a queue, for the types of which the Queue holds so few ids that reading more cannot wait, and looks
// for types that are not known yet.
func (m *Maintenance) fill(ctx context.Context, name string, q *deepQueue, depths queue.Depths) error {
	held, now := depths.Queues[name], time.Now()
	enough := func(ready int) bool { return ready >= depths.Cap/4 }
	// Types that stand at the same place are read together.
	var groups []map[string]*reading
	room := map[string]int{}
	for kind, r := range q.kinds {
		if now.Before(r.until) || enough(held.Types[kind]) {
			continue
		}
		room[kind] = depths.Cap - held.Types[kind]
		i := slices.IndexFunc(groups, func(g map[string]*reading) bool {
			for _, other := range g {
				return samePlace(other.after, r.after)
			}
			return false
		})
		if i < 0 {
			i, groups = len(groups), append(groups, map[string]*reading{})
		}
		groups[i][kind] = r
	}
	for _, group := range groups {
		if err := m.fillKinds(ctx, name, q, group, room); err != nil {
			return err
		}
	}
	if now.Before(q.others.until) {
		return nil
	}
	return m.discover(ctx, name, q, depths.Cap)
}

func samePlace(a, b *jobs.Hint) bool { return a == b || a != nil && b != nil && a.ID == b.ID }

// fillKinds reads on for types that stand at the same place, until it has pushed about as many ids of each as there is
// room for. It forgets types of which the queue has no due job.
func (m *Maintenance) fillKinds(
	ctx context.Context, name string, q *deepQueue, group map[string]*reading, room map[string]int,
) error {
	for range feedPages {
		// No more than there is room for: what the Queue does not take would be passed over.
		want := store.Due{Queue: name, Limit: feedPage}
		for kind, r := range group {
			want.Types, want.After, want.Limit = append(want.Types, kind), r.after, min(want.Limit, room[kind])
		}
		p, err := m.readDue(ctx, want)
		if err != nil {
			return err
		}
		counts := byType(p.Hints)
		for kind, r := range group {
			r.took(p, counts[kind])
			if r.whole == 0 {
				delete(q.kinds, kind)
			}
			if room[kind] -= counts[kind]; room[kind] <= 0 || r.after == nil {
				delete(group, kind)
			}
		}
		if len(group) == 0 {
			return nil
		}
	}
	return nil
}

// discover looks for types that are not known yet. The first pass over a queue is quick, the others take a small part
// of the time. most is how many ids of a type the Queue takes.
func (m *Maintenance) discover(ctx context.Context, name string, q *deepQueue, most int) error {
	r, pages := &q.others, 1
	if r.whole < 0 {
		pages = feedPages
	}
	for range pages {
		p, err := m.readDue(ctx, store.Due{
			Queue: name, After: r.after, Without: slices.Sorted(maps.Keys(q.kinds)), Limit: min(feedPage, most),
		})
		if err != nil {
			return err
		}
		for kind, n := range byType(p.Hints) {
			found := &reading{whole: -1}
			found.took(p, n)
			q.kinds[kind] = found
		}
		first := r.whole < 0
		if r.took(p, len(p.Hints)); r.after == nil {
			return nil
		}
		if !first {
			r.until = time.Now().Add(min(feedIdle*p.wasted(), feedIdleMax))
		}
	}
	return nil
}

func byType(hints []jobs.Hint) map[string]int {
	counts := map[string]int{}
	for i := range hints {
		counts[hints[i].Type]++
	}
	return counts
}

// duePage is a page of due jobs, whose hints were pushed.
type duePage struct {
	store.DuePage
	limit int
	added int // of the hints, how many the Queue did not have
	time  time.Duration
}

// wasted is the time that was spent on jobs of other types.
func (p *duePage) wasted() time.Duration {
	return p.time * time.Duration(p.limit-len(p.Hints)) / time.Duration(p.limit)
}

// readDue reads a page and pushes its hints. Errors of the Queue are errQueue.
func (m *Maintenance) readDue(ctx context.Context, want store.Due) (p *duePage, err error) {
	want.Limit = max(1, want.Limit)
	p = &duePage{limit: want.Limit}
	begun := time.Now()
	if p.DuePage, err = m.opts.Store.Due(ctx, want); err != nil {
		return nil, err
	}
	p.time = time.Since(begun)
	if p.added, err = m.pushAll(ctx, p.Hints); err != nil {
		return nil, fmt.Errorf("%w: %w", errQueue, err)
	}
	return p, nil
}

// errQueue marks an error of the Queue.
var errQueue = errors.New("the queue is out of reach")

// took notes a page in which n hints were of the types of this reading.
func (r *reading) took(p *duePage, n int) {
	r.read += n
	r.added += p.added * n / max(1, len(p.Hints))
	r.wasted += p.wasted()
	if r.after = p.Next; r.after == nil {
		r.endOfPass()
	}
}

// endOfPass has the next pass begin at the front. It begins at once where this pass found many ids that the Queue did
// not have, and otherwise after a rest that grows. A few ids look new in every pass while workers are busy: those
// between their pop and their claim. A pass that had to read past many jobs of other types is always followed by a
// rest.
func (r *reading) endOfPass() {
	if r.added > r.read/4 {
		r.rest = 0
	} else {
		r.rest = min(max(2*r.rest, feedRestMin), feedRestMax)
	}
	r.until = time.Now().Add(max(r.rest, min(feedIdle*r.wasted, feedIdleMax)))
	r.whole, r.after, r.read, r.added, r.wasted = r.read, nil, 0, 0, 0
}

// resting reports whether nothing of a queue is to be read now.
func (q *deepQueue) resting(now time.Time) bool {
	for _, r := range q.kinds {
		if !now.Before(r.until) {
			return false
		}
	}
	return now.Before(q.others.until)
}

// shallow reports whether the last passes over a queue found no more due jobs than the heads have.
func (q *deepQueue) shallow() bool {
	n := q.others.whole
	known := n >= 0
	for _, r := range q.kinds {
		n += r.whole
		known = known && r.whole >= 0
	}
	return known && n < headEach
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
