package sqlite

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// touchAfter is how old the time of a queue's last use is before it is written again.
const touchAfter = 30 * time.Minute

// UseQueues implements store.Client. Mostly it only reads.
func (s *Store) UseQueues(ctx context.Context, names []string, most int) (refused []string, err error) {
	if fresh, err := s.freshQueues(ctx, names); err != nil || len(fresh) == len(names) {
		return nil, err
	}
	err = s.change(ctx, "use queues", func(tx *tx) error {
		refused, err = tx.useQueues(names, most)
		return err
	})
	return refused, err
}

// UseQueuesTx implements store.Transactional. New names are written in the transaction of the caller: it is the only
// one.
func (s *Store) UseQueuesTx(
	ctx context.Context, given any, names []string, most int,
) (known, refused []string, err error) {
	if known, err = s.freshQueues(ctx, names); err != nil || len(known) == len(names) {
		return known, nil, err
	}
	err = s.inside(ctx, "use queues", given, func(tx *tx) error {
		refused, err = tx.useQueues(names, most)
		return err
	})
	return known, refused, err
}

// freshQueues returns those of the names that are known, and whose use was noted lately.
func (s *Store) freshQueues(ctx context.Context, names []string) (fresh []string, err error) {
	err = s.view(ctx, "use queues", func(q query) error {
		fresh, err = all(q, scanText, `SELECT value FROM json_each(?1)
			WHERE value IN (SELECT name FROM queues WHERE last_used_at > ?2)`, list(names), s.now()-touchAfter.Microseconds())
		return err
	})
	return fresh, err
}

func (tx *tx) useQueues(names []string, most int) (refused []string, err error) {
	if _, err := tx.exec(`UPDATE queues SET last_used_at = ?2 WHERE name IN (SELECT value FROM json_each(?1))`,
		list(names), tx.now); err != nil {
		return nil, err
	}
	if _, err := tx.exec(`INSERT INTO queues (name, first_seen_at, last_used_at)
		SELECT DISTINCT value, ?2, ?2 FROM json_each(?1) WHERE value NOT IN (SELECT name FROM queues)
		LIMIT max(0, ?3 - (SELECT count(*) FROM queues))`, list(names), tx.now, most); err != nil {
		return nil, err
	}
	return all(tx.query, scanText, `SELECT DISTINCT value FROM json_each(?1)
		WHERE value NOT IN (SELECT name FROM queues)`, list(names))
}

// Queues implements store.Client.
func (s *Store) Queues(ctx context.Context) (list []store.QueueStats, err error) {
	err = s.view(ctx, "count queues", func(q query) error {
		names, err := all(q, scanText, `SELECT name FROM queues`)
		if err != nil {
			return err
		}
		queues := make(map[string]*store.QueueStats, len(names))
		for _, name := range names {
			queues[name] = &store.QueueStats{Name: name}
		}
		var sums store.Stats
		now := s.now()
		if err := countPending(q, now, &sums, queues); err != nil {
			return err
		}
		if err := countProcessing(q, now, &sums, queues); err != nil {
			return err
		}
		list = make([]store.QueueStats, 0, len(queues))
		for _, name := range slices.Sorted(maps.Keys(queues)) {
			list = append(list, *queues[name])
		}
		return nil
	})
	return list, err
}

// TidyQueues implements store.Maintenance.
func (s *Store) TidyQueues(ctx context.Context, t store.TidyQueues) (done store.TidiedQueues, err error) {
	pairs := min(max(t.Limit, 1), 25_000)
	// The walk is a read, so that it does not keep other writes waiting.
	var names []string
	err = s.view(ctx, "tidy queues", func(q query) error {
		return each(q, func(row *sql.Rows) (bool, error) {
			var at store.Place
			var last, fresh bool
			err := row.Scan(&at.Queue, &at.Priority, &last, &fresh)
			if !fresh && (len(names) == 0 || names[len(names)-1] != at.Queue) {
				names = append(names, at.Queue)
			}
			if last {
				done.Next = at
			}
			return true, err
		}, duePlaces+` SELECT p.queue, p.priority, p.nth = ?3, ifnull(q.last_used_at > ?4, 0)
			FROM p LEFT JOIN queues q ON q.name = p.queue WHERE p.nth > 0 AND (p.nth = ?3 OR ifnull(q.last_used_at <= ?4, 1))`,
			t.After.Queue, t.After.Priority, pairs, s.now()-time.Hour.Microseconds())
	})
	if err != nil {
		return store.TidiedQueues{}, err
	}
	if len(names) == 0 && done.Next != (store.Place{}) {
		return done, nil
	}
	err = s.change(ctx, "tidy queues", func(tx *tx) error {
		if len(names) > 0 {
			added, err := first(tx.query, []any{&done.Added}, `SELECT count(*) FROM json_each(?1)
				WHERE value NOT IN (SELECT name FROM queues)`, list(names))
			if err != nil || !added {
				return err
			}
			if _, err := tx.exec(`INSERT INTO queues (name, first_seen_at, last_used_at) SELECT value, ?2, ?2 FROM json_each(?1)
				WHERE true ON CONFLICT (name) DO UPDATE SET last_used_at = excluded.last_used_at`, list(names), tx.now); err != nil {
				return err
			}
		}
		if done.Next != (store.Place{}) {
			return nil
		}
		removed, err := tx.exec(`DELETE FROM queues WHERE name IN (
			SELECT name FROM queues WHERE last_used_at < ?1 AND NOT EXISTS (
				SELECT 1 FROM jobs INDEXED BY jobs_due WHERE status = 'pending' AND queue = queues.name)
			LIMIT 1000)`, tx.now-t.Unused.Microseconds())
		done.Removed = int(removed)
		return err
	})
	if err != nil {
		return store.TidiedQueues{}, err
	}
	return done, nil
}
