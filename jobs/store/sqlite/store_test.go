package sqlite

import (
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/storetest"
)

// open makes a Store in a directory of its own.
func open(t testing.TB, o Options) *Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Harness{
		Open: func(t *testing.T) store.Store { return open(t, Options{}) },
		Age:  func(t *testing.T, s store.Store, d time.Duration) { age(t, s.(*Store), d) },
	})
}

// age lets d pass for everything that is stored.
func age(t testing.TB, s *Store, d time.Duration) {
	t.Helper()
	err := s.change(t.Context(), "age", func(tx *tx) error {
		for _, statement := range []string{
			`UPDATE jobs SET run_at = run_at - ?1, created_at = created_at - ?1, updated_at = updated_at - ?1, started_at = started_at - ?1,
				deadline_at = deadline_at - ?1, finished_at = finished_at - ?1, cancel_requested_at = cancel_requested_at - ?1,
				progress_at = progress_at - ?1`,
			`UPDATE job_attempts SET started_at = started_at - ?1, finished_at = finished_at - ?1`,
			`UPDATE job_types SET seen_at = seen_at - ?1`,
			`UPDATE worker_sessions SET started_at = started_at - ?1, beat_at = beat_at - ?1, expires_at = expires_at - ?1,
				last_completion_at = last_completion_at - ?1, dead_at = dead_at - ?1`,
			`UPDATE idempotency_keys SET expires_at = expires_at - ?1`,
			`UPDATE leases SET expires_at = expires_at - ?1`,
			`UPDATE completions SET since = since - ?1`,
		} {
			if _, err := tx.exec(statement, d.Microseconds()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
