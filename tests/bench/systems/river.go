package systems

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// riverSystem is River on PostgreSQL (TTx is pgx.Tx) or SQLite (*sql.Tx).
type riverSystem[TTx any] struct {
	client *river.Client[TTx]
	text   string

	begun       bool
	completed   atomic.Int64
	unsubscribe func()

	count func(ctx context.Context) (Count, error)
	fill  func(ctx context.Context, count int) error
	close func() error
}

// riverWorker runs the jobs.
type riverWorker struct {
	river.WorkerDefaults[Email]
	handler func(n int)
}

func (w *riverWorker) Work(_ context.Context, job *river.Job[Email]) error {
	w.handler(job.Args.N)
	return nil
}

func openRiver(ctx context.Context, o Options) (System, error) {
	config, err := pgxpool.ParseConfig(o.Database)
	if err != nil {
		return nil, err
	}
	// Each insert of one job holds a connection for a transaction. PostgreSQL commits the transactions of many connections
	// together, so more connections help more callers, up to a point.
	config.MaxConns = int32(or(o.Conns, min(max(o.Callers, 16), 64)))
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	s := &riverSystem[pgx.Tx]{close: func() error { pool.Close(); return nil }}
	s.count = func(ctx context.Context) (c Count, err error) {
		return c, pool.QueryRow(ctx, riverCount).Scan(&c.Waiting, &c.Running, &c.Completed, &c.Failed)
	}
	s.fill = func(ctx context.Context, count int) error { return fillRiver(ctx, pool, count) }
	if err := s.open(ctx, riverpgxv5.New(pool), o); err != nil {
		return nil, err
	}
	s.text = fmt.Sprintf("fsync, %s, %d connections", s.text, config.MaxConns)
	return s, nil
}

const riverCount = `SELECT
	count(CASE WHEN state = 'available' THEN 1 END), count(CASE WHEN state = 'running' THEN 1 END),
	count(CASE WHEN state = 'completed' THEN 1 END), count(CASE WHEN errors IS NOT NULL THEN 1 END) FROM river_job`

func (s *riverSystem[TTx]) open(ctx context.Context, driver riverdriver.Driver[TTx], o Options) error {
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: quiet()})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &riverWorker{handler: o.Handler})
	// River's own benchmark has 2,000 workers (and says that about 1,000 were best), a cooldown of 2 ms and a poll
	// interval of 20 ms. The cooldown limits how often jobs are fetched; 1 ms is the lowest useful value.
	config := &river.Config{
		Logger: quiet(), Workers: workers,
		FetchCooldown: time.Millisecond, FetchPollInterval: 20 * time.Millisecond,
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: or(o.Slots, 1000)}},
	}
	s.text = fmt.Sprintf("%d workers, cooldown %s, poll %s", or(o.Slots, 1000), config.FetchCooldown,
		config.FetchPollInterval)
	switch o.Latency {
	case "default": // River's defaults; the number of workers is that of its documentation
		config.FetchCooldown, config.FetchPollInterval = 0, 0
		config.Queues[river.QueueDefault] = river.QueueConfig{MaxWorkers: 100}
		s.text = "100 workers, cooldown 100ms, poll 1s"
	case "tuned":
		// A notification wakes River, and then it waits for the cooldown. Polling more often does not help.
		config.Queues[river.QueueDefault] = river.QueueConfig{MaxWorkers: 100}
		s.text = "100 workers, cooldown 1ms, poll 20ms"
	}
	s.client, err = river.NewClient(driver, config)
	return err
}

func (s *riverSystem[TTx]) Submit(ctx context.Context, n int) error {
	_, err := s.client.Insert(ctx, email(n), nil)
	return err
}

func (s *riverSystem[TTx]) Bulk(ctx context.Context, first, count int) error {
	list := make([]river.InsertManyParams, count)
	for i := range list {
		list[i].Args = email(first + i)
	}
	_, err := s.client.InsertManyFast(ctx, list)
	return err
}

// Start counts completed jobs with a subscription, which is River's own way: it reports a job when its outcome is
// recorded.
func (s *riverSystem[TTx]) Start(ctx context.Context) error {
	events, cancel := s.client.SubscribeConfig(&river.SubscribeConfig{
		ChanSize: 100_000, // River drops events that do not fit
		Kinds:    []river.EventKind{river.EventKindJobCompleted},
	})
	s.unsubscribe, s.begun = cancel, true
	go func() {
		for range events {
			s.completed.Add(1)
		}
	}()
	return s.client.Start(context.WithoutCancel(ctx))
}

func (s *riverSystem[TTx]) Completed(context.Context) (int, error) {
	return int(s.completed.Load()), nil
}

func (s *riverSystem[TTx]) Count(ctx context.Context) (Count, error) { return s.count(ctx) }

func (s *riverSystem[TTx]) History(ctx context.Context, count int) error { return s.fill(ctx, count) }

func (s *riverSystem[TTx]) Settings() string { return s.text }

func (s *riverSystem[TTx]) Close(ctx context.Context) error {
	if s.begun {
		if err := s.client.Stop(ctx); err != nil {
			return err
		}
		s.unsubscribe()
	}
	return s.close()
}

// fillRiver does for River what fillWindlass does for Windlass. River keeps completed jobs for one day by default. The
// jobs here are younger, and the worker here ends before River's cleaner runs.
func fillRiver(ctx context.Context, pool *pgxpool.Pool, count int) error {
	for _, sql := range []string{
		fmt.Sprintf(`INSERT INTO river_job (state, attempt, max_attempts, attempted_at, created_at, finalized_at,
			scheduled_at, priority, args, attempted_by, kind, queue)
		SELECT 'completed', 1, 25, t, t, t, t, 1,
			jsonb_build_object('to', 'somebody@example.com', 'subject', 'a payload of about one hundred bytes',
				'n', i, 'urgent', false),
			ARRAY['bench'], 'noop', 'default'
		FROM (SELECT i, now() - interval '20 hours' + i * (interval '19 hours' / %[1]d) AS t
			FROM generate_series(1, %[1]d) i) AS past`, count),
		`VACUUM (ANALYZE) river_job`,
	} {
		if _, err := pool.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// openRiverSQLite opens River on SQLite with one connection, as its driver recommends.
func openRiverSQLite(ctx context.Context, o Options) (System, error) {
	db, err := openSQLite(filepath.Join(o.Dir, "river.db"))
	if err != nil {
		return nil, err
	}
	s := &riverSystem[*sql.Tx]{close: db.Close}
	s.count = func(ctx context.Context) (c Count, err error) {
		return c, db.QueryRowContext(ctx, riverCount).Scan(&c.Waiting, &c.Running, &c.Completed, &c.Failed)
	}
	if o.Slots == 0 {
		o.Slots = 100
	}
	if err := s.open(ctx, riversqlite.New(db), o); err != nil {
		return nil, err
	}
	s.text = sqliteSettings + ", " + s.text
	return s, nil
}
