package torture

import (
	"slices"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// mirrored is how many dead ids the Queue's mirror holds.
const mirrored = 1000

// dead: the API lists the dead jobs, all of them and no others, and the Queue mirrors the newest.
func (c *checker) dead() {
	if c.Metrics == nil {
		return // nobody has looked at the views
	}
	var ids []string
	for i := range c.Rows {
		if r := &c.Rows[i]; r.Status == string(jobs.Failed) && r.Kind != string(jobs.KindCancelled) {
			ids = append(ids, r.ID)
		}
	}
	slices.Sort(ids)
	listed := slices.Sorted(slices.Values(c.DeadAPI))
	if !slices.Equal(ids, listed) {
		c.violation("%d jobs are dead, the dead-letter queue lists %d%s", len(ids), len(listed), difference(ids, listed))
	}
	newest := ids[max(0, len(ids)-mirrored):] // by id, as the list is
	held := slices.Sorted(slices.Values(c.DeadList))
	if !slices.Equal(newest, held) {
		c.violation("%d jobs are dead, the queue mirrors %d%s", len(ids), len(held), difference(newest, held))
	}
}

// difference names one that is on one side only.
func difference(want, got []string) string {
	for _, id := range want {
		if _, there := slices.BinarySearch(got, id); !there {
			return ": " + id + " is missing"
		}
	}
	for _, id := range got {
		if _, there := slices.BinarySearch(want, id); !there {
			return ": " + id + " is too many"
		}
	}
	return ""
}

// metrics: the API counts what is there. A worker's own counters die with it, so their last words are at most the truth.
func (c *checker) metrics() {
	if c.Metrics == nil {
		return
	}
	var want = map[string]int64{}
	for i := range c.Rows {
		r := &c.Rows[i]
		want["total_jobs"]++
		switch {
		case r.Status == string(jobs.Completed):
			want["completed_jobs"]++
		case r.Status == string(jobs.Processing):
			want["active_jobs"]++
		case r.Status == string(jobs.Failed):
			want["failed_jobs"]++
			if r.Kind == string(jobs.KindCancelled) {
				want["cancelled"]++
			} else {
				want["dead"]++
			}
		}
	}
	for _, name := range []string{"total_jobs", "completed_jobs", "active_jobs", "failed_jobs", "cancelled", "dead"} {
		if c.Metrics[name] != want[name] {
			c.violation("/metrics says %s: %d, the store has %d", name, c.Metrics[name], want[name])
		}
	}
	c.counters(want["completed_jobs"])
}

// counters: what the workers say they have done is what the Store has, exactly where no worker was killed.
func (c *checker) counters(completed int64) {
	last := map[string][2]int64{} // by process: completed, failed
	asFailure := map[run]bool{}
	for i := range c.Events {
		switch e := &c.Events[i]; e.Kind {
		case history.Counts, history.Down:
			was := last[e.Worker]
			last[e.Worker] = [2]int64{max(was[0], int64(e.N)), max(was[1], int64(e.Failed))}
		case history.Acked:
			if v := store.Verb(e.Verb); v == store.VerbRetry || v == store.VerbFail {
				asFailure[run{e.ID, e.Fence}] = true
			}
		}
	}
	var failed int64
	for i := range c.Attempts {
		switch a := &c.Attempts[i]; jobs.AttemptOutcome(a.Outcome) {
		case jobs.AttemptFailed, jobs.AttemptTimeout:
			failed++
		case jobs.AttemptCancelled: // what was snoozed or handed back ends so too, and is no failure of the worker
			if asFailure[run{a.Job, a.Fence}] {
				failed++
			}
		}
	}
	var said [2]int64
	for _, n := range last {
		said[0], said[1] = said[0]+n[0], said[1]+n[1]
	}
	for i, is := range [2]int64{completed, failed} {
		if said[i] > is || !c.Killed && said[i] < is {
			c.violation("the workers say that they have %s %d times, the store has %d", [2]string{"completed a job", "failed in one"}[i], said[i], is)
		}
	}
}

// spacing: after the n-th attempt has failed, 2^n seconds pass before the next, by the Store's clock.
func (c *checker) spacing() {
	for id, list := range c.history {
		for i, a := range list {
			if outcome := jobs.AttemptOutcome(a.Outcome); outcome == jobs.AttemptReleased || outcome == jobs.AttemptCancelled {
				continue
			}
			next, number := c.Started[id], 0
			if i+1 < len(list) {
				next, number = list[i+1].StartedAt, list[i+1].Attempt
			} else if r := c.rows[id]; r != nil {
				number = r.Attempts
			}
			// A redrive begins at 1 again, at once; and what never ran again has nothing to keep.
			if number != a.Attempt+1 || !next.After(a.StartedAt) {
				continue
			}
			if gap := next.Sub(a.FinishedAt); gap < jobs.BackoffBase(a.Attempt)-time.Millisecond {
				c.violation("job %s was started %s after its attempt %d had ended (%s)", id, gap, a.Attempt, strings.ReplaceAll(a.Outcome, "_", " "))
			}
		}
	}
}
