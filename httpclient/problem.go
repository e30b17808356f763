package httpclient

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// Problem is an answer of the API that is no success: its problem document (RFC 9457). It wraps the error of package
// jobs that fits, if there is one. Where the answer is no problem document, because a proxy gave it for example, Type
// is "about:blank".
type Problem struct {
	Type   string // what is wrong, for programs: "urn:windlass:problem:invalid"; stable
	Title  string // what is wrong, for people; the same for each Type
	Status int    // the HTTP status
	Detail string // what is wrong with this request
	Errors []Fault

	RetryAfter time.Duration // how long the API wants to be left alone; 0: it did not say

	cause error // of package jobs; nil: none fits
}

// Fault is one fault of a request.
type Fault struct {
	Detail    string // a sentence without the offending value
	Pointer   string // JSON Pointer (RFC 6901) into the body of the HTTP request; empty for the whole body
	Parameter string // name of the query or path parameter, or header; empty where the fault is in the body
}

// Error says what is wrong, with each fault.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Title)
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	for _, f := range p.Errors {
		where := f.Parameter
		if where == "" {
			where = f.Pointer
		}
		if where == "" {
			where = "the body"
		}
		fmt.Fprintf(&b, " [%s: %s]", where, f.Detail)
	}
	return b.String()
}

// Unwrap returns the error of package jobs that fits, or nil.
func (p *Problem) Unwrap() error { return p.cause }

const (
	problemPrefix = "urn:windlass:problem:"
	blankProblem  = "about:blank"
)

// sentinels is the way back from the table of problems in package httpapi. Problems with a body at fault become an
// *jobs.InvalidError; those that are not named depend on the status: see causeOf.
var sentinels = map[string]error{
	"job_not_found":          jobs.ErrNotFound,
	"worker_not_found":       jobs.ErrNotFound,
	"conflict":               jobs.ErrConflict,
	"idempotency_key_reused": jobs.ErrKeyReused,
	"idempotency_key_gone":   jobs.ErrKeyGone,
	"idempotency_key_busy":   jobs.ErrBusy,
	"busy":                   jobs.ErrBusy,
	"rejected":               jobs.ErrRejected,
	"unavailable":            jobs.ErrUnavailable,
	"not_ready":              jobs.ErrUnavailable,
	"request_timeout":        jobs.ErrUnavailable,
	"outcome_unknown":        jobs.ErrOutcomeUnknown,
}

// maxProblemBytes is how much of a problem document is read.
const maxProblemBytes = 1 << 20

// problemOf reads an answer that is no success.
func problemOf(resp *http.Response, r *request) *Problem {
	p := &Problem{Type: blankProblem, Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header, time.Now())}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	var doc struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Errors []struct {
			Detail    string `json:"detail"`
			Pointer   string `json:"pointer"`
			Parameter string `json:"parameter"`
		} `json:"errors"`
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxProblemBytes))
	if media == "application/problem+json" && err == nil && json.Unmarshal(raw, &doc) == nil {
		p.Type, p.Title, p.Detail = doc.Type, doc.Title, doc.Detail
		for _, f := range doc.Errors {
			p.Errors = append(p.Errors, Fault(f))
		}
	}
	if p.Title == "" {
		p.Title = "The server answered " + strconv.Itoa(p.Status) + " " + http.StatusText(p.Status)
	}
	if location, err := resp.Location(); p.Type == blankProblem && err == nil && p.Status >= 300 && p.Status < 400 {
		location.User, location.RawQuery, location.Fragment = nil, "", ""
		p.Detail = "It redirects to " + location.String() + ". Redirects are not followed: check the URL of the API."
	}
	p.cause = causeOf(p, r)
	return p
}

// causeOf finds the error of package jobs for a problem, or nil.
func causeOf(p *Problem, r *request) error {
	name, ours := strings.CutPrefix(p.Type, problemPrefix)
	if err := sentinels[name]; ours && err != nil {
		if err == jobs.ErrOutcomeUnknown && r.reads {
			return jobs.ErrUnavailable
		}
		return err
	}
	switch name {
	case "invalid", "too_large", "malformed_body":
		return invalidError(p)
	}
	switch {
	case p.Status == http.StatusTooManyRequests:
		return jobs.ErrUnavailable
	case p.Status >= 500 && r.reads:
		return jobs.ErrUnavailable
	case p.Status >= 500: // a proxy lost the API on the way, or the API failed in an unexpected way
		return jobs.ErrOutcomeUnknown
	}
	return nil
}

func invalidError(p *Problem) *jobs.InvalidError {
	invalid := &jobs.InvalidError{}
	for _, f := range p.Errors {
		invalid.Fields = append(invalid.Fields, jobs.FieldError{Pointer: f.Pointer, Detail: f.Detail})
	}
	if invalid.Fields == nil {
		invalid.Fields = []jobs.FieldError{{Detail: p.Detail}}
	}
	return invalid
}

// retryAfter reads the header: seconds, or a date. It returns 0 where there is none that makes sense.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
