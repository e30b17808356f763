package memory

import (
	"cmp"
	"container/heap"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// set is an ordered set of ids. Removing its best or its worst member takes logarithmic time: it has one heap for
// each end, with the same entries. Each entry knows its index in both heaps, so that it can be removed from both.
type set struct {
	line            *line
	kind            string // the type
	suspects, later bool

	members map[key]*entry
	front   side // the best on top
	back    side // the worst on top
}

// entry is a member of one set at a time.
type entry struct {
	hint jobs.Hint
	ms   int64     // hint.RunAt in milliseconds, the precision of the order
	due  time.Time // of a later id; zero in a ready set
	at   [2]int    // index in front and back; -1: in no set
	set  *set
}

// key is what makes two entries the same member. In a ready set it is the id. In a later set it is also the place
// that the id will have in the ready set: a job that was postponed again waits for its new time although the hint for
// the old time is still there.
type key struct {
	id       string
	later    bool
	ms       int64
	priority int
	suspect  bool
}

func (e *entry) key() key {
	if e.due.IsZero() {
		return key{id: e.hint.ID}
	}
	return key{id: e.hint.ID, later: true, ms: e.ms, priority: e.hint.Priority, suspect: e.hint.Suspect}
}

// held reports whether the entry is in a set.
func (e *entry) held() bool { return e.at[0] >= 0 }

// inOrder is the order of a queue.
func inOrder(a, b *entry) int {
	return cmp.Or(cmp.Compare(b.hint.Priority, a.hint.Priority), cmp.Compare(a.ms, b.ms), cmp.Compare(a.hint.ID,
		b.hint.ID))
}

// byDue is the order of a retry set.
func byDue(a, b *entry) int { return cmp.Or(a.due.Compare(b.due), inOrder(a, b)) }

func (s *set) init(compare func(a, b *entry) int) {
	s.members = map[key]*entry{}
	s.front = side{end: 0, less: func(a, b *entry) bool { return compare(a, b) < 0 }}
	s.back = side{end: 1, less: func(a, b *entry) bool { return compare(a, b) > 0 }}
}

func (s *set) len() int { return len(s.members) }

// add puts e in unless it is there already.
func (s *set) add(e *entry) bool {
	k := e.key()
	if _, there := s.members[k]; there {
		e.at = [2]int{-1, -1}
		return false
	}
	s.members[k], e.set = e, s
	heap.Push(&s.front, e)
	heap.Push(&s.back, e)
	return true
}

// best returns the first entry, or nil.
func (s *set) best() *entry {
	if s.len() == 0 {
		return nil
	}
	return s.front.entries[0]
}

func (s *set) remove(e *entry) {
	delete(s.members, e.key())
	heap.Remove(&s.front, e.at[0])
	heap.Remove(&s.back, e.at[1])
	e.at = [2]int{-1, -1}
}

// pop moves the best to the end of hints.
func (s *set) pop(hints []jobs.Hint) []jobs.Hint {
	e := s.best()
	s.remove(e)
	h := e.hint
	h.In, h.RunAt = 0, time.UnixMilli(e.ms).UTC()
	return append(hints, h)
}

// byFirst is a heap of sets that are not empty, by their best entries; it implements heap.Interface.
type byFirst []*set

func (h byFirst) Len() int           { return len(h) }
func (h byFirst) Less(i, j int) bool { return inOrder(h[i].best(), h[j].best()) < 0 }
func (h byFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byFirst) Push(x any)        { *h = append(*h, x.(*set)) }
func (h *byFirst) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	*h = (*h)[:last]
	return s
}

// trim drops the worst until at most limit are left.
func (s *set) trim(limit int) {
	for s.len() > limit {
		s.remove(s.back.entries[0])
	}
}

// side is one of the two heaps; it implements heap.Interface.
type side struct {
	end     int // index into entry.at
	less    func(a, b *entry) bool
	entries []*entry
}

func (h *side) Len() int           { return len(h.entries) }
func (h *side) Less(i, j int) bool { return h.less(h.entries[i], h.entries[j]) }

func (h *side) Swap(i, j int) {
	h.entries[i], h.entries[j] = h.entries[j], h.entries[i]
	h.entries[i].at[h.end], h.entries[j].at[h.end] = i, j
}

func (h *side) Push(x any) {
	e := x.(*entry)
	e.at[h.end] = len(h.entries)
	h.entries = append(h.entries, e)
}

func (h *side) Pop() any {
	last := len(h.entries) - 1
	e := h.entries[last]
	h.entries[last] = nil // otherwise the array keeps the entry in memory
	h.entries = h.entries[:last]
	return e
}
