// Command api takes jobs in over HTTP and answers questions about them. It runs no jobs, but it does its turn of the maintenance, so that
// nothing stays behind when every worker is gone.
//
//	api                serves (see docs/operations.md for the settings)
//	api openapi        prints the OpenAPI document
//	api healthcheck    asks the api that runs with these settings whether it is ready; exit code 0: it is
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
	"github.com/windlass-jobs/windlass/services/api/httpapi"
	"github.com/windlass-jobs/windlass/services/internal/boot"
)

func main() {
	if len(os.Args) > 1 {
		command(os.Args[1:])
		return
	}
	boot.Tune()
	config := boot.MustLoad(boot.API)
	log := boot.Logger(config, os.Stdout)
	slog.SetDefault(log)
	ctx, stop := boot.Signals(context.Background(), log)
	defer stop()
	log.Info("starting", "service", "api", "version", boot.Version(), "settings", config)
	if err := serve(ctx, config, log); err != nil {
		log.Error("stopped", "error", err)
		os.Exit(1)
	}
	log.Info("stopped")
}

// command does what is asked for on the command line.
func command(args []string) {
	switch {
	case len(args) == 1 && args[0] == "openapi":
		document, err := httpapi.OpenAPI()
		if err != nil {
			fmt.Fprintln(os.Stderr, "api:", err)
			os.Exit(1)
		}
		os.Stdout.Write(document)
	case len(args) == 1 && args[0] == "healthcheck":
		os.Exit(boot.Healthcheck(boot.API, os.Environ(), os.Stdout))
	default:
		fmt.Fprintln(os.Stderr, "usage: api [openapi | healthcheck]\n\nWithout an argument it serves; the settings are environment variables.")
		os.Exit(2)
	}
}

// serve answers until ctx ends, then finishes what has been begun.
func serve(ctx context.Context, config boot.Config, log *slog.Logger) error {
	listener, err := boot.Listen(config.Host, config.Port, "PORT")
	if err != nil {
		return err
	}
	defer listener.Close()
	store, err := postgres.Open(ctx, postgres.Options{URL: config.DatabaseURL, Application: "windlass-api", Log: log})
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
	client, err := engine.NewClient(engine.ClientOptions{
		Store: store, Queue: queue, Bus: queue, Registry: registry, Log: log, MaxPayloadBytes: config.MaxPayloadBytes,
	})
	if err != nil {
		return err
	}
	defer client.Close()
	maintenance, err := engine.NewMaintenance(engine.MaintenanceOptions{
		Store: store, Queue: queue, Log: log, LeaseTTL: config.LeaseTTL,
		RetentionCompleted: config.RetentionCompleted, RetentionFailed: config.RetentionFailed,
	})
	if err != nil {
		return err
	}
	process := boot.Process(config, log, store, queue)
	api, err := httpapi.New(httpapi.Options{
		Client: client, Log: log, Ping: store.Ping, Draining: process.Draining,
		MaxPayloadBytes: config.MaxPayloadBytes, AllowedHosts: config.AllowedHosts, TrustedOrigins: config.TrustedOrigins,
	})
	if err != nil {
		return err
	}
	log.Info("listening", "url", "http://"+listener.Addr().String())
	return process.Run(ctx,
		lifecycle.Server("api", httpapi.Server(api, log), listener, config.ShutdownTimeout, log),
		lifecycle.Part{Name: "maintenance", Run: lifecycle.NoError(maintenance.Run)},
	)
}
