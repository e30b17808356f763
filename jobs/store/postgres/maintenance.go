package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// pendingQueues is a recursive CTE all_queues (name): it hops from queue to queue through the index instead of reading
// every entry. Its last row is NULL.
const pendingQueues = `all_queues AS (
		(SELECT j.queue AS name FROM jobs j WHERE j.status = 'pending' ORDER BY j.queue LIMIT 1)
		UNION ALL
		SELECT (SELECT j.queue FROM jobs j WHERE j.status = 'pending' AND j.queue > a.name ORDER BY j.queue LIMIT 1)
		FROM all_queues a WHERE a.name IS NOT NULL
	)`

const nameQueues = `WITH RECURSIVE ` + pendingQueues + ` SELECT a.name FROM all_queues a WHERE a.name IS NOT NULL ORDER BY a.name`

// Queues names the queues that have pending jobs.
func (s *Store) Queues(ctx context.Context) ([]string, error) {
	var names []string
	err := s.maintenance.read(ctx, "name queues", statement{nameQueues, nil, each(func(rows pgx.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	})})
	return names, err
}

// dueJobs takes one priority after the other, so that it reads no future rows of an urgent priority to get at due rows of
// a lesser one. The loop runs in the order of the series, for each round depends on it; so the rows need no sorting. Where
// it goes on from a position, the bound is one that the index can jump to.
const dueJobs = `SELECT d.*
	FROM generate_series($2::int, -10, -1) AS s (priority) CROSS JOIN LATERAL (
		SELECT ` + hinted + ` FROM jobs j
		WHERE j.status = 'pending' AND j.queue = $1::text AND j.priority = s.priority::smallint
			AND j.run_at <= now() + $5::bigint * interval '1 microsecond'
			AND (j.run_at, j.id) > (
				greatest(CASE WHEN s.priority = $2::int THEN $3::timestamptz ELSE '-infinity' END,
					CASE WHEN $5::bigint > 0 THEN now() ELSE '-infinity' END),
				CASE WHEN s.priority = $2::int THEN $4::uuid ELSE '00000000-0000-0000-0000-000000000000' END)
		ORDER BY j.run_at, j.id LIMIT $6::int
	) AS d LIMIT $6::int`

// Due returns hints for pending jobs of a queue.
func (s *Store) Due(ctx context.Context, d store.Due) ([]jobs.Hint, error) {
	priority, runAt, id := jobs.MaxPriority+1, time.Unix(0, 0), pgtype.UUID{Valid: true}
	if d.After != nil {
		priority, runAt = d.After.Priority, d.After.RunAt
		id, _ = parseID(d.After.ID)
		id.Valid = true
	}
	limit := min(max(d.Limit, 0), 5000)
	hints := make([]jobs.Hint, 0, limit)
	err := s.maintenance.read(ctx, "read due jobs", statement{
		sql:  dueJobs,
		args: []any{d.Queue, int32(priority), runAt, id, micros(d.Ahead), int32(limit)},
		scan: (&hintRow{}).into(&hints),
	})
	return hints, err
}

// askLead answers in any case, and only writes where the lease is to be had.
const (
	askLead = `WITH u AS (
			INSERT INTO leases AS l (role, holder, expires_at)
			SELECT $1::text, $2::text, clock_timestamp() + $3::bigint * interval '1 microsecond'
			WHERE NOT EXISTS (SELECT FROM leases l WHERE l.role = $1::text AND l.holder <> $2::text AND l.expires_at > clock_timestamp())
			ON CONFLICT (role) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
			WHERE l.holder = excluded.holder OR l.expires_at <= clock_timestamp()
			RETURNING true
		) SELECT EXISTS (SELECT FROM u), ` + serverClock

	leaveLead = `WITH d AS (DELETE FROM leases l WHERE l.role = $1::text AND l.holder = $2::text) SELECT false, ` + serverClock

	// clock_timestamp, not now: a statement that has waited for a lock must not tell an old time.
	serverClock = `clock_timestamp(), (extract(epoch FROM clock_timestamp() - pg_postmaster_start_time()) * 1000000)::bigint`
)

// Led looks for a lease on a role.
func (s *Store) Led(ctx context.Context, role string) (held bool, err error) {
	err = s.work.read(ctx, "look for role "+role, statement{
		`SELECT EXISTS (SELECT FROM leases l WHERE l.role = $1::text AND l.expires_at > clock_timestamp())`, []any{role}, one(&held),
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
