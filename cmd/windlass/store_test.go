package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store/postgres"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
	"github.com/windlass-jobs/windlass/jobs/store/storetest"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// database is a command line that is pointed to a database, without an API.
func database(t *testing.T, env ...string) *system {
	t.Helper()
	s := &system{t: t, env: map[string]string{}}
	for _, setting := range env {
		name, value, _ := strings.Cut(setting, "=")
		s.env[name] = value
	}
	return s
}

// filled is a SQLite database with jobs in every state.
func filled(t *testing.T) (*system, storetest.Populated) {
	t.Helper()
	dir := t.TempDir()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	all := storetest.Populate(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return database(t, "DATA_DIR="+dir), all
}

// lastLine is the last line of a text.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func TestDoctor(t *testing.T) {
	s, all := filled(t)
	s.run("doctor").wants(exitDone, "JOBS", "COUNTED", "KEPT", "completed", "all rows", fmt.Sprint(len(all.IDs)),
		"kept 6, counted 6", "quick_check", "orphans: Maintenance takes them back")
	report := s.run("doctor", "--json").wants(exitDone).object()
	if report["ok"] != true || report["accounts"].(map[string]any)["rows"] != float64(len(all.IDs)) {
		t.Errorf("%v", report)
	}
	s.run("doctor", "--repair").wants(exitDone, "There was nothing to repair.")

	database(t, "DATA_DIR="+t.TempDir()).run("doctor").wants(exitUsage, "There is no database")
	both := database(t, "DATA_DIR=a", "DATABASE_URL=postgres://u:hush@h/d")
	both.run("doctor").wants(exitUsage, "are both set")
	for _, url := range []string{"postgres://u:hush@127.0.0.1:1/d", "mysql://u:hush@h/d"} {
		r := database(t, "DATABASE_URL="+url).run("doctor")
		if r.code != exitUnavailable && r.code != exitUsage || strings.Contains(r.out+r.err, "hush") {
			t.Errorf("exit code %d: %s", r.code, r.err)
		}
	}

	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: s.env["DATA_DIR"]})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s.run("doctor").wants(exitUnavailable, "in use by another process")
}

// A fault is told with what to do, --repair does it, and the exit code says which it was.
func TestDoctorRepairs(t *testing.T) {
	url := servers.Postgres(t)
	s := database(t, "DATABASE_URL="+url)
	s.run("doctor").wants(exitRefused, "fail", "Run windlass migrate up")
	db, err := postgres.Open(t.Context(), postgres.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	storetest.Populate(t, db)
	s.run("doctor").wants(exitDone, "redis", "Set REDIS_URL")
	psql(t, url, `DELETE FROM windlass.jobs WHERE status = 'completed'`)
	s.run("doctor").wants(exitRefused, "kept 6, counted 0", "windlass doctor --repair")
	s.run("doctor", "--repair").wants(exitDone, "The kept count of completed jobs was 6 and is 0 now.")
	s.run("doctor").wants(exitDone, "kept 0, counted 0")
}

func TestMove(t *testing.T) {
	from, all := filled(t)
	url := servers.Postgres(t)
	to := database(t, "DATABASE_URL="+url, "DATABASE_SCHEMA=moved")
	file := filepath.Join(t.TempDir(), "jobs.jsonl.gz")
	n := fmt.Sprint(len(all.IDs))
	from.run("export", file).wants(exitDone, "exported "+n+" jobs, 2 job types and 1 idempotency key from SQLite in ")
	from.run("export", file).wants(exitRefused, "is there already")
	to.run("import", file).wants(exitDone,
		"imported "+n+" jobs, 2 job types and 1 idempotency key into PostgreSQL, schema moved")
	again := to.run("import", file, "--json").wants(exitDone).object()
	if again["jobs"] != 0.0 || again["there_already"] != float64(len(all.IDs)+3) {
		t.Errorf("%v", again)
	}
	to.run("doctor").wants(exitDone)

	// Through a pipe nothing but the export is on the standard output.
	out := from.run("export", "-").wants(exitDone)
	if !json.Valid([]byte(lastLine(out.out))) || !strings.Contains(out.err, "exported") {
		t.Errorf("the last line is %q; notes %q", lastLine(out.out), out.err)
	}
	to.pipe(t.Context(), out.out, "import", "-").wants(exitDone, "imported 0 jobs")

	// What has been changed since is not overwritten.
	db, err := postgres.Open(t.Context(), postgres.Options{URL: url, Schema: "moved"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Cancel(t.Context(), all.IDs[0]); err != nil {
		t.Fatal(err)
	}
	to.run("import", file).wants(exitRefused, all.IDs[0], "nothing is overwritten")

	to.run("import", filepath.Join(t.TempDir(), "none")).wants(exitRefused, "no such file")
	to.pipe(t.Context(), "hello\n", "import", "-").wants(exitRefused, "no export of Windlass")
	to.run("import").wants(exitUsage, "Wrong number of arguments")
}

// An import that is killed can be repeated, and then everything is there once.
func TestKilledImportGoesOn(t *testing.T) {
	from, all := filled(t)
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: from.env["DATA_DIR"]})
	if err != nil {
		t.Fatal(err)
	}
	const more = 1400
	for range more / 100 {
		subs := make([]jobs.Submission, 100)
		for i := range subs {
			subs[i].Jobs = []jobs.New{{
				ID: uuid.Must(uuid.NewV7()).String(), Type: "email", Queue: "default",
				Payload: json.RawMessage(`{}`), MaxAttempts: 1, Timeout: time.Minute,
			}}
		}
		if _, err := db.Insert(t.Context(), subs); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	export := from.run("export", "-").wants(exitDone).out
	url := servers.Postgres(t)
	to := database(t, "DATABASE_URL="+url)
	target, err := postgres.Open(t.Context(), postgres.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	if err := target.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}

	child := exec.CommandContext(t.Context(), os.Args[0], "import", "-")
	child.Env = append(os.Environ(), envChild+"=1", "DATABASE_URL="+url, "DATA_DIR=")
	feed, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(feed, export[:len(export)-2000]); err != nil {
		t.Fatal(err)
	}
	total := func() int64 {
		stats, err := target.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return stats.Total
	}
	for deadline := time.Now().Add(time.Minute); total() < 1000; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d jobs have arrived", total())
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	there := total()
	want := int64(len(all.IDs) + more)
	if there >= want {
		t.Fatalf("all %d jobs are there: it was not killed half-way", there)
	}
	to.run("doctor").wants(exitDone, fmt.Sprint(there))
	to.pipe(t.Context(), export, "import", "-").wants(exitDone, fmt.Sprintf("imported %d jobs", want-there))
	to.run("doctor").wants(exitDone, fmt.Sprint(want))
	if db, err = sqlite.Open(t.Context(), sqlite.Options{Dir: from.env["DATA_DIR"]}); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	storetest.Arrived(t, db, target, all)
}

// psql changes a database by hand.
func psql(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}
