package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var _ store.Access = (*Store)(nil)

// addToAudit begins an insert into the audit log; what follows selects the count.
const addToAudit = `INSERT INTO windlass.audit
	(actor_id, actor_name, action, target, reason, address, request_id, count)`

// auditing returns a statement of common table expressions and a final query, without and with one more expression
// that adds to the audit log: so there is no entry without the change, and no change without the entry. count is what
// follows the SELECT of that insert; first is the number of its first parameter.
func auditing(expressions string, first int, count, final string) (plain, by string) {
	return expressions + " " + final, expressions + `, audited AS (` + addToAudit +
		fmt.Sprintf(` SELECT $%d::text, $%d::text, $%d::text, $%d::text, $%d::text, $%d::text, $%d::text, `,
			first, first+1, first+2, first+3, first+4, first+5, first+6) + count + `) ` + final
}

func noteArgs(a *store.Actor, action, target string) []any {
	return []any{a.ID, a.Name, action, target, a.Reason, a.Address, a.RequestID}
}

// by is the plain statement, or the one that also notes the action, where the context has an actor.
func (s *Store) by(
	ctx context.Context, plain, noting, action, target string, args []any, scan func(results) error,
) statement {
	if actor := store.ActorOf(ctx); actor != nil {
		return statement{noting, append(args, noteArgs(actor, action, target)...), scan}
	}
	return statement{plain, args, scan}
}

// AddAction appends to the audit log.
func (s *Store) AddAction(ctx context.Context, actor store.Actor, action, target string, count int) error {
	return s.work.write(ctx, "note "+action, statement{
		addToAudit + ` VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::bigint)`,
		append(noteArgs(&actor, action, target), int64(count)), nil,
	})
}

const readActions = `SELECT a.id, a.happened_at, a.actor_id, a.actor_name, a.action, a.target, a.count, a.reason,
		a.address, a.request_id
	FROM windlass.audit a
	WHERE a.id < $1::bigint AND ($2::text = '' OR a.actor_id = $2::text OR a.actor_name = $2::text)
		AND ($3::text = '' OR a.action = $3::text) AND ($4::text = '' OR a.target = $4::text)
	ORDER BY a.id DESC LIMIT $5::int`

// Actions returns a page of the audit log.
func (s *Store) Actions(ctx context.Context, q store.ActionQuery) (store.ActionPage, error) {
	limit, before := min(max(q.Limit, 1), 1000), q.Before
	if before <= 0 {
		before = 1<<63 - 1
	}
	var page store.ActionPage
	err := s.work.read(ctx, "read the audit log", statement{
		readActions, []any{before, q.Who, q.Action, q.Target, int32(limit)},
		each(func(rows results) error {
			var a store.Action
			err := rows.Scan(&a.ID, &a.At, &a.Actor.ID, &a.Actor.Name, &a.Action, &a.Target, &a.Count, &a.Actor.Reason,
				&a.Actor.Address, &a.Actor.RequestID)
			a.At = a.At.UTC()
			page.Actions = append(page.Actions, a)
			return err
		}),
	})
	if err != nil {
		return store.ActionPage{}, err
	}
	if len(page.Actions) == limit {
		page.Next = page.Actions[limit-1].ID
	}
	return page, nil
}

const tokenColumns = `t.id::text, t.name, t.scopes, t.types, t.queues, t.created_by, t.created_at, t.expires_at,
	t.revoked_at, t.last_used_at`

var (
	createToken, createTokenBy = auditing(`WITH t AS (
		INSERT INTO windlass.tokens AS t (id, name, hash, scopes, types, queues, created_by, expires_at)
		VALUES ($1::uuid, $2::text, $3::bytea, $4::text[], $5::text[], $6::text[], $7::text,
			CASE WHEN $8::bigint > 0 THEN now() + $8::bigint * interval '1 microsecond' END)
		ON CONFLICT DO NOTHING RETURNING t.*)`, 9, `1 FROM t`, `SELECT `+tokenColumns+` FROM t`)

	revokeToken, revokeTokenBy = auditing(`WITH t AS (
		UPDATE windlass.tokens t SET revoked_at = now() WHERE t.id = $1::uuid AND t.revoked_at IS NULL RETURNING t.*)`,
		2, `1 FROM t`, `SELECT `+tokenColumns+` FROM t`)
)

const (
	tokenByID   = `SELECT ` + tokenColumns + ` FROM windlass.tokens t WHERE t.id = $1::uuid`
	tokenByHash = `SELECT ` + tokenColumns + ` FROM windlass.tokens t WHERE t.hash = $1::bytea
		AND t.revoked_at IS NULL AND coalesce(t.expires_at, 'infinity') > now()`
	listTokens = `SELECT ` + tokenColumns + ` FROM windlass.tokens t ORDER BY t.created_at DESC, t.id DESC LIMIT $1::int`
	touchToken = `UPDATE windlass.tokens t SET last_used_at = now() WHERE t.id = $1::uuid
		AND coalesce(t.last_used_at, '-infinity') < now() - $2::bigint * interval '1 microsecond'`
)

func tokensInto(list *[]store.Token) func(results) error {
	return each(func(rows results) error {
		var t store.Token
		var expires, revoked, used pgtype.Timestamptz
		err := rows.Scan(&t.ID, &t.Name, &t.Scopes, &t.Types, &t.Queues, &t.CreatedBy, &t.CreatedAt, &expires, &revoked,
			&used)
		t.CreatedAt, t.ExpiresAt, t.RevokedAt, t.LastUsedAt = t.CreatedAt.UTC(), utc(expires), utc(revoked), utc(used)
		*list = append(*list, t)
		return err
	})
}

// CreateToken stores a token.
func (s *Store) CreateToken(ctx context.Context, t store.Token, ttl time.Duration) (store.Token, error) {
	id, ok := parseID(t.ID)
	if !ok {
		return store.Token{}, fmt.Errorf("create token: the id is no UUID: %w", jobs.ErrRejected)
	}
	var stored []store.Token
	err := s.work.write(ctx, "create token", s.by(ctx, createToken, createTokenBy, store.ActionTokenCreate, t.ID,
		[]any{id, t.Name, t.Hash[:], notNil(t.Scopes), notNil(t.Types), notNil(t.Queues), t.CreatedBy, micros(ttl)},
		tokensInto(&stored)))
	if err == nil && len(stored) == 0 {
		err = fmt.Errorf("create token: the id or the hash is there already: %w", jobs.ErrRejected)
	}
	if err != nil {
		return store.Token{}, err
	}
	return stored[0], nil
}

// token reads one token. jobs.ErrNotFound: there is none.
func (s *Store) token(ctx context.Context, sql string, arg any) (store.Token, error) {
	var found []store.Token
	err := s.work.read(ctx, "look up a token", statement{sql, []any{arg}, tokensInto(&found)})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("token: %w", jobs.ErrNotFound)
	}
	if err != nil {
		return store.Token{}, err
	}
	return found[0], nil
}

// TokenByHash returns the token with this hash, if it holds.
func (s *Store) TokenByHash(ctx context.Context, hash [32]byte) (store.Token, error) {
	return s.token(ctx, tokenByHash, hash[:])
}

// Tokens returns the newest tokens.
func (s *Store) Tokens(ctx context.Context) ([]store.Token, error) {
	var list []store.Token
	err := s.work.read(ctx, "list tokens", statement{listTokens, []any{int32(store.MaxTokens)}, tokensInto(&list)})
	return list, err
}

// RevokeToken ends a token for good.
func (s *Store) RevokeToken(ctx context.Context, id string) (store.Token, error) {
	parsed, ok := parseID(id)
	if !ok {
		return store.Token{}, fmt.Errorf("revoke token: %w", jobs.ErrNotFound)
	}
	var revoked []store.Token
	err := s.work.write(ctx, "revoke token "+id, s.by(ctx, revokeToken, revokeTokenBy, store.ActionTokenRevoke, id,
		[]any{parsed}, tokensInto(&revoked)))
	if err != nil {
		return store.Token{}, err
	}
	if len(revoked) > 0 {
		return revoked[0], nil
	}
	return s.token(ctx, tokenByID, parsed)
}

// TouchToken notes that a token is in use.
func (s *Store) TouchToken(ctx context.Context, id string) error {
	parsed, ok := parseID(id)
	if !ok {
		return errors.New("touch token: the id is no UUID")
	}
	return s.work.write(ctx, "touch token", statement{touchToken, []any{parsed, micros(store.TouchTokenAfter)}, nil})
}
