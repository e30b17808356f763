package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/jobs"
)

// Submission is the body of POST /jobs, for the documentation: readNew reads it.
type Submission struct {
	Type           string  `json:"type" pattern:"^[a-z0-9][a-z0-9_.-]{0,99}$" example:"email" doc:"A job type: see GET /job-types"`
	Payload        *object `json:"payload,omitempty" doc:"What the handler gets; {} if left out. At most 256 KiB in canonical form, 32 levels deep, 10,000 values. Fields that the type's schema names are checked against it"`
	Queue          *string `json:"queue,omitempty" pattern:"^[a-z0-9][a-z0-9_-]{0,62}$" doc:"The type's own queue if left out"`
	Priority       *int    `json:"priority,omitempty" minimum:"-10" maximum:"10" doc:"The higher is served first; 0 if left out"`
	MaxAttempts    *int    `json:"max_attempts,omitempty" minimum:"1" maximum:"100" doc:"The type's own number if left out"`
	TimeoutSeconds *int    `json:"timeout_seconds,omitempty" minimum:"1" maximum:"86400" doc:"For one attempt; the type's own limit if left out"`
	RunAt          *string `json:"run_at,omitempty" format:"date-time" doc:"Not to be started before; at most 366 days ahead; in the past: at once. Not together with delay_seconds"`
	DelaySeconds   *int    `json:"delay_seconds,omitempty" minimum:"0" maximum:"31622399" doc:"Not to be started sooner than so many seconds from now, less than 366 days. Not together with run_at"`
}

// BulkSubmission is the body of POST /jobs/bulk, for the documentation.
type BulkSubmission struct {
	Jobs []Submission `json:"jobs" minItems:"1" maxItems:"1000" nullable:"false" doc:"Stored all or none"`
}

// SubmitInput is what the operations that submit read.
type SubmitInput struct {
	Request
	IdempotencyKey string `header:"Idempotency-Key" doc:"Makes the request repeatable for 24 hours: the same key and request again gets the same jobs, with status 200. Bare or quoted, 1 to 255 visible ASCII characters"`
}

// readOne reads the body of POST /jobs.
func readOne(f *form, doc []byte) []jobs.New { return []jobs.New{readNew(f, "", doc)} }

// readBulk reads the body of POST /jobs/bulk.
func readBulk(f *form, doc []byte) (list []jobs.New) {
	given := false
	f.members("", doc, func(name string, value []byte) bool {
		if name != "jobs" {
			return false
		}
		given = true
		n := f.elements("/jobs", value, func(i int, item []byte) {
			if i < jobs.MaxBulk {
				list = append(list, readNew(f, fmt.Sprintf("/jobs/%d", i), item))
			}
		})
		if value[0] == '[' && (n < 1 || n > jobs.MaxBulk) {
			f.fault("/jobs", fmt.Sprintf("must hold 1 to %d jobs", jobs.MaxBulk))
		}
		return true
	})
	if !given && doc[0] == '{' {
		f.fault("/jobs", "is required")
	}
	return list
}

// farPast is before anything that a submitter can have meant by run_at.
var farPast = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// readNew reads one submission. What only the engine knows (which types there are) is left to it.
func readNew(f *form, at string, doc []byte) (n jobs.New) {
	var typed, delayed bool
	f.members(at, doc, func(name string, value []byte) bool {
		pointer := at + "/" + name
		if value[0] == 'n' && slices.Contains(submissionFields, name) {
			typed = typed || name == "type"
			f.fault(pointer, "must not be null: leave it out for its default")
			return true
		}
		switch name {
		case "type":
			typed = true
			n.Type = f.text(pointer, value)
		case "payload":
			if n.Payload = value; value[0] != '{' {
				f.fault(pointer, "must be an object")
			}
		case "queue":
			if n.Queue = f.text(pointer, value); value[0] == '"' && !jobs.QueuePattern.MatchString(n.Queue) {
				f.fault(pointer, "must match "+jobs.QueuePattern.String())
			}
		case "priority":
			n.Priority = f.whole(pointer, value, jobs.MinPriority, jobs.MaxPriority)
		case "max_attempts":
			n.MaxAttempts = f.whole(pointer, value, 1, jobs.MaxMaxAttempts)
		case "timeout_seconds":
			n.Timeout = time.Duration(f.whole(pointer, value, 1, int(jobs.MaxTimeout/time.Second))) * time.Second
		case "delay_seconds":
			delayed = true
			n.Delay = time.Duration(f.whole(pointer, value, 0, int(jobs.MaxDelay/time.Second)-1)) * time.Second
		case "run_at":
			n.RunAt = f.time(pointer, value)
		default:
			return false
		}
		return true
	})
	if !typed && doc[0] == '{' {
		f.fault(at+"/type", "is required")
	}
	if delayed && !n.RunAt.IsZero() {
		f.fault(at+"/delay_seconds", "cannot be given together with run_at")
	}
	if n.Payload == nil {
		n.Payload = json.RawMessage(`{}`)
	}
	return n
}

// submissionFields are the fields of a submission, sorted.
var submissionFields = []string{"delay_seconds", "max_attempts", "payload", "priority", "queue", "run_at", "timeout_seconds", "type"}

// time reads a moment of RFC 3339.
func (f *form) time(pointer string, value []byte) (t time.Time) {
	text := f.text(pointer, value)
	if value[0] != '"' {
		return t
	}
	// UnmarshalText is strict, unlike time.Parse, which takes a comma for a point.
	if err := t.UnmarshalText([]byte(text)); err != nil {
		f.fault(pointer, "must be a time like 2030-01-31T12:00:00Z, with its zone")
		return time.Time{}
	}
	if t = t.UTC().Truncate(time.Microsecond); t.Before(farPast) {
		f.fault(pointer, "must not be before the year 2000")
		return time.Time{}
	}
	return t
}

// created answers POST /jobs.
type created struct {
	Status   int
	Location string `header:"Location" doc:"Where the job is"`
	Replayed string `header:"Idempotency-Replayed" doc:"true where an earlier request with this key has stored the job; else absent"`
	Body     Job
}

func (c *created) respond(w http.ResponseWriter) {
	w.Header()["Location"] = []string{c.Location}
	begin(w, c.Status, c.Replayed)
	_ = writeJSON(w, &c.Body)
}

// begin sends what precedes the body of an answer to a submission.
func begin(w http.ResponseWriter, status int, replayed string) {
	h := w.Header()
	h["Content-Type"] = jsonType
	if replayed != "" {
		h["Idempotency-Replayed"] = []string{replayed}
	}
	w.WriteHeader(status)
}

// jsonType is shared by answers: see always.
var jsonType = []string{"application/json"}

func (a *api) submit(_ context.Context, in *SubmitInput) (*created, error) {
	receipt, err := a.store(in, a.bodyLimit(), canonjson.Limits{Bytes: a.opts.MaxPayloadBytes, Envelope: 1}, readOne, func(pointer string) string {
		return strings.TrimPrefix(pointer, "/0") // the engine counts a single job, too
	})
	if err != nil {
		return nil, err
	}
	status, replayed := receiptStatus(receipt)
	stored := &receipt.Jobs[0]
	return &created{status, "/jobs/" + stored.ID, replayed, viewJob(stored, time.Now())}, nil
}

// bulkCreated answers POST /jobs/bulk.
type bulkCreated struct {
	Status   int
	Replayed string `header:"Idempotency-Replayed" doc:"true where an earlier request with this key has stored the jobs; else absent"`
	Body     struct {
		Jobs []Job `json:"jobs" nullable:"false" doc:"In the order of the request"`
	}
}

func (c *bulkCreated) respond(w http.ResponseWriter) {
	begin(w, c.Status, c.Replayed)
	_ = writeJSON(w, jobList(c.Body.Jobs))
}

func (a *api) submitBulk(_ context.Context, in *SubmitInput) (*bulkCreated, error) {
	limits := canonjson.Limits{Bytes: a.opts.MaxPayloadBytes, Envelope: 3}
	receipt, err := a.store(in, max(maxBulkBodyBytes, a.bodyLimit()), limits, readBulk, func(pointer string) string {
		return "/jobs" + pointer
	})
	if err != nil {
		return nil, err
	}
	var out bulkCreated
	out.Status, out.Replayed = receiptStatus(receipt)
	now := time.Now()
	out.Body.Jobs = make([]Job, len(receipt.Jobs))
	for i := range receipt.Jobs {
		out.Body.Jobs[i] = viewJob(&receipt.Jobs[i], now)
	}
	return &out, nil
}

func receiptStatus(r jobs.Receipt) (status int, replayed string) {
	if r.Replayed {
		return http.StatusOK, "true"
	}
	return http.StatusCreated, ""
}

// store reads a body, checks payloads and submits. at turns the engine's pointers, which begin with a job's index, into pointers into the body.
func (a *api) store(
	in *SubmitInput, limit int64, limits canonjson.Limits, read func(*form, []byte) []jobs.New, at func(string) string,
) (jobs.Receipt, error) {
	none := jobs.Receipt{}
	key, bad := idempotencyKey(in.r.Header)
	if bad != nil {
		return none, bad
	}
	doc, bad := readBody(in.w, in.r, limit, limits)
	if bad != nil {
		return none, bad
	}
	if doc == nil {
		return none, malformedBody.problem("A body is required.")
	}
	var f form
	list := read(&f, doc)
	if f.faults != nil {
		return none, invalidBody(f.faults)
	}

	ctx := a.patience.context()
	types, err := a.opts.Client.Types(ctx)
	if err != nil {
		return none, problemOfRead(err)
	}
	for i := range list {
		for t := range types {
			if types[t].Name == list[i].Type {
				a.schemas.check(&types[t], list[i].Payload, func(pointer, detail string) {
					f.fault(at(fmt.Sprintf("/%d/payload", i))+pointer, detail)
				})
			}
		}
	}
	if f.faults != nil {
		return none, invalidBody(f.faults)
	}
	receipt, err := a.opts.Client.Submit(ctx, jobs.Submission{Jobs: list, Key: keyOf(key, in.r.Method, in.r.URL.Path, doc), Canonical: true})
	if err == nil {
		return receipt, nil
	}
	p := problemOf(err, at)
	if p.kind == busy && key != "" {
		p = keyBusy.problem("A request with this Idempotency-Key is under way. Nothing was stored; try again.")
	}
	return none, p
}
