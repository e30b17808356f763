package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// duePlaces is a recursive CTE p (queue, priority, first, nth): the pairs of a queue and a priority that have pending
// jobs, and when the first job of each is due. It goes on behind the pair ($1, $2). It jumps from pair to pair in the
// index instead of reading every entry, and no further than its reader asks for: $3 pairs at most.
const duePlaces = `p AS (
		SELECT $1::text COLLATE "C" AS queue, $2::int AS priority, NULL::timestamptz AS first, 0 AS nth
		UNION ALL
		SELECT n.queue, n.priority::int, n.run_at, p.nth + 1 FROM p CROSS JOIN LATERAL (
			(SELECT j.queue, j.priority, j.run_at FROM windlass.jobs j
				WHERE j.status = 'pending' AND j.queue = p.queue AND j.priority < p.priority
				ORDER BY j.queue, j.priority DESC, j.run_at, j.id LIMIT 1)
			UNION ALL
			(SELECT j.queue, j.priority, j.run_at FROM windlass.jobs j
				WHERE j.status = 'pending' AND j.queue > p.queue
				ORDER BY j.queue, j.priority DESC, j.run_at, j.id LIMIT 1)
			LIMIT 1
		) AS n WHERE p.nth < $3::int
	)`

// dueHeads returns the hints of the pairs whose first job is due, and at least one row for the last of $3 pairs. It
// looks for jobs that are due within $4, and with $5 only for those that are not due yet.
const dueHeads = `WITH RECURSIVE ` + duePlaces + `
	SELECT p.queue, p.priority, p.nth = $3::int, d.id, d.type, d.run_at, d.suspect, d.due_in
	FROM p LEFT JOIN LATERAL (
		SELECT j.id, j.type, j.run_at, j.lease_losses > 0 AS suspect, ` + dueIn + ` AS due_in FROM windlass.jobs j
		WHERE p.first <= now() + $4::bigint * interval '1 microsecond'
			AND j.status = 'pending' AND j.queue = p.queue AND j.priority = p.priority::smallint
			AND j.run_at <= now() + $4::bigint * interval '1 microsecond'
			AND j.run_at > CASE WHEN $5::bool THEN now() ELSE '-infinity' END
		ORDER BY j.run_at, j.id LIMIT $6::int
	) AS d ON true
	WHERE p.nth > 0 AND (d.id IS NOT NULL OR p.nth = $3::int) LIMIT $7::int`

// Heads returns hints for the first due jobs of many queues.
func (s *Store) Heads(ctx context.Context, h store.Heads) (store.HeadsPage, error) {
	limit := min(max(h.Limit, 1), 5000)
	pairs, share := min(max(h.Pairs, 1), 25_000), min(max(h.Each, 1), limit)
	var page store.HeadsPage
	var place store.Place
	var queue, kind repeated
	var id pgtype.UUID
	var runAt pgtype.Timestamptz
	var suspect pgtype.Bool
	var in pgtype.Int8
	rows, last := 0, false
	err := s.maintenance.read(ctx, "read due heads", statement{
		sql: dueHeads,
		args: []any{h.After.Queue, int32(h.After.Priority), int32(pairs), micros(h.Ahead), h.Later, int32(share),
			int32(limit)},
		scan: each(func(row results) error {
			err := row.Scan(&queue, &place.Priority, &last, &id, &kind, &runAt, &suspect, &in)
			rows++
			place.Queue = queue.text
			if id.Valid && err == nil {
				page.Hints = append(page.Hints, jobs.Hint{
					ID: id.String(), Queue: place.Queue, Type: kind.text, Priority: place.Priority, RunAt: utc(runAt),
					Suspect: suspect.Bool, In: time.Duration(in.Int64) * time.Microsecond,
				})
			}
			return err
		}),
	})
	if err != nil {
		return store.HeadsPage{}, err
	}
	if last || rows == limit {
		page.Next = place
	}
	if rows == limit {
		// The last pair may have been cut. If so it is left to the next page, so that each pair is read whole.
		from := slices.IndexFunc(page.Hints, func(h jobs.Hint) bool {
			return h.Queue == place.Queue && h.Priority == place.Priority
		})
		if from > 0 && len(page.Hints)-from < share {
			page.Hints = page.Hints[:from]
			page.Next = store.Place{Queue: page.Hints[from-1].Queue, Priority: page.Hints[from-1].Priority}
		}
	}
	return page, nil
}

// dueJobs reads one priority after the other, so that it does not read future rows of an urgent priority before due
// rows of a lower one. Each priority is read in the order of the index, so nothing is sorted. Where it continues from a
// position, the condition is one by which the index scan can start.
const dueJobs = `SELECT d.*
	FROM generate_series($2::int, -10, -1) AS s (priority) CROSS JOIN LATERAL (
		SELECT ` + hinted + ` FROM windlass.jobs j
		WHERE j.status = 'pending' AND j.queue = $1::text AND j.priority = s.priority::smallint
			AND j.run_at <= now() + $5::bigint * interval '1 microsecond'
			AND (j.run_at, j.id) > (
				greatest(CASE WHEN s.priority = $2::int THEN $3::timestamptz ELSE '-infinity' END,
					CASE WHEN $5::bigint > 0 THEN now() ELSE '-infinity' END),
				CASE WHEN s.priority = $2::int THEN $4::uuid ELSE '00000000-0000-0000-0000-000000000000' END)
		ORDER BY j.run_at, j.id LIMIT $6::int
	) AS d LIMIT $6::int`

// dueOfTypes filters what dueJobs reads. No index has the type, and a queue may begin with a million jobs of other
// types: it looks at $6 jobs at most, and returns the last of them too, whether it fits or not.
const dueOfTypes = `SELECT l.* FROM (
		SELECT d.*, row_number() OVER () AS nth,
			(cardinality($7::text[]) = 0 OR d.type = ANY ($7::text[])) AND d.type <> ALL ($8::text[]) AS fits
		FROM (` + dueJobs + `) AS d (id, queue, type, priority, run_at, suspect, due_in)
	) AS l WHERE l.fits OR l.nth = $6::int LIMIT $9::int`

// Due returns hints for pending jobs of a queue.
func (s *Store) Due(ctx context.Context, d store.Due) (store.DuePage, error) {
	priority, runAt, id := jobs.MaxPriority+1, time.Unix(0, 0), pgtype.UUID{Valid: true}
	if d.After != nil {
		priority, runAt = d.After.Priority, d.After.RunAt
		id, _ = parseID(d.After.ID)
		id.Valid = true
	}
	limit := min(max(d.Limit, 0), 5000)
	page := store.DuePage{Hints: make([]jobs.Hint, 0, limit)}
	args := []any{d.Queue, int32(priority), runAt, id, micros(d.Ahead)}
	if len(d.Types)+len(d.Without) == 0 {
		err := s.maintenance.read(ctx, "read due jobs", statement{
			dueJobs, append(args, int32(limit)), (&hintRow{}).into(&page.Hints),
		})
		if len(page.Hints) == limit && limit > 0 {
			page.Next = &page.Hints[limit-1]
		}
		return page, err
	}
	var row hintRow
	var nth int64
	var fits bool
	rows := 0
	dest := append(row.dest(), &nth, &fits)
	err := s.maintenance.read(ctx, "read due jobs of some types", statement{
		dueOfTypes,
		append(args, int32(store.DueLooks), notNil(d.Types), notNil(d.Without), int32(limit)),
		each(func(r results) error {
			if err := r.Scan(dest...); err != nil {
				return err
			}
			rows++
			h := row.value()
			if fits {
				page.Hints = append(page.Hints, h)
			}
			if rows == limit || nth == store.DueLooks {
				page.Next = &h
			}
			return nil
		}),
	})
	return page, err
}

// askLead always returns a row. It writes only where the lease is free or ours.
const (
	askLead = `WITH u AS (
			INSERT INTO windlass.leases AS l (role, holder, expires_at)
			SELECT $1::text, $2::text, clock_timestamp() + $3::bigint * interval '1 microsecond'
			WHERE NOT EXISTS (SELECT FROM windlass.leases l WHERE l.role = $1::text AND l.holder <> $2::text
				AND l.expires_at > clock_timestamp())
			ON CONFLICT (role) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
			WHERE l.holder = excluded.holder OR l.expires_at <= clock_timestamp()
			RETURNING true
		) SELECT EXISTS (SELECT FROM u), ` + serverClock

	leaveLead = `WITH d AS (DELETE FROM windlass.leases l WHERE l.role = $1::text AND l.holder = $2::text)
		SELECT false, ` + serverClock

	// clock_timestamp, not now: a statement that has waited for a lock must not return an old time.
	serverClock = `clock_timestamp(),
		(extract(epoch FROM clock_timestamp() - pg_postmaster_start_time()) * 1000000)::bigint`
)

// Led reports whether somebody has the lease on a role.
func (s *Store) Led(ctx context.Context, role string) (held bool, err error) {
	err = s.work.read(ctx, "look for role "+role, statement{
		`SELECT EXISTS (SELECT FROM windlass.leases l WHERE l.role = $1::text
			AND l.expires_at > clock_timestamp())`, []any{role}, one(&held),
	})
	return held, err
}

// Lead asks for a lease on a role, renews it, or gives it back. A lease is a row, so it works through a pooler.
func (s *Store) Lead(ctx context.Context, role, holder string, ttl time.Duration) (store.Lead, error) {
	ask := statement{askLead, []any{role, holder, micros(ttl)}, nil}
	if ttl <= 0 {
		ask = statement{leaveLead, []any{role, holder}, nil}
	}
	var lead store.Lead
	var up int64
	ask.scan = one(&lead.Held, &lead.Now, &up)
	err := s.maintenance.write(ctx, "lease of role "+role, ask)
	lead.Now, lead.Up = lead.Now.UTC(), time.Duration(up)*time.Microsecond
	if err != nil {
		return store.Lead{}, err
	}
	return lead, nil
}

// Shared reports that several processes may use the database at once; see store.Shared.
func (s *Store) Shared() bool { return true }

// endSessions and takeBack run in one transaction, in this order. A session that is marked dead cannot be renewed
// before its jobs are taken, and takeBack sees a renewal that was committed before.
var (
	endSessions = `UPDATE windlass.worker_sessions w SET state = 'dead', ended_at = now()
		WHERE w.id = ANY (ARRAY(
			SELECT w.id FROM windlass.worker_sessions w WHERE w.state <> 'dead'
				AND w.expires_at < least($1::timestamptz, now()) ORDER BY w.id FOR UPDATE SKIP LOCKED
		))`

	takeBack = `
	WITH v AS MATERIALIZED (
		SELECT j.id, j.worker_id, j.fence, j.attempts, j.started_at, CASE
				WHEN j.cancel_requested_at IS NOT NULL THEN 'cancelled'
				WHEN j.attempts >= j.max_attempts OR j.lease_losses + 1 >= $2::int THEN 'worker_lost' END AS failure,
			CASE WHEN j.deadline_at < least($3::timestamptz, now()) - interval '5 seconds'
				THEN 'the worker did not report back before the deadline'
				ELSE 'the worker was lost' END AS error
		FROM windlass.jobs j
		WHERE j.status = 'processing' AND (j.deadline_at < least($3::timestamptz, now()) - interval '5 seconds'
			OR NOT EXISTS (SELECT FROM windlass.worker_sessions w WHERE w.id = j.worker_id AND w.state <> 'dead'))
		ORDER BY j.id LIMIT $1::int FOR UPDATE OF j SKIP LOCKED
	), u AS (
		UPDATE windlass.jobs j SET
			status = CASE WHEN v.failure IS NULL THEN 'pending' ELSE 'failed' END,
			failure_kind = v.failure,
			finished_at = CASE WHEN v.failure IS NOT NULL THEN now() END,
			run_at = CASE WHEN v.failure IS NOT NULL THEN j.run_at ELSE
				now() + least(power(2, least(j.attempts, 12)) * (1 + random() * 0.1), 3600) * interval '1 second' END,
			fence = j.fence + 1, lease_losses = j.lease_losses + 1, error_message = v.error, deadline_at = NULL,
				updated_at = now()
		FROM v WHERE j.id = v.id AND j.id = ANY (ARRAY(SELECT v.id FROM v))
		RETURNING ` + listed + `, ` + dueIn + ` AS due_in
	), h AS (
		INSERT INTO windlass.job_attempts (job_id, fence, worker_id, started_at, finished_at, attempt, outcome, error)
		SELECT v.id, v.fence, v.worker_id, v.started_at, now(), v.attempts, 'lease_lost', v.error FROM v
	), t AS (` + addToEnded + ` SELECT ` + countsRow + `, 0, 0, count(*),
			count(*) FILTER (WHERE v.failure <> 'cancelled'), count(*) FILTER (WHERE v.failure = 'cancelled')
		FROM v HAVING count(*) > 0 ` + mergeEnded + `)
	SELECT * FROM u`
)

// Reap takes jobs back from workers that are lost.
func (s *Store) Reap(ctx context.Context, asOf time.Time, limit int) ([]store.Reaped, error) {
	var reaped []store.Reaped
	var due int64
	row := newJobRow(inList, &due)
	err := s.maintenance.write(ctx, "reap",
		statement{endSessions, []any{asOf}, nil},
		statement{takeBack, []any{int32(max(limit, 0)), int32(jobs.MaxLeaseLosses), asOf},
			each(func(rows results) error {
				j, err := row.scan(rows)
				r := store.Reaped{Job: j, From: j.WorkerID} // the row keeps the session of the last attempt
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
