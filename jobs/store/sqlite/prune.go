package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// Prune implements store.Maintenance. It finds completed jobs by id, that is by age, and the other rows by their
// indexes.
func (s *Store) Prune(ctx context.Context, p store.Prune) (pruned store.Pruned, err error) {
	err = s.change(ctx, "prune", func(tx *tx) error {
		completed, last, err := tx.oldCompleted(p)
		if err != nil {
			return err
		}
		failed, err := all(tx.query, scanText, `SELECT id FROM jobs INDEXED BY jobs_dead
			WHERE status = 'failed' AND finished_at < ?1
			ORDER BY finished_at, id LIMIT ?2`, tx.now-p.Failed.Microseconds(), p.Limit)
		if err != nil {
			return err
		}
		old := append(completed, failed...)
		if err := tx.remove(old); err != nil {
			return err
		}
		keys, err := tx.exec(`DELETE FROM idempotency_keys WHERE rowid IN (
			SELECT rowid FROM idempotency_keys WHERE expires_at <= ?1 LIMIT ?2)`,
			tx.now, p.Limit)
		if err != nil {
			return err
		}
		sessions, err := tx.exec(`DELETE FROM worker_sessions WHERE rowid IN (
			SELECT rowid FROM worker_sessions WHERE state = 'dead' AND dead_at < ?1 LIMIT ?2)`,
			tx.now-p.Sessions.Microseconds(), p.Limit)
		if err != nil {
			return err
		}
		pruned = store.Pruned{Jobs: len(old), Keys: int(keys), Sessions: int(sessions), Next: last}
		if p.Actions > 0 {
			actions, err := tx.exec(`DELETE FROM windlass_audit WHERE id IN (
				SELECT id FROM windlass_audit WHERE happened_at < ?1 ORDER BY id LIMIT ?2)`, tx.now-p.Actions.Microseconds(), p.Limit)
			if err != nil {
				return err
			}
			pruned.Actions = int(actions)
		}
		_, err = tx.exec(`DELETE FROM completed_counts WHERE since < ?1`, tx.now-2*time.Minute.Microseconds())
		return err
	})
	if err != nil {
		return store.Pruned{}, err
	}
	return pruned, nil
}

// oldCompleted looks at the next p.Limit jobs and returns the completed ones that are past their retention. next is
// where it stopped. It is empty at the end, and also if all of these jobs were created within the retention: those that
// follow are newer still.
func (tx *tx) oldCompleted(p store.Prune) (ids []string, next string, err error) {
	cutoff := tx.now - p.Completed.Microseconds()
	seen, old := 0, false
	err = each(tx.query, func(row *sql.Rows) (bool, error) {
		var createdAt, finishedAt int64
		if err := row.Scan(&next, &createdAt, &finishedAt); err != nil {
			return false, err
		}
		seen++
		old = old || createdAt < cutoff
		if finishedAt != 0 && finishedAt < cutoff {
			ids = append(ids, next)
		}
		return true, nil
	}, `SELECT id, created_at, CASE status WHEN 'completed' THEN finished_at ELSE 0 END FROM jobs WHERE id > ?1
		ORDER BY id LIMIT ?2`, p.After, p.Limit)
	if seen < p.Limit || !old {
		next = ""
	}
	return ids, next, err
}
