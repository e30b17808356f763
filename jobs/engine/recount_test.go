package engine

import (
	"bytes"
	"database/sql"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
)

// Rows that were deleted by hand are seen once a day, while the process runs, and pruning waits for the recount.
func TestRecountsRowsDeletedByHand(t *testing.T) {
	dir := t.TempDir()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	q := memory.New(memory.Options{})
	defer q.Close()
	var log bytes.Buffer
	m, err := NewMaintenance(MaintenanceOptions{
		Store: s, Queue: q, Log: slog.New(slog.NewTextHandler(&log, nil)), RetentionCompleted: time.Nanosecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	completeJobs(t, s, 5)
	files, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the file of the database: %v, %v", files, err)
	}
	db, err := sql.Open("sqlite", files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	byHand := func() {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), `DELETE FROM jobs WHERE id IN (SELECT id FROM jobs LIMIT 2)`); err != nil {
			t.Fatal(err)
		}
	}
	completed := func(want int64) {
		t.Helper()
		if stats, err := s.Stats(t.Context()); err != nil || stats.Completed != want || stats.Total != want {
			t.Errorf("completed %d of %d, want %d, error %v", stats.Completed, stats.Total, want, err)
		}
	}
	do := func(chore func() error) {
		t.Helper()
		if err := chore(); err != nil {
			t.Fatal(err)
		}
	}
	recount := func() {
		t.Helper()
		m.recounting.ask = time.Time{} // as if a minute had passed
		do(func() error { return m.recount(t.Context()) })
	}
	prune := func() { t.Helper(); do(func() error { return m.prune(t.Context()) }) }

	byHand()
	completed(5)
	recount()
	if m.recounting.holder != "" {
		t.Fatalf("the recount goes on: %+v", m.recounting.at)
	}
	completed(3)
	if text := log.String(); !strings.Contains(text, "kept=5 counted=3") {
		t.Errorf("the log does not say what was wrong:\n%s", text)
	}
	byHand()
	recount()
	completed(3) // the next one is tomorrow

	m.recounting.holder, m.recounting.at = "somebody", store.Recount{Limit: 1}
	prune()
	if stats, err := s.Stats(t.Context()); err != nil || stats.Completed != 3 {
		t.Errorf("pruned while a recount goes on: %d completed, error %v", stats.Completed, err)
	}
	recount()
	completed(1)
	prune()
	completed(0)
}

// completeJobs completes n jobs in a Store.
func completeJobs(t *testing.T, s store.Store, n int) {
	t.Helper()
	session := uuid.NewString()
	if err := s.Register(t.Context(), store.Session{ID: session, Hostname: "host", Types: []string{"email"}}, nil,
		time.Hour); err != nil {
		t.Fatal(err)
	}
	subs, ids := make([]jobs.Submission, n), make([]string, n)
	for i := range subs {
		ids[i] = uuid.Must(uuid.NewV7()).String()
		subs[i].Jobs = []jobs.New{{ID: ids[i], Type: "email", Queue: "default", Payload: []byte(`{}`), MaxAttempts: 5,
			Timeout: time.Minute}}
	}
	if _, err := s.Insert(t.Context(), subs); err != nil {
		t.Fatal(err)
	}
	claimed, err := s.Claim(t.Context(), store.Claim{Session: session, Types: []string{"email"}, IDs: ids})
	if err != nil || len(claimed.Jobs) != n {
		t.Fatalf("claimed %d: %v", len(claimed.Jobs), err)
	}
	var outcomes []store.Outcome
	for _, j := range claimed.Jobs {
		outcomes = append(outcomes, store.Outcome{ID: j.ID, Fence: j.Fence, Session: session, Verb: store.VerbComplete})
	}
	if _, err := s.Settle(t.Context(), outcomes); err != nil {
		t.Fatal(err)
	}
}
