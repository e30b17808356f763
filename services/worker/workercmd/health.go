package workercmd

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/windlass-jobs/windlass/internal/lifecycle"
	"github.com/windlass-jobs/windlass/jobs/engine"
)

// healthServer answers until everything else has stopped, so that an operator can watch a worker drain.
func healthServer(listener net.Listener, life *lifecycle.Process, worker *engine.Worker,
	log *slog.Logger) lifecycle.Part {
	server := &http.Server{
		Handler: health(life, worker), ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10,
	}
	part := lifecycle.Server("health", server, listener, time.Second, log)
	part.Last = true
	return part
}

// health answers /livez (the process runs), /readyz (it may take jobs: its lease is fresh and it is not stopping) and
// /metrics (the Prometheus text format).
func health(life *lifecycle.Process, worker *engine.Worker) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "live") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case life.Draining():
			answer(w, http.StatusServiceUnavailable, "draining")
		case !worker.Stats().LeaseFresh:
			answer(w, http.StatusServiceUnavailable, "no lease")
		default:
			answer(w, http.StatusOK, "ready")
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics(worker), promhttp.HandlerOpts{}))
	return mux
}

func answer(w http.ResponseWriter, code int, status string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	io.WriteString(w, `{"status":"`+status+`"}`+"\n")
}

// metrics are the worker's own; what concerns all jobs is in those of the api.
func metrics(worker *engine.Worker) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge := func(name, help string, value func(engine.WorkerStats) float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "windlass_worker_" + name, Help: help},
			func() float64 { return value(worker.Stats()) }))
	}
	counter := func(name, help string, value func(engine.WorkerStats) int64) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "windlass_" + name, Help: help},
			func() float64 { return float64(value(worker.Stats())) }))
	}
	gauge("slots", "Jobs that this worker runs at once.", func(s engine.WorkerStats) float64 { return float64(s.Slots) })
	gauge("running", "Slots that are taken.", func(s engine.WorkerStats) float64 { return float64(s.Running) })
	gauge("stuck", "Slots held by handlers that ignore the end of their context.",
		func(s engine.WorkerStats) float64 { return float64(s.Stuck) })
	counter("jobs_completed_total", "Jobs that this worker completed.",
		func(s engine.WorkerStats) int64 { return s.Completed })
	counter("attempts_failed_total", "Attempts that failed, timed out or were cancelled.",
		func(s engine.WorkerStats) int64 { return s.Failed })
	counter("stale_results_total", "Results dropped because another worker had taken over.",
		func(s engine.WorkerStats) int64 { return s.Stale })
	counter("leases_lost_total", "Attempts cut off because the worker lost touch with the store.",
		func(s engine.WorkerStats) int64 { return s.LeasesLost })
	counter("phantoms_released_total", "Jobs handed back because the answer to their claim was lost.",
		func(s engine.WorkerStats) int64 { return s.Phantoms })
	counter("bus_events_lost_total", "Messages between processes that this worker was too slow for.",
		func(s engine.WorkerStats) int64 { return s.EventsLost })
	return registry
}
