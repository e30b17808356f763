// Command worker runs jobs. Start as many as there is work for; each runs WORKER_CONCURRENCY jobs at once.
//
//	worker                works (see docs/operations.md for the settings)
//	worker healthcheck    asks the worker that runs with these settings whether it is ready; exit code 0: it is
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/windlass-jobs/windlass/handlers"
	"github.com/windlass-jobs/windlass/internal/lifecycle"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/jobs/store/postgres"
	"github.com/windlass-jobs/windlass/services/internal/boot"
)

func main() {
	switch args := os.Args[1:]; {
	case len(args) == 1 && args[0] == "healthcheck":
		os.Exit(boot.Healthcheck(boot.Worker, os.Environ(), os.Stdout))
	case len(args) > 0:
		fmt.Fprintln(os.Stderr, "usage: worker [healthcheck]\n\nWithout an argument it works; the settings are environment variables.")
		os.Exit(2)
	}
	boot.Tune()
	config := boot.MustLoad(boot.Worker)
	log := boot.Logger(config, os.Stdout)
	slog.SetDefault(log)
	ctx, stop := boot.Signals(context.Background(), log)
	defer stop()
	log.Info("starting", "service", "worker", "version", boot.Version(), "settings", config)
	if err := work(ctx, config, log); err != nil {
		log.Error("stopped", "error", err)
		os.Exit(1)
	}
	log.Info("stopped")
}

// work runs jobs until ctx ends, then lets those that run come to an end.
func work(ctx context.Context, config boot.Config, log *slog.Logger) error {
	store, err := postgres.Open(ctx, postgres.Options{URL: config.DatabaseURL, Application: "windlass-worker", Log: log})
	if err != nil {
		return err
	}
	defer store.Close()
	queue, err := redis.Open(ctx, redis.Options{URL: config.RedisURL, Log: log})
	if err != nil {
		return err
	}
	defer queue.Close()
	registry := &jobs.Registry{}
	handlers.Register(registry, handlers.Options{FailRate: config.FailRate})
	worker, err := engine.NewWorker(engine.WorkerOptions{
		Store: store, Queue: queue, Bus: queue, Registry: registry, Log: log,
		Concurrency: config.WorkerConcurrency, Queues: config.WorkerQueues, LeaseTTL: config.LeaseTTL,
		ShutdownTimeout: config.ShutdownTimeout, Version: boot.Version(), ExitWhenStuck: true,
	})
	if err != nil {
		return err
	}
	maintenance, err := engine.NewMaintenance(engine.MaintenanceOptions{
		Store: store, Queue: queue, Log: log, LeaseTTL: config.LeaseTTL,
		RetentionCompleted: config.RetentionCompleted, RetentionFailed: config.RetentionFailed,
	})
	if err != nil {
		return err
	}
	process := boot.Process(config, log, store, queue)
	parts := []lifecycle.Part{
		{Name: "worker", Run: worker.Run},
		{Name: "maintenance", Run: lifecycle.NoError(maintenance.Run)},
	}
	if config.HealthPort != 0 {
		listener, err := boot.Listen(config.Host, config.HealthPort, "HEALTH_PORT; 0 does without")
		if err != nil {
			return err
		}
		defer listener.Close()
		log.Info("health", "url", "http://"+listener.Addr().String())
		parts = append(parts, healthServer(listener, process, worker, log))
	}
	return process.Run(ctx, parts...)
}
