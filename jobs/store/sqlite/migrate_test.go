package sqlite

import (
	"database/sql"
	_ "embed"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

//go:embed testdata/before_versions.sql
var beforeVersions string

// rowsOf reads a whole table, column by column by name, but for what is NULL.
func rowsOf(t *testing.T, db *sql.DB, table string) (list []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT * FROM `+table)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		var row []string
		for i, c := range columns {
			// Later migrations bring columns.
			if values[i] != nil && values[i] != int64(0) && !strings.HasPrefix(c, "ever_") {
				row = append(row, fmt.Sprintf("%s=%v", c, values[i]))
			}
		}
		slices.Sort(row)
		list = append(list, strings.Join(row, " "))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

// A data directory from before versions were counted by the Store itself opens, and nothing in it is lost.
func TestOlderDirectory(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", dsn(filepath.Join(dir, dataFile), "immediate"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), beforeVersions); err != nil {
		t.Fatal(err)
	}
	// Open marks the sessions of earlier processes dead and frees their roles, whatever the version.
	tables := map[string]string{
		"jobs": "jobs", "job_attempts": "job_attempts", "job_types": "job_types", "idempotency_keys": "idempotency_keys",
		"totals": "totals", "completions": "completed_counts",
	}
	before := map[string][]string{}
	for old, now := range tables {
		before[now] = rowsOf(t, db, old)
		if len(before[now]) == 0 {
			t.Fatalf("the fixture has nothing in %s", old)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	at := time.Date(2026, 11, 27, 12, 0, 2, 0, time.UTC)
	options := Options{Dir: dir, Now: func() time.Time { return at }}
	s := open(t, options)
	for table, rows := range before {
		if diff := cmp.Diff(rows, rowsOf(t, s.read, table)); diff != "" {
			t.Errorf("%s (- before, + now):\n%s", table, diff)
		}
	}
	id := func(n int) string { return fmt.Sprintf("019ac3f0-0000-7000-8000-%012d", n) }
	for n, want := range map[int]jobs.State{
		1: jobs.StateWaiting, 2: jobs.StateScheduled, 3: jobs.StateRetrying, 4: jobs.StateCompleted, 8: jobs.StateDead,
		9: jobs.StateCancelled, 16: jobs.StateRunning, 17: jobs.StateCancelling,
	} {
		if j, _, err := s.Get(t.Context(), id(n)); err != nil || j.State(at) != want {
			t.Errorf("job %d is %s, want %s (%v)", n, j.State(at), want, err)
		}
	}
	// The key still stands for its job, and the results and attempts are there.
	again := jobs.Submission{Jobs: newJobs(t, 1)[0].Jobs, Key: &jobs.Key{Scope: "token", Key: "order-4",
		Fingerprint: [32]byte{1, 2, 3}}}
	receipts, err := s.Insert(t.Context(), []jobs.Submission{again})
	if err != nil || !receipts[0].Replayed || receipts[0].Jobs[0].ID != id(4) {
		t.Errorf("the key's job: %+v, %v", receipts, err)
	}
	if j, _, err := s.Get(t.Context(), id(4)); err != nil || string(j.Result) != `{"sent":true}` {
		t.Errorf("the result: %s, %v", j.Result, err)
	}
	if _, history, err := s.Get(t.Context(), id(5)); err != nil || len(history) != 1 ||
		history[0].Outcome != jobs.AttemptTimeout {
		t.Errorf("history: %+v, %v", history, err)
	}
	stats, err := s.Stats(t.Context())
	if err != nil || stats.Total != 17 || stats.Completed != 2 || stats.Dead != 4 || stats.Cancelled != 1 ||
		stats.CompletedLastMinute != 3 {
		t.Errorf("stats %+v, %v", stats, err)
	}
	// What was running is taken back from the process that is gone.
	if reaped, err := s.Reap(t.Context(), at, 10); err != nil || len(reaped) != 2 {
		t.Errorf("reaped %+v, %v", reaped, err)
	}
	upToDate(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	upToDate(t, open(t, options))
}

// upToDate checks that all migrations are applied, and each once.
func upToDate(t *testing.T, s *Store) {
	t.Helper()
	state, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var want []store.Migration
	for _, m := range migrations {
		want = append(want, m.Migration)
	}
	for i, m := range state.Applied {
		if m.AppliedAt.IsZero() {
			t.Errorf("%s was applied at no time", m.Name)
		}
		state.Applied[i].AppliedAt = time.Time{}
	}
	if diff := cmp.Diff(store.Migrations{Applied: want, Newest: want[len(want)-1].Version}, state); diff != "" {
		t.Errorf("migrations (- want, + got):\n%s", diff)
	}
	if text, err := s.SQL(t.Context()); err != nil || text != "" {
		t.Errorf("pending statements %q, %v", text, err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	for _, old := range []string{"goose_db_version", "completions"} {
		var n int
		if err := s.read.QueryRowContext(t.Context(), `SELECT count(*) FROM sqlite_schema WHERE name = ?`,
			old).Scan(&n); err != nil || n != 0 {
			t.Errorf("table %s is there: %v", old, err)
		}
	}
}

func TestNewDirectory(t *testing.T) { upToDate(t, open(t, Options{})) }

// A file that a newer version has migrated opens, and keeps what it notes.
func TestNewerDirectory(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	newer := migrations[len(migrations)-1].Version + 1
	if _, err := s.conn.ExecContext(t.Context(), `INSERT INTO windlass_schema_version
		VALUES (?, 'newer', 1)`, newer); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Options{Dir: dir})
	insert(t, s, newJobs(t, 1))
	state, err := s.Status(t.Context())
	if err != nil || len(state.Pending) != 0 || state.Applied[len(state.Applied)-1].Version != newer ||
		state.Newest != newer-1 {
		t.Errorf("%+v, %v", state, err)
	}
}

// A migration that fails leaves nothing behind, and says which it was.
func TestMigrationThatFails(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", dsn(filepath.Join(dir, dataFile), "immediate"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE leases (an_application TEXT)`); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "0001_jobs") {
		t.Errorf("open: %v, want an error that names the migration", err)
	}
	if n := len(rowsOf(t, db, `(SELECT 1 FROM sqlite_schema WHERE name = 'jobs')`)); n != 0 {
		t.Error("a part of the migration was kept")
	}
	if _, err := db.ExecContext(t.Context(), `DROP TABLE leases`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	upToDate(t, open(t, Options{Dir: dir}))
}

// Every column that holds a time is known to age.
func TestAgingKnowsEveryTime(t *testing.T) {
	s := open(t, Options{})
	var columns []string
	for _, row := range rowsOf(t, s.read, `(SELECT m.name || '.' || c.name
		FROM sqlite_schema m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name <> 'windlass_schema_version' AND (c.name GLOB '*_at' OR c.name = 'since'))`) {
		columns = append(columns, row[strings.Index(row, "=")+1:])
	}
	var known []string
	for table, names := range aging {
		for _, c := range names {
			known = append(known, table+"."+c)
		}
	}
	slices.Sort(columns)
	slices.Sort(known)
	if diff := cmp.Diff(columns, known); diff != "" {
		t.Errorf("columns with a time (- in the schema, + aged):\n%s", diff)
	}
}
