package storecmd

import (
	"context"
	"time"

	"github.com/windlass-jobs/windlass/jobs/access"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// NewToken says which token to make.
type NewToken struct {
	Name          string
	Role          string   // of access.Roles; either this or Scopes
	Scopes        []string // of access.Scopes
	Types, Queues []string // the only ones that it reaches; empty: all
	TTL           time.Duration
}

// Token is an access token without its secret.
type Token struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Role       string     `json:"role,omitempty"`
	Scopes     []string   `json:"scopes"`
	Types      []string   `json:"types"`
	Queues     []string   `json:"queues"`
	CreatedBy  string     `json:"created_by"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

func viewToken(t *store.Token) Token {
	orNull := func(at time.Time) *time.Time {
		if at.IsZero() {
			return nil
		}
		return &at
	}
	return Token{t.ID, t.Name, access.RoleOf(t.Scopes), t.Scopes, t.Types, t.Queues, t.CreatedBy, t.CreatedAt,
		orNull(t.ExpiresAt), orNull(t.RevokedAt), orNull(t.LastUsedAt)}
}

// InvalidError says that something cannot be done as it was asked for.
type InvalidError struct{ Detail string }

func (e *InvalidError) Error() string { return e.Detail }

// withTokens opens the database with its tables up to date. A first token may be made before any other process ran.
func withTokens(
	ctx context.Context, getenv func(string) string, make bool, do func(context.Context, store.Access) error,
) error {
	s, err := open(ctx, getenv, make)
	if err != nil {
		return err
	}
	defer s.close()
	if make && s.config.AutoMigrate {
		if err := s.store.Migrate(ctx); err != nil {
			return err
		}
	}
	name := "command line"
	if user := getenv("USER"); user != "" {
		name += " (" + user + ")"
	}
	return do(store.By(ctx, store.Actor{ID: "command-line", Name: name}), s.store)
}

// CreateToken makes a token in the database that the environment names, and returns it and its secret.
func CreateToken(ctx context.Context, getenv func(string) string, n NewToken) (made Token, secret string, err error) {
	var scopes []access.Scope
	switch role, there := access.RoleNamed(n.Role); {
	case n.Role != "" && len(n.Scopes) > 0 || n.Role == "" && len(n.Scopes) == 0:
		return made, "", &InvalidError{"a token needs either a role or scopes"}
	case n.Role != "" && !there:
		return made, "", &InvalidError{"a role is viewer, developer, operator or admin"}
	default:
		scopes = role.Scopes
	}
	for _, s := range n.Scopes {
		scopes = append(scopes, access.Scope(s))
	}
	err = withTokens(ctx, getenv, true, func(ctx context.Context, s store.Access) error {
		t, fresh, err := access.NewToken(n.Name, scopes, n.Types, n.Queues, store.ActorOf(ctx).Name)
		if err != nil {
			return &InvalidError{err.Error()}
		}
		if t, err = s.CreateToken(ctx, t, n.TTL); err != nil {
			return err
		}
		made, secret = viewToken(&t), fresh
		return nil
	})
	return made, secret, err
}

// Tokens returns the tokens, the newest first, at most store.MaxTokens.
func Tokens(ctx context.Context, getenv func(string) string) (list []Token, err error) {
	list = []Token{}
	err = withTokens(ctx, getenv, false, func(ctx context.Context, s store.Access) error {
		tokens, err := s.Tokens(ctx)
		for i := range tokens {
			list = append(list, viewToken(&tokens[i]))
		}
		return err
	})
	return list, err
}

// RevokeToken ends a token. Processes that run learn of it within 5 s. jobs.ErrNotFound.
func RevokeToken(ctx context.Context, getenv func(string) string, id string) error {
	return withTokens(ctx, getenv, false, func(ctx context.Context, s store.Access) error {
		_, err := s.RevokeToken(ctx, id)
		return err
	})
}

// Action is an entry of the audit log.
type Action struct {
	ID        int64     `json:"id"`
	At        time.Time `json:"at"`
	ActorID   string    `json:"actor_id"`
	Actor     string    `json:"actor"`
	Action    string    `json:"action"`
	Target    string    `json:"target"`
	Count     int       `json:"count"`
	Address   string    `json:"address,omitempty"`
	RequestID string    `json:"request_id,omitempty"`
}

// Actions returns the newest entries of the audit log that match.
func Actions(ctx context.Context, getenv func(string) string, q store.ActionQuery) (list []Action, err error) {
	list = []Action{}
	err = withTokens(ctx, getenv, false, func(ctx context.Context, s store.Access) error {
		page, err := s.Actions(ctx, q)
		for _, a := range page.Actions {
			list = append(list, Action{a.ID, a.At, a.Actor.ID, a.Actor.Name, a.Action, a.Target, a.Count,
				a.Actor.Address, a.Actor.RequestID})
		}
		return err
	})
	return list, err
}
