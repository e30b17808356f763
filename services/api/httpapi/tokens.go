package httpapi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/access"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// Token is an access token without its secret.
type Token struct {
	ID         string     `json:"id" format:"uuid"`
	Name       string     `json:"name"`
	Role       *string    `json:"role" doc:"The role with exactly these scopes; null where there is none"`
	Scopes     []string   `json:"scopes" nullable:"false"`
	Types      []string   `json:"types" nullable:"false" doc:"The only job types that it reaches; empty: all"`
	Queues     []string   `json:"queues" nullable:"false" doc:"The only queues that it reaches; empty: all"`
	CreatedBy  string     `json:"created_by"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at" doc:"null: never"`
	RevokedAt  *time.Time `json:"revoked_at" doc:"null: it is not revoked"`
	LastUsedAt *time.Time `json:"last_used_at" doc:"To the minute; null: never"`
}

func viewToken(t *store.Token) Token {
	return Token{
		t.ID, t.Name, orNull(access.RoleOf(t.Scopes)), orNone(t.Scopes), orNone(t.Types), orNone(t.Queues), t.CreatedBy,
		t.CreatedAt, orNull(t.ExpiresAt), orNull(t.RevokedAt), orNull(t.LastUsedAt),
	}
}

type tokensListed struct {
	Body struct {
		Tokens []Token `json:"tokens" nullable:"false" doc:"The newest first, at most 1,000, with those that hold no more"`
	}
}

// guarded returns where tokens and audit log are, or the answer where nobody is asked for a token. Without access
// control a stranger could make tokens that hold once it is on.
func (a *api) guarded() (store.Access, *Problem) {
	if a.opts.Guard == nil {
		return nil, notFound.problem("Access control is off: see AUTH. The command line can make tokens in the database.")
	}
	return a.opts.Guard.Store(), nil
}

// tokens serves GET /tokens.
func (a *api) tokens(ctx context.Context, _ *struct{}) (*tokensListed, error) {
	s, bad := a.guarded()
	if bad != nil {
		return nil, bad
	}
	list, err := s.Tokens(ctx)
	if err != nil {
		return nil, problemOfRead(err)
	}
	var out tokensListed
	out.Body.Tokens = make([]Token, len(list))
	for i := range list {
		out.Body.Tokens[i] = viewToken(&list[i])
	}
	return &out, nil
}

// TokenRequest is the body of POST /tokens, for the documentation: readToken reads it.
type TokenRequest struct {
	Name             string   `json:"name" minLength:"1" maxLength:"100" doc:"For people"`
	Role             string   `json:"role,omitempty" enum:"viewer,developer,operator,admin" doc:"A set of scopes; either this or scopes"`
	Scopes           []string `json:"scopes,omitempty" nullable:"false" enum:"submit,read,read_payloads,operate,work,admin"`
	Types            []string `json:"types,omitempty" nullable:"false" maxItems:"100" doc:"The only job types that it reaches; all if left out"`
	Queues           []string `json:"queues,omitempty" nullable:"false" maxItems:"100" doc:"The only queues that it reaches; all if left out"`
	ExpiresInSeconds *int     `json:"expires_in_seconds,omitempty" minimum:"1" maximum:"315360000" doc:"Never if left out"`
}

var tokenSpan = &fields.Field{Min: 1, Max: 315_360_000}

// CreateTokenInput is a request for a token.
type CreateTokenInput struct{ Request }

type tokenCreated struct {
	Body struct {
		Token  Token  `json:"token"`
		Secret string `json:"secret" doc:"Send it as Authorization: Bearer. It cannot be read again"`
	}
}

// createToken serves POST /tokens.
func (a *api) createToken(ctx context.Context, in *CreateTokenInput) (*tokenCreated, error) {
	s, bad := a.guarded()
	if bad != nil {
		return nil, bad
	}
	doc, bad := readBody(&in.Request, maxBodyBytes, canonjson.Limits{Envelope: 1})
	if bad != nil {
		return nil, bad
	}
	if doc == nil {
		return nil, malformedBody.problem("A body is required.")
	}
	var f form
	asked := readToken(&f, doc)
	if f.faults != nil {
		return nil, invalidBody(f.faults)
	}
	ctx, cancel := in.limit(ctx)
	defer cancel()
	by := callerOf(ctx).principal.Name
	t, secret, err := access.NewToken(asked.name, asked.scopes, asked.types, asked.queues, by)
	if err != nil {
		return nil, invalidBody([]Fault{faultAt("", err.Error())})
	}
	if t, err = s.CreateToken(ctx, t, asked.ttl); err != nil {
		return nil, problemOf(err, noPointer)
	}
	var out tokenCreated
	out.Body.Token, out.Body.Secret = viewToken(&t), secret
	return &out, nil
}

type askedToken struct {
	name          string
	scopes        []access.Scope
	types, queues []string
	ttl           time.Duration
}

func readToken(f *form, doc []byte) (asked askedToken) {
	var role, scopes bool
	texts := func(name string, value []byte) (list []string) {
		f.elements("/"+name, value, func(i int, value []byte) {
			if text, ok := f.quoted(fmt.Sprintf("/%s/%d", name, i), value); ok {
				list = append(list, text)
			}
		})
		return list
	}
	f.members("", doc, func(name string, value []byte) bool {
		switch name {
		case "name":
			asked.name, _ = f.quoted("/name", value)
		case "role":
			text, ok := f.quoted("/role", value)
			r, there := access.RoleNamed(text)
			if ok && !there {
				f.fault("/role", "must be viewer, developer, operator or admin")
			}
			role, asked.scopes = true, append(asked.scopes, r.Scopes...)
		case "scopes":
			scopes = true
			for _, text := range texts(name, value) {
				asked.scopes = append(asked.scopes, access.Scope(text))
			}
		case "types":
			asked.types = texts(name, value)
		case "queues":
			asked.queues = texts(name, value)
		case "expires_in_seconds":
			n, _ := f.number("/expires_in_seconds", value, tokenSpan)
			asked.ttl = time.Duration(n) * time.Second
		default:
			return false
		}
		return true
	})
	if f.faults == nil && role == scopes {
		f.fault("", "must have either role or scopes")
	}
	return asked
}

// revokeToken serves DELETE /tokens/{id}.
func (a *api) revokeToken(ctx context.Context, in *JobPath) (*struct{}, error) {
	if _, bad := a.guarded(); bad != nil {
		return nil, bad
	}
	id, bad := in.id()
	if bad != nil {
		return nil, bad
	}
	if _, err := a.opts.Guard.Revoke(ctx, id); err != nil {
		if errors.Is(err, jobs.ErrNotFound) {
			return nil, tokenNotFound.problem("No token has this id.")
		}
		return nil, problemOf(err, noPointer)
	}
	return nil, nil
}

// Action is an entry of the audit log.
type Action struct {
	ID        int64     `json:"id"`
	At        time.Time `json:"at"`
	ActorID   string    `json:"actor_id" doc:"Of the token"`
	Actor     string    `json:"actor"`
	Action    string    `json:"action" example:"job.retry"`
	Target    string    `json:"target" doc:"The id of a job or a token, or a filter in words"`
	Count     int       `json:"count" doc:"How many jobs or tokens were changed"`
	Reason    *string   `json:"reason"`
	Address   *string   `json:"address" doc:"The network address that the request came from"`
	RequestID *string   `json:"request_id" doc:"Of the header X-Request-Id"`
}

// AuditInput is the query of GET /audit.
type AuditInput struct {
	Who    string `query:"who" maxLength:"100" doc:"Only this actor: the id of a token, or a name"`
	Action string `query:"action" maxLength:"50" doc:"Only this action"`
	Target string `query:"target" maxLength:"1000" doc:"Only with this target"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many"`
	Cursor string `query:"cursor" maxLength:"20" doc:"Where to go on: next_cursor of the page before"`
}

type auditListed struct {
	Body struct {
		Actions    []Action `json:"actions" nullable:"false" doc:"The newest first"`
		NextCursor *string  `json:"next_cursor" doc:"null at the end"`
	}
}

// audit serves GET /audit.
func (a *api) audit(ctx context.Context, in *AuditInput) (*auditListed, error) {
	s, bad := a.guarded()
	if bad != nil {
		return nil, bad
	}
	q := store.ActionQuery{Who: in.Who, Action: in.Action, Target: in.Target, Limit: in.Limit}
	if in.Cursor != "" {
		var err error
		if q.Before, err = strconv.ParseInt(in.Cursor, 10, 64); err != nil || q.Before < 1 {
			return nil, badParameter("cursor", errCursor.Error())
		}
	}
	page, err := s.Actions(ctx, q)
	if err != nil {
		return nil, problemOfRead(err)
	}
	var out auditListed
	out.Body.Actions = make([]Action, len(page.Actions))
	for i, e := range page.Actions {
		out.Body.Actions[i] = Action{
			e.ID, e.At, e.Actor.ID, e.Actor.Name, e.Action, e.Target, e.Count, orNull(e.Actor.Reason),
			orNull(e.Actor.Address), orNull(e.Actor.RequestID),
		}
	}
	if page.Next > 0 {
		out.Body.NextCursor = orNull(strconv.FormatInt(page.Next, 10))
	}
	return &out, nil
}
