package store

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Access is the part of the Store that keeps access tokens and the audit log. The drivers of this module have it; a
// Store need not, and then nobody can be asked for a token.
type Access interface {
	// CreateToken stores a token and returns it with its CreatedAt and ExpiresAt. ttl is how long it holds; 0: until it
	// is revoked. jobs.ErrRejected: the id is no UUID, or the id or the hash is there already. The Store notes the
	// action ActionTokenCreate where the context has an Actor.
	CreateToken(ctx context.Context, t Token, ttl time.Duration) (Token, error)

	// TokenByHash returns the token with this hash. jobs.ErrNotFound: there is none, or it is revoked or has expired.
	TokenByHash(ctx context.Context, hash [32]byte) (Token, error)

	// Tokens returns the tokens that there are, also those that hold no more, the newest first, at most MaxTokens.
	Tokens(ctx context.Context) ([]Token, error)

	// RevokeToken ends a token for good, and returns it. It may be repeated: the time of the first call stays.
	// jobs.ErrNotFound: there is no such token. The Store notes ActionTokenRevoke where the context has an Actor and
	// something has changed.
	RevokeToken(ctx context.Context, id string) (Token, error)

	// TouchToken notes that a token is in use, where that was noted more than TouchTokenAfter ago or never.
	TouchToken(ctx context.Context, id string) error

	// Actions returns a page of the audit log, the newest first.
	Actions(ctx context.Context, q ActionQuery) (ActionPage, error)

	// AddAction appends to the audit log what changes nothing else in the Store. Changes of jobs and tokens are noted in
	// their own transaction: see By.
	AddAction(ctx context.Context, actor Actor, action, target string, count int) error
}

const (
	// MaxTokens is how many tokens Access.Tokens returns.
	MaxTokens = 1000
	// TouchTokenAfter is how old the time of a token's last use is before it is written again.
	TouchTokenAfter = time.Minute
)

// Token is an access token of a program, without its secret.
type Token struct {
	ID         string // a UUID
	Name       string
	Hash       [32]byte // SHA-256 of the secret; zero in the answers of the Store
	Scopes     []string
	Types      []string // the only job types that it reaches; empty: all
	Queues     []string // the only queues that it reaches; empty: all
	CreatedBy  string   // the name of who has made it
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero: never
	RevokedAt  time.Time // zero: it is not revoked
	LastUsedAt time.Time // exact to TouchTokenAfter; zero: never
}

// Actor is who asks for a change, and how.
type Actor struct {
	ID        string // of the token
	Name      string
	Reason    string // in the words of who asks; may be empty
	Address   string // the network address that the request came from; may be empty
	RequestID string // may be empty
}

type actorKey struct{}

// By returns a context for changes that the actor makes. Redrive, Cancel, Delete, CreateToken and RevokeToken then
// write an entry of the audit log in the transaction of the change: there is none without the other.
func By(ctx context.Context, actor Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, &actor)
}

// ActorOf returns the actor of a context; nil: nobody is named, and nothing is noted.
func ActorOf(ctx context.Context) *Actor {
	actor, _ := ctx.Value(actorKey{}).(*Actor)
	return actor
}

// The actions that Stores note.
const (
	ActionRetry       = "job.retry" // also of many jobs
	ActionCancel      = "job.cancel"
	ActionDelete      = "job.delete"
	ActionTokenCreate = "token.create"
	ActionTokenRevoke = "token.revoke"
)

// Action is an entry of the audit log.
type Action struct {
	ID     int64 // grows from entry to entry, with gaps
	At     time.Time
	Actor  Actor
	Action string // such as ActionRetry
	Target string // the id of a job or token, or a filter in words
	Count  int    // how many jobs or tokens were changed
}

// ActionQuery selects entries. A field that is empty does not restrict.
type ActionQuery struct {
	Who    string // the id or the name of the actor
	Action string
	Target string
	Before int64 // only entries with a smaller ID
	Limit  int   // 1..1,000
}

// ActionPage is a part of the audit log.
type ActionPage struct {
	Actions []Action
	Next    int64 // the Before of the next page; 0 at the end
}

// maxTarget is how long a target may be in the audit log, in bytes.
const maxTarget = 1000

// Target says in words which jobs a Redrive is about, for the audit log.
func (r *Redrive) Target() string {
	if len(r.IDs) > 0 {
		const id = 36 + 1
		if most := maxTarget/id - 1; len(r.IDs) > most {
			return strings.Join(r.IDs[:most], " ") + fmt.Sprintf(" and %d more", len(r.IDs)-most)
		}
		return strings.Join(r.IDs, " ")
	}
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+"="+value)
		}
	}
	add("type", r.Type)
	add("types", strings.Join(r.Types, ","))
	add("queue", r.Queue)
	add("queues", strings.Join(r.Queues, ","))
	add("error", r.Error)
	if len(parts) == 0 {
		return "all"
	}
	text := strings.ToValidUTF8(strings.Join(parts, " "), "")
	for len(text) > maxTarget {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
