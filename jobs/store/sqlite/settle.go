package sqlite

import (
	"context"
	"fmt"
	"math"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// Settle implements store.Worker.
func (s *Store) Settle(ctx context.Context, outcomes []store.Outcome) ([]store.Settled, error) {
	for _, o := range outcomes {
		if err := checkOutcome(o); err != nil {
			return nil, fmt.Errorf("settle %s: %w", o.ID, err)
		}
	}
	settled := make([]store.Settled, len(outcomes))
	err := s.change(ctx, "settle", func(tx *tx) (err error) {
		var completed int64
		for i, o := range outcomes {
			if o.Verb == store.VerbComplete {
				settled[i], err = tx.complete(o)
			} else {
				settled[i], err = tx.settle(o)
			}
			if err != nil {
				return fmt.Errorf("%s of %s: %w", o.Verb, o.ID, err)
			}
			if settled[i].Result == store.Recorded && settled[i].Status == jobs.Completed {
				completed++
			}
		}
		tx.completed(completed)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return settled, nil
}

func checkOutcome(o store.Outcome) error {
	if err := checkText("error", o.Error); err != nil {
		return err
	}
	return checkJSON("result", o.Result)
}

// complete carries out VerbComplete, the one verb that needs nothing from the row.
func (tx *tx) complete(o store.Outcome) (store.Settled, error) {
	changed, err := tx.exec(`UPDATE jobs SET status = 'completed', result = ?4, error_message = NULL, finished_at = ?5,
		updated_at = ?5, deadline_at = NULL, lease_losses = 0
		WHERE id = ?1 AND fence = ?2 AND worker_id = ?3 AND +status = 'processing'`,
		o.ID, o.Fence, o.Session, textOf(o.Result), tx.now)
	if err != nil {
		return store.Settled{}, err
	}
	if changed == 0 {
		return tx.earlier(o)
	}
	return store.Settled{Result: store.Recorded, Status: jobs.Completed}, nil
}

// running is what the other verbs need to know about the job.
type running struct {
	job       jobs.Job // only Queue, Type, Priority, Attempts, MaxAttempts, LeaseLosses and Error are set
	releases  int
	cancel    bool
	runAt     int64
	startedAt int64
}

// next is what a job becomes after an unsuccessful attempt.
type next struct {
	status   jobs.Status
	kind     jobs.FailureKind
	attempts int
	releases int
	losses   int
	fence    int64
	runAt    int64
	errText  string
	history  jobs.AttemptOutcome // empty: none
}

// settle records an unsuccessful attempt.
func (tx *tx) settle(o store.Outcome) (store.Settled, error) {
	var r running
	found, err := first(tx.query, []any{
		&r.job.Queue, &r.job.Type, &r.job.Priority, &r.job.Attempts, &r.job.MaxAttempts, &r.job.LeaseLosses, &r.job.Error,
		&r.releases, &r.cancel, &r.runAt, &r.startedAt,
	}, `SELECT queue, type, priority, attempts, max_attempts, lease_losses, ifnull(error_message, ''), releases,
		cancel_requested_at IS NOT NULL, run_at, started_at
		FROM jobs WHERE id = ?1 AND fence = ?2 AND worker_id = ?3 AND +status = 'processing'`, o.ID, o.Fence, o.Session)
	if err != nil {
		return store.Settled{}, err
	}
	if !found {
		return tx.earlier(o)
	}
	n := decide(o, r, tx.now)
	var finishedAt any
	if n.status == jobs.Failed {
		finishedAt = tx.now
		tx.failed(n.kind)
	}
	if err := must(tx.exec(`UPDATE jobs SET status = ?4, failure_kind = ?5, attempts = ?6, releases = ?7,
		lease_losses = ?8, fence = ?9, run_at = ?10, error_message = ?11, finished_at = ?12, updated_at = ?13, deadline_at = NULL
		WHERE id = ?1 AND fence = ?2 AND worker_id = ?3 AND +status = 'processing'`,
		o.ID, o.Fence, o.Session, string(n.status), orNull(string(n.kind)), n.attempts, n.releases, n.losses, n.fence,
		n.runAt, orNull(n.errText), finishedAt, tx.now)); err != nil {
		return store.Settled{}, err
	}
	switch n.history {
	case jobs.AttemptFailed:
		tx.happened.Failed++
	case jobs.AttemptTimeout:
		tx.happened.TimedOut++
	}
	if n.history != "" {
		if err := tx.remember(o.ID, jobs.Attempt{
			Attempt: r.job.Attempts, Fence: o.Fence, WorkerID: o.Session, StartedAt: timeOf(r.startedAt), Outcome: n.history,
			Error: o.Error,
		}); err != nil {
			return store.Settled{}, err
		}
	}
	settled := store.Settled{Result: store.Recorded, Status: n.status, Kind: n.kind}
	if n.status == jobs.Pending {
		settled.Hint = &jobs.Hint{
			ID: o.ID, Queue: r.job.Queue, Type: r.job.Type, Priority: r.job.Priority, RunAt: timeOf(n.runAt),
			In: spanOf(n.runAt - tx.now), Suspect: n.losses > 0,
		}
	}
	return settled, nil
}

// decide says what a job becomes by an outcome.
func decide(o store.Outcome, r running, now int64) next {
	n := next{
		status: jobs.Pending, attempts: r.job.Attempts, releases: r.releases, fence: o.Fence, runAt: r.runAt,
		errText: o.Error, history: o.Attempt,
	}
	if o.Verb == store.VerbRelease {
		n.losses = r.job.LeaseLosses
	}
	fail := func(kind jobs.FailureKind) next {
		n.status, n.kind = jobs.Failed, kind
		return n
	}
	if n.history == "" {
		n.history = jobs.AttemptFailed
	}
	if r.cancel {
		n.history = jobs.AttemptCancelled
		return fail(jobs.KindCancelled)
	}
	switch o.Verb {
	case store.VerbRetry:
		if r.job.Attempts >= r.job.MaxAttempts {
			return fail(kindOf(o))
		}
		n.runAt = now + o.Delay.Microseconds()
	case store.VerbSnooze:
		n.attempts--
		n.runAt = now + o.Delay.Microseconds()
		n.errText, n.history = r.job.Error, ""
	case store.VerbRelease:
		n.history = jobs.AttemptReleased
		n.releases++
		switch {
		case n.releases <= jobs.MaxReleases:
			n.attempts--
		case n.attempts >= r.job.MaxAttempts:
			return fail(jobs.KindWorkerLost)
		}
		n.fence++
		n.errText = r.job.Error // a release is not an error of the job
	default:
		return fail(kindOf(o))
	}
	return n
}

// kindOf is the kind of failure of an outcome. If the outcome names none, it follows from the attempt.
func kindOf(o store.Outcome) jobs.FailureKind {
	switch {
	case o.Kind != "":
		return o.Kind
	case o.Attempt == jobs.AttemptTimeout:
		return jobs.KindTimeout
	default:
		return jobs.KindError
	}
}

// earlier answers an outcome that changed nothing. It is Already if this attempt was recorded before, and else Stale.
// If the job is not processing and its row still has the outcome's fence and worker, then this worker has settled it:
// whatever others do to a job raises the fence. A release raises it too, by one, and leaves its fence in the history.
func (tx *tx) earlier(o store.Outcome) (store.Settled, error) {
	var status, kind string
	found, err := first(tx.query, []any{&status, &kind}, `SELECT status, ifnull(failure_kind, '') FROM jobs
		WHERE id = ?1 AND worker_id = ?3 AND +status <> 'processing' AND (fence = ?2
			OR fence = ?2 + 1 AND EXISTS (SELECT 1 FROM job_attempts
				WHERE job_id = ?1 AND fence = ?2 AND worker_id = ?3 AND outcome = 'released'))`,
		o.ID, o.Fence, o.Session)
	if err != nil || !found {
		return store.Settled{Result: store.Stale}, err
	}
	return store.Settled{Result: store.Already, Status: jobs.Status(status), Kind: jobs.FailureKind(kind)}, nil
}

// remember adds an attempt that ends now to the history of a job.
func (tx *tx) remember(id string, a jobs.Attempt) error {
	_, err := tx.exec(`INSERT INTO job_attempts (job_id, fence, attempt, worker_id, started_at, finished_at,
		outcome, error)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`,
		id, a.Fence, a.Attempt, a.WorkerID, a.StartedAt.UnixMicro(), tx.now, string(a.Outcome), a.Error)
	return err
}

// Progress implements store.Worker.
func (s *Store) Progress(ctx context.Context, notes []store.ProgressNote) error {
	for _, n := range notes {
		if err := checkText("progress", n.Message); err != nil {
			return fmt.Errorf("progress of %s: %w", n.ID, err)
		}
		if math.IsNaN(n.Percent) { // SQLite would store it as NULL
			return fmt.Errorf("progress of %s: %w: the percentage is no number", n.ID, jobs.ErrRejected)
		}
	}
	return s.change(ctx, "progress", func(tx *tx) error {
		for _, n := range notes {
			if _, err := tx.exec(`UPDATE jobs SET progress_percent = ?4, progress_message = ?5, progress_at = ?6, updated_at = ?6
				WHERE id = ?1 AND fence = ?2 AND worker_id = ?3 AND +status = 'processing'`,
				n.ID, n.Fence, n.Session, n.Percent, n.Message, tx.now); err != nil {
				return err
			}
		}
		return nil
	})
}
