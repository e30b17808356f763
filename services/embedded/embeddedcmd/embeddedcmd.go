// Package embeddedcmd is all of Windlass in one process, as a function: the API on PORT, the UI on WEB_PORT, and a
// worker, on SQLite in DATA_DIR. It needs no server. The commands `embedded` and `windlass dev` call it.
package embeddedcmd

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/windlass-jobs/windlass/handlers"
	"github.com/windlass-jobs/windlass/internal/lifecycle"
	"github.com/windlass-jobs/windlass/internal/version"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
	"github.com/windlass-jobs/windlass/services/api/httpapi"
	"github.com/windlass-jobs/windlass/services/internal/process"
	"github.com/windlass-jobs/windlass/services/internal/settings"
	"github.com/windlass-jobs/windlass/services/web"
)

// Main does everything, or does what args say; they are what follows the name of the program:
//
//	(nothing)      does everything
//	healthcheck    asks the one that runs with these settings whether it is ready; exit code 0: it is
//
// It returns the exit code.
func Main(args []string) int { return process.Main(settings.Embedded, args, usage, run) }

const usage = "usage: embedded [healthcheck]\n\nWithout an argument it works; the settings are environment variables."

// run does everything until ctx ends, then lets running jobs come to an end.
func run(ctx context.Context, config settings.Config, log *slog.Logger) error {
	// The ports come first: whoever starts it twice by mistake is told so before the database is touched.
	apiListener, err := process.Listen(config.Host, config.Port, "PORT")
	if err != nil {
		return err
	}
	defer apiListener.Close()
	webListener, err := process.Listen(config.Host, config.WebPort, "WEB_PORT")
	if err != nil {
		return err
	}
	defer webListener.Close()
	store, err := sqlite.Open(ctx, sqlite.Options{Dir: config.DataDir})
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // told to stop while it starts, it stops
	case err != nil:
		return err
	}
	defer store.Close()
	queue := memory.New(memory.Options{})
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
	worker, err := engine.NewWorker(engine.WorkerOptions{
		Store: store, Queue: queue, Bus: queue, Registry: registry, Log: log, LogJobs: config.LogJobs,
		Concurrency: config.WorkerConcurrency, Queues: config.WorkerQueues, LeaseTTL: config.LeaseTTL,
		Version:         version.Version(),
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
	guard, endGuard, err := process.Guard(config, log, store, queue)
	if err != nil {
		return err
	}
	defer endGuard()
	life := lifecycle.New(lifecycle.Options{Log: log, ShutdownDelay: config.ShutdownDelay})
	// The same API twice: alone on its port, and beside the pages under /api, which its Location headers name.
	options := httpapi.Options{
		Client: client, Log: log, Ping: store.Ping, Draining: life.Draining, Registry: prometheus.NewRegistry(),
		Guard: guard, MetricsPublic: config.MetricsPublic,
		MaxPayloadBytes: config.MaxPayloadBytes, Room: httpapi.NewRoom(config.RequestMemoryBytes),
		AllowedHosts: config.AllowedHosts, TrustedOrigins: config.TrustedOrigins,
	}
	api, err := httpapi.New(options)
	if err != nil {
		return err
	}
	options.BasePath = "/api"
	beside, err := httpapi.New(options)
	if err != nil {
		return err
	}
	pages, err := web.Pages("")
	if err != nil {
		return err
	}
	ui := httpapi.Server(site(beside, pages, config.AllowedHosts), log)
	ui.DisableGeneralOptionsHandler = true // it says 200 to `OPTIONS *`, to whatever host name that is addressed
	log.Info("ready", "api", "http://"+apiListener.Addr().String(), "ui", "http://"+webListener.Addr().String(),
		"data", config.DataDir)
	return life.Run(ctx,
		lifecycle.Server("api", httpapi.Server(api, log), apiListener, config.ShutdownTimeout, log),
		lifecycle.Server("ui", ui, webListener, config.ShutdownTimeout, log),
		lifecycle.Part{Name: "worker", Run: worker.Run},
		lifecycle.Part{Name: "maintenance", Run: lifecycle.NoError(maintenance.Run)},
	)
}

// site serves the pages, and the API under /api on the same origin. The API's BasePath is /api. The pages answer to
// the names that the API answers to.
func site(api, pages http.Handler, hosts []string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/", api)
	mux.Handle("/", httpapi.Addressed(hosts, pages))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			w.Header().Set("Connection", "close") // who wants another protocol does not go on with this one
		}
		if !strings.HasPrefix(r.RequestURI, "/") {
			pages.ServeHTTP(w, r) // "*", CONNECT, an address for a proxy: they refuse it and hang up
			return
		}
		mux.ServeHTTP(w, r)
	})
}
