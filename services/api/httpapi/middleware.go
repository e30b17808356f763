package httpapi

import (
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// middleware is what every request passes on its way to a route: who may come in, what the answer's headers say, and what becomes of a panic
// or of a request that no route wants.
type middleware struct {
	log     *slog.Logger
	hosts   map[string]bool
	origins *http.CrossOriginProtection
	mux     *http.ServeMux
	traffic *traffic
}

func newMiddleware(opts Options, mux *http.ServeMux) (*middleware, error) {
	d := &middleware{log: opts.Log, hosts: map[string]bool{}, origins: http.NewCrossOriginProtection(), mux: mux}
	for _, host := range opts.AllowedHosts {
		d.hosts[hostname(host)] = true
	}
	for _, origin := range opts.TrustedOrigins {
		if err := d.origins.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("trusted origin: %w", err)
		}
	}
	d.traffic = register(opts.Registry, opts.Client)
	return d, nil
}

// hostname is the name in a Host header or a setting, without port and brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// always are the headers of every answer. Answers share the lists of their values: who wants another sets one, and changes none.
var always = http.Header{
	"Cache-Control":                {"no-store"},
	"X-Content-Type-Options":       {"nosniff"},
	"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'"},
	"Referrer-Policy":              {"no-referrer"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
}

func (d *middleware) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	out := &answer{ResponseWriter: w, r: r}
	defer func() {
		fault := recover()
		if fault == http.ErrAbortHandler {
			panic(fault)
		}
		out.routing = false
		if fault != nil {
			d.log.Error("panic in a request", "route", route(r), "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
			if out.status != 0 {
				panic(http.ErrAbortHandler) // the answer has begun: all that is left is to break it off
			}
			internal.problem("An unexpected error occurred; the server's log tells more.").write(out)
		}
		took := time.Since(begin)
		d.traffic.count(route(r), r.Method, out.status, took)
		if !d.log.Enabled(r.Context(), slog.LevelDebug) {
			return
		}
		d.log.Debug("request", "method", r.Method, "route", route(r), "status", out.status, "bytes", out.bytes, "duration_ms", took.Milliseconds())
	}()
	h := w.Header()
	maps.Copy(h, always)

	if len(r.TransferEncoding) > 0 {
		// A Content-Length beside it has to end the connection (RFC 9112, 6.3), for a proxy may have believed that one. net/http does not tell.
		h.Set("Connection", "close")
	}

	switch {
	case r.Host == "":
		missingHost.problem("The Host header is missing.").write(out)
		return
	case !d.addressed(r):
		misdirected.problem("This server does not answer to the host name of the request: see ALLOWED_HOSTS.").write(out)
		return
	}
	if d.origins.Check(r) != nil {
		crossOrigin.problem("A page of another site may not send this request: see TRUSTED_ORIGINS.").write(out)
		return
	}
	out.routing = true
	d.mux.ServeHTTP(out, r)
	out.routing = false
	if out.unwanted != 0 {
		d.decline(out, r)
	}
}

// addressed reports whether a request was sent to one of our names. Else any page could reach us under a name of its own that resolves to this
// address. A proxy in front, the web interface's for one, addresses us as it knows us and forwards the name that the browser used: that one counts as
// well. Who talks to us directly gains nothing by leaving it out, and a page cannot set it.
func (d *middleware) addressed(r *http.Request) bool {
	if !d.hosts[hostname(r.Host)] {
		return false
	}
	for _, list := range r.Header["X-Forwarded-Host"] {
		for name := range strings.SplitSeq(list, ",") {
			if !d.hosts[hostname(strings.TrimSpace(name))] {
				return false
			}
		}
	}
	return true
}

// decline answers for the mux, whose own words are plain text.
func (d *middleware) decline(out *answer, r *http.Request) {
	status := out.unwanted
	h := out.Header()
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
	case status < http.StatusBadRequest: // to the same path in plain spelling
		out.WriteHeader(status)
	default:
		notFound.problem("There is nothing at this path.").write(out)
	}
}

// route is a request's pattern without its method.
func route(r *http.Request) string {
	if _, path, ok := strings.Cut(r.Pattern, " "); ok {
		return path
	}
	return "none"
}

// answer watches what is written. It holds back what the mux says about requests that no route wants.
type answer struct {
	http.ResponseWriter
	r        *http.Request
	status   int // 0: nothing was sent
	bytes    int
	routing  bool
	unwanted int // status of the mux, to be answered by decline; 0: none
}

// WriteHeader notes the status.
func (a *answer) WriteHeader(status int) {
	redirect := status >= 300 && status < 400 // no route of ours does that
	switch {
	case a.status != 0:
	case a.routing && (a.r.Pattern == "" || redirect):
		a.unwanted = status
	default:
		a.status = status
		a.ResponseWriter.WriteHeader(status)
	}
}

// Write passes on what belongs to an answer of ours.
func (a *answer) Write(b []byte) (int, error) {
	if a.routing && a.unwanted != 0 {
		return len(b), nil
	}
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += n
	return n, err
}

// Unwrap lets an http.ResponseController through.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
