package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var cancelJob, cancelJobBy = auditing(`WITH u AS (UPDATE windlass.jobs j SET
		status = CASE WHEN j.status = 'pending' THEN 'failed' ELSE j.status END,
		failure_kind = CASE WHEN j.status = 'pending' THEN 'cancelled' END,
		finished_at = CASE WHEN j.status = 'pending' THEN now() END,
		fence = j.fence + (j.status = 'pending')::int,
		cancel_requested_at = coalesce(j.cancel_requested_at, now()), updated_at = now()
	WHERE j.id = $1::uuid AND (j.status IN ('pending', 'processing')) IS TRUE
	RETURNING `+whole+`
	), t AS (`+addToEnded+` SELECT `+countsRow+`, 0, 0, 0, 0, 1 FROM u WHERE u.status = 'failed' `+mergeEnded+`)`,
	2, `1 FROM u WHERE u.cancel_requested_at = u.updated_at`, // a request that is repeated changes nothing
	`SELECT * FROM u`)

// Cancel ends a pending job, or records the request on a processing one.
func (s *Store) Cancel(ctx context.Context, id string) (jobs.Job, error) {
	parsed, ok := parseID(id)
	if !ok {
		return jobs.Job{}, fmt.Errorf("cancel: %w", jobs.ErrNotFound)
	}
	// A job in another state is read. It may have become pending again between the two statements; then the update is
	// tried again.
	for range 3 {
		var changed []jobs.Job
		err := s.work.write(ctx, "cancel job "+id, s.by(ctx, cancelJob, cancelJobBy, store.ActionCancel, id, []any{parsed},
			newJobRow(inJob).into(&changed)))
		if err != nil {
			return jobs.Job{}, err
		}
		if len(changed) > 0 {
			return changed[0], nil
		}
		job, _, err := s.Get(ctx, id)
		switch {
		case err != nil:
			return jobs.Job{}, fmt.Errorf("cancel: %w", err)
		case job.Status == jobs.Failed && job.FailureKind == jobs.KindCancelled:
			return job, nil
		case job.Status.Terminal():
			return job, fmt.Errorf("cancel job %s: %w", id, jobs.ErrConflict)
		}
	}
	return jobs.Job{}, fmt.Errorf("cancel job %s: %w", id, jobs.ErrBusy)
}

var deleteJob, deleteJobBy = auditing(`WITH d AS (
			DELETE FROM windlass.jobs j WHERE j.id = $1::uuid AND (j.status IN ('completed', 'failed')) IS TRUE
				RETURNING j.id, j.status
		), a AS (
			DELETE FROM windlass.job_attempts a WHERE a.job_id = ANY (ARRAY(SELECT d.id FROM d))
		), t AS (`+addToCounts+` SELECT `+countsRow+`, 0, 1 FROM d
			WHERE d.status = 'completed' `+mergeCounts+`)`, 2, `1 FROM d`,
	`SELECT EXISTS (SELECT FROM d), EXISTS (SELECT FROM windlass.jobs j WHERE j.id = $1::uuid)`)

const (
	// The parts of a statement that adds to completed_counts. A backend runs one transaction at a time, so no two
	// transactions ever use the same row.
	addToCounts = `INSERT INTO windlass.completed_counts AS t (at, backend, completed, deleted)`
	countsRow   = `date_bin('5 seconds', now(), timestamptz 'epoch'), pg_backend_pid()`
	mergeCounts = `ON CONFLICT (at, backend) DO UPDATE SET
		completed = t.completed + excluded.completed, deleted = t.deleted + excluded.deleted`

	// Rows that are no part of what has happened here. They keep the sum right and are never merged.
	importedRow  = `'-infinity', -2` // jobs that were imported as completed
	recountedRow = `'-infinity', -1` // what was wrong when it was recounted

	// The same for ended_counts.
	addToEnded = `INSERT INTO windlass.ended_counts AS t (at, backend, failed, timed_out, lease_lost, dead, cancelled)`
	mergeEnded = `ON CONFLICT (at, backend) DO UPDATE SET failed = t.failed + excluded.failed,
		timed_out = t.timed_out + excluded.timed_out, lease_lost = t.lease_lost + excluded.lease_lost,
		dead = t.dead + excluded.dead, cancelled = t.cancelled + excluded.cancelled`
)

// Delete removes a completed or failed job and its history.
func (s *Store) Delete(ctx context.Context, id string) error {
	parsed, ok := parseID(id)
	if !ok {
		return fmt.Errorf("delete: %w", jobs.ErrNotFound)
	}
	var deleted, was bool
	err := s.work.write(ctx, "delete job "+id, s.by(ctx, deleteJob, deleteJobBy, store.ActionDelete, id, []any{parsed},
		one(&deleted, &was)))
	switch {
	case err != nil || deleted:
		return err
	case was:
		return fmt.Errorf("delete job %s: %w", id, jobs.ErrConflict)
	}
	return fmt.Errorf("delete job %s: %w", id, jobs.ErrNotFound)
}

// redriveJobs selects failed jobs before it changes any, so that the limit holds and no locked row is waited for. The
// coalesce hides from the planner that few rows have a failure_kind. Otherwise it would not expect to find enough rows
// by walking jobs_dead, and would sort all failed jobs.
const redriveJobs = `
	WITH v AS MATERIALIZED (
		SELECT j.id FROM windlass.jobs j
		WHERE j.status = 'failed' AND (NOT $1::bool OR coalesce(j.failure_kind, '') <> 'cancelled')
			AND ($2::text = '' OR j.type = $2::text) AND ($3::text = '' OR j.queue = $3::text)
			AND (cardinality($7::text[]) = 0 OR j.type = ANY ($7::text[]))
			AND (cardinality($8::text[]) = 0 OR j.queue = ANY ($8::text[]))
			AND ($4::text = '' OR strpos(lower(j.error_message), lower($4::text)) > 0) %s
		ORDER BY j.finished_at DESC, j.id DESC LIMIT $5::int FOR UPDATE SKIP LOCKED
	), u AS (UPDATE windlass.jobs j SET status = 'pending', attempts = 0, releases = 0, lease_losses = 0,
		fence = j.fence + 1, redrives = j.redrives + 1,
		run_at = now() + random() * $6::bigint * interval '1 microsecond', failure_kind = NULL, finished_at = NULL,
		cancel_requested_at = NULL, updated_at = now()
	WHERE j.id = ANY (ARRAY(SELECT v.id FROM v))
	RETURNING ` + hinted + `)`

var (
	redriveAny, redriveAnyBy   = notedRedrive("", 9)
	redriveByID, redriveByIDBy = notedRedrive("AND j.id = ANY ($9::uuid[])", 10)
)

// notedRedrive is redriveJobs with one more condition, without and with an entry of the audit log.
func notedRedrive(condition string, first int) (plain, by string) {
	return auditing(fmt.Sprintf(redriveJobs, condition), first, `count(*) FROM u HAVING count(*) > 0`, `SELECT * FROM u`)
}

// Redrive sends failed jobs back to pending.
func (s *Store) Redrive(ctx context.Context, r store.Redrive) ([]jobs.Hint, error) {
	limit := min(max(r.Limit, 0), 1000)
	sql, by := redriveAny, redriveAnyBy
	args := []any{r.DeadOnly, r.Type, r.Queue, r.Error, limit, micros(r.Spread), notNil(r.Types), notNil(r.Queues)}
	if len(r.IDs) > 0 {
		if limit == 0 {
			args[4] = len(r.IDs)
		}
		sql, by, args = redriveByID, redriveByIDBy, append(args, parseIDs(r.IDs))
	}
	var hints []jobs.Hint
	err := s.work.write(ctx, "redrive", s.by(ctx, sql, by, store.ActionRetry, r.Target(), args, (&hintRow{}).into(&hints)))
	return hints, err
}

// getJob reads a job and its history in one statement, so that they belong together. Times are microseconds since 1970.
var getJob = `SELECT ` + whole + `, (
		SELECT json_agg(json_build_object(
			'Attempt', a.attempt, 'Fence', a.fence, 'WorkerID', a.worker_id, 'Outcome', a.outcome, 'Error', a.error,
			'Started', (extract(epoch FROM a.started_at) * 1000000)::bigint,
			'Finished', (extract(epoch FROM a.finished_at) * 1000000)::bigint) ORDER BY a.fence)
		FROM windlass.job_attempts a WHERE a.job_id = j.id)::text
	FROM windlass.jobs j WHERE j.id = $1::uuid`

// Get returns one job with its unsuccessful attempts.
func (s *Store) Get(ctx context.Context, id string) (jobs.Job, []jobs.Attempt, error) {
	var job jobs.Job
	var history *string
	found := false
	parsed, ok := parseID(id)
	if !ok {
		return jobs.Job{}, nil, fmt.Errorf("get: %w", jobs.ErrNotFound)
	}
	row := newJobRow(inJob, &history)
	err := s.work.read(ctx, "get job "+id, statement{getJob, []any{parsed}, each(func(rows results) (err error) {
		found = true
		job, err = row.scan(rows)
		return err
	})})
	if err == nil && !found {
		err = fmt.Errorf("get job %s: %w", id, jobs.ErrNotFound)
	}
	if err != nil || history == nil {
		return job, nil, err
	}
	var attempts []struct {
		jobs.Attempt
		Started, Finished int64
	}
	if err := json.Unmarshal([]byte(*history), &attempts); err != nil {
		return jobs.Job{}, nil, fmt.Errorf("history of job %s: %w", id, err)
	}
	list := make([]jobs.Attempt, len(attempts))
	for i, a := range attempts {
		list[i] = a.Attempt
		list[i].StartedAt, list[i].FinishedAt = time.UnixMicro(a.Started).UTC(), time.UnixMicro(a.Finished).UTC()
	}
	return job, list, nil
}

const allTypes = `SELECT name, description, queue, max_attempts, timeout_seconds, schema::text, example::text, seen_at
	FROM windlass.job_types ORDER BY name`

// Types returns what workers have announced.
func (s *Store) Types(ctx context.Context) ([]jobs.Type, error) {
	var types []jobs.Type
	err := s.work.read(ctx, "read job types", statement{allTypes, nil, each(func(rows results) error {
		var t jobs.Type
		var seconds int64
		var schema, example *string
		err := rows.Scan(&t.Name, &t.Description, &t.Queue, &t.MaxAttempts, &seconds, &schema, &example, &t.SeenAt)
		t.Timeout, t.SeenAt = time.Duration(seconds)*time.Second, t.SeenAt.UTC()
		t.Schema, t.Example = rawOf(schema), rawOf(example)
		types = append(types, t)
		return err
	})})
	return types, err
}

func rawOf(text *string) json.RawMessage {
	if text == nil {
		return nil
	}
	return json.RawMessage(*text)
}
