package httpapi

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/windlass-jobs/windlass/jobs/access"
)

// routes registers all operations of the API and returns their document.
func (a *api) routes(mux *http.ServeMux) *huma.OpenAPI {
	r := routes{a, newHuma(mux, a.opts.BasePath)}
	r.h.UseMiddleware(a.authorised(r.h), strictQuery(r.h))
	r.h.OpenAPI().Tags = []*huma.Tag{
		{Name: "jobs", Description: "Submit jobs and look after them"},
		{Name: "dead letters", Description: "Jobs that are given up: failed, and not cancelled"},
		{Name: "system", Description: "What can be submitted, how it is going"},
		{Name: "access", Description: "Tokens, and what was done with them; only where AUTH=on"},
	}
	metricsScope := access.Read
	if a.opts.MetricsPublic {
		metricsScope = public
	}

	const jobs = "jobs"
	submit := add(r, access.Submit, "POST /jobs", "submit-job", jobs, "Submit a job", a.submit,
		creates, fails(400, 409, 413, 415, 422, 503))
	reads[Submission](r, submit)
	also(submit, 201, 200, "Stored already, by an earlier request with this Idempotency-Key; without its result")
	bulk := add(r, access.Submit, "POST /jobs/bulk", "submit-jobs", jobs, "Submit up to 1,000 jobs, all or none",
		a.submitBulk,
		creates, describes(bulkLimits),
		fails(400, 409, 413, 415, 422, 503))
	reads[BulkSubmission](r, bulk)
	also(bulk, 201, 200, "Stored already, by an earlier request with this Idempotency-Key; without results")
	add(r, access.Read, "GET /jobs", "list-jobs", jobs, "List jobs, newest first", a.list, fails(400, 503))
	add(r, access.Read, "GET /jobs/{id}", "get-job", jobs, "Get a job with its history", a.get, fails(400, 404, 503))
	add(r, access.Operate, "POST /jobs/{id}/retry", "retry-job", jobs, "Send a failed job back, with all its attempts",
		a.retry,
		fails(400, 404, 409, 413, 415, 422, 503))
	cancel := add(r, access.Operate, "POST /jobs/{id}/cancel", "cancel-job", jobs, "Cancel a job", a.cancel,
		fails(400, 404, 409, 413, 415, 422, 503))
	also(cancel, 200, 202, "It is running: its worker has been asked to stop")
	add(r, access.Operate, "DELETE /jobs/{id}", "delete-job", jobs, "Delete a job that is over", a.delete,
		fails(400, 404, 409, 503))

	const dead = "dead letters"
	add(r, access.Read, "GET /dlq", "list-dead-jobs", dead, "List dead jobs, newest first", a.dead, fails(400, 503))
	redrive := add(r, access.Operate, "POST /dlq/retry", "retry-dead-jobs", dead, "Send dead jobs back", a.redrive,
		fails(400, 413, 415, 422, 503))
	reads[RedriveRequest](r, redrive)

	const system = "system"
	add(r, access.Read, "GET /job-types", "list-job-types", system, "What can be submitted", a.types, fails(503))
	add(r, access.Read, "GET /queues", "list-queues", system, "Queues and how full they are, at most 5 s old", a.queues,
		fails(400, 503))
	add(r, access.Read, "GET /workers", "list-workers", system, "Worker processes", a.workers, wholeOnly,
		fails(400, 503))
	add(r, access.Read, "GET /workers/{id}", "get-worker", system, "Get a worker process and the jobs that it runs",
		a.worker,
		wholeOnly, fails(400, 404, 503))
	metrics := add(r, metricsScope, "GET /metrics", "get-metrics", system,
		"Counts, at most 5 s old; in Prometheus's format where Accept prefers it", a.metrics,
		wholeOnly, fails(503), func(op *huma.Operation) { op.Middlewares = huma.Middlewares{a.prometheusText()} })
	metrics.Responses["200"].Content["text/plain"] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	add(r, public, "GET /livez", "get-liveness", system, "Whether the process answers", a.live)
	add(r, public, "GET /healthz", "get-health", system, "The same as /livez", a.live)
	add(r, public, "GET /readyz", "get-readiness", system, "Whether a job could be accepted now", a.ready, fails(503))

	const tokens = "access"
	add(r, access.Admin, "GET /tokens", "list-tokens", tokens, "List access tokens, newest first", a.tokens,
		fails(404, 503))
	create := add(r, access.Admin, "POST /tokens", "create-token", tokens,
		"Make an access token; its secret is in this answer alone", a.createToken,
		creates, fails(400, 404, 413, 415, 422, 503))
	reads[TokenRequest](r, create)
	add(r, access.Admin, "DELETE /tokens/{id}", "revoke-token", tokens, "Revoke an access token, for good", a.revokeToken,
		fails(400, 404, 503))
	add(r, access.Admin, "GET /audit", "list-actions", tokens, "What was done, and by whom, newest first", a.audit,
		fails(400, 404, 503))
	return r.h.OpenAPI()
}

const bulkLimits = "All jobs together may have 500,000 values and a body of 16 MiB. Numbers with an exponent may " +
	"make the body up to 4 MiB longer when they are written out. Beyond that the answer is 413 or 422. Where the server " +
	"has no memory for another large body now, the answer is 503 `busy`, and nothing was stored: repeat the request " +
	"after Retry-After."

// answerTimeout is how long an operation may wait for the store. The promise is an answer within 5 s.
const answerTimeout = 4500 * time.Millisecond

// timed is the input of an operation that limits its time itself. The body of a request may take longer to arrive than
// an answer may take from there on.
type timed interface {
	limit(ctx context.Context) (context.Context, context.CancelFunc)
}

type routes struct {
	a *api
	h huma.API
}

// add registers a route and returns its documentation. Who sends a request needs the scope; public: nobody needs a
// token.
func add[I, O any](
	r routes, scope access.Scope, pattern, id, tag, summary string, do func(context.Context, *I) (*O, error),
	options ...func(*huma.Operation),
) *huma.Operation {
	method, path, _ := strings.Cut(pattern, " ")
	op := huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary}
	op.Metadata = map[string]any{scopeKey: scope}
	for _, option := range options {
		option(&op)
	}
	if scope != public {
		op.Security = []map[string][]string{{securityScheme: {string(scope)}}}
		op.Errors = append([]int{http.StatusUnauthorized, http.StatusForbidden}, op.Errors...)
	} else {
		r.a.open[r.a.opts.BasePath+path] = true
	}
	handle := func(ctx context.Context, in *I) (*O, error) {
		if _, ok := any(in).(timed); !ok {
			limited, cancel := context.WithTimeout(ctx, answerTimeout)
			defer cancel()
			ctx = limited
		}
		if scope == access.Operate || scope == access.Admin {
			ctx = acting(ctx)
		}
		out, err := do(ctx, in)
		var p *Problem
		gone := ctx.Err() == context.Canceled // the client hung up: nobody gets the answer
		if errors.As(err, &p) && p.cause != nil && p.Status >= http.StatusInternalServerError && !gone {
			r.a.log.WarnContext(ctx, "request failed",
				"route", pattern, "problem", p.kind.name, "error", p.cause.Error())
		}
		return out, err
	}
	huma.Register(r.h, op, handle)
	item := r.h.OpenAPI().Paths[path]
	registered := map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodDelete: item.Delete,
	}[method]
	if !slices.Contains(op.Errors, http.StatusUnprocessableEntity) {
		// Huma documents 422 for bad parameters; we answer 400.
		delete(registered.Responses, code(http.StatusUnprocessableEntity))
	}
	return registered
}

func creates(op *huma.Operation) { op.DefaultStatus = http.StatusCreated }

func describes(text string) func(*huma.Operation) {
	return func(op *huma.Operation) { op.Description = text }
}

// fails names the problems that a route may answer with, besides those of any request.
func fails(statuses ...int) func(*huma.Operation) {
	return func(op *huma.Operation) { op.Errors = statuses }
}

// reads documents a body. Call it after the registration: Huma reads the bodies that it knows of.
func reads[T any](r routes, op *huma.Operation) {
	schema := r.h.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
	op.RequestBody = &huma.RequestBody{
		Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}},
	}
}

// also documents another status with the same body.
func also(op *huma.Operation, like, status int, description string) {
	same := *op.Responses[code(like)]
	same.Description = description
	op.Responses[code(status)] = &same
}

func code(status int) string { return strconv.Itoa(status) }
