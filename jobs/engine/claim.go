package engine

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/internal/fault"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/store"
)

const (
	popWait = time.Second
	// suspectWait is how long a Pop waits while the place of the suspect is taken: soon that may be free, and the next suspect be had.
	suspectWait = 100 * time.Millisecond
	// storePoll is how often a worker asks the Store for due jobs while the Queue is out of reach.
	storePoll = 250 * time.Millisecond
	// storeLook is how often it does so beside a Queue that knows only of the jobs of its own process.
	storeLook = time.Second
	claimMax  = 1000
)

// fetch fills free slots until ctx ends: pop hints, claim their jobs, start them. Where the Queue is out of reach it claims what is due next.
func (w *Worker) fetch(ctx context.Context) {
	for ctx.Err() == nil {
		n := w.slots.take(ctx, claimMax)
		if n == 0 {
			return
		}
		started, ok := 0, w.lease.mayClaim(w.opts.LeaseTTL)
		if ok {
			started, ok = w.fill(ctx, n)
		}
		w.slots.give(n - started)
		if !ok && !pause(ctx, storePoll) {
			return
		}
	}
}

// fill tries to start up to n jobs and returns how many it did; ok is false where a pause is in order.
func (w *Worker) fill(ctx context.Context, n int) (started int, ok bool) {
	suspect := w.runs.reserveSuspect()
	want := store.Claim{Types: w.types}
	suspects, wait := 0, suspectWait
	if suspect {
		suspects, wait = 1, popWait
	}
	var hints []jobs.Hint
	look := w.looks.due()
	if w.notify.ok() && !look {
		var err error
		hints, err = w.opts.Queue.Pop(ctx, queue.Pop{Queues: w.order(), N: n, Suspects: suspects, Wait: wait})
		switch {
		case ctx.Err() != nil:
			// What was popped goes back; where the answer itself was lost, the Store repairs it.
			w.runs.returnSuspect(suspect)
			w.notify.push(hints...)
			return 0, true
		case err != nil:
			w.notify.failed(err)
		default:
			w.notify.works()
			if len(hints) == 0 {
				w.runs.returnSuspect(suspect)
				return 0, true
			}
		}
	}
	if len(hints) == 0 {
		want.Next, want.Queues, want.Suspects = n, w.order(), suspects
	} else {
		want.IDs = make([]string, len(hints))
	}
	for i, h := range hints {
		want.IDs[i] = h.ID
		if h.Suspect {
			want.Suspects = suspects
		}
	}
	if suspect && want.Suspects == 0 {
		w.runs.returnSuspect(true)
	}
	started, ok = w.claim(want)
	if !ok {
		w.notify.push(hints...)
	}
	switch {
	case look && started == n:
		w.looks.again() // there may be more
	case want.Next > 0 && started < n && !look:
		ok = false // the Store has no more for now
	}
	return started, ok
}

// looks says when to ask the Store for due jobs although the Queue is there: once in storeLook where the Queue is local and other
// processes use the Store. Their jobs start within about a second then, and so do retries and delayed jobs whose hints are in the
// memory of another process. It costs an idle worker about three transactions a second on PostgreSQL.
type looks struct {
	on   bool
	next atomic.Int64 // see since
}

// due reports whether the caller is to look now. Of several callers one is.
func (l *looks) due() bool {
	if !l.on {
		return false
	}
	now, next := since(), l.next.Load()
	return now >= next && l.next.CompareAndSwap(next, now+int64(storeLook))
}

// again makes the next caller look at once.
func (l *looks) again() { l.next.Store(0) }

// looksFor is on where the Queue cannot know of all jobs.
func looksFor(st any, q any) bool {
	local, ok := q.(queue.Local)
	shared, also := st.(store.Shared)
	return ok && also && local.Local() && shared.Shared()
}

// claim takes jobs and starts them. The suspect's place that was reserved is used, or given back.
func (w *Worker) claim(want store.Claim) (started int, ok bool) {
	w.lease.claiming(func(session string) {
		want.Session = session
		// Not bound to the fetcher's context: a claim that is under way when the worker stops is seen through.
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		defer cancel()
		_ = fault.Point("before-claim")
		claimed, err := w.opts.Store.Claim(ctx, want)
		if err == nil {
			err = fault.Point("after-claim-commit")
		}
		if err != nil {
			// The claim may have been stored all the same. Nothing may start then: the next beats hand such jobs back.
			w.runs.returnSuspect(want.Suspects > 0)
			w.log.Warn("claim failed", "error", err)
			return
		}
		ok = true
		w.notify.push(claimed.Later...)
		if !w.lease.fresh(w.opts.LeaseTTL) {
			// The process was held up for so long that others may have the jobs by now.
			w.runs.returnSuspect(want.Suspects > 0)
			return
		}
		suspects := 0
		for i := range claimed.Jobs {
			if claimed.Jobs[i].Suspect() {
				suspects++
			}
		}
		w.start(claimed.Jobs, session)
		w.runs.returnSuspect(want.Suspects > 0 && suspects == 0)
		started = len(claimed.Jobs)
	})
	return started, ok
}

// order draws the order in which to ask the queues: each next one at random by weight. Nil means every queue.
func (w *Worker) order() []string {
	left := append([]QueueWeight(nil), w.opts.Queues...)
	var names []string
	for len(left) > 0 {
		total := 0
		for _, q := range left {
			total += q.Weight
		}
		pick := rand.IntN(total)
		for i, q := range left {
			if pick -= q.Weight; pick < 0 {
				names = append(names, q.Name)
				left = append(left[:i], left[i+1:]...)
				break
			}
		}
	}
	return names
}
