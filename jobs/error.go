package jobs

import (
	"errors"
	"fmt"
	"time"
)

// Errors of a Store. A driver wraps them with what was tried.
var (
	// ErrNotFound: there is no such job.
	ErrNotFound = errors.New("job not found")
	// ErrConflict: the job's status does not allow what was asked; nothing was changed.
	ErrConflict = errors.New("the job's status does not allow this")
	// ErrKeyReused: the idempotency key is taken by another request; nothing was stored.
	ErrKeyReused = errors.New("idempotency key was used with another request")
	// ErrKeyGone: the idempotency key belongs to this request, but its jobs have been deleted since.
	ErrKeyGone = errors.New("the jobs of this idempotency key have been deleted")

	// ErrStale: the attempt has lost its job, because another has it by now or it is over; what was to be recorded was
	// not.
	ErrStale = errors.New("the attempt does not have the job any more")

	// ErrBusy: another transaction held a lock for too long; nothing was stored, try again.
	ErrBusy = errors.New("locked by another request")
	// ErrRejected: the Store cannot hold this value; nothing was stored, trying again does not help.
	ErrRejected = errors.New("the store cannot hold this value")
	// ErrUnavailable: the Store cannot be reached or is shutting down; nothing was stored, try again later.
	ErrUnavailable = errors.New("the store is unavailable")
	// ErrOutcomeUnknown: the connection broke during the call; the change may or may not be stored.
	ErrOutcomeUnknown = errors.New("outcome unknown")
)

// Errors of Run.CompleteTx and of the client's SubmitTx.
var (
	// ErrUnsupported: the Store cannot write in the caller's transaction; nothing was written.
	ErrUnsupported = errors.New("not supported")
	// ErrCompletedTwice: CompleteTx was called before in the same transaction.
	ErrCompletedTwice = errors.New("the job was completed before in this transaction")
	// ErrAttemptOver: the attempt has ended, so it can complete nothing any more.
	ErrAttemptOver = errors.New("the attempt is over")
)

// Why a handler's context ended: read it with context.Cause.
var (
	// ErrCancelled: a person asked for the job to be cancelled.
	ErrCancelled = errors.New("the job was cancelled")
	// ErrTimeout: the attempt took longer than the job's timeout.
	ErrTimeout = errors.New("the attempt timed out")
	// ErrLeaseLost: the worker could not renew its lease in time; what the handler returns is not recorded.
	ErrLeaseLost = errors.New("the lease on the job was lost")
	// ErrShutdown: the worker is stopping; the job is handed back without using up an attempt.
	ErrShutdown = errors.New("the worker is shutting down")
)

// InvalidError lists what is wrong with a submission, field by field. Nothing was stored.
type InvalidError struct{ Fields []FieldError }

// FieldError is one fault in a document.
type FieldError struct {
	Pointer string // JSON Pointer (RFC 6901) to the field; empty for the whole document
	Detail  string // a sentence without the offending value
}

// Error names the first fault, and how many more there are.
func (e *InvalidError) Error() string {
	if len(e.Fields) == 0 {
		return "invalid"
	}
	first := e.Fields[0]
	if len(e.Fields) == 1 {
		return fmt.Sprintf("%s: %s", first.Pointer, first.Detail)
	}
	return fmt.Sprintf("%s: %s (and %d more)", first.Pointer, first.Detail, len(e.Fields)-1)
}

// Permanent marks a handler's error as one that no retry can help: the job fails at once.
// Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

// IsPermanent reports whether err, or an error it wraps, was marked by Permanent.
func IsPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}

// Snooze is the answer of a handler that wants to be called again after d without an attempt being counted.
// A negative d counts as zero, one above MaxDelay as MaxDelay.
func Snooze(d time.Duration) error { return &snoozeError{min(max(d, 0), MaxDelay)} }

type snoozeError struct{ d time.Duration }

func (e *snoozeError) Error() string { return "snoozed for " + e.d.String() }

// IsSnooze returns the wait that err, or an error it wraps, asks for.
func IsSnooze(err error) (time.Duration, bool) {
	var s *snoozeError
	if errors.As(err, &s) {
		return s.d, true
	}
	return 0, false
}

// PanicError is a handler's panic, turned into the error of a failed attempt.
type PanicError struct {
	Value any
	Stack []byte
}

// Error has the value of the panic and the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n\n%s", e.Value, e.Stack) }
