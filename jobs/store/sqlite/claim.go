package sqlite

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// When to try again with a job whose type the worker does not serve.
const (
	foreignDelay = time.Second      // another worker serves it
	parkDelay    = 30 * time.Second // no worker serves it
)

// Claim implements store.Worker.
func (s *Store) Claim(ctx context.Context, c store.Claim) (claimed store.Claimed, err error) {
	err = s.change(ctx, "claim", func(tx *tx) error {
		alive, err := first(tx.query, []any{new(int)}, `SELECT 1 FROM worker_sessions
			WHERE id = ?1 AND state = 'alive' AND expires_at > ?2`,
			c.Session, tx.now)
		if err != nil || !alive {
			claimed.Refused = err == nil
			return err
		}
		if len(c.IDs) > 0 {
			claimed, err = tx.claimIDs(c)
			return err
		}
		if len(c.Queues) == 0 {
			if c.Queues, err = s.dueQueues(tx); err != nil {
				return err
			}
		}
		claimed, err = tx.claimNext(c)
		return err
	})
	if err != nil {
		return store.Claimed{}, err
	}
	return claimed, nil
}

const (
	// claimPlaces is how many pairs of a queue and a priority a claim of the next jobs of any queue looks at. With more of
	// them the next claim goes on behind.
	claimPlaces = 4000
	// claimQueues is how many queues with due jobs such a claim goes through.
	claimQueues = 1000
)

// dueQueues names queues that have due jobs, in random order. Where there are many names it goes on with each call.
func (s *Store) dueQueues(tx *tx) (names []string, err error) {
	at := s.walked // changed by transactions only, of which there is one at a time
	due, last, rows := false, false, 0
	err = each(tx.query, func(row *sql.Rows) (bool, error) {
		err := row.Scan(&at.Queue, &at.Priority, &due, &last)
		rows++
		if due && (len(names) == 0 || names[len(names)-1] != at.Queue) {
			names = append(names, at.Queue)
		}
		return true, err
	}, duePlaces+` SELECT queue, priority, first <= ?4, nth = ?3 FROM p WHERE nth > 0 AND (first <= ?4 OR nth = ?3) LIMIT ?5`,
		at.Queue, at.Priority, claimPlaces, tx.now, claimQueues)
	if err != nil {
		return nil, err
	}
	if !last && rows < claimQueues {
		at = store.Place{} // the end was reached
	}
	s.walked = at
	rand.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
	return names, nil
}

// takeSQL claims those of the ids that are pending, due and of a served type: either the suspects or the others. The
// plus in +status makes the planner use the primary key. With an index on status it would read all pending jobs.
var takeSQL = `UPDATE jobs SET status = 'processing', attempts = attempts + 1, fence = fence + 1, worker_id = ?2,
	started_at = ?3, deadline_at = ?3 + (timeout_seconds + 30) * 1000000, updated_at = ?3,
	progress_percent = NULL, progress_message = NULL, progress_at = NULL
	WHERE id IN (SELECT value FROM json_each(?1)) AND +status = 'pending' AND run_at <= ?3 AND attempts < max_attempts
		AND type IN (SELECT value FROM json_each(?4)) AND (lease_losses > 0) = ?5
	RETURNING ` + whole

func (tx *tx) take(c store.Claim, ids []string, suspects bool) ([]jobs.Job, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return all(tx.query, newJobRow(inJob).scan, takeSQL, list(ids), c.Session, tx.now, list(c.Types), suspects)
}

// claimIDs claims what it can in one statement, and looks at the rest one by one. Mostly nothing is left.
func (tx *tx) claimIDs(c store.Claim) (claimed store.Claimed, err error) {
	if claimed.Jobs, err = tx.take(c, c.IDs, false); err != nil || len(claimed.Jobs) == len(c.IDs) {
		return claimed, err
	}
	taken := make(map[string]bool, len(claimed.Jobs))
	for i := range claimed.Jobs {
		taken[claimed.Jobs[i].ID] = true
	}
	left := slices.DeleteFunc(slices.Clone(c.IDs), func(id string) bool { return taken[id] })
	rest, err := all(tx.query, scanHint(tx.now), `SELECT `+hinted+` FROM jobs
		WHERE id IN (SELECT value FROM json_each(?1)) AND +status = 'pending' AND attempts < max_attempts
		ORDER BY priority DESC, run_at, id`, list(left))
	if err != nil {
		return claimed, err
	}
	var suspects, parked []string
	var served []string // by any session that is alive; nil: not read yet
	for _, h := range rest {
		h.In = max(0, h.In)
		switch {
		case h.In > 0:
			claimed.Later = append(claimed.Later, h)
		case !slices.Contains(c.Types, h.Type):
			if served == nil {
				if served, err = tx.servedTypes(); err != nil {
					return claimed, err
				}
			}
			h.In = foreignDelay
			if !slices.Contains(served, h.Type) {
				parked = append(parked, h.ID)
				h.In, h.RunAt = parkDelay, timeOf(tx.now+parkDelay.Microseconds())
			}
			claimed.Later = append(claimed.Later, h)
		case len(suspects) < c.Suspects:
			suspects = append(suspects, h.ID)
		default:
			claimed.Later = append(claimed.Later, h)
		}
	}
	if len(parked) > 0 {
		if _, err := tx.exec(`UPDATE jobs SET run_at = ?2, updated_at = ?3 WHERE id IN (SELECT value FROM json_each(?1))
			AND +status = 'pending'`,
			list(parked), tx.now+parkDelay.Microseconds(), tx.now); err != nil {
			return claimed, err
		}
	}
	more, err := tx.take(c, suspects, true)
	claimed.Jobs = append(claimed.Jobs, more...)
	return claimed, err
}

// servedTypes lists the types that the living sessions serve. It is never nil.
func (tx *tx) servedTypes() ([]string, error) {
	types, err := all(tx.query, scanText, `SELECT DISTINCT t.value FROM worker_sessions s, json_each(s.types) t
		WHERE s.state = 'alive' AND s.expires_at > ?1`, tx.now)
	return append([]string{}, types...), err
}

// claimNext claims the first jobs of the queues.
func (tx *tx) claimNext(c store.Claim) (claimed store.Claimed, err error) {
	var plain, suspects []string
	for _, queue := range c.Queues {
		err := walk(tx.query, store.Due{Queue: queue}, tx.now, func(priority int) (bool, error) {
			enough := false
			err := each(tx.query, func(row *sql.Rows) (bool, error) {
				var id string
				var losses int
				if err := row.Scan(&id, &losses); err != nil {
					return false, err
				}
				switch {
				case losses == 0:
					plain = append(plain, id)
				case len(suspects) < c.Suspects:
					suspects = append(suspects, id)
				}
				enough = len(plain)+len(suspects) >= c.Next
				return !enough, nil
			}, `SELECT id, lease_losses FROM jobs INDEXED BY jobs_due WHERE status = 'pending'
				AND queue = ?1 AND priority = ?2 AND run_at <= ?3 AND attempts < max_attempts
				AND type IN (SELECT value FROM json_each(?4))
				ORDER BY run_at, id`, queue, priority, tx.now, list(c.Types))
			return !enough, err
		})
		if err != nil {
			return claimed, err
		}
		if len(plain)+len(suspects) >= c.Next {
			break
		}
	}
	if claimed.Jobs, err = tx.take(c, plain, false); err != nil {
		return claimed, err
	}
	more, err := tx.take(c, suspects, true)
	claimed.Jobs = append(claimed.Jobs, more...)
	return claimed, err
}
