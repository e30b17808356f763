package windlass

import (
	"fmt"
	"net/http"

	"github.com/windlass-jobs/windlass/jobs/access"
	"github.com/windlass-jobs/windlass/services/api/httpapi"
	"github.com/windlass-jobs/windlass/services/web"
)

// HandlerOption changes what Handler returns.
type HandlerOption func(*handlerOptions)

type handlerOptions struct {
	base    string
	hosts   []string
	origins []string
	memory  int64
	guard   *access.Guard
	open    bool
}

// BasePath is where the handler is mounted: "/windlass" for mux.Handle("/windlass/", …). Links, Location headers and
// the OpenAPI document begin with it. It has no slash at its end; the default "" is the root.
func BasePath(path string) HandlerOption { return func(o *handlerOptions) { o.base = path } }

// AllowedHosts are the host names, without port, that requests may be addressed to. The default is localhost,
// 127.0.0.1 and [::1]. Other names get 421, so that no foreign page reaches the API under a name of its own that
// resolves to this address.
func AllowedHosts(names ...string) HandlerOption { return func(o *handlerOptions) { o.hosts = names } }

// TrustedOrigins are the origins (scheme://host[:port]) of other sites whose pages may send requests that change
// something. The default is none.
func TrustedOrigins(origins ...string) HandlerOption {
	return func(o *handlerOptions) { o.origins = origins }
}

// RequestMemory is how many bytes of memory the bodies and answers of requests to the handler may take together, 16 MiB
// at least. Large requests wait for it, and are answered 503 where it does not become free in time. The default is
// three fifths of GOMEMLIMIT, or 256 MiB for a program that has none; handlers with the default share it.
func RequestMemory(bytes int64) HandlerOption { return func(o *handlerOptions) { o.memory = bytes } }

// Tokens has the API ask for access tokens, with the scopes of package jobs/access. Make the guard with
// access.NewGuard on the App's store, which has to be a store.Access, and its queue; close it after the handler. The
// default nil asks for none. The pages have no log-in yet: with a guard they show errors only.
func Tokens(guard *access.Guard) HandlerOption { return func(o *handlerOptions) { o.guard = guard } }

// PublicMetrics leaves /metrics open where Tokens is used.
func PublicMetrics() HandlerOption { return func(o *handlerOptions) { o.open = true } }

// Handler serves Windlass beneath BasePath: the pages, the API at /api/, and /metrics, /livez and /readyz. It asks
// nobody who he is, unless Tokens is given: mount it behind the log-in of your program.
//
// It panics where a base path or an origin is not valid: these are mistakes in the program.
func (a *App) Handler(options ...HandlerOption) http.Handler {
	var o handlerOptions
	for _, option := range options {
		option(&o)
	}
	var room *httpapi.Room // nil is the one that is shared
	if o.memory != 0 {
		room = httpapi.NewRoom(o.memory)
	}
	pages := must(web.Pages(o.base))
	api := must(httpapi.New(httpapi.Options{
		Client: a.client, Ping: a.Ready, Draining: a.process.Draining, Log: a.opts.Log, BasePath: o.base + "/api",
		MaxPayloadBytes: a.opts.MaxPayloadBytes, AllowedHosts: o.hosts, TrustedOrigins: o.origins,
		Room: room, Guard: o.guard, MetricsPublic: o.open,
	}))
	mux := http.NewServeMux()
	mux.Handle(o.base+"/api/", api)
	for _, path := range []string{"/metrics", "/livez", "/readyz"} {
		mux.Handle(o.base+path, at(o.base+"/api"+path, api))
	}
	mux.Handle("/", httpapi.Addressed(o.hosts, pages))
	return mux
}

// at has a handler see another path.
func at(path string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		moved := r.Clone(r.Context())
		moved.URL.Path, moved.URL.RawPath = path, ""
		h.ServeHTTP(w, moved)
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("windlass: Handler: %v", err))
	}
	return v
}
