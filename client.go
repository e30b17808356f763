package windlass

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// JobType is a kind of job whose payload is a T: one definition for those who submit it and those who work on it.
// Make it with Define, as a variable of a package that both import.
type JobType[T any] struct{ handler *jobs.Handler }

// Define describes a job type. T is a struct whose json tags name the payload's fields; its JSON Schema is made from
// them (see jobs.SchemaOf for the tags), and every submission is checked against it. The options are the defaults of
// its jobs: queue, timeout, attempts, the retry curve.
//
// It panics where the name or an option is not valid: these are mistakes in the program. A name matches
// jobs.TypePattern.
func Define[T any](name string, options ...jobs.Option) JobType[T] {
	return JobType[T]{Must(jobs.NewHandler[T](name, nil, options...))}
}

// Name returns the name that the type was defined with.
func (t JobType[T]) Name() string { return t.handler.Type.Name }

// Handler returns the type as a jobs.Registry of one's own takes it, served by fn; with a nil fn it is only declared.
func (t JobType[T]) Handler(fn jobs.HandlerFunc[T]) *jobs.Handler {
	return jobs.WithFunc(t.handler, fn)
}

// Submitter takes jobs in: an *App, an engine.Client, or an httpclient.Client.
type Submitter interface {
	// Submit stores the jobs of a submission, all or none, and returns when they are durable.
	Submit(ctx context.Context, s jobs.Submission) (jobs.Receipt, error)
}

// Submit stores a job and returns it when it is durable. With Key, a repeated call returns the job of the first one.
//
// Errors: *jobs.InvalidError with a pointer to the field at fault ("/payload/name"); jobs.ErrKeyReused and
// jobs.ErrKeyGone for a Key; jobs.ErrBusy, jobs.ErrRejected and jobs.ErrUnavailable. In all of these nothing was
// stored. Anything else wraps jobs.ErrOutcomeUnknown: the job may be stored; repeat the call with the same Key to
// find out.
func (t JobType[T]) Submit(ctx context.Context, to Submitter, payload T, options ...SubmitOption) (jobs.Job, error) {
	return one(t.submit(ctx, to, []T{payload}, options))
}

// SubmitMany stores up to jobs.MaxBulk jobs (1,000), all or none, in the order of the payloads. The options hold for
// each of them, a Key for the call. Errors: see Submit; pointers begin with the index of the job ("/2/payload/name").
func (t JobType[T]) SubmitMany(
	ctx context.Context, to Submitter, payloads []T, options ...SubmitOption,
) ([]jobs.Job, error) {
	return t.submit(ctx, to, payloads, options)
}

// SubmitTx stores a job in a transaction of the caller's: it is there when the transaction commits, and never was
// when that is rolled back. The commit wakes a worker at once; Committed saves even the look for it. The store says
// which transactions it takes: PostgreSQL a pgx.Tx or a *sql.Tx of the same database, SQLite that of its own Tx
// method.
//
// Errors: see Submit; store.ErrForeignTx where the transaction is over, of another kind or of another database, and
// jobs.ErrUnsupported where the store has no such thing. An error of the database leaves a PostgreSQL transaction
// aborted; roll it back.
func (t JobType[T]) SubmitTx(
	ctx context.Context, tx any, app *App, payload T, options ...SubmitOption,
) (jobs.Job, error) {
	s, err := t.submission(app, []T{payload}, options)
	if err != nil {
		return jobs.Job{}, err
	}
	receipt, err := app.SubmitTx(ctx, tx, s)
	return one(receipt.Jobs, single(err))
}

// Submit stores the jobs of a submission; see engine.Client.Submit. It is for types that are not known when the
// program is written: with a JobType, use its Submit. ErrClosed after Close.
func (a *App) Submit(ctx context.Context, s jobs.Submission) (jobs.Receipt, error) {
	if a.closed.Load() {
		return jobs.Receipt{}, ErrClosed
	}
	return a.client.Submit(ctx, s)
}

// SubmitTx stores the jobs of a submission in a transaction of the caller's; see engine.Client.SubmitTx and
// JobType.SubmitTx. ErrClosed after Close.
func (a *App) SubmitTx(ctx context.Context, tx any, s jobs.Submission) (jobs.Receipt, error) {
	if a.closed.Load() {
		return jobs.Receipt{}, ErrClosed
	}
	return a.client.SubmitTx(ctx, tx, s)
}

// declare makes a type known to this App's client, so that it can be submitted before a worker has announced it.
func (a *App) declare(h *jobs.Handler) { a.registry.Declare(h) }

func (t JobType[T]) submit(
	ctx context.Context, to Submitter, payloads []T, options []SubmitOption,
) ([]jobs.Job, error) {
	s, err := t.submission(to, payloads, options)
	if err != nil {
		return nil, err
	}
	receipt, err := to.Submit(ctx, s)
	return receipt.Jobs, err
}

func (t JobType[T]) submission(to Submitter, payloads []T, options []SubmitOption) (jobs.Submission, error) {
	switch {
	case t.handler == nil:
		return jobs.Submission{}, errors.New("windlass: the JobType is empty: make it with Define")
	case isNil(to):
		return jobs.Submission{}, fmt.Errorf("windlass: submit %s: the App or client is nil", t.Name())
	}
	if app, ok := to.(interface{ declare(*jobs.Handler) }); ok {
		app.declare(t.handler) // known here, whoever serves it
	}
	var o submission
	for _, option := range options {
		option(&o)
	}
	s := jobs.Submission{Jobs: make([]jobs.New, len(payloads)), Key: o.key}
	for i := range payloads {
		raw, err := json.Marshal(payloads[i])
		if err != nil {
			return s, fmt.Errorf("windlass: submit %s: payload: %w", t.Name(), err)
		}
		s.Jobs[i] = o.job
		s.Jobs[i].Type, s.Jobs[i].Payload = t.Name(), raw
	}
	return s, nil
}

// one is the first of a list that holds one job, unless there was an error.
func one(list []jobs.Job, err error) (jobs.Job, error) {
	if err != nil {
		return jobs.Job{}, single(err)
	}
	return list[0], nil
}

// single takes the index out of the pointers of a fault, where only one job was submitted.
func single(err error) error {
	var invalid *jobs.InvalidError
	if !errors.As(err, &invalid) {
		return err
	}
	bare := &jobs.InvalidError{Fields: make([]jobs.FieldError, len(invalid.Fields))}
	for i, f := range invalid.Fields {
		if len(f.Pointer) >= 2 && f.Pointer[:2] == "/0" {
			f.Pointer = f.Pointer[2:]
		}
		bare.Fields[i] = f
	}
	return bare
}

// SubmitOption changes one submission.
type SubmitOption func(*submission)

// submission is what options are about: every job of a call, and its key.
type submission struct {
	job jobs.New
	key *jobs.Key
}

// In delays a job: it is not started before d has passed, by the store's clock. 0 to jobs.MaxDelay (366 days).
func In(d time.Duration) SubmitOption { return func(s *submission) { s.job.Delay = d } }

// At schedules a job: it is not started before t. A time in the past means at once; jobs.MaxDelay ahead at most.
func At(t time.Time) SubmitOption { return func(s *submission) { s.job.RunAt = t } }

// Priority is jobs.MinPriority to jobs.MaxPriority (-10 to 10); 0 otherwise. Within a queue the higher is served first.
func Priority(n int) SubmitOption { return func(s *submission) { s.job.Priority = n } }

// Queue names the queue, in place of the type's own. It matches jobs.QueuePattern.
func Queue(name string) SubmitOption { return func(s *submission) { s.job.Queue = name } }

// MaxAttempts is 1 to jobs.MaxMaxAttempts (100); that of the type otherwise.
func MaxAttempts(n int) SubmitOption { return func(s *submission) { s.job.MaxAttempts = n } }

// Timeout limits each attempt: whole seconds, 1 s to jobs.MaxTimeout (24 h); that of the type otherwise.
func Timeout(d time.Duration) SubmitOption { return func(s *submission) { s.job.Timeout = d } }

// Metadata notes pairs of text on a job, for people and for filters: store.ListQuery has a field of that name. At most
// 16 pairs, and jobs.MaxMetadataBytes (1 KiB) of names and values in all. A repeat with the same Key may have other
// pairs; those of the first call stay. The map is copied: the caller may change it afterwards.
func Metadata(pairs map[string]string) SubmitOption {
	pairs = maps.Clone(pairs)
	return func(s *submission) { s.job.Metadata = maps.Clone(pairs) }
}

// Key makes the call repeatable: for jobs.KeyTTL (24 h) the same key with the same submission returns the same jobs,
// and with another submission jobs.ErrKeyReused. 1 to 255 visible ASCII characters.
func Key(key string) SubmitOption { return func(s *submission) { s.key = &jobs.Key{Key: key} } }

// Waiter knows how to wait for a job: an *App or an engine.Client.
type Waiter interface {
	// Wait returns the job when it is completed or failed.
	Wait(ctx context.Context, id string) (jobs.Job, error)
}

// Wait waits until a job is over and decodes its result into an R; with no result it is R's zero value. Where ctx
// ends first the error is that of ctx, and the job goes on.
//
// Errors: *FailedError where the job has failed; jobs.ErrNotFound; jobs.ErrUnavailable.
func Wait[R any](ctx context.Context, w Waiter, id string) (result R, err error) {
	if isNil(w) {
		return result, errors.New("windlass: wait: the App or client is nil")
	}
	job, err := w.Wait(ctx, id)
	switch {
	case err != nil:
		return result, err
	case job.Status != jobs.Completed:
		return result, &FailedError{job}
	case job.Result == nil:
		return result, nil
	}
	if err := json.Unmarshal(job.Result, &result); err != nil {
		return result, fmt.Errorf("windlass: result of job %s: %w", id, err)
	}
	return result, nil
}

// FailedError says that a job has failed: it is dead or was cancelled. Job.FailureKind tells why, Job.Error has the
// last error.
type FailedError struct{ Job jobs.Job }

// Error names the job and its last error.
func (e *FailedError) Error() string {
	text := fmt.Sprintf("job %s has failed (%s)", e.Job.ID, e.Job.FailureKind)
	if e.Job.Error != "" {
		text += ": " + e.Job.Error
	}
	return text
}
