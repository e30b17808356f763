package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// callersTx is a transaction that Tx has opened and fn works in.
type callersTx struct {
	*sql.Tx
	lock  sync.Mutex // fn may use several goroutines, and savepoints are a stack
	stmts statements
}

// Tx runs fn in a write transaction on the Store's database, in which InsertTx and CompleteTx take part. The application may keep
// tables of its own in this database, and create them here; names that begin with "windlass_" and the names of the Store's tables
// are taken. Tx commits when fn returns nil, and rolls back when fn returns an error, which Tx returns as it is, or panics. fn must
// neither commit nor roll back itself.
//
// SQLite has one writer, so fn must be short: every other write of the Store waits meanwhile, for 2 s at most, and then fails with
// jobs.ErrBusy. That is also what a writing method of the same Store gets that is called inside of fn, and a second Tx: they would
// wait for fn itself. Reading methods do not wait; they do not see what fn has written. Close must not be called inside of fn.
//
// When ctx ends, the transaction is rolled back at once, and statements in it fail with sql.ErrTxDone. Errors of Tx itself, with
// nothing stored: jobs.ErrBusy, jobs.ErrUnavailable, and the error of ctx. jobs.ErrOutcomeUnknown: the disk failed during the commit.
func (s *Store) Tx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if err := s.begin(ctx, "transaction"); err != nil {
		return err
	}
	release := sync.OnceFunc(func() {
		s.open.Store(nil)
		<-s.turn
	})
	defer release()
	// database/sql would let the context interrupt the commit as well, and so leave open what became of it.
	begun, err := s.conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return fmt.Errorf("transaction: %w", translate(err))
	}
	open := &callersTx{Tx: begun}
	open.stmts.from = begun
	s.open.Store(open)
	// Rollback does nothing once the transaction has been committed, and tells so.
	defer func() { _ = begun.Rollback() }()
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		if !errors.Is(begun.Rollback(), sql.ErrTxDone) {
			release() // fn may take its time: the others need not wait for it any longer
		}
	})
	defer func() {
		if !stop() {
			<-ended // the next transaction must not begin before this one is over
		}
	}()
	if err := fn(begun); err != nil {
		return err
	}
	switch err := begun.Commit(); {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil:
		return fmt.Errorf("transaction: rolled back: %w", ctx.Err())
	case errors.Is(err, sql.ErrTxDone):
		return fmt.Errorf("transaction: the function has ended it itself: %w", err)
	default:
		return fmt.Errorf("transaction: %w", translateCommit(err))
	}
}

// InsertTx implements store.Transactional. given is the *sql.Tx that Tx has handed to its function. After an error the transaction is
// as it was before the call.
func (s *Store) InsertTx(ctx context.Context, given any, subs []jobs.Submission) ([]jobs.Receipt, error) {
	receipts := make([]jobs.Receipt, len(subs))
	err := s.inside(ctx, "insert", given, func(tx *tx) error {
		if err := checkSubmissions(subs); err != nil {
			return err
		}
		return tx.insert(subs, receipts)
	})
	if err != nil {
		return nil, err
	}
	return receipts, nil
}

// CompleteTx implements store.Transactional. given is the *sql.Tx that Tx has handed to its function. After an error the transaction is
// as it was before the call.
func (s *Store) CompleteTx(ctx context.Context, given any, o store.Outcome) error {
	return s.inside(ctx, "complete "+o.ID, given, func(tx *tx) error {
		if o.Verb != store.VerbComplete {
			return fmt.Errorf("%w: the outcome is %q", jobs.ErrRejected, o.Verb)
		}
		if len(o.Result) > jobs.MaxResultBytes {
			return fmt.Errorf("%w: the result has more than %d bytes", jobs.ErrRejected, jobs.MaxResultBytes)
		}
		if err := checkOutcome(o); err != nil {
			return err
		}
		settled, err := tx.complete(o)
		if err != nil {
			return err
		}
		if settled.Result != store.Recorded {
			return jobs.ErrStale
		}
		return tx.completions(1)
	})
}

// inside runs work in a transaction of the application. Where work fails, nothing of it is left.
func (s *Store) inside(ctx context.Context, what string, given any, work func(tx *tx) error) (err error) {
	open := s.open.Load()
	if t, ok := given.(*sql.Tx); !ok || open == nil || t != open.Tx {
		return fmt.Errorf("%s: %w", what, store.ErrForeignTx)
	}
	if ctx.Err() != nil {
		return s.gaveUp(ctx, what)
	}
	open.lock.Lock()
	defer open.lock.Unlock()
	// All statements go through the *sql.Tx: once it is over they fail. On the connection beneath they would run outside of any
	// transaction then.
	defer func() {
		if errors.Is(err, sql.ErrTxDone) {
			err = fmt.Errorf("%s: %w: %w", what, store.ErrForeignTx, err)
		} else if err != nil {
			err = fmt.Errorf("%s: %w", what, translate(err))
		}
	}()
	if _, err := open.Exec(`SAVEPOINT windlass`); err != nil {
		return err
	}
	tx := &tx{stmts: &open.stmts, now: s.now()}
	if err = work(tx); err == nil {
		err = tx.total()
	}
	if err != nil {
		// These fail only where the whole transaction is over.
		_, _ = open.Exec(`ROLLBACK TO windlass`)
		_, _ = open.Exec(`RELEASE windlass`)
		return err
	}
	_, err = open.Exec(`RELEASE windlass`)
	return err
}

// Committed implements store.Transactional.
func (s *Store) Committed(ctx context.Context, ids []string) (hints []jobs.Hint, err error) {
	err = s.view(ctx, "committed", func(q query) (err error) {
		hints, err = all(q, scanHint(s.now()), `SELECT `+hinted+` FROM jobs WHERE id IN (SELECT value FROM json_each(?1)) AND +status = 'pending'`,
			list(ids))
		return err
	})
	return hints, err
}
