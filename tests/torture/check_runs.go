package torture

import (
	"slices"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/tests/torture/history"
	"github.com/windlass-jobs/windlass/tests/torture/recording"
)

// completions: a completed job has a successful execution with the same fence, and the result of that execution.
func (c *checker) completions() {
	for i := range c.Rows {
		r := &c.Rows[i]
		if r.Status != string(jobs.Completed) {
			continue
		}
		if c.ended[run{r.ID, r.Fence}] != history.EndOK {
			c.violation("job %s is completed with fence %d, but no execution with this fence succeeded", r.ID, r.Fence)
		}
		if r.ResultFence != r.Fence || r.ResultKey != r.Key {
			c.violation("job %s of key %s is completed with fence %d, but has the result of key %q with fence %d",
				r.ID, r.Key, r.Fence, r.ResultKey, r.ResultFence)
		}
		if slices.Contains(neverSucceed, r.Type) {
			c.violation("job %s is completed, but a job of type %s never succeeds", r.ID, r.Type)
		}
	}
}

// neverSucceed are the types whose handlers never succeed.
var neverSucceed = []string{
	recording.Doomed, recording.Panics, recording.Permanent, recording.Late, recording.Poison, recording.Hog,
}

// failures: each kind of failure has its own conditions.
func (c *checker) failures() {
	done := map[string]bool{}
	for i := range c.Events {
		if e := &c.Events[i]; e.Kind == history.Acked && e.Verb == string(store.VerbComplete) {
			done[e.ID] = true
		}
	}
	for i := range c.Rows {
		r := &c.Rows[i]
		if r.Status != string(jobs.Failed) {
			continue
		}
		if done[r.ID] {
			c.violation("job %s has failed (%s), but its success had been recorded", r.ID, r.Kind)
		}
		switch jobs.FailureKind(r.Kind) {
		case jobs.KindError:
			if r.Attempts != r.MaxAttempts || r.Type != recording.Doomed && r.Type != recording.Panics {
				c.violation("job %s (%s) has failed with an error after %d of %d attempts", r.ID, r.Type, r.Attempts, r.MaxAttempts)
			}
		case jobs.KindTimeout:
			if r.Attempts != r.MaxAttempts {
				c.violation("job %s has failed with a time-out after %d of %d attempts", r.ID, r.Attempts, r.MaxAttempts)
			}
		case jobs.KindPermanent:
			if r.Type != recording.Permanent {
				c.violation("job %s (%s) has failed with a permanent error", r.ID, r.Type)
			}
		case jobs.KindCancelled:
			if c.requests[r.ID][history.Cancel] == 0 {
				c.violation("job %s is cancelled, but there was no request to cancel it", r.ID)
			}
		case jobs.KindWorkerLost:
			if r.Attempts != r.MaxAttempts && !c.lostInARow(r.ID) {
				c.violation("job %s has failed with a lost worker after %d of %d attempts, without %d lost workers in a row",
					r.ID, r.Attempts, r.MaxAttempts, jobs.MaxLeaseLosses)
			}
		}
	}
	c.leaseLosses()
}

func (c *checker) lostInARow(id string) bool {
	row := 0
	for _, a := range c.history[id] {
		switch jobs.AttemptOutcome(a.Outcome) {
		case jobs.AttemptLeaseLost:
			row++
		case jobs.AttemptReleased: // does not count, and does not end the row
		default:
			row = 0
		}
	}
	return row >= jobs.MaxLeaseLosses
}

// leaseLosses: no attempt is taken from a worker with a live session, unless it is past its deadline.
func (c *checker) leaseLosses() {
	for i := range c.Attempts {
		a := &c.Attempts[i]
		if a.Outcome != string(jobs.AttemptLeaseLost) {
			continue
		}
		ended, dead := c.Ended[a.Worker]
		overdue := c.rows[a.Job] != nil && a.FinishedAt.Sub(a.StartedAt) > c.rows[a.Job].Timeout+30*time.Second
		if !overdue && (!dead || ended.After(a.FinishedAt)) {
			c.violation("job %s with fence %d was taken from session %s, which was alive", a.Job, a.Fence, a.Worker)
		}
	}
}

// executions: no fence is executed twice. Each executed fence is in the job's history, or is the last one.
func (c *checker) executions() {
	starts := map[string]int{}
	for r, times := range c.begun {
		starts[r.id] += times
		if times > 1 {
			c.violation("job %s was started %d times with fence %d", r.id, times, r.fence)
		}
		row := c.rows[r.id]
		if row == nil {
			continue // rule 1
		}
		switch {
		case c.attempts[r] != nil, row.Fence == r.fence, c.snoozed[r]:
		case row.Type == recording.Snoozer && c.ended[r] == history.EndErr:
			// It snoozed, and the worker was lost before it recorded the answer.
		default:
			c.violation("job %s was started with fence %d, which is not in the store; the job has fence %d",
				r.id, r.fence, row.Fence)
		}
	}
	for id, n := range starts {
		row := c.rows[id]
		if row == nil || row.Redrives > 0 || row.Type == recording.Snoozer {
			continue // a redrive resets the count, and a snooze gives the attempt back
		}
		if n > row.Attempts+row.Releases {
			c.violation("job %s was started %d times, with %d attempts and %d releases", id, n, row.Attempts, row.Releases)
		}
	}
}

// starts: no execution has a higher fence than the completion. By the clock an older execution may start after the
// completion, but only if a process was delayed.
func (c *checker) starts() {
	for r := range c.begun {
		if row := c.rows[r.id]; row != nil && row.Status == string(jobs.Completed) && r.fence > row.Fence {
			c.violation("job %s was completed with fence %d, and started with fence %d", r.id, row.Fence, r.fence)
		}
	}
	if late := c.staleStarts(); late > 0 && !c.Paused {
		c.violation("%d executions began after their job's completion, but no process was delayed", late)
	}
}

// staleStarts counts executions that began after their job was completed.
func (c *checker) staleStarts() int {
	n := 0
	for i := range c.Events {
		e := &c.Events[i]
		if e.Kind != history.Start {
			continue
		}
		if row := c.rows[e.ID]; row != nil && row.Status == string(jobs.Completed) && e.Fence < row.Fence &&
			e.At.After(row.FinishedAt) {
			n++
		}
	}
	return n
}

// acknowledged: every change that the Store has confirmed to a worker or a client is still in the Store.
func (c *checker) acknowledged() {
	for i := range c.Events {
		e := &c.Events[i]
		row := c.rows[e.ID]
		if e.Kind != history.Acked && e.Kind != history.Phantom || row == nil {
			continue
		}
		attempt := c.attempts[run{e.ID, e.Fence}]
		switch store.Verb(e.Verb) {
		case store.VerbComplete:
			if row.Status != string(jobs.Completed) || row.Fence != e.Fence {
				c.violation("the success of job %s with fence %d was recorded, but the job is %s with fence %d",
					e.ID, e.Fence, row.Status, row.Fence)
			}
		case store.VerbRetry, store.VerbFail:
			if attempt == nil || attempt.Outcome == string(jobs.AttemptLeaseLost) ||
				attempt.Outcome == string(jobs.AttemptReleased) {
				c.violation("the failure of job %s with fence %d was recorded, but is not in its history", e.ID, e.Fence)
			}
		case store.VerbRelease:
			if attempt == nil || attempt.Outcome != string(jobs.AttemptReleased) &&
				attempt.Outcome != string(jobs.AttemptCancelled) {
				c.violation("the release of job %s with fence %d was recorded, but is not in its history", e.ID, e.Fence)
			}
		}
	}
	for id, asked := range c.requests {
		row := c.rows[id]
		if row == nil {
			continue
		}
		if asked[history.Cancelled] > 0 && row.Redrives == 0 && row.Kind != string(jobs.KindCancelled) {
			c.violation("job %s was cancelled, but is %s", id, row.Status)
		}
		if asked[history.Redriven] > row.Redrives || row.Redrives > asked[history.Redrive] {
			c.violation("job %s has %d redrives in the store; %d were requested, %d confirmed",
				id, row.Redrives, asked[history.Redrive], asked[history.Redriven])
		}
	}
}
