package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var _ store.Access = (*Store)(nil)

var uuidShape = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// note writes an entry of the audit log, if the context names an actor.
func (tx *tx) note(ctx context.Context, action, target string, count int) error {
	if actor := store.ActorOf(ctx); actor != nil {
		return tx.addAction(*actor, action, target, count)
	}
	return nil
}

func (tx *tx) addAction(actor store.Actor, action, target string, count int) error {
	if err := checkText("audit", actor.ID, actor.Name, actor.Reason, actor.Address, actor.RequestID, action,
		target); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO windlass_audit
		(happened_at, actor_id, actor_name, action, target, count, reason, address, request_id)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`,
		tx.now, actor.ID, actor.Name, action, target, count, actor.Reason, actor.Address, actor.RequestID)
	return err
}

// AddAction implements store.Access.
func (s *Store) AddAction(ctx context.Context, actor store.Actor, action, target string, count int) error {
	return s.change(ctx, "note "+action, func(tx *tx) error { return tx.addAction(actor, action, target, count) })
}

// Actions implements store.Access.
func (s *Store) Actions(ctx context.Context, q store.ActionQuery) (page store.ActionPage, err error) {
	limit := min(max(q.Limit, 1), 1000)
	before := q.Before
	if before <= 0 {
		before = 1<<63 - 1
	}
	err = s.view(ctx, "read the audit log", func(query query) (err error) {
		page.Actions, err = all(query, scanAction, `SELECT id, happened_at, actor_id, actor_name, action, target, count,
			reason, address, request_id FROM windlass_audit
			WHERE id < ?1 AND (?2 = '' OR actor_id = ?2 OR actor_name = ?2) AND (?3 = '' OR action = ?3)
				AND (?4 = '' OR target = ?4) ORDER BY id DESC LIMIT ?5`,
			before, q.Who, q.Action, q.Target, limit)
		return err
	})
	if len(page.Actions) == limit {
		page.Next = page.Actions[limit-1].ID
	}
	return page, err
}

func scanAction(row *sql.Rows) (a store.Action, err error) {
	var at int64
	err = row.Scan(&a.ID, &at, &a.Actor.ID, &a.Actor.Name, &a.Action, &a.Target, &a.Count, &a.Actor.Reason,
		&a.Actor.Address, &a.Actor.RequestID)
	a.At = timeOf(at)
	return a, err
}

const tokenColumns = `id, name, scopes, types, queues, created_by, created_at, ifnull(expires_at, 0),
	ifnull(revoked_at, 0), ifnull(last_used_at, 0)`

func scanToken(row *sql.Rows) (t store.Token, err error) {
	var scopes, types, queues string
	var created, expires, revoked, used int64
	if err = row.Scan(&t.ID, &t.Name, &scopes, &types, &queues, &t.CreatedBy, &created, &expires, &revoked,
		&used); err != nil {
		return t, err
	}
	for text, into := range map[*string]*[]string{&scopes: &t.Scopes, &types: &t.Types, &queues: &t.Queues} {
		if err := json.Unmarshal([]byte(*text), into); err != nil {
			return t, fmt.Errorf("token %s: %w", t.ID, err)
		}
	}
	t.CreatedAt, t.ExpiresAt, t.RevokedAt, t.LastUsedAt = timeOf(created), timeOf(expires), timeOf(revoked), timeOf(used)
	return t, nil
}

// oneToken returns the first of the tokens. jobs.ErrNotFound: there is none.
func oneToken(q query, where string, args ...any) (store.Token, error) {
	found, err := all(q, scanToken, `SELECT `+tokenColumns+` FROM windlass_tokens WHERE `+where, args...)
	if err == nil && len(found) == 0 {
		err = jobs.ErrNotFound
	}
	if err != nil {
		return store.Token{}, err
	}
	return found[0], nil
}

// CreateToken implements store.Access.
func (s *Store) CreateToken(ctx context.Context, t store.Token, ttl time.Duration) (stored store.Token, err error) {
	if !uuidShape.MatchString(t.ID) {
		return store.Token{}, fmt.Errorf("create token: %w: the id is no UUID", jobs.ErrRejected)
	}
	err = s.change(ctx, "create token", func(tx *tx) error {
		if err := checkText("token", append([]string{t.Name, t.CreatedBy, list(t.Scopes), list(t.Types)},
			t.Queues...)...); err != nil {
			return err
		}
		var expires any
		if ttl > 0 {
			expires = tx.now + ttl.Microseconds()
		}
		if _, err := tx.exec(`INSERT INTO windlass_tokens
			(id, name, hash, scopes, types, queues, created_by, created_at, expires_at)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`, t.ID, t.Name, t.Hash[:], list(t.Scopes), list(t.Types),
			list(t.Queues), t.CreatedBy, tx.now, expires); err != nil {
			return err
		}
		if err := tx.note(ctx, store.ActionTokenCreate, t.ID, 1); err != nil {
			return err
		}
		stored, err = oneToken(tx.query, `id = ?1`, t.ID)
		return err
	})
	return stored, err
}

// TokenByHash implements store.Access.
func (s *Store) TokenByHash(ctx context.Context, hash [32]byte) (t store.Token, err error) {
	err = s.view(ctx, "look up a token", func(q query) (err error) {
		t, err = oneToken(q, `hash = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)`, hash[:], s.now())
		return err
	})
	return t, err
}

// Tokens implements store.Access.
func (s *Store) Tokens(ctx context.Context) (tokens []store.Token, err error) {
	err = s.view(ctx, "list tokens", func(q query) (err error) {
		tokens, err = all(q, scanToken, `SELECT `+tokenColumns+` FROM windlass_tokens
			ORDER BY created_at DESC, id DESC LIMIT ?1`, store.MaxTokens)
		return err
	})
	return tokens, err
}

// RevokeToken implements store.Access.
func (s *Store) RevokeToken(ctx context.Context, id string) (t store.Token, err error) {
	err = s.change(ctx, "revoke token "+id, func(tx *tx) error {
		n, err := tx.exec(`UPDATE windlass_tokens SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL`, id, tx.now)
		if err == nil && n > 0 {
			err = tx.note(ctx, store.ActionTokenRevoke, id, 1)
		}
		if err != nil {
			return err
		}
		t, err = oneToken(tx.query, `id = ?1`, id)
		return err
	})
	return t, err
}

// TouchToken implements store.Access.
func (s *Store) TouchToken(ctx context.Context, id string) error {
	return s.change(ctx, "touch token", func(tx *tx) error {
		_, err := tx.exec(`UPDATE windlass_tokens SET last_used_at = ?2
			WHERE id = ?1 AND ifnull(last_used_at, 0) < ?3`, id, tx.now, tx.now-store.TouchTokenAfter.Microseconds())
		return err
	})
}
