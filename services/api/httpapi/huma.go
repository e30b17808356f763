package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/windlass-jobs/windlass/internal/canonjson"
)

// newHuma returns a Huma API without the parts that repeat input or load something from elsewhere.
func newHuma(mux *http.ServeMux, basePath string) huma.API {
	config := huma.DefaultConfig("Windlass", "1")
	config.Info.Description = "Durable background jobs. " +
		"An accepted job (2xx) is durable, runs at least once, and ends as completed or failed. " +
		"Answers to GET have an ETag, and are 304 where If-None-Match names it; they are compressed where Accept-Encoding " +
		"has gzip."
	config.Info.License = &huma.License{Name: "MIT", Identifier: "MIT"}
	if basePath != "" {
		config.Servers = []*huma.Server{{URL: basePath}}
	}
	config.CreateHooks = nil                     // no $schema in answers
	config.OpenAPIPath, config.DocsPath = "", "" // serveDocs does it, without a content delivery network
	config.SchemasPath = ""                      // the document has them all
	config.DefaultFormat = "application/json"    // whatever Accept says
	format := huma.Format{Marshal: writeJSON, Unmarshal: json.Unmarshal}
	config.Formats = map[string]huma.Format{"application/json": format, "json": format} // "json" is for problem+json
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{securityScheme: {
		Type: "http", Scheme: "bearer",
		Description: "An access token, where the server has AUTH=on. Each operation names the scope that it needs.",
	}}
	return huma.NewAPI(config, humago.NewAdapter(mux, basePath))
}

// Request gives an operation the request itself, to read the body by our own, stricter rules. Huma looks at the names
// of fields without regard to case, and answers a body that breaks off with 500.
type Request struct {
	r *http.Request
	w http.ResponseWriter
}

// Resolve is called by Huma before the operation.
func (q *Request) Resolve(ctx huma.Context) []error {
	q.r, q.w = humago.Unwrap(ctx)
	return nil
}

// limit begins the time that an operation may take. It is called when the body has been read.
func (q *Request) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, answerTimeout)
}

// strictQuery refuses query strings that Huma accepts: with a parameter that the operation does not know, with one
// that occurs twice and is no list, or is empty, and those that are not properly encoded. Else a typo in a filter
// would be answered with everything.
func strictQuery(api huma.API) func(ctx huma.Context, next func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		u := ctx.URL()
		if bad := checkQuery(u.RawQuery, ctx.Operation().Parameters); bad != nil {
			_ = huma.WriteErr(api, ctx, 0, "", bad)
			return
		}
		next(ctx)
	}
}

func checkQuery(query string, parameters []*huma.Param) *Problem {
	if query == "" {
		return nil
	}
	given, err := url.ParseQuery(query)
	if err != nil {
		return invalidParameter.problem("The query string is not properly encoded.")
	}
	var faults []Fault
	for name, values := range given {
		known, repeated := false, false
		for _, p := range parameters {
			if p.In == "query" && p.Name == name {
				known, repeated = true, p.Schema.Type == huma.TypeArray
			}
		}
		switch {
		case !known && canonjson.PlainName(name):
			faults = append(faults, Fault{Detail: "is not a known parameter", Parameter: name})
		case !known:
			faults = append(faults, Fault{Detail: "a parameter is not known"})
		case len(values) > 1 && !repeated:
			faults = append(faults, Fault{Detail: "must occur once", Parameter: name})
		case slices.Contains(values, ""):
			faults = append(faults, Fault{Detail: "must not be empty: leave it out", Parameter: name})
		}
	}
	if faults == nil {
		return nil
	}
	return invalidParameter.problem("A parameter is not valid: see errors.", faults[:min(len(faults), maxFaults)]...)
}

// Huma makes errors through these variables. Its own errors repeat the value at fault, which may be a payload.
func init() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return humaProblem(status, errs)
	}
	huma.NewErrorWithContext = func(_ huma.Context, status int, message string, errs ...error) huma.StatusError {
		return humaProblem(status, errs)
	}
}

// humaProblem turns what Huma found into an answer: a Problem of ours among the errors, or faults of parameters, or
// else an internal error.
func humaProblem(status int, errs []error) *Problem {
	var faults []Fault
	for _, err := range errs {
		var p *Problem
		if errors.As(err, &p) {
			return p
		}
		var detail huma.ErrorDetailer
		if errors.As(err, &detail) {
			d := detail.ErrorDetail()
			_, name, _ := strings.Cut(d.Location, ".")
			faults = append(faults, Fault{Detail: d.Message, Parameter: name})
		}
	}
	switch {
	case len(faults) > 0:
		return invalidParameter.problem("A parameter is not valid: see errors.", faults...)
	case status >= 400 && status < 500:
		return unsupportedRequest.problem("The request cannot be served.")
	default:
		return internal.problem("An unexpected error occurred; the server's log tells more.")
	}
}
