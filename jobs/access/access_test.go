package access_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/access"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
)

func TestSecretsHaveOneForm(t *testing.T) {
	seen := map[string]bool{}
	for range 2000 {
		s := access.NewSecret()
		if !access.WellFormed(s) || len(s) != 46 || seen[s] {
			t.Fatalf("%q, seen before: %v", s, seen[s])
		}
		seen[s] = true
	}
	for _, s := range []string{"", "wl_", "wl_" + strings.Repeat("a", 42), "wl_" + strings.Repeat("a", 42) + "-",
		"xx_" + strings.Repeat("a", 43), " wl_" + strings.Repeat("a", 43), "wl_" + strings.Repeat("a", 43) + "\n"} {
		if access.WellFormed(s) {
			t.Errorf("%q passes", s)
		}
	}
}

func TestRolesGrow(t *testing.T) {
	for i, r := range access.Roles {
		var names []string
		for _, s := range r.Scopes {
			names = append(names, string(s))
		}
		if got := access.RoleOf(names); got != r.Name {
			t.Errorf("the scopes of %s are taken for %q", r.Name, got)
		}
		for j := range i {
			for _, s := range access.Roles[j].Scopes {
				if !slices.Contains(r.Scopes, s) {
					t.Errorf("%s lacks %s, which %s has", r.Name, s, access.Roles[j].Name)
				}
			}
		}
	}
	if got := access.RoleOf([]string{"read", "operate"}); got != "" {
		t.Errorf("a set without a name is %q", got)
	}
	if _, ok := access.RoleNamed("root"); ok {
		t.Error("there is a role root")
	}
}

func TestBadTokensAreRefused(t *testing.T) {
	read := []access.Scope{access.Read}
	for name, make := range map[string]func() (store.Token, string, error){
		"no name":    func() (store.Token, string, error) { return access.NewToken("", read, nil, nil, "") },
		"line break": func() (store.Token, string, error) { return access.NewToken("a\nb", read, nil, nil, "") },
		"long name": func() (store.Token, string, error) {
			return access.NewToken(strings.Repeat("a", 101), read, nil, nil, "")
		},
		"no scope":  func() (store.Token, string, error) { return access.NewToken("a", nil, nil, nil, "") },
		"unknown":   func() (store.Token, string, error) { return access.NewToken("a", []access.Scope{"x"}, nil, nil, "") },
		"bad type":  func() (store.Token, string, error) { return access.NewToken("a", read, []string{"A B"}, nil, "") },
		"bad queue": func() (store.Token, string, error) { return access.NewToken("a", read, nil, []string{""}, "") },
		"narrow admin": func() (store.Token, string, error) {
			return access.NewToken("a", access.Scopes, []string{"x"}, nil, "")
		},
	} {
		if _, secret, err := make(); !errors.Is(err, access.ErrToken) || secret != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNobodyMayDoAnything(t *testing.T) {
	var p access.Principal
	for _, s := range access.Scopes {
		if p.May(s) {
			t.Errorf("the zero principal may %s", s)
		}
	}
}

// gated is the real store, which counts the look-ups and may hold them up.
type gated struct {
	store.Access
	asked atomic.Int64
	gate  chan struct{} // nil: open
}

func (g *gated) TokenByHash(ctx context.Context, hash [32]byte) (store.Token, error) {
	g.asked.Add(1)
	if g.gate != nil {
		<-g.gate
	}
	return g.Access.TokenByHash(ctx, hash)
}

type guarded struct {
	*access.Guard
	t     *testing.T
	db    *sqlite.Store
	store *gated
	queue *memory.Queue
	ahead atomic.Int64 // of the Guard's clock
}

func newGuarded(t *testing.T, change ...func(*access.GuardOptions)) *guarded {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	g := &guarded{t: t, db: db, store: &gated{Access: db}, queue: memory.New(memory.Options{})}
	opts := access.GuardOptions{Store: g.store, Bus: g.queue,
		Now: func() time.Time { return time.Now().Add(time.Duration(g.ahead.Load())) }}
	for _, c := range change {
		c(&opts)
	}
	if g.Guard, err = access.NewGuard(opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.Close()
		g.queue.Close()
		_ = db.Close()
	})
	return g
}

func (g *guarded) token() (id, secret string) {
	g.t.Helper()
	t, secret, err := access.NewToken("ci", []access.Scope{access.Read}, []string{"email"}, nil, "test")
	if err == nil {
		_, err = g.db.CreateToken(g.t.Context(), t, 0)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	return t.ID, secret
}

func (g *guarded) known(secret string) *access.Principal {
	g.t.Helper()
	p, err := g.Principal(g.t.Context(), secret, true)
	if err != nil {
		g.t.Fatal(err)
	}
	return p
}

func TestGuardRemembersForFiveSeconds(t *testing.T) {
	g := newGuarded(t)
	id, secret := g.token()
	p := g.known(secret)
	if p.ID != id || p.Name != "ci" || !p.May(access.Read) || p.May(access.Submit) || !p.Narrowed() ||
		!p.Reaches(&jobs.Job{Type: "email", Queue: "x"}) || p.Reaches(&jobs.Job{Type: "report"}) {
		t.Errorf("%+v", p)
	}
	g.known(secret)
	if n := g.store.asked.Load(); n != 1 {
		t.Errorf("%d look-ups", n)
	}
	g.ahead.Store(int64(6 * time.Second))
	g.known(secret)
	if n := g.store.asked.Load(); n != 2 {
		t.Errorf("%d look-ups after 6 s", n)
	}
	list, err := g.db.Tokens(t.Context())
	if err != nil || list[0].LastUsedAt.IsZero() {
		t.Errorf("the use is not noted: %+v, %v", list, err)
	}
}

func TestGuardAsksOnceForManyRequests(t *testing.T) {
	g := newGuarded(t)
	_, secret := g.token()
	g.store.gate = make(chan struct{})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := g.Principal(t.Context(), secret, true); err != nil {
				t.Error(err)
			}
		})
	}
	close(g.store.gate)
	all.Wait()
	if n := g.store.asked.Load(); n > 25 {
		t.Errorf("%d look-ups for 50 requests at the same time", n)
	}
}

func TestRevokedTokenIsRefusedAtOnceHereAndElsewhere(t *testing.T) {
	g := newGuarded(t)
	other, err := access.NewGuard(access.GuardOptions{Store: g.db, Bus: g.queue})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	id, secret := g.token()
	g.known(secret)
	if _, err := other.Principal(t.Context(), secret, true); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Revoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Principal(t.Context(), secret, true); !errors.Is(err, access.ErrUnknown) {
		t.Errorf("here: %v", err)
	}
	// Told on the bus, or after 5 s.
	for deadline := time.Now().Add(time.Minute); ; {
		_, err := other.Principal(t.Context(), secret, true)
		if errors.Is(err, access.ErrUnknown) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("elsewhere: %v", err)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestWrongSecretsAreAlike(t *testing.T) {
	g := newGuarded(t)
	id, revoked := g.token()
	if _, err := g.Revoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]string{
		"empty": "", "no secret": "hello", "unknown": access.NewSecret(), "revoked": revoked,
	} {
		p, err := g.Principal(t.Context(), secret, true)
		if p != nil || err != access.ErrUnknown {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	if n := g.store.asked.Load(); n != 2 {
		t.Errorf("%d look-ups: an unknown and a revoked secret take the same way, and what has no form takes none", n)
	}
}

func TestKnownPrincipalsReadWhileTheStoreIsDown(t *testing.T) {
	g := newGuarded(t)
	_, secret := g.token()
	_, other := g.token()
	g.known(secret)
	if err := g.db.Close(); err != nil {
		t.Fatal(err)
	}
	g.ahead.Store(int64(30 * time.Second))
	g.known(secret)
	if _, err := g.Principal(t.Context(), secret, false); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("a change: %v", err)
	}
	if _, err := g.Principal(t.Context(), other, true); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("a token that was not known: %v", err)
	}
	g.ahead.Store(int64(61 * time.Second))
	if _, err := g.Principal(t.Context(), secret, true); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("after 61 s: %v", err)
	}
}

func TestAdminTokenIsAnAdmin(t *testing.T) {
	g := newGuarded(t, func(o *access.GuardOptions) { o.AdminToken = "a secret of any form" })
	p := g.known("a secret of any form")
	for _, s := range access.Scopes {
		if !p.May(s) {
			t.Errorf("it may not %s", s)
		}
	}
	if _, err := newGuarded(t).Principal(t.Context(), "", true); !errors.Is(err, access.ErrUnknown) {
		t.Errorf("no admin token, and none given: %v", err)
	}
}
