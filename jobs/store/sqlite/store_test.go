package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

func TestOpen(t *testing.T) {
	t.Run("DirectoryBelongsToOne", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, Options{Dir: dir})
		if _, err := Open(t.Context(), Options{Dir: dir}); !errors.Is(err, errInUse) || !strings.Contains(err.Error(), dir) {
			t.Fatalf("second Open: %v, want an error that names %s", err, dir)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		open(t, Options{Dir: dir})
	})
	t.Run("JobsSurvive", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "a b?c%20#d") // a name that an URI could misread
		s := open(t, Options{Dir: dir})
		id := insert(t, s, newJobs(t, 1))[0]
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, dataFile)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := open(t, Options{Dir: dir}).Get(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("EarlierRolesAreFree", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, Options{Dir: dir})
		if l, err := s.Lead(t.Context(), "maintenance", "earlier", time.Hour); err != nil || !l.Held {
			t.Fatalf("lead: %+v, %v", l, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if l, err := open(t, Options{Dir: dir}).Lead(t.Context(), "maintenance", "later", time.Hour); err != nil || !l.Held {
			t.Errorf("a process that is gone keeps its role: %+v, %v", l, err)
		}
	})
	t.Run("EarlierSessionsAreDead", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, Options{Dir: dir})
		session := register(t, s)
		ids := insert(t, s, newJobs(t, 3))
		if _, err := s.Claim(t.Context(), store.Claim{Session: session, Types: []string{"email"}, IDs: ids}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, Options{Dir: dir})
		v, err := s.Heartbeat(t.Context(), store.Heartbeat{Session: session, TTL: time.Hour})
		if err != nil || v.Alive {
			t.Fatalf("beat of an earlier session: %+v, %v", v, err)
		}
		reaped, err := s.Reap(t.Context(), time.Now(), 10)
		if err != nil || len(reaped) != 3 {
			t.Fatalf("reaped %d jobs: %v", len(reaped), err)
		}
	})
	t.Run("DamagedFile", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, dataFile), []byte(strings.Repeat("no database at all. ", 500)),
			0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), Options{Dir: dir})
		if !errors.Is(err, jobs.ErrUnavailable) || !strings.Contains(err.Error(), "damaged") {
			t.Fatalf("open: %v", err)
		}
		// A failed Open lets go of the directory.
		if err := os.Remove(filepath.Join(dir, dataFile)); err != nil {
			t.Fatal(err)
		}
		open(t, Options{Dir: dir})
	})
	t.Run("WritesAreDurable", func(t *testing.T) {
		s := open(t, Options{})
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1",
			"busy_timeout": "5000"} {
			var got string
			if err := s.conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s: %q, want %q (%v)", pragma, got, want, err)
			}
		}
	})
}

func TestClose(t *testing.T) {
	s := open(t, Options{})
	id := insert(t, s, newJobs(t, 1))[0]
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, _, getErr := s.Get(t.Context(), id)
	_, insertErr := s.Insert(t.Context(), newJobs(t, 1))
	for _, err := range []error{getErr, insertErr, s.Ping(t.Context())} {
		if !errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("after Close: %v, want unavailable", err)
		}
	}
}

// TestFullDisk limits the file's size, which SQLite reports like a full disk.
func TestFullDisk(t *testing.T) {
	s := open(t, Options{})
	limit := func(pages int) {
		t.Helper()
		if _, err := s.conn.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(60)
	stored := int64(0)
	var err error
	for err == nil && stored < 100_000 {
		if _, err = s.Insert(t.Context(), newJobs(t, 50)); err == nil {
			stored += 50
		}
	}
	if !errors.Is(err, jobs.ErrUnavailable) || !strings.Contains(err.Error(), "disk is full") {
		t.Fatalf("insert: %v", err)
	}
	stats, err := s.Stats(t.Context())
	if err != nil || stats.Total != stored {
		t.Fatalf("total %d, want %d (%v)", stats.Total, stored, err)
	}
	limit(1 << 20)
	insert(t, s, newJobs(t, 50))
}

func TestCallerGivesUp(t *testing.T) {
	s := open(t, Options{})
	s.turn <- struct{}{} // another transaction is under way
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Insert(ctx, newJobs(t, 1))
	<-s.turn
	if !errors.Is(err, jobs.ErrBusy) || !errors.Is(err, context.Canceled) {
		t.Fatalf("insert: %v", err)
	}
	if _, err := s.Stats(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("stats: %v", err)
	}
	stats, err := s.Stats(t.Context())
	if err != nil || stats.Total != 0 {
		t.Fatalf("total %d (%v), want nothing stored", stats.Total, err)
	}
}

func TestClockNeverGoesBack(t *testing.T) {
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	s := open(t, Options{Now: func() time.Time { return at }})
	first, err := s.Insert(t.Context(), newJobs(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	at = at.Add(-time.Hour)
	second, err := s.Insert(t.Context(), newJobs(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := first[0].Jobs[0].CreatedAt, second[0].Jobs[0].CreatedAt; b.Before(a) {
		t.Errorf("created %s, and then %s", a, b)
	}
}

func TestSessionsOfAKilledProcessAreLost(t *testing.T) {
	dir := t.TempDir()
	for lived, id := range []string{"", "01900000-0000-7000-8000-000000000001"} {
		s, err := Open(t.Context(), Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if lived == 0 {
			err = s.Register(t.Context(), store.Session{ID: "01900000-0000-7000-8000-000000000001"}, nil, time.Hour)
		} else if ended, _, err := s.Session(t.Context(), id, 1); err != nil || !ended.Lost || ended.EndedAt.IsZero() {
			t.Errorf("%+v, %v", ended, err)
		}
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestListBeyondAWindow has more pending jobs than one call looks at: pages come out short, and still all is found
// once.
func TestListBeyondAWindow(t *testing.T) {
	s := open(t, Options{})
	session := register(t, s)
	rare := insert(t, s, newJobs(t, 3))
	if _, err := s.Cancel(t.Context(), rare[2]); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(t.Context(), store.Claim{Session: session, Types: []string{"email"}, IDs: rare[:1]}); err != nil {
		t.Fatal(err)
	}
	// Ids that are greater than all that the clock makes, in one statement: through Insert it would take seconds.
	if _, err := s.conn.ExecContext(t.Context(), `WITH RECURSIVE n (i) AS (SELECT 1
			UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		INSERT INTO jobs (id, type, queue, priority, max_attempts, timeout_seconds, run_at, created_at, updated_at, payload)
		SELECT printf('ffffffff-0000-7000-8000-%012d', i), 'email', 'bulk', 0, 5, 60, i, i, i, '{}' FROM n`,
		2*window+1000); err != nil {
		t.Fatal(err)
	}
	pages := func(l store.ListQuery) (ids []string, calls int) {
		t.Helper()
		for {
			page, err := s.List(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			calls++
			for _, j := range page.Jobs {
				ids = append(ids, j.ID)
			}
			if page.Next == "" {
				return ids, calls
			}
			l.Before = page.Next
		}
	}
	ids, calls := pages(store.ListQuery{Status: jobs.Pending, Queue: jobs.DefaultQueue, Limit: 50})
	if len(ids) != 1 || ids[0] != rare[1] || calls != 3 {
		t.Errorf("the rare pending job: %v in %d calls, want %s in 3", ids, calls, rare[1])
	}
	if ids, calls := pages(store.ListQuery{State: jobs.StateRunning, Limit: 50}); len(ids) != 1 || ids[0] != rare[0] ||
		calls != 1 {
		t.Errorf("the running job: %v in %d calls, want %s at once", ids, calls, rare[0])
	}
	if ids, calls := pages(store.ListQuery{Status: jobs.Failed, Limit: 50}); len(ids) != 1 || ids[0] != rare[2] ||
		calls != 1 {
		t.Errorf("the failed job: %v in %d calls, want %s at once", ids, calls, rare[2])
	}
	if ids, _ := pages(store.ListQuery{Limit: 200}); len(ids) != 2*window+1003 {
		t.Errorf("listed %d jobs, want %d", len(ids), 2*window+1003)
	}
}

// TestClaimGoesByPrimaryKey guards against a plan that reads all pending jobs at each claim.
func TestClaimGoesByPrimaryKey(t *testing.T) {
	s := open(t, Options{})
	rows, err := s.conn.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+takeSQL, "[]", "", 0, "[]", false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if want := "SEARCH jobs USING INDEX sqlite_autoindex_jobs_1 (id=?)"; len(plan) == 0 || plan[0] != want {
		t.Errorf("plan: %q, want %q first", plan, want)
	}
}

// A recount tells what was completed before by its time. After the clock was set back it cannot.
func TestRecountAfterTheClockWasSetBack(t *testing.T) {
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	options := Options{Dir: t.TempDir(), Now: func() time.Time { return at }}
	s, err := Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	complete(t, s, 3)
	at = at.Add(-time.Hour)
	for _, when := range []string{"in the same process", "after a restart"} {
		var r store.Recount
		for r.Limit = 10; r.State != store.RecountDone && r.State != store.RecountDisturbed; {
			if r, err = s.Recount(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		if stats, err := s.Stats(t.Context()); err != nil || stats.Completed != 3 || len(r.Recounted) > 0 {
			t.Errorf("%s: %d completed (%v), want 3; recounted %+v", when, stats.Completed, err, r.Recounted)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, options)
	}
}

// complete submits jobs and completes them.
func complete(t *testing.T, s *Store, n int) {
	t.Helper()
	session, kinds := "01900000-0000-7000-8000-000000000001", []string{}
	receipts, err := s.Insert(t.Context(), newJobs(t, n))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range receipts {
		for _, j := range r.Jobs {
			ids, kinds = append(ids, j.ID), append(kinds, j.Type)
		}
	}
	if err := s.Register(t.Context(), store.Session{ID: session, Types: kinds}, nil, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	claimed, err := s.Claim(t.Context(), store.Claim{Session: session, Types: kinds, IDs: ids})
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
