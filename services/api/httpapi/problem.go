package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/jobs"
)

// problemPrefix begins the type of every problem. What follows it is stable and meant for programs.
const problemPrefix = "urn:windlass:problem:"

// Problem is the answer to a request that failed, in the form of RFC 9457. It repeats nothing of the request, except
// plain field names.
type Problem struct {
	Type   string  `json:"type" example:"urn:windlass:problem:invalid" doc:"What is wrong, for programs; stable"`
	Title  string  `json:"title" doc:"What is wrong, for people; the same for each type"`
	Status int     `json:"status" doc:"The HTTP status"`
	Detail string  `json:"detail" doc:"What is wrong with this request"`
	Errors []Fault `json:"errors,omitempty" nullable:"false" doc:"The faults one by one"`

	kind  *kind
	cause error // for the log
}

// Fault is one fault of a request: in its body, where it has a pointer, or in a parameter.
type Fault struct {
	Detail    string  `json:"detail" doc:"A sentence without the offending value"`
	Pointer   *string `json:"pointer,omitempty" doc:"JSON Pointer (RFC 6901) into the body; empty for the whole body"`
	Parameter string  `json:"parameter,omitempty" doc:"Name of the query or path parameter, or header"`
}

// kind is a row of the table of problems.
type kind struct {
	name       string
	status     int
	title      string
	retryAfter int // seconds; 0: no Retry-After
}

// The kinds of problems. Each answer that is not a success is one of these.
var (
	malformedBody    = &kind{"malformed_body", http.StatusBadRequest, "The body cannot be read", 0}
	invalidParameter = &kind{"invalid_parameter", http.StatusBadRequest, "A parameter is not valid", 0}
	invalidKey       = &kind{"invalid_idempotency_key", http.StatusBadRequest, "The Idempotency-Key is not valid", 0}
	missingHost      = &kind{"missing_host", http.StatusBadRequest, "The request names no host", 0}
	unauthorized     = &kind{"unauthorized", http.StatusUnauthorized, "A valid access token is needed", 0}
	forbidden        = &kind{"forbidden", http.StatusForbidden, "The access token does not allow this", 0}
	tokenNotFound    = &kind{"token_not_found", http.StatusNotFound, "There is no such token", 0}
	crossOrigin      = &kind{"cross_origin", http.StatusForbidden, "Requests from other sites are refused", 0}
	notFound         = &kind{"not_found", http.StatusNotFound, "There is nothing here", 0}
	jobNotFound      = &kind{"job_not_found", http.StatusNotFound, "There is no such job", 0}
	workerNotFound   = &kind{"worker_not_found", http.StatusNotFound, "There is no such worker", 0}
	methodNotAllowed = &kind{"method_not_allowed", http.StatusMethodNotAllowed, "This method is not served here", 0}
	bodyTimeout      = &kind{"request_timeout", http.StatusRequestTimeout, "The body did not arrive in time", 0}
	conflict         = &kind{"conflict", http.StatusConflict, "The job's status does not allow this", 0}
	keyBusy          = &kind{"idempotency_key_busy", http.StatusConflict,
		"A request with this Idempotency-Key is under way", 1}
	keyGone = &kind{"idempotency_key_gone", http.StatusConflict,
		"The jobs of this Idempotency-Key have been deleted", 0}
	tooLarge        = &kind{"too_large", http.StatusRequestEntityTooLarge, "The body is too large", 0}
	unsupportedType = &kind{"unsupported_media_type", http.StatusUnsupportedMediaType,
		"The body must be plain application/json", 0}
	misdirected = &kind{"misdirected", http.StatusMisdirectedRequest, "This host name is not served here", 0}
	invalid     = &kind{"invalid", http.StatusUnprocessableEntity, "The request is not valid", 0}
	keyReused   = &kind{"idempotency_key_reused", http.StatusUnprocessableEntity,
		"The Idempotency-Key was used with another request", 0}
	rejected       = &kind{"rejected", http.StatusUnprocessableEntity, "The store cannot hold this", 0}
	internal       = &kind{"internal", http.StatusInternalServerError, "Something went wrong here", 0}
	unavailable    = &kind{"unavailable", http.StatusServiceUnavailable, "The store cannot be reached", 2}
	busy           = &kind{"busy", http.StatusServiceUnavailable, "Other requests are in the way", 1}
	outcomeUnknown = &kind{"outcome_unknown", http.StatusServiceUnavailable,
		"It is not known whether this took effect", 2}
	notReady           = &kind{"not_ready", http.StatusServiceUnavailable, "No jobs are accepted now", 2}
	unsupportedRequest = &kind{"unsupported_request", http.StatusBadRequest, "The request cannot be served", 0}
)

// sentinels is the one table from the engine's errors to problems. The first that matches counts.
var sentinels = []struct {
	err    error
	kind   *kind
	detail string
}{
	{jobs.ErrNotFound, jobNotFound, "No job has this id. It may have been deleted."},
	{jobs.ErrConflict, conflict, "The job's status does not allow this. Nothing was changed."},
	{jobs.ErrKeyReused, keyReused,
		"This Idempotency-Key stands for another request of the last 24 hours. Nothing was stored."},
	{jobs.ErrKeyGone, keyGone,
		"This very request was served before, but its jobs have been deleted since. Nothing was stored."},
	{jobs.ErrBusy, busy, "Another request holds what this one needs. Nothing was changed; try again."},
	{jobs.ErrRejected, rejected, "The store cannot hold one of the values. Nothing was stored."},
	{jobs.ErrUnavailable, unavailable, "The store cannot be reached. Nothing was changed; try again."},
	{jobs.ErrOutcomeUnknown, outcomeUnknown,
		"The connection to the store broke on the way. Repeat the request with the same Idempotency-Key to find out."},
	{context.DeadlineExceeded, outcomeUnknown,
		"The store did not answer in time. Repeat the request, with the same Idempotency-Key, to find out."},
	{context.Canceled, outcomeUnknown, "The request was given up before the store answered."},
}

// problem makes an answer of this kind.
func (k *kind) problem(detail string, faults ...Fault) *Problem {
	return &Problem{
		Type: problemPrefix + k.name, Title: k.title, Status: k.status, Detail: detail, Errors: faults, kind: k,
	}
}

// problemOf turns an error of the engine into an answer. Pointers of the engine begin with the index of a job; at
// turns them into pointers into the body.
func problemOf(err error, at func(pointer string) string) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var wrong *jobs.InvalidError
	if errors.As(err, &wrong) {
		var faults []Fault
		for _, f := range wrong.Fields[:min(len(wrong.Fields), maxFaults)] {
			faults = append(faults, faultAt(at(f.Pointer), f.Detail))
		}
		return invalidBody(faults)
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.kind.problem(s.detail).because(err)
		}
	}
	// The engine promises nothing about this error: the change may have been made.
	return outcomeUnknown.problem("The store failed in an unexpected way. Repeat the request to find out.").because(err)
}

// problemOfRead is problemOf where nothing can have been changed.
func problemOfRead(err error) *Problem {
	p := problemOf(err, noPointer)
	if p.kind == outcomeUnknown {
		return unavailable.problem("The store did not answer. Try again.").because(err)
	}
	return p
}

func (p *Problem) because(err error) *Problem {
	p.cause = err
	return p
}

// noRoom is the answer to a request that found no place in the Room in time.
func noRoom(write bool) *Problem {
	if write {
		return busy.problem("Other requests take all the memory that there is for requests. Nothing was stored; try again.")
	}
	return busy.problem("Other requests take all the memory that there is for requests. Try again.")
}

// noPointer is for problemOf where there is no body to point into.
func noPointer(string) string { return "" }

// invalidBody is the answer to a body with faults.
func invalidBody(faults []Fault) *Problem {
	detail := "The body has a fault: see errors. Nothing was stored."
	if len(faults) > 1 {
		detail = "The body has " + strconv.Itoa(len(faults)) + " faults: see errors. Nothing was stored."
	}
	return invalid.problem(detail, faults...)
}

// badParameter is one fault of a parameter.
func badParameter(name, detail string) *Problem {
	return invalidParameter.problem("A parameter is not valid: see errors.", Fault{Detail: detail, Parameter: name})
}

func faultAt(pointer, detail string) Fault { return Fault{Detail: detail, Pointer: &pointer} }

// jsonProblem turns an error of package canonjson into an answer.
func jsonProblem(err error) *Problem {
	var e *canonjson.Error
	if !errors.As(err, &e) {
		return malformedBody.problem("The body is not JSON.")
	}
	fault := faultAt(e.Pointer, e.Detail)
	switch e.Kind {
	case canonjson.Syntax:
		at := "the fault is at byte " + strconv.Itoa(e.Offset)
		return malformedBody.problem("The body is not proper JSON; "+at+". Nothing was stored.", fault)
	case canonjson.TooLarge:
		return tooLarge.problem("A value in the body is too large. Nothing was stored.", fault)
	default:
		return invalidBody([]Fault{fault})
	}
}

// Error makes a Problem an error, so that functions can return it as one.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// GetStatus, GetHeaders and ContentType are for Huma.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns Retry-After where trying again makes sense, and WWW-Authenticate where a token is needed.
func (p *Problem) GetHeaders() http.Header {
	if p.kind == unauthorized {
		return http.Header{"Www-Authenticate": {"Bearer"}}
	}
	if p.kind == nil || p.kind.retryAfter == 0 {
		return nil
	}
	return http.Header{"Retry-After": {strconv.Itoa(p.kind.retryAfter)}}
}

// ContentType names the media type of problems.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// write answers with the problem where Huma is not involved.
func (p *Problem) write(w http.ResponseWriter) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Del("Content-Length")
	w.WriteHeader(p.Status)
	_ = writeJSON(w, p)
}
