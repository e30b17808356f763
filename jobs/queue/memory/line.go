package memory

import (
	"container/heap"
	"time"
)

// line is what is held of one queue. It knows only sets that are not empty, so nothing walks the names of queues and
// types that were used once.
type line struct {
	queue           string
	ready, suspects map[string]*set // by type
	later           *set
	next            time.Time // when the first of the later ids is due, as delays knows it
	at              int       // index in delays; -1: not in it
}

// setOf returns the set that an entry belongs to, new where there was none. The caller holds the lock, adds the entry,
// and settles the set.
func (q *Queue) setOf(e *entry) *set {
	l := q.lines[e.hint.Queue]
	if l == nil {
		l = &line{queue: e.hint.Queue, ready: map[string]*set{}, suspects: map[string]*set{}, at: -1}
		l.later = &set{line: l, later: true}
		l.later.init(byDue)
		q.lines[l.queue] = l
	}
	if !e.due.IsZero() {
		return l.later
	}
	sets, bags := q.dueOf(l, e.hint.Suspect)
	s := sets[e.hint.Type]
	if s == nil {
		s = &set{line: l, kind: e.hint.Type, suspects: e.hint.Suspect}
		s.init(inOrder)
		sets[s.kind] = s
		q.sets++
		if bags[s.kind] == nil {
			bags[s.kind] = &bag{at: map[*line]int{}}
		}
		bags[s.kind].add(l)
	}
	return s
}

// dueOf returns the sets of a queue and their index.
func (q *Queue) dueOf(l *line, suspects bool) (map[string]*set, map[string]*bag) {
	if suspects {
		return l.suspects, q.suspects
	}
	return l.ready, q.ready
}

const (
	small = 20   // ids that a set may always hold
	large = 1000 // from so many on it is a large one
)

// shares returns how many ids a small and a large set may hold now. Each set keeps at most cap ids. So that many sets
// together stay within bounds as well, the large ones share ten caps, and the others two.
func (q *Queue) shares() (ofSmall, ofLarge int) {
	ofSmall = max(small, min(large, 2*q.cap/max(1, q.sets+len(q.due))))
	return ofSmall, max(ofSmall, 10*q.cap/max(1, len(q.large)))
}

// settle drops the worst of a set above its share, and brings the indexes up to date. The caller holds the lock.
func (q *Queue) settle(s *set) {
	if s.len() >= large {
		q.large[s] = struct{}{}
	} else {
		delete(q.large, s)
	}
	ofSmall, ofLarge := q.shares()
	if s.len() >= large {
		ofSmall = ofLarge
	}
	s.trim(min(q.cap, ofSmall))
	l := s.line
	switch {
	case s.later:
		q.due.place(l)
	case s.len() > 0:
		return
	default:
		sets, bags := q.dueOf(l, s.suspects)
		delete(sets, s.kind)
		q.sets--
		if bags[s.kind].remove(l) == 0 {
			delete(bags, s.kind)
		}
	}
	if len(l.ready)+len(l.suspects)+l.later.len() == 0 {
		delete(q.lines, l.queue)
	}
}

// bag is a set of lines from which one can be drawn at random.
type bag struct {
	lines []*line
	at    map[*line]int
}

func (b *bag) add(l *line) {
	if _, there := b.at[l]; !there {
		b.at[l] = len(b.lines)
		b.lines = append(b.lines, l)
	}
}

// remove returns how many are left.
func (b *bag) remove(l *line) int {
	i, last := b.at[l], len(b.lines)-1
	b.lines[i], b.at[b.lines[last]] = b.lines[last], i
	b.lines[last] = nil
	b.lines = b.lines[:last]
	delete(b.at, l)
	return last
}

// delays are the lines with later ids, the soonest on top.
type delays []*line

func (d delays) Len() int           { return len(d) }
func (d delays) Less(i, j int) bool { return d[i].next.Before(d[j].next) }
func (d delays) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].at, d[j].at = i, j
}

// place puts a line where it belongs by its first later id.
func (d *delays) place(l *line) {
	first := l.later.best()
	switch {
	case first == nil && l.at >= 0:
		heap.Remove(d, l.at)
	case first == nil:
	case l.at < 0:
		l.next = first.due
		heap.Push(d, l)
	default:
		l.next = first.due
		heap.Fix(d, l.at)
	}
}

// before takes out the lines that have something due, the first 500. The caller puts them back.
func (d *delays) before(now time.Time) []*line {
	var lines []*line
	for len(*d) > 0 && !(*d)[0].next.After(now) && len(lines) < promoteLimit {
		lines = append(lines, heap.Pop(d).(*line))
	}
	return lines
}

// Push and Pop implement heap.Interface.
func (d *delays) Push(x any) {
	l := x.(*line)
	l.at = len(*d)
	*d = append(*d, l)
}

func (d *delays) Pop() any {
	last := len(*d) - 1
	l := (*d)[last]
	(*d)[last], *d = nil, (*d)[:last]
	l.at = -1
	return l
}
