// Package apicmd is the api as a function: it takes jobs in over HTTP and answers questions about them. It runs no
// jobs, but it does its turn of the maintenance, so that nothing stays behind when every worker is gone. The commands
// `api` and `windlass api` call it.
package apicmd

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
	"github.com/windlass-jobs/windlass/services/internal/process"
	"github.com/windlass-jobs/windlass/services/internal/settings"
	"github.com/windlass-jobs/windlass/services/migratecmd"
)

// Main serves, or does what args say; they are what follows the name of the program:
//
//	(nothing)      serves
//	openapi        prints the OpenAPI document
//	migrate …      looks after the schema of the database; see package migratecmd
//	healthcheck    asks the api that runs with these settings whether it is ready; exit code 0: it is
//
// It returns the exit code.
func Main(args []string) int {
	if len(args) > 0 && args[0] == "migrate" {
		return migratecmd.Main(args[1:], false)
	}
	if len(args) == 1 && args[0] == "openapi" {
		document, err := httpapi.OpenAPI()
		if err == nil {
			_, err = os.Stdout.Write(document)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "api:", err)
			return 1
		}
		return 0
	}
	return process.Main(settings.API, args, usage, serve)
}

const usage = "usage: api [openapi | healthcheck | migrate up | migrate status | migrate sql]\n\n" +
	"Without an argument it serves; the settings are environment variables."

// serve answers until ctx ends, then finishes what has been begun.
func serve(ctx context.Context, config settings.Config, log *slog.Logger) error {
	listener, err := process.Listen(config.Host, config.Port, "PORT")
	if err != nil {
		return err
	}
	defer listener.Close()
	store, err := postgres.Open(ctx, postgres.Options{URL: config.DatabaseURL, Schema: config.DatabaseSchema,
		Application: "windlass-api", Log: log})
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
	client, err := engine.NewClient(engine.ClientOptions{
		Store: store, Queue: queue, Bus: queue, Registry: registry, Log: log, LogJobs: config.LogJobs,
		MaxPayloadBytes: config.MaxPayloadBytes, MaxQueues: config.MaxQueues,
	})
	if err != nil {
		return err
	}
	defer client.Close()
	maintenance, err := engine.NewMaintenance(engine.MaintenanceOptions{
		Store: store, Queue: queue, Log: log, LogJobs: config.LogJobs, LeaseTTL: config.LeaseTTL,
		RetentionCompleted: config.RetentionCompleted, RetentionFailed: config.RetentionFailed,
		RetentionAudit: config.RetentionAudit,
	})
	if err != nil {
		return err
	}
	guard, endGuard, err := process.Guard(config, log, store, queue)
	if err != nil {
		return err
	}
	defer endGuard()
	life := process.New(config, log, store, queue)
	api, err := httpapi.New(httpapi.Options{
		Client: client, Log: log, Ping: store.Ping, Draining: life.Draining,
		Guard: guard, MetricsPublic: config.MetricsPublic,
		MaxPayloadBytes: config.MaxPayloadBytes, Room: httpapi.NewRoom(config.RequestMemoryBytes),
		AllowedHosts: config.AllowedHosts, TrustedOrigins: config.TrustedOrigins,
	})
	if err != nil {
		return err
	}
	log.Info("listening", "url", "http://"+listener.Addr().String())
	return life.Run(ctx,
		lifecycle.Server("api", httpapi.Server(api, log), listener, config.ShutdownTimeout, log),
		lifecycle.Part{Name: "maintenance", Run: lifecycle.NoError(maintenance.Run)},
	)
}
