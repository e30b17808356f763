package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// statements caches prepared statements by their text, so that each is compiled once for a connection.
type statements struct {
	from interface {
		PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	}
	lock  sync.Mutex
	known map[string]*sql.Stmt
}

func (s *statements) get(ctx context.Context, query string) (*sql.Stmt, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if stmt := s.known[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := s.from.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if s.known == nil {
		s.known = map[string]*sql.Stmt{}
	}
	s.known[query] = stmt
	return stmt, nil
}

func (s *statements) close() error {
	s.lock.Lock()
	defer s.lock.Unlock()
	var errs []error
	for _, stmt := range s.known {
		errs = append(errs, stmt.Close())
	}
	s.known = nil
	return errors.Join(errs...)
}

// tx is the one write transaction that is open.
type tx struct {
	stmts *statements
	now   int64 // by the Store's clock, in microseconds; it does not change during the transaction
	ended ended // is added to the totals at the end

	// What has happened, for the counts of the last minute and of all time. Neither a deletion nor a redrive takes
	// anything from it. It is added at the end as well.
	happened store.Ended
}

// ended counts the jobs that a transaction ends, less those that it deletes or sends back.
type ended struct{ completed, dead, cancelled int64 }

// failed notes that n jobs are failed.
func (e *ended) failed(kind jobs.FailureKind, n int64) {
	if kind == jobs.KindCancelled {
		e.cancelled += n
	} else {
		e.dead += n
	}
}

// failed notes that a job has become failed now.
func (tx *tx) failed(kind jobs.FailureKind) {
	tx.ended.failed(kind, 1)
	if kind == jobs.KindCancelled {
		tx.happened.Cancelled++
	} else {
		tx.happened.Dead++
	}
}

// completed notes that n jobs have been completed now.
func (tx *tx) completed(n int64) {
	tx.ended.completed += n
	tx.happened.Completed += n
}

// lockTimeout is how long a write waits for a transaction of the application. The PostgreSQL driver waits that long for
// a lock.
const lockTimeout = 2 * time.Second

// begin waits for the turn to write, as long as ctx allows. While the application has a transaction open (see Tx), it
// waits for lockTimeout at most: a call that is made inside of that transaction would otherwise wait for itself for
// ever.
func (s *Store) begin(ctx context.Context, what string) error {
	limit := time.NewTimer(lockTimeout)
	defer limit.Stop()
	for {
		select {
		case s.turn <- struct{}{}:
			if ctx.Err() != nil {
				<-s.turn
				return s.gaveUp(ctx, what)
			}
			return nil
		case <-s.gone:
			return s.gaveUp(ctx, what)
		case <-ctx.Done():
			return s.gaveUp(ctx, what)
		case <-limit.C:
			if s.open.Load() != nil {
				return fmt.Errorf("%s: %w: a transaction of the application is open", what, jobs.ErrBusy)
			}
			limit.Reset(lockTimeout)
		}
	}
}

// change runs work in a transaction. It waits for its turn as long as ctx allows. Once begun, the transaction does not
// end with ctx: it takes milliseconds, and it may hold a batch for many callers, of whom one has gone.
func (s *Store) change(ctx context.Context, what string, work func(tx *tx) error) error {
	if err := s.begin(ctx, what); err != nil {
		return err
	}
	defer func() { <-s.turn }()
	tx := &tx{stmts: &s.stmts}
	if _, err := tx.exec(`BEGIN IMMEDIATE`); err != nil {
		return fmt.Errorf("%s: %w", what, translate(err))
	}
	done := false
	defer func() {
		if !done {
			// This fails only if SQLite has rolled back already.
			_, _ = tx.exec(`ROLLBACK`)
		}
	}()
	tx.now = s.now()
	if err := work(tx); err != nil {
		return fmt.Errorf("%s: %w", what, translate(err))
	}
	if err := tx.total(); err != nil {
		return fmt.Errorf("%s: %w", what, translate(err))
	}
	if _, err := tx.exec(`COMMIT`); err != nil {
		return fmt.Errorf("%s: %w", what, translateCommit(err))
	}
	done = true
	return nil
}

// gaveUp is the error of a caller whose ctx ended before its turn came, or who calls after Close.
func (s *Store) gaveUp(ctx context.Context, what string) error {
	if s.closed.Load() {
		return fmt.Errorf("%s: %w: closed", what, jobs.ErrUnavailable)
	}
	return fmt.Errorf("%s: %w: %w", what, jobs.ErrBusy, ctx.Err())
}

// span is the time that a row of completed_counts covers, in microseconds.
const span = 5_000_000

// total adds what has ended to the totals, and to the present span of time. Most transactions end with successes only,
// and spare the second part.
func (tx *tx) total() error {
	e, since := tx.happened, tx.now-tx.now%span
	if tx.ended != (ended{}) {
		if _, err := tx.exec(`UPDATE totals SET completed = completed + ?1, dead = dead + ?2, cancelled = cancelled + ?3,
			ever_completed = ever_completed + ?4`,
			tx.ended.completed, tx.ended.dead, tx.ended.cancelled, e.Completed); err != nil {
			return err
		}
	}
	if e.Completed > 0 {
		if _, err := tx.exec(`INSERT INTO completed_counts (since, n) VALUES (?1, ?2) ON CONFLICT (since) DO UPDATE
			SET n = n + excluded.n`, since, e.Completed); err != nil {
			return err
		}
	}
	if e.Completed = 0; e == (store.Ended{}) {
		return nil
	}
	if _, err := tx.exec(`UPDATE totals SET ever_failed = ever_failed + ?1, ever_timed_out = ever_timed_out + ?2,
		ever_lease_lost = ever_lease_lost + ?3, ever_dead = ever_dead + ?4, ever_cancelled = ever_cancelled + ?5`,
		e.Failed, e.TimedOut, e.LeaseLost, e.Dead, e.Cancelled); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO completed_counts (since, n, failed, timed_out, lease_lost, dead, cancelled)
		VALUES (?1, 0, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (since) DO UPDATE SET
		failed = failed + excluded.failed, timed_out = timed_out + excluded.timed_out,
		lease_lost = lease_lost + excluded.lease_lost, dead = dead + excluded.dead,
		cancelled = cancelled + excluded.cancelled`,
		since, e.Failed, e.TimedOut, e.LeaseLost, e.Dead, e.Cancelled)
	return err
}

// exec runs a statement and returns the number of changed rows. It does not end with the caller's context; see change.
func (tx *tx) exec(query string, args ...any) (int64, error) {
	stmt, err := tx.stmts.get(context.Background(), query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.Exec(args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// query runs a statement that returns rows.
func (tx *tx) query(text string, args ...any) (*sql.Rows, error) {
	stmt, err := tx.stmts.get(context.Background(), text)
	if err != nil {
		return nil, err
	}
	return stmt.Query(args...)
}
