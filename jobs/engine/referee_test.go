package engine_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/postgres"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// application is a program whose handlers write an effect and complete their job in one transaction.
type application struct {
	store store.Store
	// inTx runs fn in a transaction, and commits it where fn returns nil. effect writes an effect of a job in it.
	inTx    func(ctx context.Context, fn func(tx any, effect func(job string) error) error) error
	effects func(ctx context.Context) (map[string]int, error)
}

// Handlers complete their jobs in transactions while somebody keeps declaring their worker dead and taking its jobs
// back. Each of these duels has one winner: at the end a job is completed, has its effect once and is followed by one
// job that its handler submitted in the same transaction; or it is not completed and has neither.
func referee(t *testing.T, app application, count, kills int) {
	queue := memory.New(memory.Options{})
	defer queue.Close()
	log := slog.New(slog.DiscardHandler)
	var registry jobs.Registry
	client := must(engine.NewClient(engine.ClientOptions{
		Store: app.store, Queue: queue, Bus: queue, Registry: &registry, Log: log,
	}))
	defer client.Close()
	jobs.Handle(&registry, "next", nothing)
	var stale, late, rolledBack atomic.Int32
	errChange := errors.New("changed its mind")
	jobs.Handle(&registry, "work", func(ctx context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		pause := func(most time.Duration) { <-time.After(rand.N(most)) }
		pause([]time.Duration{10 * time.Millisecond, 300 * time.Millisecond}[rand.IntN(4)/3]) // few are slow
		err := app.inTx(context.WithoutCancel(ctx), func(tx any, effect func(job string) error) error {
			if err := effect(run.Job.ID); err != nil {
				return err
			}
			if err := run.CompleteTx(context.WithoutCancel(ctx), tx, run.Job.Attempts); err != nil {
				return err
			}
			next := jobs.Submission{Jobs: []jobs.New{{Type: "next"}}}
			if _, err := client.SubmitTx(context.WithoutCancel(ctx), tx, next); err != nil {
				return err
			}
			pause(10 * time.Millisecond)
			if rand.IntN(10) == 0 {
				return errChange
			}
			return nil
		})
		switch {
		case errors.Is(err, jobs.ErrStale):
			stale.Add(1)
		case errors.Is(err, errChange):
			rolledBack.Add(1)
			if rand.IntN(2) == 0 {
				return nil, nil // as if it did not know
			}
		case err == nil && rand.IntN(10) == 0:
			late.Add(1)
			return nil, errors.New("failed after the commit")
		}
		return nil, err
	}, jobs.WithBackoff(func(int) time.Duration { return 0 }), jobs.WithMaxAttempts(jobs.MaxMaxAttempts))

	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	worker := must(engine.NewWorker(engine.WorkerOptions{
		Store: app.store, Queue: queue, Bus: queue, Registry: &registry, Log: log,
		Concurrency: 16, LeaseTTL: time.Second, ShutdownTimeout: time.Second,
	}))
	running.Go(func() { worker.Run(ctx) })
	maintenance := must(engine.NewMaintenance(engine.MaintenanceOptions{
		Store: app.store, Queue: queue, Log: log, LeaseTTL: time.Second,
	}))
	running.Go(func() { maintenance.Run(ctx) })

	list := make([]jobs.New, count)
	for i := range list {
		list[i] = jobs.New{Type: "work"}
	}
	receipt, err := client.Submit(t.Context(), jobs.Submission{Jobs: list})
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	for range kills {
		// While jobs run: a session that was just declared dead claims none for a moment.
		deadline := time.Now().Add(3 * time.Second)
		for worker.Stats().Running < 4 && time.Now().Before(deadline) {
			<-time.After(time.Millisecond)
		}
		<-time.After(rand.N(10 * time.Millisecond))
		sessions, err := app.store.Sessions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sessions {
			dead := store.Heartbeat{Session: s.ID, State: store.SessionDead, SinceCompletion: -1}
			if _, err := app.store.Heartbeat(t.Context(), dead); err != nil && !errors.Is(err, jobs.ErrBusy) {
				t.Fatal(err)
			}
		}
		reaped, err := app.store.Reap(t.Context(), time.Time{}, 500)
		if err != nil && !errors.Is(err, jobs.ErrBusy) {
			t.Fatal(err)
		}
		taken += len(reaped)
	}
	completed, failed := 0, 0
	over := map[string]jobs.Job{}
	for _, j := range receipt.Jobs {
		j, err := client.Wait(t.Context(), j.ID)
		if err != nil {
			t.Fatal(err)
		}
		over[j.ID] = j
		if j.Status == jobs.Completed {
			completed++
		} else {
			failed++
		}
	}
	eventually(t, "the next jobs", func() bool {
		stats, err := app.store.Stats(t.Context())
		return err == nil && stats.Total >= int64(count+completed) && stats.Completed >= int64(2*completed)
	})
	stop()
	running.Wait() // a handler that has lost its job may still be in its transaction
	effects, err := app.effects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stats, err := app.store.Stats(t.Context())
	if err != nil || stats.Total != int64(count+completed) || stats.Completed != int64(2*completed) {
		t.Errorf("%d jobs were completed, so %d should be there: %+v, %v", completed, count+completed, stats, err)
	}
	for id, j := range over {
		if want := map[jobs.Status]int{jobs.Completed: 1}[j.Status]; effects[id] != want {
			t.Errorf("a job that is %s has %d effects: %+v", j.Status, effects[id], j)
		}
	}
	text := fmt.Sprintf("%d completed, %d failed; %d taken back, %d handlers too late, %d rolled back, "+
		"%d failed after the commit",
		completed, failed, taken, stale.Load(), rolledBack.Load(), late.Load())
	t.Log(text)
	if taken == 0 || stale.Load() == 0 || rolledBack.Load() == 0 || late.Load() == 0 || completed == 0 {
		t.Errorf("not everything occurred that should: %s", text)
	}
}

func TestRefereeSQLite(t *testing.T) {
	t.Parallel()
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	err = st.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `CREATE TABLE effects (job TEXT)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	app := application{store: st}
	app.inTx = func(ctx context.Context, fn func(tx any, effect func(job string) error) error) error {
		return st.Tx(ctx, func(tx *sql.Tx) error {
			return fn(tx, func(job string) error {
				_, err := tx.ExecContext(ctx, `INSERT INTO effects (job) VALUES (?1)`, job)
				return err
			})
		})
	}
	app.effects = func(ctx context.Context) (map[string]int, error) {
		found := map[string]int{}
		return found, st.Tx(ctx, func(tx *sql.Tx) error { return countEffects(ctx, tx, found) })
	}
	referee(t, app, 300, 20)
}

// countEffects reads how many effects each job has.
func countEffects(ctx context.Context, tx *sql.Tx, found map[string]int) error {
	rows, err := tx.QueryContext(ctx, `SELECT job, count(*) FROM effects GROUP BY job`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var job string
		var n int
		if err := rows.Scan(&job, &n); err != nil {
			return err
		}
		found[job] = n
	}
	return rows.Err()
}

// openPostgres opens a new database, and a pool of connections of the application's own.
func openPostgres(t *testing.T) (*postgres.Store, *pgxpool.Pool) {
	t.Helper()
	url := servers.Postgres(t)
	st, err := postgres.Open(t.Context(), postgres.Options{URL: url, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.Close)
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return st, pool
}

func TestRefereePostgres(t *testing.T) {
	t.Parallel()
	st, pool := openPostgres(t)
	if _, err := pool.Exec(t.Context(), `CREATE TABLE effects (job text)`); err != nil {
		t.Fatal(err)
	}
	app := application{store: st}
	app.inTx = func(ctx context.Context, fn func(tx any, effect func(job string) error) error) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			return fn(tx, func(job string) error {
				_, err := tx.Exec(ctx, `INSERT INTO effects (job) VALUES ($1)`, job)
				return err
			})
		})
	}
	app.effects = func(ctx context.Context) (map[string]int, error) {
		rows, err := pool.Query(ctx, `SELECT job, count(*)::int FROM effects GROUP BY job`)
		if err != nil {
			return nil, err
		}
		found, job, n := map[string]int{}, "", 0
		_, err = pgx.ForEachRow(rows, []any{&job, &n}, func() error {
			found[job] = n
			return nil
		})
		return found, err
	}
	referee(t, app, 1000, 60)
}

// A handler that returns while its transaction is still open keeps its slot until that has ended. Other jobs go on
// meanwhile, and the transaction decides.
func TestOpenTransactionPostgres(t *testing.T) {
	t.Parallel()
	st, pool := openPostgres(t)
	queue := memory.New(memory.Options{})
	defer queue.Close()
	log := slog.New(slog.DiscardHandler)
	var registry jobs.Registry
	open := make(chan pgx.Tx, 1)
	jobs.Handle(&registry, "open", func(ctx context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		if run.Job.Attempts > 1 {
			return "second", nil
		}
		tx, err := pool.Begin(t.Context())
		if err != nil {
			return nil, err
		}
		err = run.CompleteTx(ctx, tx, "first")
		open <- tx
		return nil, err
	}, jobs.WithBackoff(func(int) time.Duration { return 0 }))
	jobs.Handle(&registry, "other", nothing)
	client := must(engine.NewClient(engine.ClientOptions{
		Store: st, Queue: queue, Bus: queue, Registry: &registry, Log: log,
	}))
	defer client.Close()
	worker := must(engine.NewWorker(engine.WorkerOptions{
		Store: st, Queue: queue, Bus: queue, Registry: &registry, Log: log, Concurrency: 16,
	}))
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { worker.Run(ctx) })
	defer running.Wait()
	defer stop()
	submit := func(list ...jobs.New) []jobs.Job {
		t.Helper()
		r, err := client.Submit(t.Context(), jobs.Submission{Jobs: list})
		if err != nil {
			t.Fatal(err)
		}
		return r.Jobs
	}
	for name, end := range map[string]func(pgx.Tx) error{
		`"first"`:  func(tx pgx.Tx) error { return tx.Commit(t.Context()) },
		`"second"`: func(tx pgx.Tx) error { return tx.Rollback(t.Context()) },
	} {
		id := submit(jobs.New{Type: "open"})[0].ID
		tx := receive(t, "the transaction", open)
		began := time.Now()
		for range 5 {
			for _, j := range submit(slices.Repeat([]jobs.New{{Type: "other"}}, 200)...) {
				if _, err := client.Wait(t.Context(), j.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		t.Logf("1,000 other jobs took %s", time.Since(began))
		if j, _, err := client.Get(t.Context(), id); err != nil || j.Status != jobs.Processing {
			t.Errorf("while the transaction is open: %+v, %v", j, err)
		}
		if _, err := client.Cancel(t.Context(), id); !errors.Is(err, jobs.ErrBusy) {
			t.Errorf("cancelling it meanwhile: %v", err)
		}
		if err := end(tx); err != nil {
			t.Fatal(err)
		}
		j, err := client.Wait(t.Context(), id)
		if err != nil || j.Status != jobs.Completed || string(j.Result) != name {
			t.Errorf("%+v, result %s, want %s; %v", j, j.Result, name, err)
		}
	}
	eventually(t, "free slots", func() bool { return worker.Stats().Running == 0 })
}
