package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var _ store.Recounter = (*Store)(nil)

// recountPlace is how far a recount of the completed jobs is.
//
// It counts the jobs that were completed before a moment to come, until, in pages. A row of completed_counts is for
// five seconds and until is at the border of two, so the kept number for the same jobs is the sum of the rows before
// until, less what was deleted. Both are read a second after until, when most transactions that had begun before have
// ended, and again at the end. Where they are still the same, no page can have seen another moment than the others: a
// transaction that had begun before until and was committed later has changed the sum, and a job that was deleted has
// changed the number of deletions.
type recountPlace struct {
	until         time.Time
	begun         bool // kept is read
	kept, deleted int64
	after         pgtype.UUID
	counted       int64
	endOfTheJobs  bool
}

const (
	recountBegin = `SELECT date_bin('5 seconds', now(), timestamptz 'epoch') + interval '5 seconds',
		(SELECT coalesce(sum(t.deleted), 0)::bigint FROM windlass.completed_counts t)`

	recountKept = `SELECT now() >= $1::timestamptz + interval '1 second', coalesce(sum(t.completed) FILTER (WHERE t.at < $1::timestamptz), 0)::bigint,
			coalesce(sum(t.deleted), 0)::bigint
		FROM windlass.completed_counts t`

	recountPage = `WITH w AS MATERIALIZED (
			SELECT j.id, (j.status = 'completed' AND j.finished_at < $2::timestamptz) IS TRUE AS completed,
				(j.status = 'completed' AND j.finished_at > now() + interval '1 second') IS TRUE AS ahead
			FROM windlass.jobs j WHERE j.id > $1::uuid ORDER BY j.id LIMIT $3::int
		)
		SELECT (SELECT count(*) FROM w WHERE w.completed), (
			SELECT w.id FROM w WHERE (SELECT count(*) FROM w) = $3::int ORDER BY w.id DESC LIMIT 1),
			EXISTS (SELECT FROM w WHERE w.ahead)`

	// recountEnd adds what is missing, unless something has changed. It needs repairLock, so that nobody else adds the
	// same.
	recountEnd = `WITH c AS MATERIALIZED (
			SELECT coalesce(sum(t.completed) FILTER (WHERE t.at < $1::timestamptz), 0)::bigint = $2::bigint
				AND coalesce(sum(t.deleted), 0)::bigint = $3::bigint AS same
			FROM windlass.completed_counts t
		), w AS (` + addToCounts + ` SELECT ` + recountedRow + `, greatest($4::bigint, 0), greatest(-$4::bigint, 0) FROM c
			WHERE c.same AND $4::bigint <> 0 ` + mergeCounts + `)
		SELECT c.same FROM c`
)

// Recount goes on with a recount. See store.Recounter.
func (s *Store) Recount(ctx context.Context, r store.Recount) (store.Recount, error) {
	place, going := r.Place.(recountPlace)
	switch {
	case !going:
		p := recountPlace{after: pgtype.UUID{Valid: true}}
		err := s.maintenance.read(ctx, "begin a recount", statement{recountBegin, nil, one(&p.until, &p.deleted)})
		if err == nil {
			r.Place, r.State = p, store.RecountWaits
		}
		return r, err
	case !place.begun:
		var deleted int64
		err := s.maintenance.read(ctx, "begin a recount", statement{recountKept, []any{place.until},
			one(&place.begun, &place.kept, &deleted)})
		switch {
		case err != nil || !place.begun:
			return r, err
		case deleted != place.deleted:
			r.State = store.RecountDisturbed
			return r, nil
		}
		r.Place, r.State = place, store.RecountGoesOn
		return r, nil
	case !place.endOfTheJobs:
		var counted int64
		var last pgtype.UUID
		var ahead bool
		err := s.maintenance.read(ctx, "recount", statement{recountPage,
			[]any{place.after, place.until, int32(max(r.Limit, 1))}, one(&counted, &last, &ahead)})
		switch {
		case err != nil:
			return r, err
		case ahead: // the clock was set back, or was ahead where it was imported from
			r.State = store.RecountDisturbed
			return r, nil
		}
		place.counted += counted
		place.after, place.endOfTheJobs = last, !last.Valid
		r.Place = place
		return r, nil
	}
	kept := store.Kept{State: jobs.StateCompleted, Kept: place.kept - place.deleted, Counted: place.counted}
	err := s.unhurriedly(ctx, "recount", pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.schema.in(repairLock)); err != nil {
			return err
		}
		var same bool
		err := tx.QueryRow(ctx, s.schema.in(recountEnd), place.until, place.kept, place.deleted,
			kept.Counted-kept.Kept).Scan(&same)
		r.State, r.Recounted = store.RecountDisturbed, nil
		if same {
			r.State = store.RecountDone
			if kept.Kept != kept.Counted {
				r.Recounted = []store.Kept{kept}
			}
		}
		return err
	})
	if err != nil {
		r.State, r.Recounted = store.RecountGoesOn, nil
	}
	return r, err
}
