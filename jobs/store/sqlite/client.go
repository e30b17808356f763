package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// Get implements store.Client.
func (s *Store) Get(ctx context.Context, id string) (j jobs.Job, history []jobs.Attempt, err error) {
	err = s.view(ctx, "get "+id, func(q query) error {
		found, err := all(q, newJobRow(inJob).scan, `SELECT `+whole+` FROM jobs WHERE id = ?1`, id)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return jobs.ErrNotFound
		}
		j = found[0]
		history, err = all(q, scanAttempt, `SELECT attempt, fence, worker_id, started_at, finished_at, outcome, error
			FROM job_attempts WHERE job_id = ?1 ORDER BY fence`, id)
		return err
	})
	return j, history, err
}

func scanAttempt(row *sql.Rows) (a jobs.Attempt, err error) {
	var startedAt, finishedAt int64
	var outcome string
	err = row.Scan(&a.Attempt, &a.Fence, &a.WorkerID, &startedAt, &finishedAt, &outcome, &a.Error)
	a.StartedAt, a.FinishedAt, a.Outcome = timeOf(startedAt), timeOf(finishedAt), jobs.AttemptOutcome(outcome)
	return a, err
}

// read returns one job as the transaction sees it. jobs.ErrNotFound: there is none.
func (tx *tx) read(id string) (jobs.Job, error) {
	found, err := all(tx.query, newJobRow(inJob).scan, `SELECT `+whole+` FROM jobs WHERE id = ?1`, id)
	if err != nil {
		return jobs.Job{}, err
	}
	if len(found) == 0 {
		return jobs.Job{}, jobs.ErrNotFound
	}
	return found[0], nil
}

// must turns a conditional update that changed nothing into an error. The row was read in the same transaction, so no
// other writer can have changed it.
func must(changed int64, err error) error {
	if err == nil && changed != 1 {
		return fmt.Errorf("%d rows changed instead of 1", changed)
	}
	return err
}

// Cancel implements store.Client.
func (s *Store) Cancel(ctx context.Context, id string) (j jobs.Job, err error) {
	conflict := false
	err = s.change(ctx, "cancel "+id, func(tx *tx) (err error) {
		if j, err = tx.read(id); err != nil {
			return err
		}
		switch {
		case j.Status == jobs.Pending:
			err = must(tx.exec(`UPDATE jobs SET status = 'failed', failure_kind = 'cancelled', fence = fence + 1,
				cancel_requested_at = ?2, finished_at = ?2, updated_at = ?2 WHERE id = ?1 AND status = 'pending'`, id, tx.now))
			tx.failed(jobs.KindCancelled)
		case j.Status == jobs.Processing && j.CancelRequestedAt.IsZero():
			err = must(tx.exec(`UPDATE jobs SET cancel_requested_at = ?2, updated_at = ?2
				WHERE id = ?1 AND status = 'processing'`, id, tx.now))
		default:
			conflict = j.Status == jobs.Completed || j.Status == jobs.Failed && j.FailureKind != jobs.KindCancelled
			return nil
		}
		if err != nil {
			return err
		}
		if err = tx.note(ctx, store.ActionCancel, id, 1); err != nil {
			return err
		}
		j, err = tx.read(id)
		return err
	})
	if err != nil {
		return jobs.Job{}, err
	}
	if conflict {
		return j, fmt.Errorf("cancel %s: %w", id, jobs.ErrConflict)
	}
	return j, nil
}

// Delete implements store.Client.
func (s *Store) Delete(ctx context.Context, id string) error {
	return s.change(ctx, "delete "+id, func(tx *tx) error {
		j, err := tx.read(id)
		if err != nil {
			return err
		}
		if !j.Status.Terminal() {
			return jobs.ErrConflict
		}
		if err := tx.remove([]string{id}); err != nil {
			return err
		}
		return tx.note(ctx, store.ActionDelete, id, 1)
	})
}

// remove deletes jobs that have ended, and their history, and subtracts them from the totals.
func (tx *tx) remove(ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	var completed, dead, cancelled int64
	err := each(tx.query, func(row *sql.Rows) (bool, error) {
		var status, kind string
		err := row.Scan(&status, &kind)
		switch {
		case status == string(jobs.Completed):
			completed++
		case kind == string(jobs.KindCancelled):
			cancelled++
		default:
			dead++
		}
		return true, err
	}, `DELETE FROM jobs WHERE id IN (SELECT value FROM json_each(?1)) AND +status IN ('completed', 'failed')
		RETURNING status, ifnull(failure_kind, '')`, list(ids))
	tx.ended.completed -= completed
	tx.ended.dead -= dead
	tx.ended.cancelled -= cancelled
	return err
}

// Redrive implements store.Client. It searches on a reading connection: a long search would block the writer.
func (s *Store) Redrive(ctx context.Context, r store.Redrive) (hints []jobs.Hint, err error) {
	var chosen []string
	err = s.view(ctx, "redrive", func(q query) (err error) {
		chosen, err = redrivable(q, r)
		return err
	})
	if err != nil || len(chosen) == 0 {
		return nil, err
	}
	ids := list(chosen)
	err = s.change(ctx, "redrive", func(tx *tx) error {
		var dead, cancelled int64
		if _, err := first(tx.query, []any{&dead, &cancelled}, `SELECT count(*) FILTER (WHERE failure_kind <> 'cancelled'),
			count(*) FILTER (WHERE failure_kind = 'cancelled')
			FROM jobs WHERE id IN (SELECT value FROM json_each(?1)) AND +status = 'failed'`,
			ids); err != nil {
			return err
		}
		tx.ended.dead, tx.ended.cancelled = -dead, -cancelled
		var err error
		hints, err = all(tx.query, scanHint(tx.now), `UPDATE jobs
			SET status = 'pending', failure_kind = NULL, attempts = 0, releases = 0, lease_losses = 0,
			fence = fence + 1, redrives = redrives + 1, cancel_requested_at = NULL, finished_at = NULL, updated_at = ?2,
			run_at = ?2 + CASE WHEN ?3 > 0 THEN abs(random() % ?3) ELSE 0 END
			WHERE id IN (SELECT value FROM json_each(?1)) AND +status = 'failed'
			RETURNING `+hinted, ids, tx.now, r.Spread.Microseconds())
		if err != nil || len(hints) == 0 {
			return err
		}
		return tx.note(ctx, store.ActionRetry, r.Target(), len(hints))
	})
	if err != nil {
		return nil, err
	}
	return hints, nil
}

// redrivable selects jobs, newest first. Error texts are compared in Go, because SQLite ignores the case of ASCII only.
func redrivable(q query, r store.Redrive) (chosen []string, err error) {
	where, args := []string{`status = 'failed'`}, []any{}
	and := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, strings.ReplaceAll(condition, "?", fmt.Sprintf("?%d", len(args))))
	}
	from := `jobs INDEXED BY jobs_dead`
	if len(r.IDs) > 0 {
		from = `jobs`
		where[0] = `+status = 'failed'`
		and(`id IN (SELECT value FROM json_each(?))`, list(r.IDs))
	} else {
		if r.Type != "" {
			and(`type = ?`, r.Type)
		}
		if r.Queue != "" {
			and(`queue = ?`, r.Queue)
		}
	}
	if len(r.Types) > 0 {
		and(`type IN (SELECT value FROM json_each(?))`, list(r.Types))
	}
	if len(r.Queues) > 0 {
		and(`queue IN (SELECT value FROM json_each(?))`, list(r.Queues))
	}
	if r.DeadOnly {
		where = append(where, `failure_kind <> 'cancelled'`)
	}
	part := strings.ToLower(r.Error)
	if len(r.IDs) > 0 {
		part = ""
	}
	limit := r.Limit
	if limit <= 0 || limit > 1000 {
		limit = 1000
	}
	err = each(q, func(row *sql.Rows) (bool, error) {
		var id, text string
		if err := row.Scan(&id, &text); err != nil {
			return false, err
		}
		if strings.Contains(strings.ToLower(text), part) {
			chosen = append(chosen, id)
		}
		return len(chosen) < limit, nil
	}, `SELECT id, ifnull(error_message, '') FROM `+from+` WHERE `+strings.Join(where, " AND ")+`
		ORDER BY finished_at DESC, id DESC`, args...)
	return chosen, err
}

// Types implements store.Client.
func (s *Store) Types(ctx context.Context) (types []jobs.Type, err error) {
	err = s.view(ctx, "types", func(q query) (err error) {
		types, err = all(q, scanType, `SELECT name, description, queue, max_attempts, timeout_seconds, payload_schema,
			example, seen_at
			FROM job_types`)
		return err
	})
	slices.SortFunc(types, func(a, b jobs.Type) int { return strings.Compare(a.Name, b.Name) })
	return types, err
}

func scanType(row *sql.Rows) (t jobs.Type, err error) {
	var timeout, seenAt int64
	var schema, example []byte
	err = row.Scan(&t.Name, &t.Description, &t.Queue, &t.MaxAttempts, &timeout, &schema, &example, &seenAt)
	t.Timeout, t.SeenAt, t.Schema, t.Example = time.Duration(timeout)*time.Second, timeOf(seenAt), schema, example
	return t, err
}
