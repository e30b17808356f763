package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
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

// aging names the columns that hold a time; TestAgingKnowsEveryTime checks that none is missing.
var aging = map[string][]string{
	"jobs": {
		"run_at", "created_at", "updated_at", "started_at", "deadline_at", "finished_at", "cancel_requested_at",
		"progress_at",
	},
	"job_attempts":     {"started_at", "finished_at"},
	"job_types":        {"seen_at"},
	"worker_sessions":  {"started_at", "beat_at", "expires_at", "last_completion_at", "dead_at"},
	"idempotency_keys": {"expires_at"},
	"leases":           {"expires_at"},
	"queues":           {"first_seen_at", "last_used_at"},
	"completed_counts": {"since"},
	"windlass_tokens":  {"created_at", "expires_at", "revoked_at", "last_used_at"},
	"windlass_audit":   {"happened_at"},
}

// age lets d pass for everything that is stored.
func age(t testing.TB, s *Store, d time.Duration) {
	t.Helper()
	err := s.change(t.Context(), "age", func(tx *tx) error {
		for table, columns := range aging {
			var sets []string
			for _, c := range columns {
				sets = append(sets, c+" = "+c+" - ?1")
			}
			if _, err := tx.exec("UPDATE "+table+" SET "+strings.Join(sets, ", "), d.Microseconds()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// begin opens a transaction of Tx, whose function waits until it is told how to end.
func begin(t *testing.T, s store.Store) (tx any, commit, rollback func() error) {
	t.Helper()
	opened, how, result := make(chan *sql.Tx), make(chan error), make(chan error, 1)
	go func() {
		result <- s.(*Store).Tx(context.WithoutCancel(t.Context()), func(tx *sql.Tx) error {
			opened <- tx
			return <-how
		})
	}()
	select {
	case tx = <-opened:
	case err := <-result:
		t.Fatal(err)
	}
	commit = func() error {
		how <- nil
		return <-result
	}
	rollback = func() error {
		rolledBack := errors.New("roll back")
		how <- rolledBack
		if err := <-result; err != rolledBack {
			return fmt.Errorf("not rolled back: %w", err)
		}
		return nil
	}
	return tx, commit, rollback
}

// newJobs makes n submissions of one job each, with about 100 bytes of payload.
func newJobs(t testing.TB, n int) []jobs.Submission {
	t.Helper()
	subs := make([]jobs.Submission, n)
	for i := range subs {
		id, err := uuid.NewV7()
		if err != nil {
			t.Fatal(err)
		}
		payload := fmt.Sprintf(`{"to":"somebody@example.com","subject":"number %d",`+
			`"text":"a text of no great length at all"}`, i)
		subs[i].Jobs = []jobs.New{{
			ID: id.String(), Type: "email", Queue: jobs.DefaultQueue, Payload: []byte(payload), MaxAttempts: 5,
			Timeout: time.Minute,
		}}
	}
	return subs
}

func insert(t testing.TB, s *Store, subs []jobs.Submission) (ids []string) {
	t.Helper()
	receipts, err := s.Insert(t.Context(), subs)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range receipts {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		ids = append(ids, r.Jobs[0].ID)
	}
	return ids
}

// register opens a session for the type "email".
func register(t testing.TB, s *Store) string {
	t.Helper()
	session := store.Session{ID: uuid.NewString(), Slots: 1000, Types: []string{"email"}}
	if err := s.Register(t.Context(), session, nil, time.Hour); err != nil {
		t.Fatal(err)
	}
	return session.ID
}
