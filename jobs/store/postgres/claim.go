package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

const (
	notServed = time.Second      // until a job of a type that this worker does not serve is offered again
	parkedFor = 30 * time.Second // the same, for a type that no worker serves

	// grace is how long a worker may take after the timeout of a job to record how the attempt ended.
	grace = 30 * time.Second

	// A claim of the next jobs that takes longer than slowClaim has probably passed over many jobs that it cannot have.
	slowClaim = 50 * time.Millisecond

	// lockedFor is how long claims use SKIP LOCKED after one has met a locked row. Then they try claimQuickly again.
	lockedFor = time.Second
)

const (
	aliveSession = `EXISTS (SELECT FROM windlass.worker_sessions w WHERE w.id = $1::uuid AND w.state = 'alive'
		AND w.expires_at > now())`

	// fitting is the condition for a job to be claimed.
	fitting = `j.status = 'pending' AND j.run_at <= now() AND j.type = ANY ($2::text[]) AND j.attempts < j.max_attempts`

	moveToProcessing = `
	UPDATE windlass.jobs j SET status = 'processing', attempts = j.attempts + 1, fence = j.fence + 1,
		worker_id = $1::uuid,
		started_at = now(), deadline_at = now() + (j.timeout_seconds + 30) * interval '1 second',
			updated_at = now(), -- 30: see grace
		progress_at = NULL, progress_percent = NULL, progress_message = NULL`

	// shortLockTimeout sets 20 ms, for this transaction.
	shortLockTimeout = `SELECT now(), set_config('lock_timeout', '20', true)`
)

var (
	// claimQuickly locks rows without SKIP LOCKED: it waits for a concurrent claim, then sees that the row is taken. It
	// takes no suspects. Where it waits for longer than shortLockTimeout it fails, and claimByID is used.
	claimQuickly = moveToProcessing + `
	WHERE j.id = ANY ($3::uuid[]) AND (` + fitting + ` AND j.lease_losses = 0) IS TRUE AND ` + aliveSession + `
	RETURNING ` + claimed

	// The other claims lock candidates (l), keep those that fit, among them as many suspects as are wanted, and update
	// these.
	//
	// The CTE that locks by id does not mention the status. If it did, the planner would expect few pending rows after
	// a long history and walk all of them instead of the primary key. Locked rows are skipped. The others are locked in
	// the order of their ids, so claims neither wait nor deadlock. Where a row has changed meanwhile, the lock returns
	// its newest version.
	claimFitting = `, p AS (
		SELECT l.id, l.suspect, row_number() OVER (PARTITION BY l.suspect) AS nth FROM l WHERE l.fits
	)` + moveToProcessing + `
	WHERE j.id = ANY (ARRAY(SELECT p.id FROM p WHERE NOT p.suspect OR p.nth <= $3::int))
	RETURNING ` + claimed

	claimByID = `WITH l AS MATERIALIZED (
		SELECT j.id, j.lease_losses > 0 AS suspect, ` + fitting + ` AS fits
		FROM windlass.jobs j WHERE j.id = ANY ($4::uuid[]) AND ` + aliveSession + `
		ORDER BY j.id FOR UPDATE SKIP LOCKED
	)` + claimFitting

	// claimNext goes through the queues in the given order, and through the priorities of each queue. So future rows of
	// an urgent priority are not read.
	claimNext = `WITH l AS MATERIALIZED (
		SELECT d.id, d.suspect, true AS fits
		FROM unnest($5::text[]) AS q (name) CROSS JOIN LATERAL (
			SELECT e.id, e.suspect
			FROM generate_series(10, -10, -1) AS s (priority) CROSS JOIN LATERAL (
				SELECT j.id, j.lease_losses > 0 AS suspect FROM windlass.jobs j
				WHERE j.status = 'pending' AND j.queue = q.name AND j.priority = s.priority::smallint
					AND j.run_at <= now()
					AND (j.type = ANY ($2::text[])) IS TRUE AND j.attempts < j.max_attempts
						AND (j.lease_losses = 0 OR $3::int > 0)
				ORDER BY j.run_at, j.id LIMIT $4::int FOR UPDATE SKIP LOCKED
			) AS e LIMIT $4::int -- this limit also keeps the order of the loops
		) AS d
		WHERE ` + aliveSession + ` LIMIT $4::int
	)` + claimFitting
)

// Claim moves pending jobs to processing. It reads the answer to its end, so the claims of the jobs that it returns are
// committed.
func (s *Store) Claim(ctx context.Context, c store.Claim) (store.Claimed, error) {
	session, ok := parseID(c.Session)
	ids := parseIDs(c.IDs)
	if !ok || (len(ids) == 0 && (len(c.IDs) > 0 || c.Next <= 0)) {
		return store.Claimed{Refused: !ok}, nil
	}
	var got store.Claimed
	if len(ids) == 0 && len(c.Queues) == 0 {
		var err error
		if c.Queues, err = s.dueQueues(ctx); err != nil || len(c.Queues) == 0 {
			return store.Claimed{}, err
		}
	}
	begun := time.Now()
	err := s.claimInto(ctx, &got.Jobs, c, session, ids)
	if err != nil {
		return store.Claimed{}, err
	}
	switch {
	case len(c.IDs) == 0 && (len(got.Jobs) < c.Next || time.Since(begun) > slowClaim):
		err = s.parkHead(ctx, session, c.Queues, &got.Refused)
	case len(got.Jobs) < len(c.IDs):
		got.Later, err = s.later(ctx, session, c, got.Jobs, &got.Refused)
	}
	if got.Refused = got.Refused && len(got.Jobs) == 0; got.Refused {
		got.Later = nil
	}
	if err != nil {
		// The jobs are claimed and their attempts have begun, so they must be returned. Maintenance makes the missing
		// hints again.
		s.log.WarnContext(ctx, "claim: jobs that could not be had are left to maintenance", "error", err)
	}
	return got, nil
}

const (
	// claimPlaces is how many pairs of a queue and a priority a claim of the next jobs of any queue looks at. With more of
	// them the next claim goes on behind, so that 20,000 names cost a worker without a Queue a few claims of 20 ms, and
	// not each claim of seconds.
	claimPlaces = 4000
	// claimQueues is how many queues with due jobs such a claim goes through.
	claimQueues = 1000
)

// nameDueQueues names the queues of the next $3 pairs that have a due job, and the last of these pairs in any case.
const nameDueQueues = `WITH RECURSIVE ` + duePlaces + `
	SELECT p.queue, p.priority, p.first <= now(), p.nth = $3::int FROM p
	WHERE p.nth > 0 AND (p.first <= now() OR p.nth = $3::int) LIMIT $4::int`

// dueQueues names queues that have due jobs, in random order. Where there are many names it goes on with each call.
func (s *Store) dueQueues(ctx context.Context) ([]string, error) {
	var after, at store.Place
	if walked := s.walked.Load(); walked != nil {
		after = *walked
	}
	var names []string
	var due, last bool
	rows := 0
	err := s.work.read(ctx, "name due queues", statement{
		nameDueQueues, []any{after.Queue, int32(after.Priority), int32(claimPlaces), int32(claimQueues)},
		each(func(row results) error {
			if err := row.Scan(&at.Queue, &at.Priority, &due, &last); err != nil {
				return err
			}
			rows++
			if due && (len(names) == 0 || names[len(names)-1] != at.Queue) {
				names = append(names, at.Queue)
			}
			return nil
		}),
	})
	if err != nil {
		return nil, err
	}
	if !last && rows < claimQueues {
		at = store.Place{} // the end was reached
	}
	s.walked.Store(&at)
	rand.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
	return names, nil
}

func (s *Store) claimInto(ctx context.Context, list *[]jobs.Job, c store.Claim, session pgtype.UUID, ids uuids) error {
	var now time.Time // the start of the transaction: the time of the claim
	scan := claimedRow(c.Session, &now, len(ids), list)
	clock := statement{"SELECT now()", nil, one(&now)}
	if len(ids) == 0 {
		return s.work.write(ctx, "claim", clock, statement{
			claimNext, []any{session, notNil(c.Types), int32(max(c.Suspects, 0)), min(c.Next, 1000), notNil(c.Queues)},
			scan,
		})
	}
	if c.Suspects <= 0 && time.Since(s.opened) >= time.Duration(s.lockedUntil.Load()) {
		err := s.work.write(ctx, "claim", statement{shortLockTimeout, nil, one(&now, nil)},
			statement{claimQuickly, []any{session, notNil(c.Types), ids}, scan})
		if !errors.Is(err, jobs.ErrBusy) {
			return err
		}
		*list = (*list)[:0] // rows that arrived before the locked one
		s.lockedUntil.Store(int64(time.Since(s.opened) + lockedFor))
	}
	return s.work.write(ctx, "claim", clock, statement{claimByID, []any{session, notNil(c.Types), int32(max(c.Suspects,
		0)), ids}, scan})
}

// unserved: no session that is still alive lists the type of the job.
const unserved = `j.type <> ALL (ARRAY(
		SELECT unnest(w.types) FROM windlass.worker_sessions w WHERE w.state <> 'dead' AND w.expires_at > now()))`

// notAlive tells why nothing was claimed.
const notAlive = `SELECT NOT ` + aliveSession

// leftBehind looks at the ids that a claim did not get. Due jobs of a type that no worker serves are put off, unless
// another transaction has locked them.
const leftBehind = `
	WITH v AS MATERIALIZED (
		SELECT j.id FROM windlass.jobs j
		WHERE j.id = ANY ($4::uuid[]) AND (j.status = 'pending') IS TRUE AND j.run_at <= now()
			AND j.type <> ALL ($2::text[])
			AND ` + unserved + ` AND ` + aliveSession + `
		ORDER BY j.id FOR UPDATE SKIP LOCKED
	), u AS (
		UPDATE windlass.jobs j SET run_at = now() + $3::bigint * interval '1 microsecond', updated_at = now()
		WHERE j.id = ANY (ARRAY(SELECT v.id FROM v)) RETURNING ` + hinted + `, true
	)
	SELECT * FROM u
	UNION ALL
	SELECT ` + hinted + `, j.type = ANY ($2::text[]) FROM windlass.jobs j
	WHERE j.id = ANY ($4::uuid[]) AND (j.status = 'pending') IS TRUE AND j.id <> ALL (ARRAY(SELECT v.id FROM v))`

// later returns hints for those ids that are pending but were not claimed.
func (s *Store) later(ctx context.Context, session pgtype.UUID, c store.Claim, got []jobs.Job, refused *bool) (
	[]jobs.Hint, error,
) {
	have := make(map[string]bool, len(got))
	for i := range got {
		have[got[i].ID] = true
	}
	left := make([]string, 0, len(c.IDs)-len(got))
	for _, id := range c.IDs {
		if !have[id] {
			left = append(left, id)
		}
	}
	var hints []jobs.Hint
	var row hintRow
	var settled bool // the worker serves the type, or the job was put off by this statement
	dest := append(row.dest(), &settled)
	err := s.work.write(ctx, "put off", statement{
		sql:  leftBehind,
		args: []any{session, notNil(c.Types), micros(parkedFor), parseIDs(left)},
		scan: each(func(rows results) error {
			if err := rows.Scan(dest...); err != nil {
				return err
			}
			h := row.value()
			switch {
			case h.In > 0:
			case !settled:
				h.In = notServed
			case h.Suspect:
				h.In = 0
			default:
				return nil // another transaction had locked it
			}
			hints = append(hints, h)
			return nil
		}),
	}, statement{notAlive, []any{session}, one(refused)})
	return hints, err
}

const putOffHead = `WITH v AS MATERIALIZED (
		SELECT j.id FROM windlass.jobs j
		WHERE j.id = ANY (ARRAY(
			SELECT h.id FROM unnest($3::text[]) AS a (name) CROSS JOIN LATERAL (
				SELECT j.id FROM windlass.jobs j WHERE j.status = 'pending' AND j.queue = a.name
					ORDER BY j.priority DESC, j.run_at, j.id LIMIT 1000
			) AS h LIMIT 5000
		)) AND (j.status = 'pending') IS TRUE AND j.run_at <= now() AND ` + unserved + ` AND ` + aliveSession + `
		ORDER BY j.id FOR UPDATE SKIP LOCKED
	)
	UPDATE windlass.jobs j SET run_at = now() + $2::bigint * interval '1 microsecond', updated_at = now()
	WHERE j.id = ANY (ARRAY(SELECT v.id FROM v))`

// parkHead puts off due jobs of types that no worker serves at the head of the queues. Otherwise each claim of the next
// jobs would have to pass over them. It looks at 1,000 rows of a queue and at 5,000 in all.
func (s *Store) parkHead(ctx context.Context, session pgtype.UUID, queues []string, refused *bool) error {
	return s.work.write(ctx, "put off the unserved", statement{putOffHead, []any{session, micros(parkedFor),
		notNil(queues)}, nil}, statement{notAlive, []any{session}, one(refused)})
}
