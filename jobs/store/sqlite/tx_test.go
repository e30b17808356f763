package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// The application's own rows and the Store's stand or fall together.
func TestTxWithTablesOfTheApplication(t *testing.T) {
	s := open(t, Options{})
	session := register(t, s)
	ids := insert(t, s, newJobs(t, 1))
	claimed, err := s.Claim(t.Context(), store.Claim{Session: session, Types: []string{"email"}, IDs: ids})
	if err != nil || len(claimed.Jobs) != 1 {
		t.Fatalf("claimed %+v: %v", claimed, err)
	}
	if err := s.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`CREATE TABLE sent (job TEXT NOT NULL REFERENCES jobs (id))`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	o := store.Outcome{ID: ids[0], Fence: claimed.Jobs[0].Fence, Session: session, Verb: store.VerbComplete}
	work := func(fail error) error {
		return s.Tx(t.Context(), func(tx *sql.Tx) error {
			if _, err := tx.Exec(`INSERT INTO sent (job) VALUES (?)`, ids[0]); err != nil {
				return err
			}
			if err := s.CompleteTx(t.Context(), tx, o); err != nil {
				return err
			}
			if _, err := s.InsertTx(t.Context(), tx, newJobs(t, 2)); err != nil {
				return err
			}
			return fail
		})
	}
	want := func(sent int, completed, total int64) {
		t.Helper()
		var n int
		if err := s.read.QueryRowContext(t.Context(), `SELECT count(*) FROM sent`).Scan(&n); err != nil || n != sent {
			t.Errorf("%d rows of the application, want %d (%v)", n, sent, err)
		}
		if stats, err := s.Stats(t.Context()); err != nil || stats.Completed != completed || stats.Total != total {
			t.Errorf("completed %d of %d, want %d of %d (%v)", stats.Completed, stats.Total, completed, total, err)
		}
	}
	broken := errors.New("the application changed its mind")
	if err := work(broken); err != broken {
		t.Fatalf("error %v, want the function's own", err)
	}
	want(0, 0, 1)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not come through")
			}
		}()
		_ = s.Tx(t.Context(), func(tx *sql.Tx) error {
			if _, err := s.InsertTx(t.Context(), tx, newJobs(t, 1)); err != nil {
				t.Error(err)
			}
			panic("on the way")
		})
	}()
	want(0, 0, 1)
	if err := work(nil); err != nil {
		t.Fatal(err)
	}
	want(1, 1, 3)
	if err := work(nil); !errors.Is(err, jobs.ErrStale) {
		t.Fatalf("a second completion: %v", err)
	}
	want(1, 1, 3)
}

// A call that waits for the transaction that it is made in comes back.
func TestTxCallsFromInside(t *testing.T) {
	s := open(t, Options{})
	err := s.Tx(t.Context(), func(tx *sql.Tx) error {
		begun := time.Now()
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := s.Insert(short, newJobs(t, 1)); !errors.Is(err, jobs.ErrBusy) ||
			!errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("insert with a deadline: %v", err)
		}
		if d := time.Since(begun); d >= lockTimeout {
			t.Errorf("the deadline of 50 ms took %s", d)
		}
		if _, err := s.Insert(t.Context(), newJobs(t, 1)); !errors.Is(err, jobs.ErrBusy) {
			t.Errorf("insert: %v", err)
		}
		if err := s.Tx(t.Context(), func(*sql.Tx) error { return nil }); !errors.Is(err, jobs.ErrBusy) {
			t.Errorf("a transaction inside of a transaction: %v", err)
		}
		// Reads do not wait.
		if _, err := s.Stats(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Errorf("migrate with nothing to do: %v", err)
		}
		_, err := s.InsertTx(t.Context(), tx, newJobs(t, 1))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.Total != 1 {
		t.Errorf("total %d, want 1 (%v)", stats.Total, err)
	}
}

// The transaction ends with its context, and others can write though the function is still running.
func TestTxEndsWithItsContext(t *testing.T) {
	s := open(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := s.InsertTx(ctx, tx, newJobs(t, 1)); err != nil {
			t.Error(err)
		}
		cancel()
		insert(t, s, newJobs(t, 2))
		if _, err := s.InsertTx(t.Context(), tx, newJobs(t, 1)); !errors.Is(err, store.ErrForeignTx) {
			t.Errorf("insert after the end: %v", err)
		}
		if _, err := tx.Exec(`DELETE FROM jobs`); !errors.Is(err, sql.ErrTxDone) {
			t.Errorf("statement after the end: %v", err)
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	if err := s.Tx(ctx, func(*sql.Tx) error { t.Error("called"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.Total != 2 {
		t.Errorf("total %d, want 2 (%v)", stats.Total, err)
	}
}

// A call that fails leaves nothing in the transaction, and the transaction as usable as before.
func TestTxAfterAnError(t *testing.T) {
	s := open(t, Options{})
	taken := newJobs(t, 1)
	insert(t, s, taken)
	err := s.Tx(t.Context(), func(tx *sql.Tx) error {
		if _, err := s.InsertTx(t.Context(), tx, append(newJobs(t, 2), taken...)); !errors.Is(err, jobs.ErrRejected) {
			t.Errorf("a taken id: %v", err)
		}
		_, err := s.InsertTx(t.Context(), tx, newJobs(t, 4))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.Total != 5 {
		t.Errorf("total %d, want 5 (%v)", stats.Total, err)
	}
}

func TestTxOfAnotherStore(t *testing.T) {
	s, other := open(t, Options{}), open(t, Options{})
	err := other.Tx(t.Context(), func(foreign *sql.Tx) error {
		if _, err := s.InsertTx(t.Context(), foreign, newJobs(t, 1)); !errors.Is(err, store.ErrForeignTx) {
			t.Errorf("while none is open: %v", err)
		}
		return s.Tx(t.Context(), func(*sql.Tx) error {
			if _, err := s.InsertTx(t.Context(), foreign, newJobs(t, 1)); !errors.Is(err, store.ErrForeignTx) {
				t.Errorf("while another is open: %v", err)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTxThatTheFunctionEnds(t *testing.T) {
	s := open(t, Options{})
	err := s.Tx(t.Context(), func(tx *sql.Tx) error { return tx.Rollback() })
	if !errors.Is(err, sql.ErrTxDone) {
		t.Errorf("error %v, want that the transaction is over", err)
	}
	insert(t, s, newJobs(t, 1))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Tx(t.Context(), func(*sql.Tx) error { return nil }); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
}
