// Package access says who may do what: the secrets of tokens, scopes, roles, and the principal behind a request.
//
// A [Guard] finds the [Principal] of a secret. It knows no HTTP; package httpapi asks it before every route.
package access

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// Scope is a right.
type Scope string

// The scopes.
const (
	Submit       Scope = "submit"        // submit jobs
	Read         Scope = "read"          // see jobs, queues, workers and counts
	ReadPayloads Scope = "read_payloads" // see payloads and results as well
	Operate      Scope = "operate"       // retry, cancel and delete jobs
	Work         Scope = "work"          // claim jobs and settle them
	Admin        Scope = "admin"         // tokens and the audit log
)

// Scopes are all scopes.
var Scopes = []Scope{Submit, Read, ReadPayloads, Operate, Work, Admin}

// Role is a name for a set of scopes. A token stores the scopes, so a role that changes later changes no token.
type Role struct {
	Name   string
	Scopes []Scope
}

// Roles are the roles, from the least to the most. Each but the last has the scopes of those before it.
var Roles = []Role{
	{"viewer", []Scope{Read}},
	{"developer", []Scope{Submit, Read, ReadPayloads}},
	{"operator", []Scope{Submit, Read, ReadPayloads, Operate}},
	{"admin", Scopes},
}

// RoleNamed returns a role by its name.
func RoleNamed(name string) (Role, bool) {
	i := slices.IndexFunc(Roles, func(r Role) bool { return r.Name == name })
	if i < 0 {
		return Role{}, false
	}
	return Roles[i], true
}

// RoleOf is the name of the role with exactly these scopes; "" where there is none.
func RoleOf(scopes []string) string {
	for _, r := range Roles {
		if len(scopes) == len(r.Scopes) && !slices.ContainsFunc(r.Scopes, func(s Scope) bool {
			return !slices.Contains(scopes, string(s))
		}) {
			return r.Name
		}
	}
	return ""
}

// Principal is who sends a request. The zero Principal may do nothing.
type Principal struct {
	ID     string // of its token; unique
	Name   string // for people
	Scopes []Scope
	Types  []string // the only job types that it reaches; empty: all
	Queues []string // the only queues that it reaches; empty: all
}

// May reports whether the principal has a scope.
func (p *Principal) May(s Scope) bool { return slices.Contains(p.Scopes, s) }

// Narrowed reports whether the principal reaches some types or queues only.
func (p *Principal) Narrowed() bool { return len(p.Types)+len(p.Queues) > 0 }

// ReachesType reports whether the principal reaches jobs of a type.
func (p *Principal) ReachesType(name string) bool {
	return len(p.Types) == 0 || slices.Contains(p.Types, name)
}

// ReachesQueue reports whether the principal reaches jobs of a queue.
func (p *Principal) ReachesQueue(name string) bool {
	return len(p.Queues) == 0 || slices.Contains(p.Queues, name)
}

// Reaches reports whether the principal reaches a job.
func (p *Principal) Reaches(j *jobs.Job) bool {
	return p.ReachesType(j.Type) && p.ReachesQueue(j.Queue)
}

// principal is the principal of a token.
func principal(t *store.Token) *Principal {
	p := &Principal{ID: t.ID, Name: t.Name, Types: t.Types, Queues: t.Queues}
	for _, s := range t.Scopes {
		p.Scopes = append(p.Scopes, Scope(s))
	}
	return p
}

const (
	prefix       = "wl_"
	secretBytes  = 32
	secretDigits = 43 // of a number of 32 bytes in base 62
)

// NewSecret returns the secret of a new token: "wl_" and 32 random bytes in base 62, 46 characters.
func NewSecret() string {
	var raw [secretBytes]byte
	_, _ = rand.Read(raw[:]) // it never fails
	digits := new(big.Int).SetBytes(raw[:]).Text(62)
	return prefix + strings.Repeat("0", secretDigits-len(digits)) + digits
}

var secretShape = regexp.MustCompile(`^wl_[0-9A-Za-z]{43}$`)

// WellFormed reports whether a text has the form of a secret.
func WellFormed(secret string) bool { return secretShape.MatchString(secret) }

// Hash is what is stored of a secret. A secret has 256 random bits, so a hash that is quick to compute is enough.
func Hash(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

// ErrToken says that a token cannot be made as it was asked for. Its text is for people.
var ErrToken = errors.New("the token is not valid")

const (
	maxName   = 100
	maxNarrow = 100 // types, and queues
)

// NewToken returns a token with a new id, and its secret, which is stored nowhere. Scopes are given, or those of a
// role. The error wraps ErrToken.
func NewToken(name string, scopes []Scope, types, queues []string, by string) (store.Token, string, error) {
	bad := func(format string, args ...any) (store.Token, string, error) {
		return store.Token{}, "", fmt.Errorf("%w: %s", ErrToken, fmt.Sprintf(format, args...))
	}
	switch {
	case name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return bad("the name must have 1 to %d printable characters", maxName)
	case len(scopes) == 0:
		return bad("it needs a scope")
	case len(types) > maxNarrow || len(queues) > maxNarrow:
		return bad("at most %d types and %d queues", maxNarrow, maxNarrow)
	}
	secret := NewSecret()
	t := store.Token{ID: uuid.Must(uuid.NewV7()).String(), Name: name, Hash: Hash(secret), CreatedBy: by}
	for _, s := range Scopes {
		if slices.Contains(scopes, s) {
			t.Scopes = append(t.Scopes, string(s))
		}
	}
	for _, s := range scopes {
		if !slices.Contains(Scopes, s) {
			return bad("there is no such scope")
		}
	}
	for _, name := range types {
		if !jobs.TypePattern.MatchString(name) {
			return bad("a type must match %s", jobs.TypePattern)
		}
	}
	for _, name := range queues {
		if !jobs.QueuePattern.MatchString(name) {
			return bad("a queue must match %s", jobs.QueuePattern)
		}
	}
	if len(types)+len(queues) > 0 && slices.Contains(scopes, Admin) {
		return bad("an admin reaches everything: leave out the types and queues, or take another role")
	}
	t.Types = slices.Compact(slices.Sorted(slices.Values(types)))
	t.Queues = slices.Compact(slices.Sorted(slices.Values(queues)))
	return t, secret, nil
}
