package access

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// ErrUnknown says that a secret is none, or that its token is unknown, revoked or expired. It does not say which.
var ErrUnknown = errors.New("the token is not known")

const (
	// freshFor is how long a principal is remembered: a revocation takes so long at most.
	freshFor = 5 * time.Second
	// staleFor is for how long a remembered principal may read while the Store cannot be asked.
	staleFor = 60 * time.Second
	// askTimeout is how long the Store may take for one look-up.
	askTimeout = 2 * time.Second
	// maxRemembered is how many principals are remembered. Only tokens that hold are, so a stranger fills nothing.
	maxRemembered = 10_000
)

// AdminID is the id of the principal of GuardOptions.AdminToken.
const AdminID = "admin-token"

// GuardOptions are what a Guard needs. Store is required.
type GuardOptions struct {
	Store store.Access
	// Bus tells of revocations, in this process and in others. Nil: they take up to 5 s.
	Bus queue.Bus
	// AdminToken is a secret with all scopes that is not in the Store: the first token of an installation. It may have
	// any form. Empty: there is none.
	AdminToken string
	Log        *slog.Logger     // slog.Default() if nil
	Now        func() time.Time // time.Now if nil
}

// Guard finds the principal of a secret. Several goroutines may use it. Close it.
type Guard struct {
	opts      GuardOptions
	admin     [32]byte
	adminIs   *Principal
	calls     singleflight.Group
	stop      context.CancelFunc
	listening sync.WaitGroup

	mu    sync.RWMutex
	known map[[32]byte]remembered
	epoch int // grows with every forget: what was asked before is not remembered
}

type remembered struct {
	principal *Principal
	at        time.Time
}

// NewGuard returns a Guard. It listens on the Bus until it is closed.
func NewGuard(opts GuardOptions) (*Guard, error) {
	if opts.Store == nil {
		return nil, errors.New("access: GuardOptions.Store is missing")
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	ctx, stop := context.WithCancel(context.Background())
	g := &Guard{opts: opts, admin: Hash(opts.AdminToken), known: map[[32]byte]remembered{}, stop: stop,
		adminIs: &Principal{ID: AdminID, Name: AdminID, Scopes: Scopes}}
	if opts.Bus != nil {
		g.listening.Go(func() { g.listen(ctx) })
	}
	return g, nil
}

// Close ends the listening. It may be called again.
func (g *Guard) Close() {
	g.stop()
	g.listening.Wait()
}

// listen forgets what is remembered when a token was revoked somewhere. An event that is lost costs 5 s.
func (g *Guard) listen(ctx context.Context) {
	for ctx.Err() == nil {
		events, err := g.opts.Bus.Subscribe(ctx)
		if err == nil {
			for e := range events {
				if e.Kind == queue.EventAccess || e.Kind == queue.EventLost {
					g.forget(e.Kind == queue.EventAccess)
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// forget has every principal be looked up again. After a revocation none may go on while the Store is down.
func (g *Guard) forget(revoked bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.epoch++
	if revoked {
		clear(g.known)
		return
	}
	for hash, r := range g.known {
		r.at = r.at.Add(-freshFor)
		g.known[hash] = r
	}
}

// Principal returns who has a secret. reads says that the request changes nothing: it may then go on with what was
// known up to 60 s ago, while the Store cannot be asked. Errors: ErrUnknown; jobs.ErrUnavailable and other errors of
// the Store, where it is not known who it is.
func (g *Guard) Principal(ctx context.Context, secret string, reads bool) (*Principal, error) {
	hash := Hash(secret)
	now := g.opts.Now()
	g.mu.RLock()
	found, ok := g.known[hash]
	epoch := g.epoch
	g.mu.RUnlock()
	if ok && now.Sub(found.at) < freshFor {
		return found.principal, nil
	}
	if g.opts.AdminToken != "" && subtle.ConstantTimeCompare(hash[:], g.admin[:]) == 1 {
		return g.adminIs, nil
	}
	if !WellFormed(secret) { // the form is no secret
		return nil, ErrUnknown
	}
	p, err := g.ask(ctx, hash, epoch)
	switch {
	case err == nil:
		return p, nil
	case errors.Is(err, jobs.ErrNotFound):
		return nil, ErrUnknown
	case reads && ok && now.Sub(found.at) < staleFor:
		return found.principal, nil
	}
	return nil, err
}

// ask looks a token up, once for all requests of the moment.
func (g *Guard) ask(ctx context.Context, hash [32]byte, epoch int) (*Principal, error) {
	ch := g.calls.DoChan(string(hash[:]), func() (any, error) {
		// Not bound to this request's context: other requests wait for the same answer.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		asked := g.opts.Now()
		t, err := g.opts.Store.TokenByHash(ctx, hash)
		if err != nil {
			if errors.Is(err, jobs.ErrNotFound) {
				g.mu.Lock()
				delete(g.known, hash)
				g.mu.Unlock()
			}
			return nil, err
		}
		p := principal(&t)
		g.remember(hash, remembered{p, asked}, epoch)
		if t.LastUsedAt.IsZero() || asked.Sub(t.LastUsedAt) > store.TouchTokenAfter {
			if err := g.opts.Store.TouchToken(ctx, t.ID); err != nil {
				g.opts.Log.Debug("the use of a token is not noted", "token", t.ID, "error", err)
			}
		}
		return p, nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-ch:
		p, _ := r.Val.(*Principal)
		return p, r.Err
	}
}

func (g *Guard) remember(hash [32]byte, r remembered, epoch int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.epoch != epoch {
		return // a token was revoked after the question
	}
	if len(g.known) >= maxRemembered {
		clear(g.known)
	}
	g.known[hash] = r
}

// Revoke ends a token, in this process at once and in others within 5 s. It returns the token. Errors: see
// store.Access.
func (g *Guard) Revoke(ctx context.Context, id string) (store.Token, error) {
	t, err := g.opts.Store.RevokeToken(ctx, id)
	if err != nil {
		return t, err
	}
	g.forget(true)
	if g.opts.Bus != nil {
		if err := g.opts.Bus.Publish(ctx, queue.Event{Kind: queue.EventAccess}); err != nil {
			g.opts.Log.Warn("the revocation is not announced; other processes learn of it within 5 s", "error", err)
		}
	}
	return t, nil
}

// Store is where the tokens and the audit log are.
func (g *Guard) Store() store.Access { return g.opts.Store }
