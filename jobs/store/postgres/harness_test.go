package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/tests/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

// opened remembers how each Store of a test was opened, for a second one on the same database and schema.
var opened sync.Map

// open returns a migrated Store on a fresh database, with every change of a job watched by the trigger.
func open(t testing.TB, params ...string) *Store {
	t.Helper()
	return openURL(t, servers.Postgres(t), params...)
}

// openURL is open for an existing database. params are appended to its URL.
func openURL(t testing.TB, url string, params ...string) *Store {
	t.Helper()
	for _, p := range params {
		url += "&" + p
	}
	s := openPlain(t, url)
	return migrated(t, s)
}

// migrated makes the tables, and has every change of a job watched by the trigger.
func migrated(t testing.TB, s *Store) *Store {
	t.Helper()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec(t, s, watch())
	return s
}

// openPlain is a Store as Open makes it, nothing migrated.
func openPlain(t testing.TB, url string) *Store {
	t.Helper()
	return openWith(t, Options{URL: url})
}

func openWith(t testing.TB, o Options) *Store {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	opened.Store(s, o)
	return s
}

// second opens another Store on the database of s.
func second(t testing.TB, s *Store) *Store {
	t.Helper()
	o, _ := opened.Load(s)
	return openWith(t, o.(Options))
}

// exec runs SQL on a connection of the Store. "windlass." in it is replaced by the schema of the Store.
func exec(t testing.TB, s *Store, sql string, args ...any) {
	t.Helper()
	if _, err := s.maintenance.Exec(context.WithoutCancel(t.Context()), s.schema.in(sql), args...); err != nil {
		t.Fatalf("%.80s: %v", sql, err)
	}
}

// value reads one value in the same way.
func value[T any](t testing.TB, s *Store, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := s.maintenance.QueryRow(t.Context(), s.schema.in(sql), args...).Scan(&v); err != nil {
		t.Fatalf("%.80s: %v", sql, err)
	}
	return v
}

// aging moves every stored time back. Tables are named with their columns, so that a new column is not forgotten: see
// TestAgingKnowsEveryTime.
var aging = map[string][]string{
	"jobs": {
		"run_at", "created_at", "updated_at", "started_at", "deadline_at", "finished_at", "cancel_requested_at",
		"progress_at",
	},
	"job_attempts":     {"started_at", "finished_at"},
	"job_types":        {"seen_at"},
	"worker_sessions":  {"started_at", "beat_at", "expires_at", "ended_at", "last_completion_at"},
	"idempotency_keys": {"created_at", "expires_at"},
	"leases":           {"expires_at"},
	"queues":           {"first_seen_at", "last_used_at"},
	"completed_counts": {"at"},
	"ended_counts":     {"at"},
	"tokens":           {"created_at", "expires_at", "revoked_at", "last_used_at"},
	"audit":            {"happened_at"},
}

// makeOlder lets time pass for the conformance suite. A Store never makes such a change, so the trigger is off.
func makeOlder(t testing.TB, s *Store, d time.Duration) {
	t.Helper()
	// A time of a primary key is moved by way of another age: a row must not meet one that has not been moved yet.
	const other = "interval '1000 years'"
	sql := []string{
		"SET LOCAL session_replication_role = replica",
		"UPDATE windlass.completed_counts SET at = at - " + other, "UPDATE windlass.ended_counts SET at = at - " + other,
	}
	for table, columns := range aging {
		sets := make([]string, len(columns))
		for i, c := range columns {
			sets[i] = fmt.Sprintf("%s = %s - interval '%d microseconds'", c, c, d.Microseconds())
			if c == "at" {
				sets[i] += " + " + other
			}
		}
		sql = append(sql, "UPDATE windlass."+table+" SET "+strings.Join(sets, ", "))
	}
	exec(t, s, "BEGIN; "+strings.Join(sql, "; ")+"; COMMIT")
}

// watch returns SQL for a trigger that only allows legal transitions. It is made from jobs.Transitions.
func watch() string {
	var moves []string
	for _, m := range jobs.Transitions {
		moves = append(moves, fmt.Sprintf("('%s', '%s')", m.From, m.To))
	}
	return `
	CREATE OR REPLACE FUNCTION windlass.watch_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
	DECLARE
		before text := CASE WHEN TG_OP = 'INSERT' THEN '' ELSE OLD.status END;
		after  text := CASE WHEN TG_OP = 'DELETE' THEN '' ELSE NEW.status END;
	BEGIN
		IF before <> after AND (before, after) NOT IN (VALUES ` + strings.Join(moves, ", ") + `) THEN
			RAISE EXCEPTION 'illegal move from "%" to "%"', before, after;
		END IF;
		IF TG_OP = 'UPDATE' THEN
			IF before = 'completed' THEN
				RAISE EXCEPTION 'a completed job was changed';
			END IF;
			IF NEW.fence < OLD.fence THEN
				RAISE EXCEPTION 'the fence went back from % to %', OLD.fence, NEW.fence;
			END IF;
			IF after = 'processing' AND before <> after AND NEW.fence = OLD.fence THEN
				RAISE EXCEPTION 'a claim did not raise the fence';
			END IF;
			IF (NEW.id, NEW.type, NEW.queue, NEW.payload, NEW.created_at)
				IS DISTINCT FROM (OLD.id, OLD.type, OLD.queue, OLD.payload, OLD.created_at) THEN
				RAISE EXCEPTION 'what a job is was changed';
			END IF;
		END IF;
		RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
	END $$;
	CREATE OR REPLACE TRIGGER watch_jobs BEFORE INSERT OR UPDATE OR DELETE ON windlass.jobs
		FOR EACH ROW EXECUTE FUNCTION windlass.watch_jobs()`
}

// newJobID is a UUIDv7.
func newJobID() string { return uuid.Must(uuid.NewV7()).String() }

// newJob is a job to be.
func newJob() jobs.New {
	return jobs.New{
		ID: newJobID(), Type: "email", Queue: "default", Payload: []byte(`{"to":"ada"}`), MaxAttempts: 5,
		Timeout: time.Minute,
	}
}

// submit stores n jobs and returns their ids.
func submit(t testing.TB, s *Store, n int) []string {
	t.Helper()
	subs, ids := make([]jobs.Submission, n), make([]string, n)
	for i := range subs {
		job := newJob()
		subs[i].Jobs, ids[i] = []jobs.New{job}, job.ID
	}
	if _, err := s.Insert(t.Context(), subs); err != nil {
		t.Fatal(err)
	}
	return ids
}

// session opens a session that serves the type email.
func session(t testing.TB, s *Store) string {
	t.Helper()
	id := uuid.NewString()
	if err := s.Register(t.Context(), store.Session{ID: id, Hostname: "host", Types: []string{"email"}}, nil,
		time.Hour); err != nil {
		t.Fatal(err)
	}
	return id
}

// claim takes jobs by id and fails where it does not get them all.
func claim(t testing.TB, s *Store, session string, ids ...string) []jobs.Job {
	t.Helper()
	got, err := s.Claim(t.Context(), store.Claim{Session: session, Types: []string{"email"}, IDs: ids})
	if err != nil || len(got.Jobs) != len(ids) {
		t.Fatalf("claim of %d: got %d, error %v", len(ids), len(got.Jobs), err)
	}
	return got.Jobs
}
