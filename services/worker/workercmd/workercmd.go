// Package workercmd is the worker as a function: it runs jobs. The commands `worker` and `windlass worker` call it.
package workercmd

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/windlass-jobs/windlass/handlers"
	"github.com/windlass-jobs/windlass/internal/lifecycle"
	"github.com/windlass-jobs/windlass/internal/version"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/jobs/store/postgres"
	"github.com/windlass-jobs/windlass/services/internal/process"
	"github.com/windlass-jobs/windlass/services/internal/settings"
)

// Main runs jobs, or does what args say; they are what follows the name of the program:
//
//	(nothing)      runs jobs
//	healthcheck    asks the worker that runs with these settings whether it is ready; exit code 0: it is
//
// It returns the exit code.
func Main(args []string) int { return process.Main(settings.Worker, args, usage, work) }

const usage = "usage: worker [healthcheck]\n\nWithout an argument it works; the settings are environment variables."

// work runs jobs until ctx ends, then lets those that run come to an end.
func work(ctx context.Context, config settings.Config, log *slog.Logger) error {
	store, err := postgres.Open(ctx, postgres.Options{URL: config.DatabaseURL, Schema: config.DatabaseSchema,
		Application: "windlass-worker", Log: log})
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer store.Close()
	queue, err := redis.Open(ctx, redis.Options{
		URL: config.RedisURL, Prefix: config.RedisPrefix, Log: log,
		CAFile: config.RedisCAFile, CertFile: config.RedisCertFile, KeyFile: config.RedisKeyFile,
	})
	if err != nil {
		return fmt.Errorf("REDIS_URL: %w", err)
	}
	defer queue.Close()
	registry := &jobs.Registry{}
	handlers.Register(registry, handlers.Options{FailRate: config.FailRate})
	worker, err := engine.NewWorker(engine.WorkerOptions{
		Store: store, Queue: queue, Bus: queue, Registry: registry, Log: log, LogJobs: config.LogJobs,
		Concurrency: config.WorkerConcurrency, Queues: config.WorkerQueues, LeaseTTL: config.LeaseTTL,
		Version: version.Version(), ExitWhenStuck: true,
		ShutdownTimeout: max(config.ShutdownTimeout, 1), // 0 would mean the default
	})
	if err != nil {
		return err
	}
	maintenance, err := engine.NewMaintenance(engine.MaintenanceOptions{
		Store: store, Queue: queue, Log: log, LogJobs: config.LogJobs, LeaseTTL: config.LeaseTTL,
		RetentionCompleted: config.RetentionCompleted, RetentionFailed: config.RetentionFailed,
		RetentionAudit: config.RetentionAudit,
	})
	if err != nil {
		return err
	}
	life := process.New(config, log, store, queue)
	parts := []lifecycle.Part{
		{Name: "worker", Run: worker.Run},
		{Name: "maintenance", Run: lifecycle.NoError(maintenance.Run)},
	}
	if config.HealthPort != 0 {
		listener, err := process.Listen(config.Host, config.HealthPort, "HEALTH_PORT; 0 does without")
		if err != nil {
			return err
		}
		defer listener.Close()
		log.Info("health", "url", "http://"+listener.Addr().String())
		parts = append(parts, healthServer(listener, life, worker, log))
	}
	return life.Run(ctx, parts...)
}
