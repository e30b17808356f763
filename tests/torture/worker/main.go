// Command worker is the worker of the torture: the real engine on the real drivers, with handlers that record each
// execution.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/jobs/store/postgres"
	"github.com/windlass-jobs/windlass/tests/torture/history"
	"github.com/windlass-jobs/windlass/tests/torture/recording"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := work(ctx); err != nil && ctx.Err() == nil { // after SIGTERM during the start an error is expected
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

// settings come from the environment. They have the same names as those of the real worker, if it has them.
type settings struct {
	ttl, grace  time.Duration
	slots       int
	types       []string
	maintenance bool
}

func load() (s settings, err error) {
	if s.ttl, err = time.ParseDuration(os.Getenv("LEASE_TTL")); err != nil {
		return s, err
	}
	if s.grace, err = time.ParseDuration(os.Getenv("SHUTDOWN_TIMEOUT")); err != nil {
		return s, err
	}
	if s.slots, err = strconv.Atoi(os.Getenv("WORKER_CONCURRENCY")); err != nil {
		return s, err
	}
	s.types = strings.FieldsFunc(os.Getenv("TORTURE_TYPES"), func(r rune) bool { return r == ',' })
	s.maintenance = os.Getenv("TORTURE_MAINTENANCE") != "off"
	return s, nil
}

func work(ctx context.Context) error {
	set, err := load()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn}))
	name := os.Getenv("TORTURE_HISTORY") // the path also serves as the name of the process
	events, err := history.Open(name)
	if err != nil {
		return err
	}
	defer events.Close()
	events.Write(history.Event{Kind: history.Up})
	pg, err := postgres.Open(ctx, postgres.Options{
		URL: os.Getenv("DATABASE_URL"), Application: "windlass-worker", Log: log,
	})
	if err != nil {
		return err
	}
	defer pg.Close()
	queue, err := redis.Open(ctx, redis.Options{URL: os.Getenv("REDIS_URL"), Log: log})
	if err != nil {
		return err
	}
	defer queue.Close()
	for pg.Migrate(ctx) != nil {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
	store := &recording.Store{Store: pg, Log: events}
	registry := &jobs.Registry{}
	recording.Register(registry, events, set.types)
	worker, err := engine.NewWorker(engine.WorkerOptions{
		Store: store, Queue: queue, Bus: queue, Registry: registry, Log: log,
		Concurrency: set.slots, LeaseTTL: set.ttl, ShutdownTimeout: set.grace,
	})
	if err != nil {
		return err
	}
	maintenance, err := engine.NewMaintenance(engine.MaintenanceOptions{
		Store: store, Queue: queue, Log: log, LeaseTTL: set.ttl,
	})
	if err != nil {
		return err
	}
	var background sync.WaitGroup
	maintaining, stopMaintenance := context.WithCancel(ctx)
	if set.maintenance {
		background.Go(func() { maintenance.Run(maintaining) })
	}
	background.Go(func() { recording.Count(maintaining, worker, events, name) })
	err = worker.Run(ctx)
	stopMaintenance()
	background.Wait()
	events.Write(recording.Counted(history.Down, worker, name))
	return err
}
