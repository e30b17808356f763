package torture

import (
	"slices"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// mirrored is the maximum number of dead ids in the Queue's mirror.
const mirrored = 1000

// dead: the API lists exactly the dead jobs, and the Queue mirrors the newest of them.
func (c *checker) dead() {
	if c.Metrics == nil {
		return // the views were not read
	}
	var ids []string
	for i := range c.Rows {
		if r := &c.Rows[i]; r.Status == string(jobs.Failed) && r.Kind != string(jobs.KindCancelled) {
			ids = append(ids, r.ID)
		}
	}
	newest := newestDead(ids)
	slices.Sort(ids)
	listed := slices.Sorted(slices.Values(c.DeadAPI))
	if !slices.Equal(ids, listed) {
		c.violation("%d jobs are dead, but the dead-letter queue lists %d%s", len(ids), len(listed), difference(ids, listed))
	}
	held := slices.Sorted(slices.Values(c.DeadList))
	if !slices.Equal(newest, held) {
		c.violation("%d jobs are dead, but the queue mirrors %d%s", len(ids), len(held), difference(newest, held))
	}
}

// newestDead returns the dead jobs that the mirror has: the newest by id, like the list. It returns them in order.
func newestDead(ids []string) []string {
	sorted := slices.Sorted(slices.Values(ids))
	return sorted[max(0, len(sorted)-mirrored):]
}

// difference names one id that is in one list only.
func difference(want, got []string) string {
	for _, id := range want {
		if _, there := slices.BinarySearch(got, id); !there {
			return ": " + id + " is missing"
		}
	}
	for _, id := range got {
		if _, there := slices.BinarySearch(want, id); !there {
			return ": " + id + " should not be there"
		}
	}
	return ""
}

// metrics: the counts of the API agree with the Store.
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
			c.violation("/metrics has %s: %d, the store has %d", name, c.Metrics[name], want[name])
		}
	}
	c.counters(want["completed_jobs"])
}

// counters: the workers count as much as the Store. A killed worker loses its last counts, so workers may count less if
// some were killed, but never more.
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
		case jobs.AttemptCancelled: // a cancelled snooze or release has this outcome too, and is not counted as failed
			if asFailure[run{a.Job, a.Fence}] {
				failed++
			}
		}
	}
	var counted [2]int64
	for _, n := range last {
		counted[0], counted[1] = counted[0]+n[0], counted[1]+n[1]
	}
	for i, stored := range [2]int64{completed, failed} {
		if counted[i] > stored || !c.Killed && counted[i] < stored {
			c.violation("the workers have counted %d %s, the store has %d",
				counted[i], [2]string{"completed jobs", "failed attempts"}[i], stored)
		}
	}
}

// spacing: between the failure of attempt n and the next attempt are at least 2^n seconds, by the Store's clock.
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
			// Skip a redrive, which starts at attempt 1 at once, and a job that never ran again.
			if number != a.Attempt+1 || !next.After(a.StartedAt) {
				continue
			}
			if gap := next.Sub(a.FinishedAt); gap < jobs.BackoffBase(a.Attempt)-time.Millisecond {
				c.violation("job %s was started %s after the end of its attempt %d (%s)",
					id, gap, a.Attempt, strings.ReplaceAll(a.Outcome, "_", " "))
			}
		}
	}
}
