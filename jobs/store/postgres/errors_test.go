package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// everyCall has each method once, with arguments that make it ask the server.
func everyCall(t *testing.T, s *Store) map[string]func() error {
	t.Helper()
	ctx, id := t.Context(), newJobID()
	last := func(_ any, err error) error { return err }
	return map[string]func() error{
		"Insert":    func() error { return last(s.Insert(ctx, []jobs.Submission{{Jobs: []jobs.New{newJob()}}})) },
		"Get":       func() error { _, _, err := s.Get(ctx, id); return err },
		"List":      func() error { return last(s.List(ctx, store.ListQuery{Limit: 1})) },
		"Stats":     func() error { return last(s.Stats(ctx)) },
		"Redrive":   func() error { return last(s.Redrive(ctx, store.Redrive{Limit: 1})) },
		"Cancel":    func() error { return last(s.Cancel(ctx, id)) },
		"Delete":    func() error { return s.Delete(ctx, id) },
		"Types":     func() error { return last(s.Types(ctx)) },
		"Register":  func() error { return s.Register(ctx, store.Session{ID: newJobID()}, nil, time.Minute) },
		"Heartbeat": func() error { return last(s.Heartbeat(ctx, store.Heartbeat{Session: id, TTL: time.Minute})) },
		"Claim":     func() error { return last(s.Claim(ctx, store.Claim{Session: id, IDs: []string{id}})) },
		"Settle": func() error {
			return last(s.Settle(ctx, []store.Outcome{{ID: id, Session: id, Verb: store.VerbComplete}}))
		},
		"Progress": func() error { return s.Progress(ctx, []store.ProgressNote{{ID: id, Session: id}}) },
		"Heads":    func() error { return last(s.Heads(ctx, store.Heads{Pairs: 1, Each: 1, Limit: 1})) },
		"Due":      func() error { return last(s.Due(ctx, store.Due{Queue: "default", Limit: 1})) },
		"Reap":     func() error { return last(s.Reap(ctx, time.Now(), 1)) },
		"Prune":    func() error { return last(s.Prune(ctx, store.Prune{Limit: 1})) },
		"Lead":     func() error { return last(s.Lead(ctx, "role", "holder", time.Minute)) },
		"Led":      func() error { return last(s.Led(ctx, "role")) },
		"Sessions": func() error { return last(s.Sessions(ctx)) },
		"Ping":     func() error { return s.Ping(ctx) },
	}
}

// A server that is down is jobs.ErrUnavailable. When it is back, all methods work again without further calls.
func TestServerStopsAndComesBack(t *testing.T) {
	server := servers.StartPostgres(t)
	s := openURL(t, server.Database(t))
	calls := everyCall(t, s)
	settled := func(when string) {
		for name, call := range calls {
			if err := call(); err != nil && !errors.Is(err, jobs.ErrNotFound) {
				t.Errorf("%s, %s: %v", when, name, err)
			}
		}
	}
	settled("before")
	server.Stop()
	for name, call := range calls {
		if err := call(); !errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("while the server is down, %s: %v, want ErrUnavailable", name, err)
		}
	}
	if err := s.Migrate(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("while the server is down, Migrate: %v, want ErrUnavailable", err)
	}
	server.Start()
	settled("after the restart")
	server.Kill()
	server.Start()
	settled("after the crash")
}

func TestOpenBeforeTheServerIsThere(t *testing.T) {
	server := servers.StartPostgres(t)
	url := server.Database(t)
	server.Stop()
	s := openPlain(t, url)
	if err := s.Migrate(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
		t.Fatalf("migrate: %v, want ErrUnavailable", err)
	}
	server.Start()
	if err := s.Ping(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("ping without tables: %v, want ErrUnavailable", err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	submit(t, s, 1)
}

// waiting returns the backend that waits for a lock with a statement like this one.
func waiting(t *testing.T, watcher *Store, like string) int {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		pid := value[int](t, watcher, `SELECT coalesce(max(pid), 0) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1`, like)
		if pid != 0 {
			return pid
		}
	}
	t.Fatalf("no statement like %q waits", like)
	return 0
}

// A backend that is terminated has rolled back, so the call is repeated on another connection. The caller does not
// notice.
func TestTerminatedBackendIsReplaced(t *testing.T) {
	s := open(t)
	id := submit(t, s, 1)[0]
	watcher := second(t, s)
	tx, err := watcher.work.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), "SELECT FROM windlass.jobs WHERE id = $1 FOR UPDATE", id); err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() {
		_, err := s.Cancel(t.Context(), id)
		answer <- err
	}()
	pid := waiting(t, watcher, "%UPDATE windlass.jobs%")
	if !value[bool](t, watcher, "SELECT pg_terminate_backend($1)", pid) {
		t.Fatal("the backend was not there")
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
	if job, _, err := s.Get(t.Context(), id); err != nil || job.FailureKind != jobs.KindCancelled || job.Fence != 1 {
		t.Errorf("job: %+v, error %v", job, err)
	}
}

// A lock that is not granted in time is ErrBusy, and the row has not changed.
func TestLockedRowIsBusy(t *testing.T) {
	s := open(t)
	id := submit(t, s, 1)[0]
	tx, err := second(t, s).work.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), "SELECT FROM windlass.jobs WHERE id = $1 FOR UPDATE", id); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Cancel(t.Context(), id); !errors.Is(err, jobs.ErrBusy) {
		t.Errorf("cancel: %v, want ErrBusy", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if job, _, err := s.Get(t.Context(), id); err != nil || job.Status != jobs.Pending {
		t.Errorf("job: %+v, error %v", job, err)
	}
}

// The answer to a commit is lost: the job may be stored, and here it is.
func TestLostAnswerIsOutcomeUnknown(t *testing.T) {
	p, url := between(t, servers.Postgres(t))
	s := openURL(t, url, "pool_max_conns=1")
	submit(t, s, 1) // so that the statement is prepared, and the next answer is that to the insert itself
	job := newJob()
	p.cut.Store(true)
	if _, err := s.Insert(t.Context(), []jobs.Submission{{Jobs: []jobs.New{job}}}); !errors.Is(err,
		jobs.ErrOutcomeUnknown) {
		t.Errorf("insert: %v, want ErrOutcomeUnknown", err)
	}
	if _, _, err := s.Get(t.Context(), job.ID); err != nil {
		t.Errorf("the job of the lost answer: %v", err)
	}
	p.cut.Store(true)
	if _, _, err := s.Get(t.Context(), job.ID); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("get: %v, want ErrUnavailable: nothing is unknown about a read", err)
	}
}

// A connection that was closed while it was idle is not used for an insert, whose outcome would be unknown.
func TestConnectionEndsWhileItRests(t *testing.T) {
	p, url := between(t, servers.Postgres(t))
	s := openURL(t, url, "pool_max_conns=1")
	submit(t, s, 1)
	p.open.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
	time.Sleep(pingAfter)
	if _, err := s.Insert(t.Context(), []jobs.Submission{{Jobs: []jobs.New{newJob()}}}); err != nil {
		t.Error(err)
	}
}

// A server that accepts connections but never answers is given up in time.
func TestSilentServerIsGivenUp(t *testing.T) {
	p, url := between(t, servers.Postgres(t))
	s := openURL(t, url, "pool_max_conns=1")
	submit(t, s, 1)
	p.hold.Store(true)
	// The first call has a connection, the second gets none.
	for _, want := range []error{jobs.ErrOutcomeUnknown, jobs.ErrUnavailable} {
		begun := time.Now()
		_, err := s.Insert(t.Context(), []jobs.Submission{{Jobs: []jobs.New{newJob()}}})
		if took := time.Since(begun); !errors.Is(err, want) || took > 5*time.Second {
			t.Errorf("after %s: %v, want %v within 5 s", took, err, want)
		}
	}
}

// The rows of a claim arrive before its commit. Where the commit fails, there is no claim.
func TestFailedCommitIsNoClaim(t *testing.T) {
	for _, params := range []string{"", "default_query_exec_mode=exec"} {
		t.Run(params, func(t *testing.T) {
			s := open(t, params)
			id, w := submit(t, s, 1)[0], session(t, s)
			exec(t, s, `CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql
				AS 'BEGIN RAISE EXCEPTION ''not today''; END';
				CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON windlass.jobs DEFERRABLE INITIALLY DEFERRED
					FOR EACH ROW EXECUTE FUNCTION public.refuse()`)
			got, err := s.Claim(t.Context(), store.Claim{Session: w, Types: []string{"email"}, IDs: []string{id}})
			if err == nil || len(got.Jobs) > 0 {
				t.Errorf("claim: %+v, error %v", got, err)
			}
			if job, _, err := s.Get(t.Context(), id); err != nil || job.Status != jobs.Pending {
				t.Errorf("job: %+v, error %v", job, err)
			}
		})
	}
}

func TestValuesThatCannotBeStored(t *testing.T) {
	s := open(t)
	if receipts, err := s.Insert(t.Context(), nil); err != nil || len(receipts) != 0 {
		t.Errorf("no submission at all: %+v, error %v", receipts, err)
	}
	if _, err := s.Insert(t.Context(), []jobs.Submission{{}}); !errors.Is(err, jobs.ErrRejected) {
		t.Errorf("a submission without a job: %v, want ErrRejected", err)
	}
	taken := submit(t, s, 1)[0]
	for name, edit := range map[string]func(*jobs.New){
		"NUL in the payload":       func(n *jobs.New) { n.Payload = []byte(`{"a":"\u0000"}`) },
		"invalid UTF-8":            func(n *jobs.New) { n.Payload = []byte("{\"a\":\"\xff\"}") },
		"not JSON":                 func(n *jobs.New) { n.Payload = []byte(`{`) },
		"not an object":            func(n *jobs.New) { n.Payload = []byte(`[]`) },
		"a number beyond numeric":  func(n *jobs.New) { n.Payload = []byte(`{"a":1e131072}`) },
		"deeper than the stack":    func(n *jobs.New) { n.Payload = []byte(`{"a":` + strings.Repeat("[", 50_000)) },
		"an id that is taken":      func(n *jobs.New) { n.ID = taken },
		"an id that is none":       func(n *jobs.New) { n.ID = "none" },
		"a priority out of range":  func(n *jobs.New) { n.Priority = 11 },
		"attempts beyond an int16": func(n *jobs.New) { n.MaxAttempts = 1 << 20 },
	} {
		job, other := newJob(), newJob()
		edit(&job)
		_, err := s.Insert(t.Context(), []jobs.Submission{{Jobs: []jobs.New{other}}, {Jobs: []jobs.New{job}}})
		if !errors.Is(err, jobs.ErrRejected) {
			t.Errorf("%s: %v, want ErrRejected", name, err)
		}
		if _, _, err := s.Get(t.Context(), other.ID); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("%s: the other job of the call: %v, want ErrNotFound", name, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	for want, codes := range map[error][]string{
		jobs.ErrRejected: {"22P02", "22P05", "22003", "22021", "23505", "23514", "54001", "54000", "21000"},
		jobs.ErrBusy:     {"55P03", "40P01", "40001"},
		jobs.ErrUnavailable: {"57P01", "57P02", "57P03", "57014", "53300", "53100", "53200", "25006", "42P01",
			"XX000", ""},
		jobs.ErrOutcomeUnknown: {"40003", "08007"},
	} {
		for _, code := range codes {
			if got := refusal(code); got != want {
				t.Errorf("%s: %v, want %v", code, got, want)
			}
		}
	}
}

// A server may panic at a commit, with a full disk for instance, and find that commit in its log when it recovers.
func TestPanicLeavesTheOutcomeUnknown(t *testing.T) {
	panicked := &pgconn.PgError{SeverityUnlocalized: "PANIC", Code: "53100", Message: "could not write to file"}
	if got := meaning(panicked, true, true); got != jobs.ErrOutcomeUnknown {
		t.Errorf("a write: %v, want ErrOutcomeUnknown", got)
	}
	if got := meaning(panicked, true, false); got != jobs.ErrUnavailable {
		t.Errorf("a read: %v, want ErrUnavailable", got)
	}
	if lostBefore(panicked) {
		t.Error("a panic is taken for certainly without effect")
	}
}

// A caller whose context ends while it waits for a connection has stored nothing.
func TestExhaustedPoolIsUnavailable(t *testing.T) {
	s := open(t, "pool_max_conns=1")
	taken, err := s.work.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Release()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = s.Insert(ctx, []jobs.Submission{{Jobs: []jobs.New{newJob()}}})
	if !errors.Is(err, jobs.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("insert: %v, want ErrUnavailable because of the deadline", err)
	}
	// The heartbeat has connections of its own.
	if _, err := s.Lead(t.Context(), "role", "holder", time.Minute); err != nil {
		t.Error(fmt.Errorf("lead: %w", err))
	}
}
