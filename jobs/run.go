package jobs

import (
	"context"
	"fmt"
	"log/slog"
)

// Run is one attempt of a job, as its handler sees it.
type Run struct {
	Job Job
	Log *slog.Logger // carries the job's id, type, queue and attempt

	backend RunBackend
}

// RunBackend is what stands behind a Run: a worker's attempt, or a test of a handler. See the methods of Run.
type RunBackend interface {
	Progress(percent float64, message string)
	CompleteTx(ctx context.Context, tx, result any) error
}

// NewRun makes a Run for a test of a handler. A nil log means slog.Default(); progress gets what the handler reports,
// and may be nil. CompleteTx fails with ErrUnsupported.
func NewRun(job Job, log *slog.Logger, progress func(percent float64, message string)) *Run {
	r := MakeRun(job, log, progressFunc(progress))
	return &r
}

// MakeRun makes a Run on a backend, as a worker does. A nil log means slog.Default().
func MakeRun(job Job, log *slog.Logger, backend RunBackend) Run {
	if log == nil {
		log = slog.Default()
	}
	return Run{Job: job, Log: log, backend: backend}
}

// Progress reports how far the attempt is, in percent (0 to 100), with a short message for people, of which the first
// 200 bytes are kept. It is cheap and never waits: the newest report is written about once a second, and none in an
// attempt's first second.
func (r *Run) Progress(percent float64, message string) {
	if r.backend != nil {
		r.backend.Progress(percent, message)
	}
}

// CompleteTx completes the job in a transaction of the handler's own, so that the effects that the handler writes there
// and the completion are committed together, or neither is. That makes these effects happen exactly once, however often
// the job is attempted; it holds for nothing outside the transaction.
//
// The store says which transactions it takes: PostgreSQL a pgx.Tx or a *sql.Tx of the same database, SQLite that of its
// own Tx method. Call it last, commit, and return nil: what the handler returns as a result is not used then. A
// transaction that failed or was rolled back may be repeated, with CompleteTx in it again. Keep it short, and end it
// before the handler returns.
//
// Where the job is completed by the commit, it stays so, whatever the handler returns. Where the handler returns nil
// after a rollback, the attempt counts as failed and the job is retried.
//
// Errors, with which nothing was written: ErrStale where another worker has the job, or an earlier CompleteTx has
// completed it: roll back, for the effects must not be committed. ErrCompletedTwice for a second call in the same
// transaction; ErrAttemptOver once the attempt has ended; ErrRejected where the result cannot be stored, because it is
// larger than MaxResultBytes for one; ErrUnsupported where the store has no such thing, or the Run was made by NewRun;
// store.ErrForeignTx where tx is of another kind or another database, or over. Any other error is one of the database,
// and a PostgreSQL transaction is aborted by it.
func (r *Run) CompleteTx(ctx context.Context, tx, result any) error {
	if r.backend == nil {
		return fmt.Errorf("complete in a transaction: this run belongs to no worker: %w", ErrUnsupported)
	}
	return r.backend.CompleteTx(ctx, tx, result)
}

// progressFunc is the backend of a Run in a test.
type progressFunc func(percent float64, message string)

func (f progressFunc) Progress(percent float64, message string) {
	if f != nil {
		f(percent, message)
	}
}

func (progressFunc) CompleteTx(context.Context, any, any) error {
	return fmt.Errorf("complete in a transaction: this run belongs to no worker: %w", ErrUnsupported)
}
