// Command embedded is the one-process mode of the torture. Like services/embedded it has the API, the maintenance and
// the worker, on SQLite and a queue in memory, but its handlers record each execution.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
	"github.com/windlass-jobs/windlass/services/api/httpapi"
	"github.com/windlass-jobs/windlass/tests/torture/history"
	"github.com/windlass-jobs/windlass/tests/torture/recording"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil && ctx.Err() == nil { // after SIGTERM during the start an error is expected
		fmt.Fprintln(os.Stderr, "embedded:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	ttl, err := time.ParseDuration(os.Getenv("LEASE_TTL"))
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn}))
	name := os.Getenv("TORTURE_HISTORY")
	events, err := history.Open(name)
	if err != nil {
		return err
	}
	defer events.Close()
	events.Write(history.Event{Kind: history.Up})
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", os.Getenv("PORT")))
	if err != nil {
		return err
	}
	file, err := sqlite.Open(ctx, sqlite.Options{Dir: os.Getenv("DATA_DIR")})
	if err != nil {
		return err
	}
	defer file.Close()
	store := &recording.Store{Store: file, Log: events}
	queue := &recording.Queue{Queue: memory.New(memory.Options{}), Log: events, Name: name}
	defer queue.Close()
	registry := &jobs.Registry{}
	recording.Register(registry, events, nil)
	client, err := engine.NewClient(engine.ClientOptions{
		Store: store, Queue: queue, Bus: queue, Registry: registry, Log: log,
	})
	if err != nil {
		return err
	}
	defer client.Close()
	api, err := httpapi.New(httpapi.Options{Client: client, Log: log, Ping: file.Ping})
	if err != nil {
		return err
	}
	server := httpapi.Server(api, log)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	worker, err := engine.NewWorker(engine.WorkerOptions{
		Store: store, Queue: queue, Bus: queue, Registry: registry, Log: log, Concurrency: 16, LeaseTTL: ttl,
		ShutdownTimeout: time.Second,
	})
	if err != nil {
		return err
	}
	maintenance, err := engine.NewMaintenance(engine.MaintenanceOptions{
		Store: store, Queue: queue, Log: log, LeaseTTL: ttl,
	})
	if err != nil {
		return err
	}
	var working sync.WaitGroup
	working.Go(func() { maintenance.Run(ctx) })
	working.Go(func() { recording.Count(ctx, worker, events, name) })
	working.Go(func() { err = worker.Run(ctx) })
	<-ctx.Done()
	shutdown, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_ = server.Shutdown(shutdown)
	<-served
	working.Wait()
	events.Write(recording.Counted(history.Down, worker, name))
	return err
}
