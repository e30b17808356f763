// Package httpapi serves Windlass over HTTP: JSON in and out, errors as RFC 9457 problems, an OpenAPI document made from the Go types.
//
// It decides what a request may look like and what an answer looks like, and nothing else: every verb is the engine's. A request that it refuses
// has stored nothing, and no answer repeats what the request held but plain field names.
package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// Client is what the API does its work with: the engine's client.
type Client interface {
	Submit(ctx context.Context, s jobs.Submission) (jobs.Receipt, error)
	Get(ctx context.Context, id string) (jobs.Job, []jobs.Attempt, error)
	List(ctx context.Context, q store.ListQuery) (store.Page, error)
	Stats(ctx context.Context) (store.Stats, error)
	Sessions(ctx context.Context) ([]store.Session, error)
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
	Ping     func(ctx context.Context) error // whether the Store can take a job: reachable and migrated
	Draining func() bool                     // whether the process is shutting down; never if nil
	Log      *slog.Logger                    // slog.Default() if nil
	Registry *prometheus.Registry            // where the API's metrics go, and what /metrics shows; one of its own if nil

	MaxPayloadBytes int      // of one payload in canonical form; jobs.MaxPayloadBytes if 0
	AllowedHosts    []string // host names that are answered to, without port; localhost, 127.0.0.1 and [::1] if empty
	TrustedOrigins  []string // origins (scheme://host[:port]) of other sites whose pages may send requests that change something
}

type api struct {
	opts Options
	log  *slog.Logger
}

// New returns the API. The error is about the options.
func New(opts Options) (http.Handler, error) {
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
	if len(opts.AllowedHosts) == 0 {
		opts.AllowedHosts = []string{"localhost", "127.0.0.1", "[::1]"}
	}
	a := &api{opts: opts, log: opts.Log}
	mux := http.NewServeMux()
	document := a.operations(mux)
	serveDocs(mux, document)
	return newMiddleware(opts, mux)
}

// OpenAPI returns the OpenAPI 3.1 document of the API, as /openapi.json serves it.
func OpenAPI() ([]byte, error) {
	a := &api{opts: Options{Registry: prometheus.NewRegistry()}}
	return indent(a.operations(http.NewServeMux()))
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

// bodyLimit is how large the body of one submission may be, in bytes.
func (a *api) bodyLimit() int64 { return max(maxBodyBytes, int64(a.opts.MaxPayloadBytes)+64<<10) }

// newHuma returns a Huma API without the parts that repeat input, or load things from elsewhere.
func newHuma(mux *http.ServeMux) huma.API {
	config := huma.DefaultConfig("Windlass", "1")
	config.Info.Description = "Durable background jobs. An accepted job (2xx) is durable, runs at least once, and ends as completed or failed."
	config.Info.License = &huma.License{Name: "MIT", Identifier: "MIT"}
	config.CreateHooks = nil                     // no $schema in answers
	config.OpenAPIPath, config.DocsPath = "", "" // serveDocs does it, without a content delivery network
	config.SchemasPath = ""                      // the document has them all
	config.DefaultFormat = "application/json"    // whatever Accept says
	format := huma.Format{Marshal: writeJSON, Unmarshal: json.Unmarshal}
	config.Formats = map[string]huma.Format{"application/json": format, "json": format} // json is for problem+json
	h := huma.NewAPI(config, humago.NewAdapter(mux, ""))
	h.UseMiddleware(strictQuery(h))
	return h
}

// Request gives an operation the request itself, so that it can read the body by its own, stricter rules. Huma would keep a body's faults
// for itself, and answer a body that breaks off with 500.
type Request struct {
	r *http.Request
	w http.ResponseWriter
}

// Resolve is called by Huma before the operation.
func (q *Request) Resolve(ctx huma.Context) []error {
	q.r, q.w = humago.Unwrap(ctx)
	return nil
}
