package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/internal/fault"
)

// Submit stores jobs, all or none, and returns when they are durable. It fills in ids and what is zero of queue, attempts and timeout (as the
// job's type has it), and brings payloads into canonical form; an empty payload is {}. It changes s.Jobs.
//
// Errors: *jobs.InvalidError with pointers that begin with the job's index ("/0/queue"); jobs.ErrKeyReused, jobs.ErrKeyGone, jobs.ErrBusy,
// jobs.ErrRejected and jobs.ErrUnavailable, where nothing was stored; anything else wraps jobs.ErrOutcomeUnknown: repeat it with the
// same key to find out.
func (c *Client) Submit(ctx context.Context, s jobs.Submission) (jobs.Receipt, error) {
	if err := c.complete(ctx, s.Jobs, s.Canonical); err != nil {
		return jobs.Receipt{}, err
	}
	under := &submission{Submission: s, done: make(chan struct{})}
	c.insert.put(under)
	select {
	case <-under.done:
	case <-ctx.Done():
		return jobs.Receipt{}, fmt.Errorf("submit: %w: %w", jobs.ErrOutcomeUnknown, context.Cause(ctx))
	}
	if under.err != nil {
		return jobs.Receipt{}, fmt.Errorf("submit: %w", known(under.err))
	}
	return under.receipt, under.receipt.Err
}

// submission is one that is under way.
type submission struct {
	jobs.Submission
	receipt jobs.Receipt
	err     error
	done    chan struct{} // closed when receipt or err is there
}

// answer tells those who wait.
func answer(list []*submission, receipts []jobs.Receipt, err error) {
	for i, s := range list {
		if s.err = err; err == nil {
			s.receipt = receipts[i]
		}
		close(s.done)
	}
}

// known makes sure that an error which does not promise that nothing was stored says so.
func known(err error) error {
	for _, sentinel := range []error{jobs.ErrUnavailable, jobs.ErrRejected, jobs.ErrBusy, jobs.ErrOutcomeUnknown} {
		if errors.Is(err, sentinel) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", jobs.ErrOutcomeUnknown, err)
}

// complete checks jobs and fills in what they leave open.
func (c *Client) complete(ctx context.Context, list []jobs.New, canonical bool) error {
	if len(list) == 0 || len(list) > jobs.MaxBulk {
		return &jobs.InvalidError{Fields: []jobs.FieldError{{Detail: fmt.Sprintf("must hold 1 to %d jobs", jobs.MaxBulk)}}}
	}
	var faults []jobs.FieldError
	for i := range list {
		n := &list[i]
		fault := func(field, detail string) {
			faults = append(faults, jobs.FieldError{Pointer: fmt.Sprintf("/%d/%s", i, field), Detail: detail})
		}
		t, err := c.typeOf(ctx, n.Type)
		if err != nil {
			return err
		}
		if t == nil {
			fault("type", "is not a known job type")
			continue
		}
		if n.Queue == "" {
			n.Queue = t.Queue
		}
		if n.MaxAttempts == 0 {
			n.MaxAttempts = t.MaxAttempts
		}
		if n.Timeout == 0 {
			n.Timeout = t.Timeout
		}
		if n.Queue != t.Queue && !jobs.QueuePattern.MatchString(n.Queue) {
			fault("queue", "must match "+jobs.QueuePattern.String())
		}
		if n.MaxAttempts < 1 || n.MaxAttempts > jobs.MaxMaxAttempts {
			fault("max_attempts", fmt.Sprintf("must be 1 to %d", jobs.MaxMaxAttempts))
		}
		if n.Priority < jobs.MinPriority || n.Priority > jobs.MaxPriority {
			fault("priority", fmt.Sprintf("must be %d to %d", jobs.MinPriority, jobs.MaxPriority))
		}
		if n.Timeout < time.Second || n.Timeout > jobs.MaxTimeout || n.Timeout%time.Second != 0 {
			fault("timeout_seconds", fmt.Sprintf("must be whole seconds, 1 to %d", jobs.MaxTimeout/time.Second))
		}
		if n.Delay < 0 || n.Delay > jobs.MaxDelay {
			fault("delay_seconds", fmt.Sprintf("must be 0 to %d", jobs.MaxDelay/time.Second))
		}
		if !n.RunAt.IsZero() && n.RunAt.After(time.Now().Add(jobs.MaxDelay)) {
			fault("run_at", "must be at most 366 days ahead")
		}
		faults = append(faults, c.payload(i, n, canonical)...)
		if n.ID == "" {
			n.ID = newID()
		}
	}
	if faults != nil {
		return &jobs.InvalidError{Fields: faults}
	}
	return nil
}

// payload brings the i-th job's payload into canonical form, unless it is, and holds it against the job's type.
func (c *Client) payload(i int, n *jobs.New, canonical bool) []jobs.FieldError {
	at := func(fields ...jobs.FieldError) []jobs.FieldError {
		for k := range fields {
			fields[k].Pointer = fmt.Sprintf("/%d/payload%s", i, fields[k].Pointer)
		}
		return fields
	}
	if len(n.Payload) == 0 {
		n.Payload = []byte(`{}`)
	}
	if !canonical {
		payload, err := canonjson.Canonical(n.Payload, canonjson.Limits{Bytes: c.opts.MaxPayloadBytes})
		if err != nil {
			return at(jobs.FieldError{Detail: err.Error()})
		}
		if payload[0] != '{' {
			return at(jobs.FieldError{Detail: "must be a JSON object"})
		}
		n.Payload = payload
	}
	handler := c.opts.Registry.Lookup(n.Type)
	if handler == nil {
		return nil
	}
	if err := handler.Check(n.Payload); err != nil {
		var wrong *jobs.InvalidError
		if errors.As(err, &wrong) {
			return at(slices.Clone(wrong.Fields)...)
		}
	}
	return nil
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// store is the flush of the insert batcher.
func (c *Client) store(ctx context.Context, subs []*submission) ([]jobs.Receipt, error) {
	// A key may occur once in a call of the Store. A repetition gets the first one's answer.
	unique := make([]jobs.Submission, 0, len(subs))
	at := make([]int, len(subs)) // index in unique
	type scoped struct{ scope, key string }
	var seen map[scoped]int
	for i, s := range subs {
		if s.Key != nil {
			k := scoped{s.Key.Scope, s.Key.Key}
			if first, ok := seen[k]; ok {
				at[i] = first
				continue
			}
			if seen == nil {
				seen = map[scoped]int{}
			}
			seen[k] = len(unique)
		}
		at[i] = len(unique)
		unique = append(unique, s.Submission)
	}
	_ = fault.Point("before-insert")
	answers, err := c.opts.Store.Insert(ctx, unique)
	if err == nil {
		err = fault.Point("after-insert-commit")
	}
	if err != nil {
		return nil, err
	}
	for i, r := range answers {
		if r.Err == nil && !r.Replayed {
			c.received(ctx, unique[i], r.Jobs)
		}
	}
	receipts := make([]jobs.Receipt, len(subs))
	taken := make([]bool, len(unique))
	for i, s := range subs {
		u := at[i]
		receipts[i] = answers[u]
		switch {
		case !taken[u]:
			taken[u] = true
		case s.Key.Fingerprint != unique[u].Key.Fingerprint:
			receipts[i] = jobs.Receipt{Err: jobs.ErrKeyReused}
		default:
			receipts[i].Replayed = true
		}
	}
	return receipts, nil
}

// received tells the Queue and the log of new jobs.
func (c *Client) received(ctx context.Context, s jobs.Submission, created []jobs.Job) {
	hints := make([]jobs.Hint, len(created))
	logs := c.log.Enabled(ctx, slog.LevelInfo)
	for i := range created {
		j := &created[i]
		hints[i] = j.Hint()
		if hints[i].In = s.Jobs[i].Delay; !s.Jobs[i].RunAt.IsZero() {
			hints[i].In = j.RunAt.Sub(j.CreatedAt) // both by the Store's clock
		}
		if logs {
			c.log.LogAttrs(ctx, slog.LevelInfo, "job received", about(j)...)
		}
	}
	c.notify.push(hints...)
}
