package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// duePlaces is a recursive CTE p (queue, priority, first, nth): the pairs of a queue and a priority that have pending
// jobs, and when the first job of each is due. It goes on behind the pair (?1, ?2). It jumps from pair to pair in the
// index, and no further than its reader asks for: ?3 pairs at most.
const duePlaces = `WITH RECURSIVE p (queue, priority, first, nth) AS (
		SELECT ?1, ?2, NULL, 0
		UNION ALL
		SELECT j.queue, j.priority, j.run_at, p.nth + 1 FROM p CROSS JOIN jobs j ON j.rowid = coalesce(
			(SELECT rowid FROM jobs INDEXED BY jobs_due
				WHERE status = 'pending' AND queue = p.queue AND priority < p.priority
				ORDER BY priority DESC, run_at, id LIMIT 1),
			(SELECT rowid FROM jobs INDEXED BY jobs_due WHERE status = 'pending' AND queue > p.queue
				ORDER BY queue, priority DESC, run_at, id LIMIT 1))
		WHERE p.nth < ?3
	)`

// dueHeads returns the hints of the pairs whose first job is due before ?4, and at least one row for the last of ?3
// pairs. It looks for jobs that are due after ?5. The rows of one pair are in no particular order.
const dueHeads = duePlaces + `
	SELECT p.queue, p.priority, p.nth = ?3, d.id, d.type, d.run_at, d.lease_losses > 0
	FROM p LEFT JOIN jobs d ON d.rowid IN (
		SELECT rowid FROM jobs INDEXED BY jobs_due
		WHERE p.first <= ?4 AND status = 'pending' AND queue = p.queue AND priority = p.priority
			AND run_at > ?5 AND run_at <= ?4 ORDER BY run_at, id LIMIT ?6)
	WHERE p.nth > 0 AND (d.id IS NOT NULL OR p.nth = ?3) LIMIT ?7`

// Heads implements store.Maintenance.
func (s *Store) Heads(ctx context.Context, h store.Heads) (page store.HeadsPage, err error) {
	limit := min(max(h.Limit, 1), 5000)
	pairs, share := min(max(h.Pairs, 1), 25_000), min(max(h.Each, 1), limit)
	err = s.view(ctx, "due heads", func(q query) error {
		now := s.now()
		from := int64(math.MinInt64)
		if h.Later {
			from = now
		}
		var place store.Place
		rows, last := 0, false
		err := each(q, func(row *sql.Rows) (bool, error) {
			var id, kind sql.NullString
			var runAt sql.NullInt64
			var suspect sql.NullBool
			err := row.Scan(&place.Queue, &place.Priority, &last, &id, &kind, &runAt, &suspect)
			rows++
			if id.Valid {
				page.Hints = append(page.Hints, jobs.Hint{
					ID: id.String, Queue: place.Queue, Type: kind.String, Priority: place.Priority,
					RunAt: timeOf(runAt.Int64), In: spanOf(runAt.Int64 - now), Suspect: suspect.Bool,
				})
			}
			return true, err
		}, dueHeads, h.After.Queue, h.After.Priority, pairs, now+h.Ahead.Microseconds(), from, share, limit)
		if last || rows == limit {
			page.Next = place
		}
		if rows == limit {
			// The last pair may have been cut. If so it is left to the next page, so that each pair is read whole.
			from := slices.IndexFunc(page.Hints, func(h jobs.Hint) bool { return placeOf(h) == place })
			if from > 0 && len(page.Hints)-from < share {
				page.Hints, page.Next = page.Hints[:from], placeOf(page.Hints[from-1])
			}
		}
		return err
	})
	if err != nil {
		return store.HeadsPage{}, err
	}
	for rest := page.Hints; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(h jobs.Hint) bool { return placeOf(h) != placeOf(rest[0]) })
		if n < 0 {
			n = len(rest)
		}
		slices.SortFunc(rest[:n], func(a, b jobs.Hint) int {
			return cmp.Or(a.RunAt.Compare(b.RunAt), cmp.Compare(a.ID, b.ID))
		})
		rest = rest[n:]
	}
	return page, nil
}

func placeOf(h jobs.Hint) store.Place { return store.Place{Queue: h.Queue, Priority: h.Priority} }

// walk calls visit with each priority that a queue has, the most urgent first, beginning at d.After, until more is
// false. Within one priority the jobs that are due come first, so jobs that are due later cost nothing.
func walk(q query, d store.Due, now int64, visit func(priority int) (more bool, err error)) error {
	below := math.MaxInt32
	if d.After != nil {
		below = d.After.Priority + 1
	}
	for {
		var priority int
		found, err := first(q, []any{&priority}, `SELECT priority FROM jobs INDEXED BY jobs_due
			WHERE status = 'pending' AND queue = ?1 AND priority < ?2 ORDER BY priority DESC LIMIT 1`, d.Queue, below)
		if err != nil || !found {
			return err
		}
		more, err := visit(priority)
		if err != nil || !more {
			return err
		}
		below = priority
	}
}

// Due implements store.Maintenance. With a filter it reads jobs of every type and leaves out those that do not fit.
func (s *Store) Due(ctx context.Context, d store.Due) (page store.DuePage, err error) {
	filtered := len(d.Types)+len(d.Without) > 0
	fits := func(kind string) bool {
		return (len(d.Types) == 0 || slices.Contains(d.Types, kind)) && !slices.Contains(d.Without, kind)
	}
	err = s.view(ctx, "due", func(q query) error {
		now, looks := s.now(), d.Limit
		if filtered {
			looks = store.DueLooks
		}
		seen := 0
		return walk(q, d, now, func(priority int) (bool, error) {
			afterAt, afterID := int64(math.MinInt64), ""
			if d.After != nil && d.After.Priority == priority {
				afterAt, afterID = d.After.RunAt.UnixMicro(), d.After.ID
			}
			if d.Ahead > 0 {
				afterAt = max(afterAt, now)
			}
			scan, more := scanHint(now), true
			err := each(q, func(row *sql.Rows) (bool, error) {
				h, err := scan(row)
				seen++
				if fits(h.Type) {
					page.Hints = append(page.Hints, h)
				}
				if more = len(page.Hints) < d.Limit && seen < looks; !more {
					page.Next = &h
				}
				return more, err
			}, `SELECT `+hinted+` FROM jobs INDEXED BY jobs_due
				WHERE status = 'pending' AND queue = ?1 AND priority = ?2 AND run_at <= ?3 AND (run_at, id) > (?4, ?5)
				ORDER BY run_at, id LIMIT ?6`, d.Queue, priority, now+d.Ahead.Microseconds(), afterAt, afterID, looks-seen)
			return more, err
		})
	})
	if err != nil {
		return store.DuePage{}, err
	}
	return page, nil
}

// grace is how long after its deadline a job stays with its worker.
const grace = 5 * time.Second

// Reap implements store.Maintenance.
func (s *Store) Reap(ctx context.Context, asOf time.Time, limit int) (reaped []store.Reaped, err error) {
	err = s.change(ctx, "reap", func(tx *tx) error {
		trusted := min(asOf.UnixMicro(), tx.now)
		if _, err := tx.exec(`UPDATE worker_sessions SET state = 'dead', dead_at = ?1, running = 0
			WHERE state <> 'dead' AND expires_at <= ?2`,
			tx.now, trusted); err != nil {
			return err
		}
		lost, err := all(tx.query, newJobRow(inList).scan, `SELECT `+listed+` FROM jobs INDEXED BY jobs_owner
			WHERE status = 'processing' AND (deadline_at < ?1
			OR NOT EXISTS (SELECT 1 FROM worker_sessions s WHERE s.id = worker_id AND s.state <> 'dead')) LIMIT ?2`,
			trusted-grace.Microseconds(), limit)
		if err != nil {
			return err
		}
		for _, j := range lost {
			r, err := tx.takeBack(j, trusted)
			if err != nil {
				return fmt.Errorf("job %s: %w", j.ID, err)
			}
			reaped = append(reaped, r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return reaped, nil
}

// takeBack takes a job back from its worker. trusted is the time that deadlines are compared with.
func (tx *tx) takeBack(was jobs.Job, trusted int64) (store.Reaped, error) {
	j := was
	j.Fence++
	j.LeaseLosses++
	j.DeadlineAt, j.UpdatedAt = time.Time{}, timeOf(tx.now)
	j.Error = "the worker was lost: it stopped renewing its session"
	if was.DeadlineAt.UnixMicro() < trusted-grace.Microseconds() {
		j.Error = "the worker was lost: it did not report by the deadline"
	}
	switch {
	case !j.CancelRequestedAt.IsZero():
		j.Status, j.FailureKind, j.FinishedAt = jobs.Failed, jobs.KindCancelled, timeOf(tx.now)
	case j.Attempts >= j.MaxAttempts || j.LeaseLosses >= jobs.MaxLeaseLosses:
		j.Status, j.FailureKind, j.FinishedAt = jobs.Failed, jobs.KindWorkerLost, timeOf(tx.now)
	default:
		j.Status, j.RunAt = jobs.Pending, timeOf(tx.now+jobs.Backoff(j.Attempts).Microseconds())
	}
	var finishedAt any
	if j.Status == jobs.Failed {
		finishedAt = tx.now
		tx.failed(j.FailureKind)
	}
	if err := must(tx.exec(`UPDATE jobs SET status = ?4, failure_kind = ?5, fence = ?6, lease_losses = ?7, run_at = ?8,
		error_message = ?9, finished_at = ?10, updated_at = ?11, deadline_at = NULL
		WHERE id = ?1 AND fence = ?2 AND worker_id = ?3 AND +status = 'processing'`,
		was.ID, was.Fence, was.WorkerID, string(j.Status), orNull(string(j.FailureKind)), j.Fence, j.LeaseLosses,
		j.RunAt.UnixMicro(),
		j.Error, finishedAt, tx.now)); err != nil {
		return store.Reaped{}, err
	}
	tx.happened.LeaseLost++
	if err := tx.remember(was.ID, jobs.Attempt{
		Attempt: was.Attempts, Fence: was.Fence, WorkerID: was.WorkerID, StartedAt: was.StartedAt,
		Outcome: jobs.AttemptLeaseLost, Error: j.Error,
	}); err != nil {
		return store.Reaped{}, err
	}
	r := store.Reaped{Job: j, From: was.WorkerID}
	if j.Status == jobs.Pending {
		h := hintOf(&j, tx.now)
		r.Hint = &h
	}
	return r, nil
}

// up is the Lead.Up of a store without a server.
const up = 365 * 24 * time.Hour

// Led implements store.Worker.
func (s *Store) Led(ctx context.Context, role string) (held bool, err error) {
	err = s.view(ctx, "look for role "+role, func(q query) error {
		_, err := first(q, []any{&held}, `SELECT EXISTS (
			SELECT 1 FROM leases WHERE role = ?1 AND expires_at > ?2)`, role, s.now())
		return err
	})
	return held, err
}

// Lead implements store.Maintenance.
func (s *Store) Lead(ctx context.Context, role, holder string, ttl time.Duration) (lead store.Lead, err error) {
	err = s.change(ctx, "lead "+role, func(tx *tx) error {
		lead = store.Lead{Now: timeOf(tx.now), Up: up}
		if ttl <= 0 {
			_, err := tx.exec(`DELETE FROM leases WHERE role = ?1 AND holder = ?2`, role, holder)
			return err
		}
		changed, err := tx.exec(`INSERT INTO leases (role, holder, expires_at) VALUES (?1, ?2, ?3)
			ON CONFLICT (role) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
			WHERE holder = excluded.holder OR expires_at <= ?4`, role, holder, tx.now+ttl.Microseconds(), tx.now)
		lead.Held = changed == 1
		return err
	})
	if err != nil {
		return store.Lead{}, err
	}
	return lead, nil
}
