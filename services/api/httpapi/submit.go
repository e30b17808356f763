package httpapi

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/jobs"
)

// SubmitInput is what the operations that submit read.
type SubmitInput struct {
	Request
	IdempotencyKey string `header:"Idempotency-Key" doc:"Makes the request repeatable for 24 hours: the same key and request again gets the same jobs, with status 200. Bare or quoted, 1 to 255 visible ASCII characters"`
}

// created answers POST /jobs.
type created struct {
	Status   int
	Location string `header:"Location" doc:"Where the job is"`
	Replayed string `header:"Idempotency-Replayed" doc:"true where an earlier request with this key has stored the job; else absent"`
	Body     Job
}

// submit serves POST /jobs.
func (a *api) submit(ctx context.Context, in *SubmitInput) (*created, error) {
	receipt, err := a.store(ctx, in, body{
		path: "/jobs", limit: a.bodyLimit(),
		limits: canonjson.Limits{Bytes: a.opts.MaxPayloadBytes, Envelope: 1}, read: readOne,
		at: func(pointer string) string { return strings.TrimPrefix(pointer, "/0") },
	})
	if err != nil {
		return nil, err
	}
	status, replayed := receiptStatus(receipt)
	stored := &receipt.Jobs[0]
	return &created{status, a.opts.BasePath + "/jobs/" + stored.ID, replayed, Job{view{job: stored, now: time.Now()}}}, nil
}

// bulkCreated answers POST /jobs/bulk.
type bulkCreated struct {
	Status   int
	Replayed string `header:"Idempotency-Replayed" doc:"true where an earlier request with this key has stored the jobs; else absent"`
	Body     BulkCreatedBody
}

// BulkCreatedBody holds the jobs of a submission.
type BulkCreatedBody struct {
	Jobs []Job `json:"jobs" nullable:"false" doc:"In the order of the request"`
}

func (c BulkCreatedBody) writeTo(b *bytes.Buffer) error {
	size := 0
	for _, j := range c.Jobs {
		size += 800 + len(j.job.Payload) + len(j.job.Result)
	}
	b.Grow(size) // at once, so that no copies of a large answer are made on the way
	b.WriteString(`{"jobs":`)
	if err := writeList(b, c.Jobs); err != nil {
		return err
	}
	b.WriteByte('}')
	return nil
}

// submitBulk serves POST /jobs/bulk.
func (a *api) submitBulk(ctx context.Context, in *SubmitInput) (*bulkCreated, error) {
	receipt, err := a.store(ctx, in, body{
		path: "/jobs/bulk", limit: a.bulkLimit(),
		limits: canonjson.Limits{Bytes: a.opts.MaxPayloadBytes, Envelope: 3}, read: readBulk,
		at: func(pointer string) string { return "/jobs" + pointer },
	})
	if err != nil {
		return nil, err
	}
	var out bulkCreated
	out.Status, out.Replayed = receiptStatus(receipt)
	now := time.Now()
	out.Body.Jobs = make([]Job, len(receipt.Jobs))
	for i := range receipt.Jobs {
		out.Body.Jobs[i] = Job{view{job: &receipt.Jobs[i], now: now}}
	}
	return &out, nil
}

func receiptStatus(r jobs.Receipt) (status int, replayed string) {
	if r.Replayed {
		return http.StatusOK, "true"
	}
	return http.StatusCreated, ""
}

// body says how the body of a submission is read.
type body struct {
	path   string // of the operation; the same key at another path is another request
	limit  int64  // bytes
	limits canonjson.Limits
	read   func(f *form, doc []byte) []jobs.New
	// turns the engine's pointers, which begin with a job's index, into those of the body
	at func(pointer string) string
}

// store reads a body and submits what it says.
func (a *api) store(ctx context.Context, in *SubmitInput, b body) (jobs.Receipt, error) {
	none := jobs.Receipt{}
	key, bad := idempotencyKey(in.r.Header)
	if bad != nil {
		in.w.(*answer).leaveLargeBody()
		return none, bad
	}
	doc, bad := readBody(&in.Request, b.limit, b.limits)
	if bad != nil {
		return none, bad
	}
	if doc == nil {
		return none, malformedBody.problem("A body is required.")
	}
	var f form
	list := b.read(&f, doc)
	if f.faults != nil {
		return none, invalidBody(f.faults)
	}
	if !in.w.(*answer).held.jobs(ctx, len(list)) {
		return none, noRoom(true)
	}

	ctx, cancel := in.limit(ctx)
	defer cancel()
	bound := keyOf(key, b.path, list)
	if who := callerOf(ctx); who != nil {
		if bound != nil {
			bound.Scope = who.principal.ID // else a replay would show the jobs of another token
		}
		if bad := a.within(ctx, who.principal, list, b.at); bad != nil {
			return none, bad
		}
	}
	receipt, err := a.opts.Client.Submit(ctx, jobs.Submission{Jobs: list, Key: bound})
	if err == nil {
		return receipt, nil
	}
	p := problemOf(err, b.at)
	if p.kind == busy && key != "" {
		p = keyBusy.problem("A request with this Idempotency-Key is under way. Nothing was stored; try again.")
	}
	return none, p
}
