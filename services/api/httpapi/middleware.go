package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/jobs/access"
)

// middleware is what every request passes on its way to a route, in this order: headers of every answer, the names of
// the server (hosts), pages of other sites (origins), and who it is (guard). It also counts and logs requests, answers
// a panic, and answers requests that no route takes.
type middleware struct {
	log      *slog.Logger
	basePath string
	hosts    hosts
	origins  *http.CrossOriginProtection
	mux      *http.ServeMux
	traffic  *traffic
	room     *Room
	guard    *access.Guard   // nil: nobody is asked
	open     map[string]bool // paths that need no token
}

// newMiddleware expects options that were checked.
func newMiddleware(opts Options, mux *http.ServeMux, traffic *traffic, open map[string]bool) *middleware {
	m := &middleware{
		log: opts.Log, basePath: opts.BasePath, hosts: newHosts(opts.AllowedHosts), mux: mux, traffic: traffic,
		origins: http.NewCrossOriginProtection(), room: opts.Room, guard: opts.Guard, open: open,
	}
	for _, origin := range opts.TrustedOrigins {
		_ = m.origins.AddTrustedOrigin(origin)
	}
	return m
}

// always are the headers of every answer. All answers share the slices: to change a header, set it, do not append to
// it.
var always = http.Header{
	"Cache-Control":                {"no-store"},
	"X-Content-Type-Options":       {"nosniff"},
	"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'"},
	"Referrer-Policy":              {"no-referrer"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
}

func (m *middleware) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	out := &answer{ResponseWriter: w, r: r, held: hold{room: m.room}}
	defer func() {
		out.held.release()
		fault := recover()
		if fault == http.ErrAbortHandler {
			panic(fault)
		}
		out.routing = false
		if fault != nil {
			m.log.Error("panic in a request",
				"route", m.route(r), "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
			if out.status != 0 {
				panic(http.ErrAbortHandler) // the answer has begun: break it off, so that it does not look complete
			}
			out.pending = 0
			internal.problem("An unexpected error occurred; the server's log tells more.").write(out)
		}
		if out.pending != 0 {
			out.begin(out.pending)
		}
		took := time.Since(begin)
		m.traffic.count(m.route(r), r.Method, out.status, took)
		if m.log.Enabled(r.Context(), slog.LevelDebug) {
			m.log.Debug("request", "method", r.Method, "route", m.route(r),
				"status", out.status, "bytes", out.bytes, "duration_ms", took.Milliseconds())
		}
		out.linger()
	}()
	h := w.Header()
	maps.Copy(h, always)

	if len(r.TransferEncoding) > 0 {
		// Where a Content-Length came too, the connection must be closed (RFC 9112, 6.3), because a proxy may have
		// gone by it. net/http does not say whether there was one.
		h.Set("Connection", "close")
	}

	if p := m.hosts.refuse(r); p != nil {
		out.leaveLargeBody()
		p.write(out)
		return
	}
	if m.origins.Check(r) != nil {
		out.leaveLargeBody()
		crossOrigin.problem("A page of another site may not send this request: see TRUSTED_ORIGINS.").write(out)
		return
	}
	if m.guard != nil && !m.open[r.URL.Path] {
		who, bad := m.authenticate(r)
		if bad != nil {
			out.leaveLargeBody()
			bad.write(out)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), callerKey{}, who))
		out.r = r
	}
	out.routing = true
	m.mux.ServeHTTP(out, r)
	out.routing = false
	if out.unwanted != 0 {
		m.decline(out, r)
	}
}

// decline answers in the place of the mux, which would answer in plain text.
func (m *middleware) decline(out *answer, r *http.Request) {
	status := out.unwanted
	h := out.Header()
	out.leaveLargeBody()
	for _, name := range []string{"Content-Type", "Content-Length"} {
		h.Del(name)
	}
	allow := h.Get("Allow")
	switch {
	case status == http.StatusMethodNotAllowed && r.Method == http.MethodOptions:
		h.Set("Allow", allow+", OPTIONS")
		out.WriteHeader(http.StatusNoContent)
	case status == http.StatusMethodNotAllowed:
		h.Set("Allow", allow+", OPTIONS")
		methodNotAllowed.problem("The method is not served at this path: see the Allow header.").write(out)
	case status < http.StatusBadRequest: // a redirect to the same path in its clean form
		out.WriteHeader(status)
	default:
		notFound.problem("There is nothing at this path.").write(out)
	}
}

// route is the pattern of a request's route, without method and base path; "none" where there is no route.
func (m *middleware) route(r *http.Request) string {
	if _, path, ok := strings.Cut(r.Pattern, " "); ok {
		return strings.TrimPrefix(path, m.basePath)
	}
	return "none"
}
