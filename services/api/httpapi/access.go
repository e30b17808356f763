package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/access"
	"github.com/windlass-jobs/windlass/jobs/store"
)

const (
	// public is the scope of operations that need no token.
	public access.Scope = ""
	// securityScheme is the name of our one scheme in the OpenAPI document.
	securityScheme = "token"

	// Keys of an operation's metadata.
	scopeKey = "scope"
	wholeKey = "whole"

	// maxRequestID bounds what is kept of the header X-Request-Id, in bytes.
	maxRequestID = 100
)

// caller is who sends a request, and from where. It is in the context of every request where there is a Guard.
type caller struct {
	principal *access.Principal
	address   string
	requestID string
}

type callerKey struct{}

// callerOf returns who sends a request; nil where there is no Guard, so that everybody may do everything.
func callerOf(ctx context.Context) *caller {
	who, _ := ctx.Value(callerKey{}).(*caller)
	return who
}

// acting names the caller to the store, which notes changes.
func acting(ctx context.Context) context.Context {
	who := callerOf(ctx)
	if who == nil {
		return ctx
	}
	return store.By(ctx, store.Actor{
		ID: who.principal.ID, Name: who.principal.Name, Address: who.address, RequestID: who.requestID,
	})
}

// noToken is the answer to every cause of a 401.
func noToken() *Problem {
	return unauthorized.problem("Send a valid access token: Authorization: Bearer TOKEN.")
}

// authenticate finds out who sends a request, within the 2 s that a Guard waits for the store.
func (m *middleware) authenticate(r *http.Request) (*caller, *Problem) {
	given := r.Header["Authorization"]
	if len(given) != 1 {
		return nil, noToken()
	}
	scheme, secret, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, noToken()
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	p, err := m.guard.Principal(r.Context(), strings.TrimSpace(secret), reads)
	switch {
	case errors.Is(err, access.ErrUnknown):
		return nil, noToken()
	case err != nil:
		if r.Context().Err() == nil {
			m.log.Warn("access tokens cannot be looked up", "error", err.Error())
		}
		return nil, unavailable.problem("The store cannot be asked about the access token. Nothing was changed; try again.").
			because(err)
	}
	who := &caller{principal: p, address: r.RemoteAddr}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		who.address = host
	}
	if id := r.Header.Get("X-Request-Id"); len(id) <= maxRequestID && plain(id) {
		who.requestID = id
	}
	return who, nil
}

// plain reports whether a text has visible ASCII characters only.
func plain(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// wholeOnly marks an operation whose answer is about everything. A token that is narrowed to types or queues is
// refused: a part of the answer would need counts that nobody keeps.
func wholeOnly(op *huma.Operation) { op.Metadata[wholeKey] = true }

// authorised refuses what the caller may not do. It is the first middleware of every operation. An operation without
// a scope would be refused for everybody.
func (a *api) authorised(api huma.API) func(ctx huma.Context, next func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if a.opts.Guard == nil {
			next(ctx)
			return
		}
		metadata := ctx.Operation().Metadata
		if bad := allowed(callerOf(ctx.Context()), metadata); bad != nil {
			_, w := humago.Unwrap(ctx)
			w.(*answer).leaveLargeBody()
			_ = huma.WriteErr(api, ctx, 0, "", bad)
			return
		}
		next(ctx)
	}
}

func allowed(who *caller, metadata map[string]any) *Problem {
	scope, named := metadata[scopeKey].(access.Scope)
	switch {
	case named && scope == public:
		return nil
	case who == nil || !named || !who.principal.May(scope):
		return forbidden.problem(fmt.Sprintf("This needs the scope %q, which the token does not have.", scope))
	case metadata[wholeKey] == true && who.principal.Narrowed():
		return forbidden.problem("The answer is about all types and queues, and the token is narrowed to some of them.")
	}
	return nil
}

// within refuses jobs outside of the types and queues of the principal. A job without a queue gets the one that its
// type has now, so that the engine cannot choose another one.
func (a *api) within(
	ctx context.Context, p *access.Principal, list []jobs.New, at func(pointer string) string,
) *Problem {
	if !p.Narrowed() {
		return nil
	}
	var types []jobs.Type
	var faults []Fault
	outside := func(i int, field, what string) {
		if len(faults) < maxFaults {
			faults = append(faults, faultAt(at(fmt.Sprintf("/%d/%s", i, field)), what))
		}
	}
	for i := range list {
		n := &list[i]
		if !p.ReachesType(n.Type) {
			outside(i, "type", "is none of the types that the token is narrowed to")
			continue
		}
		if n.Queue == "" && len(p.Queues) > 0 {
			if types == nil {
				var err error
				if types, err = a.opts.Client.Types(ctx); err != nil {
					return problemOf(err, noPointer)
				}
			}
			n.Queue = jobs.DefaultQueue
			if k := slices.IndexFunc(types, func(t jobs.Type) bool { return t.Name == n.Type }); k >= 0 && types[k].Queue != "" {
				n.Queue = types[k].Queue
			}
		}
		if !p.ReachesQueue(n.Queue) {
			outside(i, "queue", "is none of the queues that the token is narrowed to")
		}
	}
	if faults == nil {
		return nil
	}
	return forbidden.problem("The token is narrowed to other types or queues: see errors. Nothing was stored.", faults...)
}

// reaches reports whether the caller may know of a job.
func (who *caller) reaches(j *jobs.Job) bool { return who == nil || who.principal.Reaches(j) }

// reached leaves out the jobs that the caller may not know of.
func (who *caller) reached(list []jobs.Job) []jobs.Job {
	if !who.principal.Narrowed() {
		return list
	}
	return slices.DeleteFunc(list, func(j jobs.Job) bool { return !who.reaches(&j) })
}

// narrow restricts a query where the store can do that. It reports false where nothing can match.
func (who *caller) narrow(q *store.ListQuery) bool {
	p := who.principal
	if q.Type == "" && len(p.Types) == 1 {
		q.Type = p.Types[0]
	}
	if q.Queue == "" && len(p.Queues) == 1 {
		q.Queue = p.Queues[0]
	}
	return (q.Type == "" || p.ReachesType(q.Type)) && (q.Queue == "" || p.ReachesQueue(q.Queue))
}

// hidden is the answer about a job that the caller may not know of: the same as where there is none. A job's type and
// queue never change, so what it does next is about the same job.
func (a *api) hidden(ctx context.Context, id string) *Problem {
	who := callerOf(ctx)
	if who == nil || !who.principal.Narrowed() {
		return nil
	}
	j, _, err := a.opts.Client.Get(ctx, id)
	if err == nil && !who.reaches(&j) {
		err = jobs.ErrNotFound
	}
	if err != nil {
		return problemOfRead(err)
	}
	return nil
}

// viewOf is a whole job as the caller may see it.
func viewOf(ctx context.Context, j *jobs.Job) view {
	who := callerOf(ctx)
	return view{job: j, now: time.Now(), sealed: who != nil && !who.principal.May(access.ReadPayloads)}
}

// queuesFor lists the queues that the caller reaches: all of them, or those of its token, on one page.
func (a *api) queuesFor(ctx context.Context, q store.QueueQuery) (store.QueuePage, error) {
	who := callerOf(ctx)
	if who == nil || !who.principal.Narrowed() {
		return a.opts.Client.Queues(ctx, q)
	}
	if len(who.principal.Types) > 0 {
		return store.QueuePage{}, forbidden.problem(
			"Queues are counted over all types, and the token is narrowed to some of them.")
	}
	var found store.QueuePage
	for _, name := range who.principal.Queues {
		if !strings.HasPrefix(name, q.Prefix) {
			continue
		}
		one := store.QueueQuery{Prefix: name, Limit: 1000}
		for {
			page, err := a.opts.Client.Queues(ctx, one)
			if err != nil {
				return store.QueuePage{}, err
			}
			if i := slices.IndexFunc(page.Queues, func(s store.QueueStats) bool { return s.Name == name }); i >= 0 {
				found.Queues = append(found.Queues, page.Queues[i])
				break
			}
			if one.After = page.Next; one.After == "" {
				break
			}
		}
	}
	slices.SortFunc(found.Queues, func(a, b store.QueueStats) int { return a.Compare(&b) })
	found.Total = len(found.Queues)
	return found, nil
}
