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

// callersTx is the transaction that Tx has opened.
type callersTx struct {
	*sql.Tx
	lock  sync.Mutex // savepoints are a stack, and fn may use several goroutines
	stmts statements
}

// Tx runs fn in a write transaction on the Store's database. InsertTx and CompleteTx write in it. The application may
// keep tables of its own in this database, and create them in such a transaction. Their names must not begin with
// "windlass_", and must not be those of the Store's tables. After Tx has returned nil, the ids of the jobs that were
// inserted are to be announced; see Committed.
//
// Tx commits when fn returns nil. It rolls back when fn panics or returns an error, and returns that error as it is. fn
// must not commit or roll back itself.
//
// SQLite has one writer, so fn must be short. Every other write of the Store waits until fn has returned, but for 2 s
// at most, and then fails with jobs.ErrBusy. Inside of fn, the writing methods of this Store and another Tx fail like
// that: they would wait for fn itself. Methods that read do not wait; they do not see what fn has written. fn must not
// call Close.
//
// When ctx ends, the transaction is rolled back at once; statements in it then fail with sql.ErrTxDone, and Tx returns
// the error of ctx if fn returns nil. Other errors of Tx: jobs.ErrBusy and jobs.ErrUnavailable, with nothing stored,
// and jobs.ErrOutcomeUnknown if the disk failed during the commit.
func (s *Store) Tx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if err := s.begin(ctx, "transaction"); err != nil {
		return err
	}
	release := sync.OnceFunc(func() {
		s.open.Store(nil)
		<-s.turn
	})
	defer release()
	// Without this the context could interrupt the commit, and its outcome would be unknown. AfterFunc below rolls
	// back.
	begun, err := s.conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return fmt.Errorf("transaction: %w", translate(err))
	}
	open := &callersTx{Tx: begun}
	open.stmts.from = begun
	s.open.Store(open)
	// After a commit Rollback does nothing and returns sql.ErrTxDone.
	defer func() { _ = begun.Rollback() }()
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		if !errors.Is(begun.Rollback(), sql.ErrTxDone) {
			release() // the other writes need not wait until fn returns
		}
	})
	defer func() {
		if !stop() {
			<-ended // the next transaction must not begin before the rollback is done
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

// InsertTx implements store.Transactional. It takes the *sql.Tx that Tx has passed to its function, and nothing else.
// After an error the transaction is as it was before the call.
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

// CompleteTx implements store.Transactional. It takes the *sql.Tx that Tx has passed to its function, and nothing else.
// After an error the transaction is as it was before the call.
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
		tx.completed(1)
		return nil
	})
}

// inside runs work in a savepoint of the application's transaction: if work fails, nothing of it stays.
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
	// All statements go through the *sql.Tx. When it ends with its context, they fail. If they used the connection
	// itself, the rest of them would run outside of a transaction.
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
		// These fail only if the whole transaction is over.
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
		hints, err = all(q, scanHint(s.now()), `SELECT `+hinted+` FROM jobs WHERE id IN (SELECT value FROM json_each(?1))
			AND +status = 'pending'`,
			list(ids))
		return err
	})
	return hints, err
}
