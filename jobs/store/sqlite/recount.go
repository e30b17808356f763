package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var _ store.Recounter = (*Store)(nil)

// recountPlace is how far a recount is. There is one writer, so a transaction of its own is a moment that parts all
// others: what was completed before has an earlier time, unless the clock was set back. Then the recount is disturbed.
type recountPlace struct {
	until   int64
	kept    int64
	gone    int64 // completed jobs that were deleted, less those that were imported
	after   string
	counted int64
	atEnd   bool
}

const keptCompleted = `SELECT completed, ever_completed - completed FROM totals`

// Recount implements store.Recounter.
func (s *Store) Recount(ctx context.Context, r store.Recount) (store.Recount, error) {
	place, going := r.Place.(recountPlace)
	if !going {
		setBack := false
		err := s.change(ctx, "begin a recount", func(tx *tx) error {
			// Time stands still until the clock is where it was, or it was set back before this process began.
			setBack = s.wall().UnixMicro() < tx.now
			if !setBack {
				_, err := first(tx.query, []any{&setBack}, `SELECT EXISTS (SELECT 1 FROM completed_counts WHERE since > ?1)`, tx.now)
				if err != nil {
					return err
				}
			}
			place = recountPlace{until: tx.now}
			_, err := first(tx.query, []any{&place.kept, &place.gone}, keptCompleted)
			return err
		})
		switch {
		case err != nil:
			return r, err
		case setBack:
			r.State = store.RecountDisturbed
			return r, nil
		}
		r.Place = place
		return r, nil
	}
	if !place.atEnd {
		seen, ahead := 0, false
		err := s.view(ctx, "recount", func(q query) error {
			return each(q, func(row *sql.Rows) (bool, error) {
				var completed int64
				var late bool
				seen++
				err := row.Scan(&place.after, &completed, &late)
				place.counted += completed
				ahead = ahead || late
				return true, err
			}, `SELECT id, status = 'completed' AND finished_at < ?2, status = 'completed' AND finished_at > ?4
				FROM jobs WHERE id > ?1 ORDER BY id LIMIT ?3`,
				place.after, place.until, max(r.Limit, 1), s.now()+time.Second.Microseconds())
		})
		switch {
		case err != nil:
			return r, err
		case ahead: // it was imported from a computer whose clock is ahead
			r.State = store.RecountDisturbed
			return r, nil
		}
		place.atEnd = seen < max(r.Limit, 1)
		r.Place = place
		return r, nil
	}
	return s.recountEnd(ctx, r, place)
}

// recountEnd counts the failed jobs, of which there are few, and adds what is missing, unless something was deleted.
func (s *Store) recountEnd(ctx context.Context, r store.Recount, place recountPlace) (store.Recount, error) {
	s.repairing.Lock() // two that see the same difference would add it twice
	defer s.repairing.Unlock()
	var kept, counted ended
	err := s.view(ctx, "recount", func(q query) error {
		if _, err := first(q, []any{&kept.dead, &kept.cancelled}, `SELECT dead, cancelled FROM totals`); err != nil {
			return err
		}
		_, err := first(q, []any{&counted.dead, &counted.cancelled}, `SELECT
			count(*) FILTER (WHERE failure_kind IS NOT 'cancelled'), count(*) FILTER (WHERE failure_kind IS 'cancelled')
			FROM jobs INDEXED BY jobs_failed WHERE status = 'failed'`)
		return err
	})
	if err != nil {
		return r, err
	}
	kept.completed, counted.completed = place.kept, place.counted
	disturbed := false
	err = s.change(ctx, "recount", func(tx *tx) error {
		var now, gone int64
		if _, err := first(tx.query, []any{&now, &gone}, keptCompleted); err != nil {
			return err
		}
		if disturbed = gone != place.gone; disturbed {
			return nil
		}
		return tx.correct(ended{counted.completed - kept.completed, counted.dead - kept.dead,
			counted.cancelled - kept.cancelled})
	})
	switch {
	case err != nil:
		return r, err
	case disturbed:
		r.State = store.RecountDisturbed
		return r, nil
	}
	r.State = store.RecountDone
	for _, k := range []store.Kept{
		{State: jobs.StateCompleted, Kept: kept.completed, Counted: counted.completed},
		{State: jobs.StateDead, Kept: kept.dead, Counted: counted.dead},
		{State: jobs.StateCancelled, Kept: kept.cancelled, Counted: counted.cancelled},
	} {
		if k.Kept != k.Counted {
			r.Recounted = append(r.Recounted, k)
		}
	}
	return r, nil
}

// correct adds what a recount has found missing.
func (tx *tx) correct(missing ended) error {
	if missing == (ended{}) {
		return nil
	}
	tx.ended = missing
	_, err := tx.exec(`UPDATE totals SET recounted = recounted + abs(?1) + abs(?2) + abs(?3)`, missing.completed,
		missing.dead, missing.cancelled)
	if err != nil {
		return fmt.Errorf("note what was wrong: %w", err)
	}
	return nil
}
