// Command embedded is all of Windlass in one process: the API on PORT, the UI on WEB_PORT, and a worker, on SQLite in DATA_DIR. It
// needs no server.
//
//	embedded                works
//	embedded healthcheck    asks the one that runs with these settings whether it is ready; exit code 0: it is
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windlass-jobs/windlass/handlers"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
	"github.com/windlass-jobs/windlass/services/api/httpapi"
	"github.com/windlass-jobs/windlass/services/internal/boot"
	"github.com/windlass-jobs/windlass/services/web"
)

func main() {
	switch args := os.Args[1:]; {
	case len(args) == 1 && args[0] == "healthcheck":
		os.Exit(boot.Healthcheck(boot.Embedded, os.Environ(), os.Stdout))
	case len(args) > 0:
		fmt.Fprintln(os.Stderr, "usage: embedded [healthcheck]\n\nWithout an argument it works; the settings are environment variables.")
		os.Exit(2)
	}
	boot.Tune()
	config := boot.MustLoad(boot.Embedded)
	log := boot.Logger(config, os.Stdout)
	slog.SetDefault(log)
	ctx, stop := boot.Signals(context.Background(), log)
	defer stop()
	log.Info("starting", "service", "embedded", "version", boot.Version(), "settings", config)
	if err := run(ctx, config, log); err != nil {
		log.Error("stopped", "error", err)
		os.Exit(1)
	}
	log.Info("stopped")
}

// run does everything until ctx ends, then lets running jobs come to an end.
func run(ctx context.Context, config boot.Config, log *slog.Logger) error {
	// The ports come first: who starts it twice by mistake should hear of that, and the database be left alone.
	apiListener, err := listen(config.Host, config.Port, "PORT")
	if err != nil {
		return err
	}
	defer apiListener.Close()
	webListener, err := listen(config.Host, config.WebPort, "WEB_PORT")
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
		Store: store, Queue: queue, Bus: queue, Registry: registry, Log: log, MaxPayloadBytes: config.MaxPayloadBytes,
	})
	if err != nil {
		return err
	}
	defer client.Close()
	var draining atomic.Bool
	api, err := httpapi.New(httpapi.Options{
		Client: client, Log: log, Ping: store.Ping, Draining: draining.Load,
		MaxPayloadBytes: config.MaxPayloadBytes, AllowedHosts: config.AllowedHosts, TrustedOrigins: config.TrustedOrigins,
	})
	if err != nil {
		return err
	}
	pages, err := web.Pages("")
	if err != nil {
		return err
	}
	apiServer, webServer := httpapi.Server(api, log), httpapi.Server(site(api, pages), log)
	failed := make(chan error, 2)
	go func() { failed <- apiServer.Serve(apiListener) }()
	go func() { failed <- webServer.Serve(webListener) }()

	maintenance, err := engine.NewMaintenance(engine.MaintenanceOptions{
		Store: store, Queue: queue, Log: log, LeaseTTL: config.LeaseTTL,
		RetentionCompleted: config.RetentionCompleted, RetentionFailed: config.RetentionFailed,
	})
	if err != nil {
		return err
	}
	worker, err := engine.NewWorker(engine.WorkerOptions{
		Store: store, Queue: queue, Bus: queue, Registry: registry, Log: log,
		Concurrency: config.WorkerConcurrency, Queues: weights(config), LeaseTTL: config.LeaseTTL,
		ShutdownTimeout: config.ShutdownTimeout, Version: boot.Version(),
	})
	if err != nil {
		return err
	}
	var working sync.WaitGroup
	work, stopWork := context.WithCancel(ctx)
	defer stopWork()
	working.Go(func() { maintenance.Run(work) })
	working.Go(func() { worker.Run(work) })
	log.Info("ready", "api", "http://"+apiListener.Addr().String(), "ui", "http://"+webListener.Addr().String(), "data", config.DataDir)

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	draining.Store(true)
	time.Sleep(config.ShutdownDelay)
	stopWork()
	patience, cancel := context.WithTimeout(context.Background(), config.ShutdownTimeout)
	defer cancel()
	for _, s := range []*http.Server{apiServer, webServer} {
		if e := s.Shutdown(patience); e != nil {
			log.Warn("requests cut off", "error", e)
		}
	}
	working.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// site serves the pages, and the API under /api on the same origin.
func site(api, pages http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/", http.StripPrefix("/api", api))
	mux.Handle("/", pages)
	return mux
}

func weights(config boot.Config) (queues []engine.QueueWeight) {
	for _, q := range config.WorkerQueues {
		queues = append(queues, engine.QueueWeight(q))
	}
	return queues
}

func listen(host string, port int, setting string) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("%w (choose another port with %s)", err, setting)
	}
	return l, nil
}
