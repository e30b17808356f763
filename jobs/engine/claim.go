package engine

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/internal/fault"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/store"
)

const (
	popWait = time.Second
	// suspectWait is how long a Pop waits while a suspect runs here. It is short, so that the next suspect is looked
	// for soon after that one has ended.
	suspectWait = 100 * time.Millisecond
	// storePoll is how often a worker asks the Store for due jobs while the Queue is out of reach.
	storePoll = 250 * time.Millisecond
	// storeLook is how often a worker asks the Store for due jobs where its Queue knows only of jobs of the same
	// process.
	storeLook = time.Second
	claimMax  = 1000
)

// fetch fills free slots until ctx ends: it pops hints, claims their jobs and starts them.
func (w *Worker) fetch(ctx context.Context) {
	if len(w.types) == 0 {
		return // a Pop without types would take those of others
	}
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

// fill tries to start up to n jobs and returns how many it started. Without hints, because the Queue is out of reach or
// does not know all jobs, it claims the next due ones. ok is false where the caller should pause.
func (w *Worker) fill(ctx context.Context, n int) (started int, ok bool) {
	place := w.runs.reserveSuspect()
	defer place.Release()
	var hints []jobs.Hint
	look := w.looks.due()
	if w.notify.ok() && !look {
		wait := suspectWait
		if place.count() > 0 {
			wait = popWait
		}
		var err error
		hints, err = w.opts.Queue.Pop(ctx, queue.Pop{
			Queues: w.order(), Types: w.types, N: n, Suspects: place.count(), Wait: wait,
		})
		switch {
		case ctx.Err() != nil:
			// What was popped goes back. Where the answer itself was lost, the maintenance finds the jobs in the Store.
			w.notify.push(hints...)
			return 0, true
		case err != nil:
			w.notify.failed(err)
		default:
			w.notify.works()
			if len(hints) == 0 {
				return 0, true
			}
			if !w.lease.mayClaim(w.opts.LeaseTTL) { // the process or its heartbeats were held up meanwhile
				w.notify.push(hints...)
				return 0, false
			}
		}
	}
	want := store.Claim{Types: w.types, IDs: make([]string, len(hints)), Suspects: place.count()}
	for i, h := range hints {
		want.IDs[i] = h.ID
	}
	switch {
	case len(hints) == 0:
		want.Next, want.Queues = n, w.order()
	case !slices.ContainsFunc(hints, func(h jobs.Hint) bool { return h.Suspect }):
		want.Suspects = 0
		place.Release() // now, and not after the claim: another fetcher may look for a suspect meanwhile
	}
	started, ok = w.claim(want, &place)
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

// claim takes jobs and starts them. A suspect among them uses the place.
func (w *Worker) claim(want store.Claim, place *suspectPlace) (started int, ok bool) {
	w.lease.claiming(func(session string) {
		want.Session = session
		// Not bound to the fetcher's context: a claim that is under way when the worker stops is finished.
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		defer cancel()
		_ = fault.Point("before-claim")
		claimed, err := w.opts.Store.Claim(ctx, want)
		if err == nil {
			err = fault.Point("after-claim-commit")
		}
		if err != nil {
			// The claim may have been stored all the same. Nothing may start then: the next heartbeats hand such jobs
			// back.
			w.log.Warn("claim failed", "error", err)
			return
		}
		if claimed.Refused {
			w.lease.refuse(session)
			return
		}
		ok = true
		w.notify.push(claimed.Later...)
		if !w.lease.fresh(w.opts.LeaseTTL) {
			return // the process was held up for so long that other workers may have the jobs by now
		}
		for i := range claimed.Jobs {
			if claimed.Jobs[i].Suspect() {
				place.use() // before the start: the job may end before this function does
			}
		}
		w.start(claimed.Jobs, session)
		started = len(claimed.Jobs)
	})
	return started, ok
}

// looks says when to ask the Store for due jobs although the Queue works: once in storeLook where the Queue is local
// and other processes use the Store. So jobs of other processes start within about a second, and so do retries and
// delayed jobs whose hints are in the memory of another process. It costs an idle worker about three transactions a
// second on PostgreSQL.
type looks struct {
	on   bool
	next atomic.Int64 // see since
}

// due reports whether the caller is to look now. Of several callers at that moment only one is.
func (l *looks) due() bool {
	if !l.on {
		return false
	}
	now, next := since(), l.next.Load()
	return now >= next && l.next.CompareAndSwap(next, now+int64(storeLook))
}

// again makes the next caller look at once.
func (l *looks) again() { l.next.Store(0) }

// mustLook reports whether a Queue cannot know of all jobs in a Store.
func mustLook(st store.Worker, q queue.Queue) bool {
	local, ok := q.(queue.Local)
	if !ok || !local.Local() {
		return false
	}
	shared, ok := st.(store.Shared)
	return ok && shared.Shared()
}

// order draws the order in which to ask the queues, at random by weight. Nil means every queue.
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
