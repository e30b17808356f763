package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

const (
	announceTypes = `INSERT INTO windlass.job_types AS t (name, description, queue, max_attempts,
		timeout_seconds, schema, example, seen_at)
		SELECT n.name, n.description, n.queue, n.max_attempts, n.timeout_seconds,
			nullif(n.schema, '')::json, nullif(n.example, '')::json, now()
		FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[], $6::text[], $7::text[])
			AS n (name, description, queue, max_attempts, timeout_seconds, schema, example)
		ON CONFLICT (name) DO UPDATE SET description = excluded.description, queue = excluded.queue,
			max_attempts = excluded.max_attempts, timeout_seconds = excluded.timeout_seconds, schema = excluded.schema,
			example = excluded.example, seen_at = excluded.seen_at`

	// A session that is alive may be registered again: the answer to the first call may have been lost.
	openSession = `INSERT INTO windlass.worker_sessions AS w
			(id, hostname, pid, version, slots, types, queues, started_at, beat_at, expires_at)
		VALUES ($1::uuid, $2::text, $3::int, $4::text, $5::int, $6::text[], $7::text[],
			now(), now(), now() + $8::bigint * interval '1 microsecond')
		ON CONFLICT (id) DO UPDATE SET hostname = excluded.hostname, pid = excluded.pid, version = excluded.version,
			slots = excluded.slots, types = excluded.types, queues = excluded.queues,
			beat_at = excluded.beat_at, expires_at = excluded.expires_at
		WHERE w.state <> 'dead'
		RETURNING true`
)

// Register opens a session and announces its types.
func (s *Store) Register(ctx context.Context, w store.Session, types []jobs.Type, ttl time.Duration) error {
	id, ok := parseID(w.ID)
	if !ok {
		return fmt.Errorf("register: the session's id is no UUID: %w", jobs.ErrRejected)
	}
	// Workers write types in the same order, so two that start together cannot deadlock.
	types = slices.SortedFunc(slices.Values(types), func(a, b jobs.Type) int { return cmp.Compare(a.Name, b.Name) })
	var names, descriptions, queues, schemas, examples []string
	var attempts, timeouts []int32
	for _, t := range types {
		names, descriptions, queues = append(names, t.Name), append(descriptions, t.Description), append(queues,
			t.Queue)
		attempts, timeouts = append(attempts, int32(t.MaxAttempts)), append(timeouts, int32(t.Timeout/time.Second))
		schemas, examples = append(schemas, string(t.Schema)), append(examples, string(t.Example))
	}
	opened := false
	err := s.maintenance.write(ctx, "register session "+w.ID,
		statement{announceTypes, []any{names, descriptions, queues, attempts, timeouts, schemas, examples}, nil},
		statement{
			openSession,
			[]any{id, w.Hostname, int32(w.PID), w.Version, int32(w.Slots), notNil(w.Types), notNil(w.Queues),
				micros(ttl)},
			each(func(rows results) error { return rows.Scan(&opened) }),
		})
	if err == nil && !opened {
		err = fmt.Errorf("register session %s: it is dead: %w", w.ID, jobs.ErrRejected)
	}
	return err
}

// notNil makes an absent list an empty one, which is not NULL.
func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// renewSession returns a row for each job that the session holds, and one row of NULLs where it holds none. It waits
// for a transaction that is marking the session dead, and then does not renew it.
const renewSession = `
	WITH b AS (
		UPDATE windlass.worker_sessions w SET state = $2::text, beat_at = now(), running = $3::int,
			expires_at = CASE WHEN $2::text = 'dead' THEN now() ELSE now() + $4::bigint * interval '1 microsecond' END,
			ended_at = CASE WHEN $2::text = 'dead' THEN now() END,
			last_completion_at = CASE WHEN $5::bigint >= 0 THEN now() - $5::bigint * interval '1 microsecond'
				ELSE w.last_completion_at END
		WHERE w.id = $1::uuid AND w.state <> 'dead' RETURNING w.id
	)
	SELECT j.id, j.fence, j.cancel_requested_at IS NOT NULL
	FROM b LEFT JOIN windlass.jobs j ON j.worker_id = $1::uuid AND j.status = 'processing'`

// Heartbeat renews a session, or ends it.
func (s *Store) Heartbeat(ctx context.Context, p store.Heartbeat) (store.HeartbeatReply, error) {
	id, ok := parseID(p.Session)
	if !ok {
		return store.HeartbeatReply{}, nil // never registered
	}
	state := cmp.Or(p.State, store.SessionAlive)
	since := int64(-1)
	if p.SinceCompletion >= 0 {
		since = p.SinceCompletion.Microseconds()
	}
	var v store.HeartbeatReply
	err := s.maintenance.write(ctx, "heartbeat of session "+p.Session, statement{
		sql:  renewSession,
		args: []any{id, string(state), int32(p.Running), micros(p.TTL), since},
		scan: each(func(rows results) error {
			var job pgtype.UUID
			var fence *int64
			var h store.Held
			err := rows.Scan(&job, &fence, &h.CancelRequested)
			v.Alive = true
			if fence != nil {
				h.ID, h.Fence = job.String(), *fence
				v.Held = append(v.Held, h)
			}
			return err
		}),
	})
	if err != nil || state == store.SessionDead {
		return store.HeartbeatReply{}, err
	}
	return v, nil
}

const sessionColumns = `w.id, w.hostname, w.pid, w.version, w.slots, w.types, w.queues, w.state, w.running,
	w.started_at, w.beat_at, w.expires_at, w.last_completion_at, w.ended_at,
	w.state = 'dead' AND w.expires_at < w.ended_at`

const (
	liveSessions = `SELECT ` + sessionColumns + `
		FROM windlass.worker_sessions w WHERE w.state <> 'dead' ORDER BY w.started_at, w.id`
	endedSessions = `SELECT ` + sessionColumns + `
		FROM windlass.worker_sessions w WHERE w.state = 'dead' ORDER BY w.ended_at DESC, w.id DESC LIMIT $1::int`
	oneSession = `SELECT ` + sessionColumns + ` FROM windlass.worker_sessions w WHERE w.id = $1::uuid`
)

var heldJobs = `SELECT ` + listed + ` FROM windlass.jobs j
	WHERE j.worker_id = $1::uuid AND j.status = 'processing' ORDER BY j.started_at, j.id LIMIT $2::int`

// Sessions returns the sessions that are not dead.
func (s *Store) Sessions(ctx context.Context) ([]store.Session, error) {
	var list []store.Session
	err := s.maintenance.read(ctx, "read sessions", statement{liveSessions, nil, sessionsInto(&list)})
	return list, err
}

// EndedSessions returns the sessions that are dead. The table is small, so it needs no index for them.
func (s *Store) EndedSessions(ctx context.Context, limit int) ([]store.Session, error) {
	var list []store.Session
	err := s.work.read(ctx, "read ended sessions", statement{endedSessions, []any{int32(limit)}, sessionsInto(&list)})
	return list, err
}

// Session returns one session and the jobs that it holds.
func (s *Store) Session(ctx context.Context, id string, limit int) (store.Session, []jobs.Job, error) {
	key, ok := parseID(id)
	if !ok {
		return store.Session{}, nil, fmt.Errorf("session %s: %w", id, jobs.ErrNotFound)
	}
	var found []store.Session
	var held []jobs.Job
	err := s.work.read(ctx, "read session "+id,
		statement{oneSession, []any{key}, sessionsInto(&found)},
		statement{heldJobs, []any{key, int32(limit)}, newJobRow(inList).into(&held)})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("session %s: %w", id, jobs.ErrNotFound)
	}
	if err != nil {
		return store.Session{}, nil, err
	}
	return found[0], held, nil
}

func sessionsInto(list *[]store.Session) func(results) error {
	return each(func(rows results) error {
		var w store.Session
		var completion, ended pgtype.Timestamptz
		err := rows.Scan(&w.ID, &w.Hostname, &w.PID, &w.Version, &w.Slots, &w.Types, &w.Queues, &w.State, &w.Running,
			&w.StartedAt, &w.BeatAt, &w.ExpiresAt, &completion, &ended, &w.Lost)
		w.StartedAt, w.BeatAt, w.ExpiresAt = w.StartedAt.UTC(), w.BeatAt.UTC(), w.ExpiresAt.UTC()
		w.LastCompletionAt, w.EndedAt = utc(completion), utc(ended)
		*list = append(*list, w)
		return err
	})
}
