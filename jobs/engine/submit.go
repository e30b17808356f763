package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/internal/fault"
)

// Submit stores jobs, all or none, and returns when they are durable. A queue, number of attempts or timeout that is
// left out is that of the job's type. An empty payload is {}. Payloads are stored in canonical form. A key without a
// fingerprint gets that of s as it was given. Submit does not change s, so s can be submitted again with the same key.
//
// Submissions are checked here and nowhere else, also those from the HTTP API: fields by package fields, payloads by
// the JSON Schema of their type and, for types of this process, by decoding.
//
// Errors: *jobs.InvalidError with pointers that begin with the job's index ("/0/queue"); jobs.ErrKeyReused,
// jobs.ErrKeyGone, jobs.ErrBusy, jobs.ErrRejected and jobs.ErrUnavailable, where nothing was stored; anything else
// wraps jobs.ErrOutcomeUnknown: repeat it with the same key to find out.
func (c *Client) Submit(ctx context.Context, s jobs.Submission) (jobs.Receipt, error) {
	s, err := c.complete(ctx, nil, s)
	if err != nil {
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

// submission is a submission under way.
type submission struct {
	jobs.Submission
	receipt jobs.Receipt
	err     error
	done    chan struct{} // closed when receipt or err is there
}

// answer gives each submission its receipt, or all of them the error.
func answer(list []*submission, receipts []jobs.Receipt, err error) {
	for i, s := range list {
		if s.err = err; err == nil {
			s.receipt = receipts[i]
		}
		close(s.done)
	}
}

// known adds ErrOutcomeUnknown to an error that does not promise that nothing was stored.
func known(err error) error {
	for _, sentinel := range []error{jobs.ErrUnavailable, jobs.ErrRejected, jobs.ErrBusy, jobs.ErrOutcomeUnknown} {
		if errors.Is(err, sentinel) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", jobs.ErrOutcomeUnknown, err)
}

// maxFaults is how many faults an InvalidError lists at most.
const maxFaults = 100

// complete checks a submission and returns a copy with defaults, ids and the fingerprint filled in. tx is the
// transaction of the caller, or nil.
func (c *Client) complete(ctx context.Context, tx any, s jobs.Submission) (jobs.Submission, error) {
	if len(s.Jobs) == 0 || len(s.Jobs) > jobs.MaxBulk {
		detail := fmt.Sprintf("must hold 1 to %d jobs", jobs.MaxBulk)
		return s, &jobs.InvalidError{Fields: []jobs.FieldError{{Detail: detail}}}
	}
	if s.Key != nil {
		if detail := fields.CheckKey(s.Key.Key); detail != "" {
			return s, &jobs.InvalidError{Fields: []jobs.FieldError{{Detail: "the idempotency key " + detail}}}
		}
	}
	given := s.Jobs
	s.Jobs = slices.Clone(given)
	var sum *fields.Fingerprint
	if s.Key != nil && s.Key.Fingerprint == [32]byte{} {
		sum = fields.NewFingerprint("")
	}
	var faults []jobs.FieldError
	for i := range s.Jobs {
		n := &s.Jobs[i]
		t, wrong, err := c.check(ctx, n)
		if err != nil {
			return s, err
		}
		for _, fault := range wrong {
			if len(faults) < maxFaults {
				fault.Pointer = fmt.Sprintf("/%d%s", i, fault.Pointer)
				faults = append(faults, fault)
			}
		}
		if faults != nil {
			continue
		}
		if sum != nil {
			sum.Add(n)
		}
		n.Queue = cmp.Or(n.Queue, t.Queue)
		n.MaxAttempts = cmp.Or(n.MaxAttempts, t.MaxAttempts)
		n.Timeout = cmp.Or(n.Timeout, t.Timeout)
		if n.ID == "" {
			n.ID = newID()
		}
	}
	if faults == nil {
		var err error
		faults, err = c.useQueues(ctx, tx, s.Jobs, given)
		if err != nil {
			return s, err
		}
	}
	if faults != nil {
		return s, &jobs.InvalidError{Fields: faults}
	}
	if sum != nil {
		key := *s.Key // do not change the caller's
		key.Fingerprint = sum.Sum()
		s.Key = &key
	}
	return s, nil
}

// check returns a job's type and what is wrong with the job, with pointers into it. It brings the payload into
// canonical form, and run_at into UTC with the precision of the Store.
func (c *Client) check(ctx context.Context, n *jobs.New) (*jobs.Type, []jobs.FieldError, error) {
	var faults []jobs.FieldError
	if len(n.Payload) == 0 {
		n.Payload = []byte(`{}`)
	}
	payload, err := canonjson.Canonical(n.Payload, canonjson.Limits{Bytes: c.opts.MaxPayloadBytes})
	var unreadable *canonjson.Error
	if errors.As(err, &unreadable) {
		faults = append(faults, jobs.FieldError{Pointer: "/payload" + unreadable.Pointer, Detail: unreadable.Detail})
	}
	n.Payload = payload
	t, err := c.typeOf(ctx, n.Type)
	if err != nil { // nothing was stored
		return nil, nil, fmt.Errorf("submit: look up the type of a job: %w: %w", jobs.ErrUnavailable, err)
	}
	for i := range fields.Submission {
		f := &fields.Submission[i]
		if t != nil && f.Name == "type" {
			continue // a type that is known has a proper name
		}
		if detail := f.Check(n); detail != "" {
			faults = append(faults, jobs.FieldError{Pointer: "/" + f.Name, Detail: detail})
		} else if f.Name == "type" {
			faults = append(faults, jobs.FieldError{Pointer: "/type", Detail: "is not a known job type"})
		}
	}
	if t == nil {
		return nil, faults, nil
	}
	if len(n.Payload) > 0 && n.Payload[0] == '{' {
		for _, fault := range c.schemas.check(t, c.opts.Registry.Lookup(n.Type), n.Payload) {
			faults = append(faults, jobs.FieldError{Pointer: "/payload" + fault.Pointer, Detail: fault.Detail})
		}
	}
	if !n.RunAt.IsZero() {
		n.RunAt = n.RunAt.UTC().Truncate(time.Microsecond)
	}
	return t, faults, nil
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// store is the flush of the insert batcher.
func (c *Client) store(ctx context.Context, subs []*submission) ([]jobs.Receipt, error) {
	// A key may occur only once in a call of the Store. Repetitions get the answer of the first.
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

// received sends hints for new jobs to the Queue, and logs them.
func (c *Client) received(ctx context.Context, s jobs.Submission, created []jobs.Job) {
	hints := make([]jobs.Hint, len(created))
	for i := range created {
		j := &created[i]
		hints[i] = j.Hint()
		if hints[i].In = s.Jobs[i].Delay; !s.Jobs[i].RunAt.IsZero() {
			hints[i].In = j.RunAt.Sub(j.CreatedAt) // both by the Store's clock
		}
	}
	c.logCreated(ctx, created)
	c.notify.push(hints...)
}
