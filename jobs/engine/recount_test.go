package engine

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
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

// unreadable is a Store whose recount never comes to its end, because each page takes longer than the Store allows.
type unreadable struct{ store.Store }

func (unreadable) Recount(_ context.Context, r store.Recount) (store.Recount, error) {
	return r, jobs.ErrUnavailable
}

// A recount that fails again and again is given up: nothing is pruned while it goes on.
func TestFailingRecountDoesNotKeepPruningWaiting(t *testing.T) {
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	q := memory.New(memory.Options{})
	defer q.Close()
	m, err := NewMaintenance(MaintenanceOptions{
		Store: unreadable{s}, Queue: q, Log: slog.New(slog.DiscardHandler), RetentionCompleted: time.Nanosecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	completeJobs(t, s, 1)
	recount := func() {
		t.Helper()
		if err := m.recount(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
			t.Fatalf("the recount does not fail: %v", err)
		}
	}
	recount()
	if m.recounting.holder == "" {
		t.Fatal("given up at the first error")
	}
	m.recounting.begun = m.recounting.begun.Add(-recountMost - time.Second)
	recount()
	if err := m.prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.Completed != 0 {
		t.Errorf("%d completed jobs are kept, error %v", stats.Completed, err)
	}
}

// interrupted is a Store that reads so slowly that a round of the feeder ends after a few pages.
type interrupted struct {
	store.Store
	left int // pages of this round
}

func (s *interrupted) page() error {
	if s.left--; s.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

func (s *interrupted) Heads(ctx context.Context, h store.Heads) (store.HeadsPage, error) {
	if err := s.page(); err != nil {
		return store.HeadsPage{}, err
	}
	return s.Store.Heads(ctx, h)
}

func (s *interrupted) Due(ctx context.Context, d store.Due) (store.DuePage, error) {
	if err := s.page(); err != nil {
		return store.DuePage{}, err
	}
	return s.Store.Due(ctx, d)
}

// A rebuild goes on where the round before ended, also in the middle of a queue of which much is due soon.
func TestSlowRebuildComesToAnEnd(t *testing.T) {
	const pages, round = 5, 2
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var subs []jobs.Submission
	for range pages * feedPage / 1000 {
		var sub jobs.Submission
		for range 1000 {
			sub.Jobs = append(sub.Jobs, jobs.New{ID: newID(), Type: "email", Queue: "soon", Payload: []byte(`{}`),
				MaxAttempts: 5, Timeout: time.Minute, Delay: rebuildAhead / 2})
		}
		subs = append(subs, sub)
	}
	if _, err := s.Insert(t.Context(), subs); err != nil {
		t.Fatal(err)
	}
	q := memory.New(memory.Options{})
	defer q.Close()
	slow := &interrupted{Store: s}
	m, err := NewMaintenance(MaintenanceOptions{Store: slow, Queue: q, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	m.feeder.reset()
	for rounds := 1; m.feeder.epoch == ""; rounds++ {
		if rounds > 2*pages {
			t.Fatalf("the rebuild goes on after %d rounds of %d pages", rounds-1, round)
		}
		slow.left = round
		if err := m.feed(t.Context()); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
	d, err := q.Depths(t.Context(), []string{"soon"})
	if err != nil || d.Queues["soon"].Later != pages*feedPage {
		t.Errorf("the Queue knows %d jobs that are due later, want %d, error %v", d.Queues["soon"].Later,
			pages*feedPage, err)
	}
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
