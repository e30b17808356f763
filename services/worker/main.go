// Command worker runs jobs. Start as many as there is work for; each runs WORKER_CONCURRENCY jobs at once.
//
//	worker                works (see docs/operations.md for the settings)
//	worker healthcheck    asks the worker that runs with these settings whether it is ready; exit code 0: it is
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/handlers"
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
	var queues []engine.QueueWeight
	for _, q := range config.WorkerQueues {
		queues = append(queues, engine.QueueWeight(q))
	}
	worker, err := engine.NewWorker(engine.WorkerOptions{
		Store: store, Queue: queue, Bus: queue, Registry: registry, Log: log,
		Concurrency: config.WorkerConcurrency, Queues: queues, LeaseTTL: config.LeaseTTL,
		ShutdownTimeout: config.ShutdownTimeout, Version: boot.Version(), ExitWhenStuck: true,
	})
	if err != nil {
		return err
	}
	closeHealth, err := serveHealth(config, log, worker)
	if err != nil {
		return err
	}
	defer closeHealth()

	if !boot.Until(ctx, log, "migration", store.Migrate) {
		return nil
	}
	if warning, err := queue.Check(ctx); err == nil && warning != "" {
		log.Warn(warning)
	}
	maintenance, err := engine.NewMaintenance(engine.MaintenanceOptions{
		Store: store, Queue: queue, Log: log, LeaseTTL: config.LeaseTTL,
		RetentionCompleted: config.RetentionCompleted, RetentionFailed: config.RetentionFailed,
	})
	if err != nil {
		return err
	}
	var chores sync.WaitGroup
	defer chores.Wait()
	maintaining, stopMaintenance := context.WithCancel(ctx)
	defer stopMaintenance()
	chores.Go(func() { maintenance.Run(maintaining) })
	return worker.Run(delayed(ctx, config.ShutdownDelay))
}

// delayed is a context that ends d after ctx does.
func delayed(ctx context.Context, d time.Duration) context.Context {
	late, end := context.WithCancelCause(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		time.Sleep(d)
		end(context.Cause(ctx))
	})
	return late
}

// serveHealth answers on HEALTH_PORT, if that is set, until it is closed.
func serveHealth(config boot.Config, log *slog.Logger, worker *engine.Worker) (closeHealth func(), err error) {
	if config.HealthPort == 0 {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(config.Host, strconv.Itoa(config.HealthPort)))
	if err != nil {
		return nil, fmt.Errorf("health port: %w (HEALTH_PORT=0 does without)", err)
	}
	server := &http.Server{Handler: health(worker), ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	go server.Serve(listener)
	log.Info("health", "url", "http://"+listener.Addr().String())
	return func() { server.Close() }, nil
}
