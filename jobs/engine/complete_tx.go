package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// A handler may complete its job in a transaction of its own (jobs.Run.CompleteTx). The Store's guard, in that
// transaction, decides: the job is processing, with this fence and this session. What the worker does afterwards only
// finds out how it went. It settles the attempt as it would without the commit, as a retry where the handler returned
// nil, and the Store answers Already where the transaction has completed the job.
//
//	what happens                        transaction was committed        transaction was rolled back
//	handler returns nil                 completed                        retried: errRolledBack
//	handler returns an error            completed, with a warning        as for any error
//	cancel asked for meanwhile          completed: the work is done      cancelled
//	timeout, shutdown; handler returns  completed                        timed out; released
//	handler is stuck past its timeout   completed, with a warning        timed out; a later CompleteTx is ErrAttemptOver
//	lease lost                          completed; not counted here      the reaper takes the job back
//	reaped before CompleteTx            does not occur: ErrStale         another worker has the job
//	process killed                      completed                        the reaper takes the job back
//
// While the transaction is open the row is locked. The reaper and claims pass it over, and cancelling it is answered
// with ErrBusy. Where the handler returns or is stuck before its transaction has ended, settling is ErrBusy too, and is
// repeated, apart from the other outcomes, until it has (settleAlone). A worker that stops meanwhile waits for that as
// for any result that cannot be recorded.
//
// The heartbeat does not miss a job that is completed while its handler has not returned yet: see compare.

// errRolledBack is the error of an attempt that called CompleteTx and returned nil, but did not commit.
var errRolledBack = errors.New("the transaction of CompleteTx was rolled back")

// inTransaction marks the log lines about jobs that were completed that way.
var inTransaction = slog.Bool("in_transaction", true)

// txCompletion notes that CompleteTx has asked the Store.
type txCompletion struct {
	tx any // in which the job was completed; nil where the Store refused
}

// CompleteTx is a method of jobs.RunBackend; see jobs.Run.
func (r *run) CompleteTx(ctx context.Context, tx, result any) error {
	if err := r.completeTx(ctx, tx, result); err != nil {
		return fmt.Errorf("complete job %s in a transaction: %w", r.job.ID, err)
	}
	return nil
}

func (r *run) completeTx(ctx context.Context, tx, result any) error {
	st, ok := r.worker.opts.Store.(store.Transactional)
	if !ok {
		return fmt.Errorf("this store: %w", jobs.ErrUnsupported)
	}
	if r.over.Load() {
		return jobs.ErrAttemptOver
	}
	if before := r.inTx.Load(); before != nil && same(before.tx, tx) {
		return jobs.ErrCompletedTwice
	}
	raw, err := canonicalResult(result)
	if err != nil {
		return fmt.Errorf("result: %w: %w", jobs.ErrRejected, err)
	}
	// From here on a return of nil alone does not complete the job: its effects may have been rolled back with the
	// transaction.
	r.inTx.Store(&txCompletion{})
	err = st.CompleteTx(ctx, tx, store.Outcome{
		ID: r.job.ID, Fence: r.job.Fence, Session: r.session, Verb: store.VerbComplete, Result: raw,
	})
	if err == nil {
		r.inTx.Store(&txCompletion{tx: tx})
	}
	return err
}

// same reports whether two values are one transaction. Values that cannot be compared are not.
func same(a, b any) bool {
	return a != nil && b != nil && reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
