package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// endSessions and takeBack run in one transaction, in this order: once a session is marked dead it cannot be renewed
// before its jobs are taken, and the second statement sees what the first, and a renewal before it, have done.
const (
	endSessions = `UPDATE worker_sessions w SET state = 'dead', ended_at = now()
		WHERE w.id = ANY (ARRAY(
			SELECT w.id FROM worker_sessions w WHERE w.state <> 'dead' AND w.expires_at < least($1::timestamptz, now()) ORDER BY w.id FOR UPDATE SKIP LOCKED
		))`

	takeBack = `
	WITH v AS MATERIALIZED (
		SELECT j.id, j.worker_id, j.fence, j.attempts, j.started_at, CASE
				WHEN j.cancel_requested_at IS NOT NULL THEN 'cancelled'
				WHEN j.attempts >= j.max_attempts OR j.lease_losses + 1 >= $2::int THEN 'worker_lost' END AS failure,
			CASE WHEN j.deadline_at < least($3::timestamptz, now()) - interval '5 seconds' THEN 'the worker did not report back before the deadline'
				ELSE 'the worker was lost' END AS error
		FROM jobs j
		WHERE j.status = 'processing' AND (j.deadline_at < least($3::timestamptz, now()) - interval '5 seconds'
			OR NOT EXISTS (SELECT FROM worker_sessions w WHERE w.id = j.worker_id AND w.state <> 'dead'))
		ORDER BY j.id LIMIT $1::int FOR UPDATE OF j SKIP LOCKED
	), u AS (
		UPDATE jobs j SET
			status = CASE WHEN v.failure IS NULL THEN 'pending' ELSE 'failed' END,
			failure_kind = v.failure,
			finished_at = CASE WHEN v.failure IS NOT NULL THEN now() END,
			run_at = CASE WHEN v.failure IS NOT NULL THEN j.run_at ELSE
				now() + least(power(2, least(j.attempts, 12)) * (1 + random() * 0.1), 3600) * interval '1 second' END,
			fence = j.fence + 1, lease_losses = j.lease_losses + 1, error_message = v.error, deadline_at = NULL, updated_at = now()
		FROM v WHERE j.id = v.id AND j.id = ANY (ARRAY(SELECT v.id FROM v))
		RETURNING ` + listed + `, ` + dueIn + ` AS due_in
	), h AS (
		INSERT INTO job_attempts (job_id, fence, worker_id, started_at, finished_at, attempt, outcome, error)
		SELECT v.id, v.fence, v.worker_id, v.started_at, now(), v.attempts, 'lease_lost', v.error FROM v
	)
	SELECT * FROM u`
)

// Reap takes jobs back from workers that are gone.
func (s *Store) Reap(ctx context.Context, asOf time.Time, limit int) ([]store.Reaped, error) {
	var reaped []store.Reaped
	var due int64
	row := newJobRow(false, &due)
	err := s.maintenance.write(ctx, "reap",
		statement{endSessions, []any{asOf}, nil},
		statement{takeBack, []any{int32(max(limit, 0)), int32(jobs.MaxLeaseLosses), asOf}, each(func(rows pgx.Rows) error {
			j, err := row.scan(rows)
			r := store.Reaped{Job: j, From: j.WorkerID} // the row keeps the session that had it
			if j.Status == jobs.Pending {
				h := j.Hint()
				h.In = time.Duration(due) * time.Microsecond
				r.Hint = &h
			}
			reaped = append(reaped, r)
			return err
		})})
	if err != nil {
		return nil, err
	}
	return reaped, nil
}
