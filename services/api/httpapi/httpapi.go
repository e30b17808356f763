// Package httpapi serves Windlass over HTTP: JSON in and out, errors as RFC 9457 problems, an OpenAPI document made
// from the Go types and tables.
//
// It reads requests and writes answers. What a request asks for is done by the engine, which also checks submissions.
// A refused request has stored nothing, and no answer repeats what the request held, except plain field names.
//
// [New] makes the handler and [Server] an http.Server with time limits for it. The files are: middleware.go, which
// every request passes; routes.go, the list of operations; one file for each resource; body.go and write.go for JSON;
// problem.go for errors.
package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"reflect"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/access"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// Client is what the API does its work with: the engine's client.
type Client interface {
	Submit(ctx context.Context, s jobs.Submission) (jobs.Receipt, error)
	Get(ctx context.Context, id string) (jobs.Job, []jobs.Attempt, error)
	List(ctx context.Context, q store.ListQuery) (store.Page, error)
	Stats(ctx context.Context) (store.Stats, error)
	Queues(ctx context.Context, q store.QueueQuery) (store.QueuePage, error)
	Sessions(ctx context.Context) ([]store.Session, error)
	EndedSessions(ctx context.Context) ([]store.Session, error)
	Session(ctx context.Context, id string) (store.Session, []jobs.Job, error)
	Types(ctx context.Context) ([]jobs.Type, error)
	Retry(ctx context.Context, id string) (jobs.Job, error)
	Redrive(ctx context.Context, r store.Redrive) (int, error)
	Cancel(ctx context.Context, id string) (jobs.Job, error)
	Delete(ctx context.Context, id string) error
	Degraded() bool
}

// Options are what the API needs. Client and Ping are required.
type Options struct {
	Client   Client
	Ping     func(ctx context.Context) error // whether the store can take a job: reachable and migrated
	Draining func() bool                     // whether the process is shutting down; default: never
	Log      *slog.Logger                    // default slog.Default()

	// Registry gets the API's metrics; GET /metrics shows all it holds. Default: a registry of its own. Several APIs
	// may share one: their requests are counted together, and the jobs are those of the first API's Client.
	Registry *prometheus.Registry

	// Guard says who sends a request. Nil: nobody is asked, and everybody may do everything.
	Guard *access.Guard
	// MetricsPublic leaves GET /metrics open to everybody.
	MetricsPublic bool

	// BasePath is the path that the API is mounted at, "" for the root or, for example, "/windlass/api". The handler
	// expects the whole path of a request, BasePath included: do not wrap it in http.StripPrefix. Location headers
	// and the servers of the OpenAPI document have the BasePath too.
	BasePath string

	MaxPayloadBytes int // of one payload in canonical form; default jobs.MaxPayloadBytes

	// Room is the memory that requests may take together. Default: one that all APIs of the process share, see NewRoom.
	Room *Room

	// AllowedHosts are the host names that the API answers to, without port. Default: localhost, 127.0.0.1 and [::1].
	AllowedHosts []string

	// TrustedOrigins are the origins (scheme://host[:port]) of other sites whose pages may send requests that change
	// something.
	TrustedOrigins []string
}

// OptionError says that an option of New is missing or not valid.
type OptionError struct {
	Option string // "Client"
	Detail string // "is missing"
}

// Error is "httpapi: Options.Client is missing".
func (e *OptionError) Error() string { return "httpapi: Options." + e.Option + " " + e.Detail }

type api struct {
	opts Options
	log  *slog.Logger
	open map[string]bool // paths that need no token, BasePath included
}

// New returns the handler of the API. The error is one or more *OptionError, joined.
func New(opts Options) (http.Handler, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.Draining == nil {
		opts.Draining = func() bool { return false }
	}
	if opts.Registry == nil {
		opts.Registry = prometheus.NewRegistry()
	}
	if opts.MaxPayloadBytes == 0 {
		opts.MaxPayloadBytes = jobs.MaxPayloadBytes
	}
	if opts.Room == nil {
		opts.Room = sharedRoom()
	}
	traffic, err := register(opts.Registry, opts.Client)
	if err != nil {
		return nil, &OptionError{"Registry", "cannot take the metrics of the API: " + err.Error()}
	}
	a := &api{opts: opts, log: opts.Log, open: map[string]bool{}}
	mux := http.NewServeMux()
	if err := a.serveDocs(mux, a.routes(mux)); err != nil {
		return nil, fmt.Errorf("httpapi: %w", err)
	}
	return newMiddleware(opts, mux, traffic, a.open), nil
}

var basePath = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

func (o *Options) check() error {
	var faults []error
	fault := func(option, detail string) { faults = append(faults, &OptionError{option, detail}) }
	if o.Client == nil || reflect.ValueOf(o.Client).Kind() == reflect.Pointer && reflect.ValueOf(o.Client).IsNil() {
		fault("Client", "is missing")
	}
	if o.Ping == nil {
		fault("Ping", "is missing")
	}
	if o.BasePath != "" && (!basePath.MatchString(o.BasePath) || path.Clean(o.BasePath) != o.BasePath) {
		fault("BasePath", fmt.Sprintf(
			`is %q, but must be "" or one or more of "/name", with letters, digits and ".", "_", "~", "-"`, o.BasePath))
	}
	if o.MaxPayloadBytes < 0 {
		fault("MaxPayloadBytes", fmt.Sprintf("is %d, but must be 0 (for the default) or more", o.MaxPayloadBytes))
	}
	for _, host := range o.AllowedHosts {
		if hostname(host) == "" || strings.ContainsAny(host, "/ \t*") {
			fault("AllowedHosts", fmt.Sprintf("has %q, which is not a host name", host))
		}
	}
	for _, origin := range o.TrustedOrigins {
		if u, err := url.Parse(origin); err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin {
			fault("TrustedOrigins", fmt.Sprintf("has %q, which is not scheme://host[:port]", origin))
		}
	}
	return errors.Join(faults...)
}

// OpenAPI returns the OpenAPI 3.1 document of an API at the root.
func OpenAPI() ([]byte, error) {
	a := &api{opts: Options{Registry: prometheus.NewRegistry()}, open: map[string]bool{}}
	return indent(a.routes(http.NewServeMux()))
}

func indent(document *huma.OpenAPI) ([]byte, error) {
	raw, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
