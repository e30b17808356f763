package systems

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/postgres"
)

// windlass is Windlass on PostgreSQL and Redis, or on SQLite. The engine is the same.
type windlass struct {
	store       store.Store
	queue       queueAndBus
	client      *engine.Client
	worker      *engine.Worker
	maintenance *engine.Maintenance
	begun       bool
	text        string

	count func(ctx context.Context) (Count, error)
	fill  func(ctx context.Context, count int) error

	stop    context.CancelFunc
	running sync.WaitGroup
	closers []func() error
}

// queueAndBus is what the engine needs besides the store.
type queueAndBus interface {
	queue.Queue
	queue.Bus
}

// quiet returns a logger for warnings and errors, as is usual under load.
func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func openWindlass(ctx context.Context, o Options) (System, error) {
	log := quiet()
	store, err := postgres.Open(ctx, postgres.Options{URL: o.Database, Conns: o.Conns, Log: log})
	if err != nil {
		return nil, err
	}
	if err := store.Migrate(ctx); err != nil {
		return nil, err
	}
	queue, err := redis.Open(ctx, redis.Options{URL: o.Redis, Log: log})
	if err != nil {
		return nil, err
	}
	w, err := newWindlass(o, store, queue, log)
	if err != nil {
		return nil, err
	}
	w.closers = []func() error{func() error { queue.Close(); return nil }, func() error { store.Close(); return nil }}
	w.text = "fsync, " + w.text
	w.count = func(ctx context.Context) (Count, error) { return countWindlass(ctx, o.Database) }
	w.fill = func(ctx context.Context, count int) error { return fillWindlass(ctx, o.Database, count) }
	return w, nil
}

// newWindlass puts the engine together. The default of a worker is 5 slots. For jobs that do nothing, some thousands
// are better: then more jobs share a commit. All other settings have their defaults. For latency, the slots too.
func newWindlass(o Options, store store.Store, queue queueAndBus, log *slog.Logger) (*windlass, error) {
	slots := or(o.Slots, 4000)
	if o.Latency != "" {
		slots = 0
	}
	registry := &jobs.Registry{}
	jobs.Handle(registry, "noop", func(_ context.Context, _ *jobs.Run, e Email) (any, error) {
		o.Handler(e.N)
		return nil, nil
	})
	w := &windlass{
		store: store, queue: queue, text: fmt.Sprintf("%d slots", or(slots, 5)),
	}
	var errs [3]error
	w.client, errs[0] = engine.NewClient(engine.ClientOptions{
		Store: store, Queue: queue, Bus: queue, Registry: registry, Log: log,
	})
	w.worker, errs[1] = engine.NewWorker(engine.WorkerOptions{
		Store: store, Queue: queue, Bus: queue, Registry: registry, Log: log, Concurrency: slots,
	})
	w.maintenance, errs[2] = engine.NewMaintenance(engine.MaintenanceOptions{Store: store, Queue: queue, Log: log})
	return w, errors.Join(errs[:]...)
}

func (w *windlass) Submit(ctx context.Context, n int) error {
	_, err := w.client.Submit(ctx, jobs.Submission{Jobs: []jobs.New{{Type: "noop", Payload: payload(n)}}})
	return err
}

func (w *windlass) Bulk(ctx context.Context, first, count int) error {
	list := make([]jobs.New, count)
	for i := range list {
		list[i] = jobs.New{Type: "noop", Payload: payload(first + i)}
	}
	_, err := w.client.Submit(ctx, jobs.Submission{Jobs: list})
	return err
}

// Start also starts the maintenance, as a worker process does.
func (w *windlass) Start(ctx context.Context) error {
	ctx, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	w.begun = true
	w.running.Go(func() { w.maintenance.Run(ctx) })
	w.running.Go(func() {
		if err := w.worker.Run(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "windlass worker:", err)
		}
	})
	return nil
}

func (w *windlass) Completed(context.Context) (int, error) {
	return int(w.worker.Stats().Completed), nil
}

func (w *windlass) Count(ctx context.Context) (Count, error) { return w.count(ctx) }

func (w *windlass) History(ctx context.Context, count int) error { return w.fill(ctx, count) }

func (w *windlass) Settings() string { return w.text }

func (w *windlass) Close(context.Context) error {
	if w.begun {
		w.stop()
		w.running.Wait()
	}
	w.client.Close()
	for _, c := range w.closers {
		if err := c(); err != nil {
			return err
		}
	}
	return nil
}

func countWindlass(ctx context.Context, url string) (c Count, err error) {
	return c, withConn(ctx, url, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT
			count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'processing'),
			count(*) FILTER (WHERE status = 'completed'), (SELECT count(*) FROM windlass.job_attempts) FROM windlass.jobs`).
			Scan(&c.Waiting, &c.Running, &c.Completed, &c.Failed)
	})
}

// fillWindlass inserts rows like those of jobs that have run once, spread over the last six days. Their ids are in the
// order of creation: the first 48 bits are the milliseconds. The counts of completed jobs include them.
func fillWindlass(ctx context.Context, url string, count int) error {
	return withConn(ctx, url, func(conn *pgx.Conn) error {
		for _, sql := range []string{
			fmt.Sprintf(`INSERT INTO windlass.jobs (id, worker_id, fence, run_at, created_at, updated_at, started_at, finished_at,
				timeout_seconds, attempts, max_attempts, priority, status, type, queue, payload)
			SELECT (lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0')
					|| '7' || substr(r, 1, 3) || '8' || substr(r, 4, 15))::uuid,
				'00000000-0000-7000-8000-000000000001', 1, t, t, t, t, t, 300, 1, 5, 0, 'completed', 'noop', 'default',
				jsonb_build_object('to', 'somebody@example.com', 'subject', 'a payload of about one hundred bytes',
					'n', i, 'urgent', false)
			FROM (SELECT i, md5(i::text) AS r, now() - interval '6 days' + i * (interval '5 days' / %[1]d) AS t
				FROM generate_series(1, %[1]d) i) AS past`, count),
			fmt.Sprintf(`INSERT INTO windlass.completed_counts (at, backend, completed, deleted) VALUES ('-infinity', 0, %d, 0)
				ON CONFLICT (at, backend) DO UPDATE SET completed = completed_counts.completed + excluded.completed`, count),
			`VACUUM (ANALYZE) windlass.jobs`,
		} {
			if _, err := conn.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

// withConn runs f on a new connection.
func withConn(ctx context.Context, url string, f func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return f(conn)
}
