package memory

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
)

// Pop takes ready ids away; see queue.Queue.
func (q *Queue) Pop(ctx context.Context, p queue.Pop) ([]jobs.Hint, error) {
	var timeout <-chan time.Time
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		hints, w, err := q.take(p)
		if err != nil || w == nil {
			return hints, err
		}
		if timeout == nil {
			timer := time.NewTimer(p.Wait)
			defer timer.Stop()
			timeout = timer.C
		}
		over := w.wait(ctx, timeout)
		q.mu.Lock()
		delete(q.waiting, w)
		q.mu.Unlock()
		if over {
			return nil, ctx.Err()
		}
	}
}

// take pops without waiting. Where there is nothing, and p has a Wait, it returns a waiter: it was added under the same
// lock, so no arrival between the look and the wait is missed.
func (q *Queue) take(p queue.Pop) ([]jobs.Hint, *waiter, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.open(); err != nil {
		return nil, nil, err
	}
	t := taking{q: q, p: p}
	if len(p.Queues) > 0 {
		for _, name := range p.Queues {
			if t.left() <= 0 {
				break
			}
			t.from(q.lines[name])
		}
	} else {
		for t.left() > 0 {
			l := (*line)(nil)
			if t.suspects < p.Suspects {
				l = draw(q.suspects, p.Types)
			}
			if l == nil {
				l = draw(q.ready, p.Types)
			}
			if l == nil {
				break
			}
			t.from(l) // which takes at least one
		}
	}
	if len(t.hints) > 0 || p.Wait <= 0 || p.N <= 0 {
		return t.hints, nil, nil
	}
	w := &waiter{pop: p, woken: make(chan struct{}, 1)}
	q.waiting[w] = struct{}{}
	return nil, w, nil
}

// taking is the work of one Pop.
type taking struct {
	q        *Queue
	p        queue.Pop
	hints    []jobs.Hint
	suspects int // taken
}

func (t *taking) left() int { return t.p.N - len(t.hints) }

// from takes what there is in a queue: suspects first, each in their order over all types that are served.
func (t *taking) from(l *line) {
	if l == nil {
		return
	}
	before := len(t.hints)
	t.merge(l.suspects, min(t.p.Suspects-t.suspects, t.left()))
	t.suspects += len(t.hints) - before
	t.merge(l.ready, t.left())
}

// merge takes up to n of the best of several sets.
func (t *taking) merge(sets map[string]*set, n int) {
	if n <= 0 || len(sets) == 0 {
		return
	}
	var some byFirst
	if len(t.p.Types) == 0 {
		for _, s := range sets {
			some = append(some, s)
		}
	} else {
		for _, kind := range t.p.Types {
			if s := sets[kind]; s != nil && kind != "" {
				some = append(some, s)
			}
		}
		if s := sets[""]; s != nil {
			some = append(some, s)
		}
	}
	heap.Init(&some)
	for ; n > 0 && len(some) > 0; n-- {
		s := some[0]
		t.hints = s.pop(t.hints)
		if s.len() > 0 {
			heap.Fix(&some, 0)
			continue
		}
		heap.Pop(&some)
		t.q.settle(s)
	}
}

// draw returns a queue that holds something of one of the types, at random, or nil.
func draw(by map[string]*bag, kinds []string) *line {
	var bags []*bag
	total := 0
	add := func(b *bag) {
		if b != nil {
			bags = append(bags, b)
			total += len(b.lines)
		}
	}
	if len(kinds) == 0 {
		for _, b := range by {
			add(b)
		}
	} else {
		for _, kind := range kinds {
			if kind != "" {
				add(by[kind])
			}
		}
		add(by[""])
	}
	if total == 0 {
		return nil
	}
	at := rand.IntN(total)
	for _, b := range bags {
		if at < len(b.lines) {
			return b.lines[at]
		}
		at -= len(b.lines)
	}
	return nil // never
}

// waiter is a Pop that waits.
type waiter struct {
	pop   queue.Pop
	woken chan struct{}
}

// wants reports whether the Pop may take a hint.
func (w *waiter) wants(h *jobs.Hint) bool {
	return (len(w.pop.Queues) == 0 || slices.Contains(w.pop.Queues, h.Queue)) &&
		(len(w.pop.Types) == 0 || h.Type == "" || slices.Contains(w.pop.Types, h.Type)) &&
		(w.pop.Suspects > 0 || !h.Suspect)
}

// wake makes the Pop look again.
func (w *waiter) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// wait returns false when ids may have arrived, and true when there is nothing left to wait for.
func (w *waiter) wait(ctx context.Context, timeout <-chan time.Time) (over bool) {
	select {
	case <-w.woken:
		return false
	case <-timeout:
		return true
	case <-ctx.Done():
		return true
	}
}
