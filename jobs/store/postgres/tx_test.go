package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	_ "modernc.org/sqlite"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// callers is a transaction of an application, with any driver.
type callers struct {
	tx       any
	query    func(sql string, to any) error // to nil: no answer is wanted
	commit   func() error
	rollback func() error
}

// drivers open transactions in the ways that applications use. Each call makes a connection of its own.
var drivers = map[string]func(t *testing.T, url string) callers{
	"pgx":      beginPgx,
	"pgx/exec": func(t *testing.T, url string) callers { return beginPgx(t, url+"&default_query_exec_mode=exec") },
	"pgx/simple": func(t *testing.T, url string) callers {
		return beginPgx(t, url+"&default_query_exec_mode=simple_protocol")
	},
	"sql/pgx": func(t *testing.T, url string) callers { return beginSQL(t, "pgx", url, nil) },
	"sql/pgxexec": func(t *testing.T, url string) callers {
		return beginSQL(t, "pgx", url+"&default_query_exec_mode=exec", nil)
	},
	"sql/pq": func(t *testing.T, url string) callers { return beginSQL(t, "postgres", url, nil) },
}

func beginPgx(t *testing.T, url string) callers {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(ctx) })
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return callers{
		tx: tx,
		query: func(sql string, to any) error {
			if to == nil {
				_, err := tx.Exec(ctx, sql)
				return err
			}
			return tx.QueryRow(ctx, sql).Scan(to)
		},
		commit: func() error { return tx.Commit(ctx) }, rollback: func() error { return tx.Rollback(ctx) },
	}
}

func beginSQL(t *testing.T, driver, url string, o *sql.TxOptions) callers {
	t.Helper()
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tx, err := db.BeginTx(context.WithoutCancel(t.Context()), o)
	if err != nil {
		t.Fatal(err)
	}
	return callers{
		tx: tx,
		query: func(sql string, to any) error {
			if to == nil {
				_, err := tx.Exec(sql)
				return err
			}
			return tx.QueryRow(sql).Scan(to)
		},
		commit: tx.Commit, rollback: tx.Rollback,
	}
}

// usable fails the test where the transaction is aborted.
func (c callers) usable(t *testing.T) {
	t.Helper()
	var n int
	if err := c.query("SELECT 1", &n); err != nil || n != 1 {
		t.Errorf("the transaction is no longer usable: %v", err)
	}
}

// forEachDriver runs a test with every driver, directly and through PgBouncer, in a schema that is not the default.
func forEachDriver(t *testing.T, test func(t *testing.T, s *Store, begin func() callers)) {
	direct := servers.Postgres(t)
	pooled := servers.PgBouncer(t, direct, 4)
	n := 0
	for name, begin := range drivers {
		for _, way := range []string{"Direct", "PgBouncer"} {
			url := direct
			if way == "PgBouncer" {
				url = pooled
				if name == "pgx" || name == "sql/pgx" {
					continue // they prepare by name, which this version does not allow
				}
			}
			n++
			schema := fmt.Sprintf("case_%d", n)
			t.Run(strings.ReplaceAll(name, "/", "-")+"/"+way, func(t *testing.T) {
				s := migrated(t, openWith(t, Options{URL: url, Schema: schema}))
				exec(t, s, `CREATE TABLE `+schema+`.effects (job uuid)`)
				test(t, s, func() callers { return begin(t, url) })
			})
		}
	}
}

// odd is a job whose values need quoting in the text of an array.
func odd() jobs.New {
	n := newJob()
	n.Payload = []byte(`{"a":"quote \" backslash \\ comma, brace { } null NULL","b":"ünï \u00e9 😀","n":1e2}`)
	n.Queue, n.Priority, n.MaxAttempts = `q"u\e,{ue`, -3, 7
	return n
}

func TestInsertTx(t *testing.T) {
	forEachDriver(t, func(t *testing.T, s *Store, begin func() callers) {
		ctx := t.Context()
		later := newJob()
		later.Delay = time.Hour
		subs := []jobs.Submission{{Jobs: []jobs.New{odd(), newJob()}}, {Jobs: []jobs.New{later}}}
		ids := []string{subs[0].Jobs[0].ID, subs[0].Jobs[1].ID, later.ID}
		committed := func(want int) {
			t.Helper()
			hints, err := s.Committed(ctx, ids)
			if err != nil || len(hints) != want {
				t.Errorf("hints after the insert: %+v, error %v, want %d", hints, err, want)
			}
			for _, h := range hints {
				if wait := time.Hour - time.Minute; (h.ID == later.ID) != (h.In > wait) {
					t.Errorf("hint %+v", h)
				}
			}
		}
		tx := begin()
		if _, err := s.InsertTx(ctx, tx.tx, subs); err != nil {
			t.Fatal(err)
		}
		committed(0)
		if err := tx.rollback(); err != nil {
			t.Fatal(err)
		}
		committed(0)

		tx = begin()
		receipts, err := s.InsertTx(ctx, tx.tx, subs)
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.commit(); err != nil {
			t.Fatal(err)
		}
		committed(3)
		for i, want := range []jobs.Job{receipts[0].Jobs[0], receipts[0].Jobs[1], receipts[1].Jobs[0]} {
			got, _, err := s.Get(ctx, ids[i])
			want.Payload = compactJSON(want.Payload, got.Payload)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("job %d: error %v, %s", i, err, diff)
			}
		}
	})
}

// compactJSON returns what was read for the payload of odd, which is not canonical: jsonb writes it in another way.
func compactJSON(sent, read []byte) []byte {
	if strings.Contains(string(sent), "quote") && strings.Contains(string(read),
		`quote \" backslash \\ comma, brace { } null NULL`) {
		return read
	}
	return sent
}

func TestInsertTxWithKeys(t *testing.T) {
	forEachDriver(t, func(t *testing.T, s *Store, begin func() callers) {
		ctx := t.Context()
		sub := func(mark byte) []jobs.Submission {
			return []jobs.Submission{{
				Jobs: []jobs.New{newJob(), newJob()}, Key: &jobs.Key{Scope: `s"c\o,pe`, Key: "order-1",
					Fingerprint: [32]byte{mark, 0xff}},
			}}
		}
		tx := begin()
		first, err := s.InsertTx(ctx, tx.tx, sub(1))
		if err != nil || first[0].Err != nil || first[0].Replayed {
			t.Fatalf("first: %+v, error %v", first, err)
		}
		same := func(what string, got []jobs.Receipt, err error) {
			t.Helper()
			if err != nil || got[0].Err != nil || !got[0].Replayed {
				t.Errorf("%s: %+v, error %v", what, got, err)
			} else if diff := cmp.Diff(first[0].Jobs, got[0].Jobs); diff != "" {
				t.Errorf("%s: %s", what, diff)
			}
		}
		again, err := s.InsertTx(ctx, tx.tx, sub(1))
		same("again in the same transaction", again, err)
		other, err := s.InsertTx(ctx, tx.tx, sub(2))
		if err != nil || !errors.Is(other[0].Err, jobs.ErrKeyReused) {
			t.Errorf("another request with the key: %+v, error %v", other, err)
		}
		if strings.Contains(t.Name(), "Direct") && (strings.Contains(t.Name(), "/pgx/") || strings.Contains(t.Name(),
			"/sql-pq/")) {
			keyIsBusy(t, s, begin(), sub)
		}
		if err := tx.commit(); err != nil {
			t.Fatal(err)
		}
		after, err := s.Insert(ctx, sub(1))
		same("after the commit", after, err)
	})
}

// keyIsBusy uses a key that an open transaction has inserted. Nobody can know yet whether it is taken.
func keyIsBusy(t *testing.T, s *Store, second callers, sub func(mark byte) []jobs.Submission) {
	t.Helper()
	ctx := t.Context()
	begun := time.Now()
	if _, err := s.Insert(ctx, sub(1)); !errors.Is(err, jobs.ErrBusy) || time.Since(begun) > 4*time.Second {
		t.Errorf("the key while the transaction is open: %v after %s, want ErrBusy after 2 s", err, time.Since(begun))
	}
	begun = time.Now()
	if _, err := s.InsertTx(ctx, second.tx, sub(1)); !errors.Is(err, jobs.ErrBusy) ||
		time.Since(begun) > 4*time.Second {
		t.Errorf("the key in two transactions: %v after %s, want ErrBusy after 2 s", err, time.Since(begun))
	}
	if _, err := s.InsertTx(ctx, second.tx, sub(1)); !errors.Is(err, store.ErrForeignTx) {
		t.Errorf("an insert after a statement has failed: %v, want ErrForeignTx", err)
	}
	_ = second.rollback()
}

// A panic between the insert and the commit leaves nothing, if the application rolls back as it should.
func TestInsertTxAndPanic(t *testing.T) {
	s := open(t)
	o, _ := opened.Load(s)
	job := newJob()
	func() {
		defer func() { _ = recover() }()
		tx := beginSQL(t, "pgx", o.(Options).URL, nil)
		defer tx.rollback()
		if _, err := s.InsertTx(t.Context(), tx.tx, []jobs.Submission{{Jobs: []jobs.New{job}}}); err != nil {
			t.Error(err)
		}
		panic("on purpose")
	}()
	if _, _, err := s.Get(t.Context(), job.ID); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("the job: %v, want ErrNotFound", err)
	}
}

func TestCompleteTx(t *testing.T) {
	forEachDriver(t, func(t *testing.T, s *Store, begin func() callers) {
		ctx := t.Context()
		w, ids := session(t, s), submit(t, s, 4)
		claim(t, s, w, ids...)
		outcome := func(i int) store.Outcome {
			return store.Outcome{ID: ids[i], Fence: 1, Session: w, Verb: store.VerbComplete,
				Result: []byte(`{"say":"\"ü\", {\\}"}`)}
		}
		status := func(i int, want jobs.Status) jobs.Job {
			t.Helper()
			job, _, err := s.Get(ctx, ids[i])
			if err != nil || job.Status != want {
				t.Errorf("job %d is %s, error %v, want %s", i, job.Status, err, want)
			}
			return job
		}
		end := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		// Committed.
		tx := begin()
		end(s.CompleteTx(ctx, tx.tx, outcome(0)))
		if err := s.CompleteTx(ctx, tx.tx, outcome(0)); !errors.Is(err, jobs.ErrStale) {
			t.Errorf("twice in a transaction: %v, want ErrStale", err)
		}
		tx.usable(t)
		status(0, jobs.Processing)
		end(tx.commit())
		if job := status(0, jobs.Completed); string(job.Result) != `{"say":"\"ü\", {\\}"}` {
			t.Errorf("result %s", job.Result)
		}
		settled, err := s.Settle(ctx, []store.Outcome{{ID: ids[0], Fence: 1, Session: w, Verb: store.VerbRetry,
			Error: "it broke", Attempt: jobs.AttemptFailed}})
		if err != nil || settled[0].Result != store.Already || settled[0].Status != jobs.Completed {
			t.Errorf("settle after the commit: %+v, error %v, want Already", settled, err)
		}
		// Rolled back.
		tx = begin()
		end(s.CompleteTx(ctx, tx.tx, outcome(1)))
		end(tx.rollback())
		status(1, jobs.Processing)

		// While a transaction has the job, the reaper passes it over, and the commit wins.
		tx = begin()
		end(s.CompleteTx(ctx, tx.tx, outcome(2)))
		if _, err := s.Heartbeat(ctx, store.Heartbeat{Session: w, State: store.SessionDead}); err != nil {
			t.Fatal(err)
		}
		reaped, err := s.Reap(ctx, time.Now(), 10)
		if err != nil || len(reaped) != 2 {
			t.Errorf("reaped %+v, error %v, want jobs 1 and 3", reaped, err)
		}
		end(tx.commit())
		status(2, jobs.Completed)
		if reaped, err := s.Reap(ctx, time.Now(), 10); err != nil || len(reaped) != 0 {
			t.Errorf("reaped after the commit: %+v, error %v", reaped, err)
		}
		// Reaped before: the effect must be rolled back.
		tx = begin()
		if err := s.CompleteTx(ctx, tx.tx, outcome(3)); !errors.Is(err, jobs.ErrStale) {
			t.Errorf("a job that was taken back: %v, want ErrStale", err)
		}
		tx.usable(t)
		end(tx.rollback())

		stats, err := s.Stats(ctx)
		if err != nil || stats.Completed != 2 || stats.Total != 4 {
			t.Errorf("stats %+v, error %v", stats, err)
		}
	})
}

// Effect and completion are committed together, or neither is, whether the worker or the reaper is first.
func TestCompleteTxAgainstTheReaper(t *testing.T) {
	s := open(t)
	exec(t, s, `CREATE TABLE public.effects (job uuid)`)
	o, _ := opened.Load(s)
	const duels = 100
	for range duels {
		w, ids := session(t, s), submit(t, s, 1)
		claim(t, s, w, ids...)
		if _, err := s.Heartbeat(t.Context(), store.Heartbeat{Session: w, State: store.SessionDead}); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		tx := beginPgx(t, o.(Options).URL)
		both.Go(func() {
			if _, err := s.Reap(t.Context(), time.Now(), 10); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			err := tx.query(`INSERT INTO effects VALUES ('`+ids[0]+`')`, nil)
			if err == nil {
				err = s.CompleteTx(t.Context(), tx.tx, store.Outcome{ID: ids[0], Fence: 1, Session: w,
					Verb: store.VerbComplete})
			}
			switch {
			case err == nil:
				err = tx.commit()
			case errors.Is(err, jobs.ErrStale):
				err = tx.rollback()
			}
			if err != nil {
				t.Error(err)
			}
		})
		both.Wait()
	}
	effects := value[int64](t, s, `SELECT count(*) FROM public.effects`)
	both := value[int64](t, s, `SELECT count(*) FROM public.effects e JOIN windlass.jobs j ON j.id = e.job
		AND j.status = 'completed'`)
	stats, err := s.Stats(t.Context())
	if err != nil || both != effects || stats.Completed != effects {
		t.Errorf("%d effects, %d of them of completed jobs, %d completed; error %v", effects, both, stats.Completed,
			err)
	}
	t.Logf("the worker was quicker %d times of %d", effects, duels)
}

// A process that dies with an open transaction leaves no effect, and the job is taken back.
func TestCompleteTxAndCrash(t *testing.T) {
	s := open(t)
	exec(t, s, `CREATE TABLE public.effects (job uuid)`)
	o, _ := opened.Load(s)
	w, ids := session(t, s), submit(t, s, 1)
	claim(t, s, w, ids...)
	tx := beginPgx(t, o.(Options).URL)
	if err := tx.query(`INSERT INTO effects VALUES ('`+ids[0]+`')`, nil); err != nil {
		t.Fatal(err)
	}
	outcome := store.Outcome{ID: ids[0], Fence: 1, Session: w, Verb: store.VerbComplete}
	if err := s.CompleteTx(t.Context(), tx.tx, outcome); err != nil {
		t.Fatal(err)
	}
	socket := tx.tx.(pgx.Tx).Conn().PgConn().Conn()
	if err := socket.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.CompleteTx(t.Context(), tx.tx, outcome); err == nil || errors.Is(err, jobs.ErrStale) {
		t.Errorf("complete over a broken connection: %v", err)
	}
	if _, err := s.Heartbeat(t.Context(), store.Heartbeat{Session: w, State: store.SessionDead}); err != nil {
		t.Fatal(err)
	}
	// The server rolls back as soon as it notices that the client is gone.
	var reaped []store.Reaped
	for deadline := time.Now().Add(10 * time.Second); len(reaped) == 0; {
		var err error
		if reaped, err = s.Reap(t.Context(), time.Now(), 10); err != nil || time.Now().After(deadline) {
			t.Fatalf("the job was not taken back: %v", err)
		}
	}
	if n := value[int](t, s, `SELECT count(*) FROM public.effects`); n != 0 {
		t.Errorf("%d effects of a transaction that was not committed", n)
	}
}

// Transactions that are not of this database are refused before anything is written, and stay usable.
func TestForeignTransactions(t *testing.T) {
	target := servers.Postgres(t)
	s := openURL(t, target)
	ctx := t.Context()
	refused := func(name string, tx any) {
		t.Helper()
		_, err := s.InsertTx(ctx, tx, []jobs.Submission{{Jobs: []jobs.New{newJob()}, Key: &jobs.Key{Key: name}}})
		if !errors.Is(err, store.ErrForeignTx) {
			t.Errorf("%s: insert: %v, want ErrForeignTx", name, err)
		}
		err = s.CompleteTx(ctx, tx, store.Outcome{ID: newJobID(), Session: newJobID(), Verb: store.VerbComplete})
		if !errors.Is(err, store.ErrForeignTx) {
			t.Errorf("%s: complete: %v, want ErrForeignTx", name, err)
		}
	}
	refused("nil", nil)
	refused("nil *sql.Tx", (*sql.Tx)(nil))
	refused("a number", 1)
	refused("a database", &sql.DB{})
	for name, begin := range drivers {
		over := begin(t, target)
		if err := over.commit(); err != nil {
			t.Fatal(err)
		}
		refused(name+": over", over.tx)

		elsewhere := begin(t, servers.Postgres(t))
		refused(name+": another database", elsewhere.tx)
		elsewhere.usable(t)

		failed := begin(t, target)
		_ = failed.query("SELECT 1/0", nil)
		refused(name+": failed", failed.tx)

		readOnly := begin(t, target)
		if err := readOnly.query("SET TRANSACTION READ ONLY", nil); err != nil {
			t.Fatal(err)
		}
		refused(name+": read-only", readOnly.tx)
		readOnly.usable(t)

		_, as := role(t, s, target, "")
		stranger := begin(t, as)
		refused(name+": a role without rights", stranger.tx)
		stranger.usable(t)
		_ = stranger.rollback()
	}
	lite := beginSQL(t, "sqlite", ":memory:", nil)
	refused("SQLite", lite.tx)
	lite.usable(t)

	// The same database, but a schema without tables: not migrated, say.
	other := openWith(t, Options{URL: target, Schema: "not_there"})
	tx := beginPgx(t, target)
	if _, err := other.InsertTx(ctx, tx.tx, []jobs.Submission{{Jobs: []jobs.New{newJob()}}}); !errors.Is(err,
		store.ErrForeignTx) {
		t.Errorf("a missing schema: %v, want ErrForeignTx", err)
	}
	tx.usable(t)

	// A result that cannot be stored is refused before the transaction is looked at.
	large := store.Outcome{ID: newJobID(), Session: newJobID(), Verb: store.VerbComplete, Result: make([]byte,
		jobs.MaxResultBytes+1)}
	if err := s.CompleteTx(ctx, nil, large); !errors.Is(err, jobs.ErrRejected) {
		t.Errorf("a large result: %v, want ErrRejected", err)
	}
}

// The caller's own lock_timeout stays.
func TestTransactionsKeepTheirLockTimeout(t *testing.T) {
	s := open(t)
	o, _ := opened.Load(s)
	for _, own := range []string{"0", "777ms"} {
		tx := beginSQL(t, "postgres", o.(Options).URL, nil)
		if err := tx.query("SET LOCAL lock_timeout = '"+own+"'", nil); err != nil {
			t.Fatal(err)
		}
		_, err := s.InsertTx(t.Context(), tx.tx, []jobs.Submission{{Jobs: []jobs.New{newJob()},
			Key: &jobs.Key{Key: own}}})
		if err != nil {
			t.Fatal(err)
		}
		same := func(what string) {
			t.Helper()
			var after string
			if err := tx.query("SELECT current_setting('lock_timeout')", &after); err != nil || after != own {
				t.Errorf("lock_timeout is %q after %s, error %v, want %q", after, what, err, own)
			}
		}
		same("an insert")
		unfit := newJob()
		unfit.ID = "none"
		_, err = s.InsertTx(t.Context(), tx.tx, []jobs.Submission{{Jobs: []jobs.New{unfit}, Key: &jobs.Key{Key: "other"}}})
		if !errors.Is(err, jobs.ErrRejected) {
			t.Errorf("a job without an id: %v, want ErrRejected", err)
		}
		same("an insert that was not sent")
		_ = tx.rollback()
	}
}

// Prune does not wait for a row of completed_counts that a long transaction has locked. It merges the row later.
func TestPruneDoesNotWaitForCounts(t *testing.T) {
	s := open(t)
	w := session(t, s)
	for _, j := range claim(t, s, w, submit(t, s, 2)...) {
		if _, err := s.Settle(t.Context(), []store.Outcome{{ID: j.ID, Fence: j.Fence, Session: w,
			Verb: store.VerbComplete}}); err != nil {
			t.Fatal(err)
		}
	}
	makeOlder(t, s, 10*time.Minute)
	o, _ := opened.Load(s)
	tx := beginPgx(t, o.(Options).URL)
	if err := tx.query("SELECT count(*) FROM (SELECT FROM windlass.completed_counts FOR UPDATE) AS n",
		new(int)); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if _, err := s.Prune(t.Context(), hourly); err != nil || time.Since(begun) > time.Second {
		t.Errorf("prune: %v after %s", err, time.Since(begun))
	}
	merged := `SELECT count(*) FROM windlass.completed_counts WHERE at = '-infinity'`
	if n := value[int](t, s, merged); n != 0 {
		t.Error("a locked row was merged")
	}
	_ = tx.rollback()
	if _, err := s.Prune(t.Context(), hourly); err != nil {
		t.Fatal(err)
	}
	if n := value[int](t, s, merged); n != 1 {
		t.Error("a row that is free again was not merged")
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.Completed != 2 {
		t.Errorf("stats %+v, error %v", stats, err)
	}
}
