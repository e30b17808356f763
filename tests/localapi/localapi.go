// Package localapi runs the HTTP API with the real engine, on SQLite and a queue in memory. It is for tests of programs
// that call the API.
package localapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
	"github.com/windlass-jobs/windlass/services/api/httpapi"
)

// System is a running API.
type System struct {
	URL     string
	Handler http.Handler
	Client  *engine.Client

	db       *sqlite.Store
	queue    *memory.Queue
	registry *jobs.Registry
	server   *httptest.Server
	working  sync.WaitGroup
	stop     []context.CancelFunc
}

// Start opens a database in a directory and serves the API for the job types in a registry. If wrap is not nil, its
// result is served instead of the API. No worker runs yet: see Work.
func Start(dir string, registry *jobs.Registry, wrap func(http.Handler) http.Handler) (*System, error) {
	db, err := sqlite.Open(context.Background(), sqlite.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	queue := memory.New(memory.Options{})
	client, err := engine.NewClient(
		engine.ClientOptions{Store: db, Queue: queue, Bus: queue, Registry: registry, Log: quiet},
	)
	if err != nil {
		return nil, errors.Join(err, queue.Close(), db.Close())
	}
	s := &System{Client: client, db: db, queue: queue, registry: registry}
	s.Handler, err = httpapi.New(httpapi.Options{Client: client, Ping: db.Ping, Log: quiet})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	served := s.Handler
	if wrap != nil {
		served = wrap(served)
	}
	s.server = httptest.NewServer(served)
	s.URL = s.server.URL
	return s, nil
}

// Work starts a worker, and the maintenance.
func (s *System) Work() error {
	quiet := slog.New(slog.DiscardHandler)
	worker, err := engine.NewWorker(engine.WorkerOptions{
		Store: s.db, Queue: s.queue, Bus: s.queue, Registry: s.registry, Log: quiet, Concurrency: 4, Version: "test",
		ShutdownTimeout: time.Second, // short, so that handlers which wait for their context end soon
	})
	if err != nil {
		return err
	}
	maintenance, err := engine.NewMaintenance(engine.MaintenanceOptions{Store: s.db, Queue: s.queue, Log: quiet})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = append(s.stop, stop)
	s.working.Go(func() { worker.Run(ctx) })
	s.working.Go(func() { maintenance.Run(ctx) })
	return nil
}

// Close stops everything and waits for the end.
func (s *System) Close() error {
	if s.server != nil {
		s.server.CloseClientConnections()
		s.server.Close()
	}
	for _, stop := range s.stop {
		stop()
	}
	s.working.Wait()
	s.Client.Close()
	s.queue.Close()
	return s.db.Close()
}
