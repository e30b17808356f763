package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// Register implements store.Worker.
func (s *Store) Register(ctx context.Context, session store.Session, types []jobs.Type, ttl time.Duration) error {
	texts := append([]string{session.ID, session.Hostname, session.Version}, session.Types...)
	texts = append(texts, session.Queues...)
	for _, t := range types {
		texts = append(texts, t.Name, t.Description, t.Queue)
		for _, raw := range []json.RawMessage{t.Schema, t.Example} {
			if err := checkJSON("schema or example", raw); err != nil {
				return fmt.Errorf("register %s: %w", t.Name, err)
			}
		}
	}
	if err := checkText("session or type", texts...); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	state := session.State
	if state == "" {
		state = store.SessionAlive
	}
	return s.change(ctx, "register "+session.ID, func(tx *tx) error {
		changed, err := tx.exec(`INSERT INTO worker_sessions (id, hostname, pid, version, slots, types, queues, state,
			started_at, beat_at, expires_at)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10)
			ON CONFLICT (id) DO UPDATE SET hostname = excluded.hostname, pid = excluded.pid, version = excluded.version,
				slots = excluded.slots, types = excluded.types, queues = excluded.queues, state = excluded.state,
				beat_at = excluded.beat_at, expires_at = excluded.expires_at
			WHERE state <> 'dead'`,
			session.ID, session.Hostname, session.PID, session.Version, session.Slots, list(session.Types),
			list(session.Queues), string(state),
			tx.now, tx.now+ttl.Microseconds())
		if err != nil {
			return err
		}
		if changed == 0 { // the session is dead
			return jobs.ErrConflict
		}
		for _, t := range types {
			if _, err := tx.exec(`INSERT INTO job_types (name, description, queue, max_attempts, timeout_seconds,
				payload_schema, example, seen_at)
				VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
				ON CONFLICT (name) DO UPDATE SET description = excluded.description, queue = excluded.queue,
					max_attempts = excluded.max_attempts, timeout_seconds = excluded.timeout_seconds,
					payload_schema = excluded.payload_schema, example = excluded.example, seen_at = excluded.seen_at`,
				t.Name, t.Description, t.Queue, t.MaxAttempts, int64(t.Timeout/time.Second), textOf(t.Schema), textOf(t.Example),
				tx.now); err != nil {
				return err
			}
		}
		return nil
	})
}

// Heartbeat implements store.Worker.
func (s *Store) Heartbeat(ctx context.Context, p store.Heartbeat) (v store.HeartbeatReply, err error) {
	err = s.change(ctx, "beat "+p.Session, func(tx *tx) error {
		if p.State == store.SessionDead {
			// One that ends in order never expired, however late its word is.
			_, err := tx.exec(`UPDATE worker_sessions SET state = 'dead', dead_at = ?2, running = 0,
				expires_at = max(expires_at, ?2 + 1) WHERE id = ?1 AND state <> 'dead'`, p.Session, tx.now)
			return err
		}
		state := p.State
		if state == "" {
			state = store.SessionAlive
		}
		var completion any
		if p.SinceCompletion >= 0 {
			completion = tx.now - p.SinceCompletion.Microseconds()
		}
		changed, err := tx.exec(`UPDATE worker_sessions SET state = ?2, running = ?3, beat_at = ?4, expires_at = ?5,
			last_completion_at = ifnull(?6, last_completion_at) WHERE id = ?1 AND state <> 'dead'`,
			p.Session, string(state), p.Running, tx.now, tx.now+p.TTL.Microseconds(), completion)
		if err != nil || changed == 0 {
			return err
		}
		v.Alive = true
		v.Held, err = all(tx.query, func(row *sql.Rows) (h store.Held, err error) {
			err = row.Scan(&h.ID, &h.Fence, &h.CancelRequested)
			return h, err
		}, `SELECT id, fence, cancel_requested_at IS NOT NULL FROM jobs
			WHERE worker_id = ?1 AND status = 'processing'`, p.Session)
		return err
	})
	if err != nil {
		return store.HeartbeatReply{}, err
	}
	return v, nil
}

const sessionColumns = `id, hostname, pid, version, slots, types, queues, state, running, started_at, beat_at,
	expires_at, ifnull(last_completion_at, 0), ifnull(dead_at, 0), state = 'dead' AND expires_at <= dead_at`

// Sessions implements store.Maintenance.
func (s *Store) Sessions(ctx context.Context) (sessions []store.Session, err error) {
	err = s.view(ctx, "sessions", func(q query) (err error) {
		sessions, err = all(q, scanSession, `SELECT `+sessionColumns+` FROM worker_sessions
			WHERE state <> 'dead' ORDER BY started_at, id`)
		return err
	})
	return sessions, err
}

// EndedSessions implements store.Client. The table is small, so it needs no index for them.
func (s *Store) EndedSessions(ctx context.Context, limit int) (sessions []store.Session, err error) {
	err = s.view(ctx, "ended sessions", func(q query) (err error) {
		sessions, err = all(q, scanSession, `SELECT `+sessionColumns+` FROM worker_sessions
			WHERE state = 'dead' ORDER BY dead_at DESC, id DESC LIMIT ?1`, limit)
		return err
	})
	return sessions, err
}

// Session implements store.Client.
func (s *Store) Session(ctx context.Context, id string, limit int) (session store.Session, held []jobs.Job, err error) {
	err = s.view(ctx, "session "+id, func(q query) error {
		found, err := all(q, scanSession, `SELECT `+sessionColumns+` FROM worker_sessions WHERE id = ?1`, id)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return jobs.ErrNotFound
		}
		session = found[0]
		held, err = all(q, newJobRow(inList).scan, `SELECT `+listed+` FROM jobs INDEXED BY jobs_owner
			WHERE worker_id = ?1 AND status = 'processing' ORDER BY started_at, id LIMIT ?2`, id, limit)
		return err
	})
	return session, held, err
}

func scanSession(row *sql.Rows) (store.Session, error) {
	var s store.Session
	var types, queues, state string
	var startedAt, beatAt, expiresAt, completedAt, endedAt int64
	if err := row.Scan(&s.ID, &s.Hostname, &s.PID, &s.Version, &s.Slots, &types, &queues, &state, &s.Running,
		&startedAt, &beatAt, &expiresAt, &completedAt, &endedAt, &s.Lost); err != nil {
		return s, err
	}
	s.State = store.SessionState(state)
	s.StartedAt, s.BeatAt = timeOf(startedAt), timeOf(beatAt)
	s.ExpiresAt, s.LastCompletionAt, s.EndedAt = timeOf(expiresAt), timeOf(completedAt), timeOf(endedAt)
	if err := json.Unmarshal([]byte(types), &s.Types); err != nil {
		return s, fmt.Errorf("types of session %s: %w", s.ID, err)
	}
	if err := json.Unmarshal([]byte(queues), &s.Queues); err != nil {
		return s, fmt.Errorf("queues of session %s: %w", s.ID, err)
	}
	return s, nil
}
