package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/windlass-jobs/windlass/jobs"
)

// collector gives the counts of the store to Prometheus.
type collector struct{ client Client }

var (
	jobsDesc   = prometheus.NewDesc("windlass_jobs", "Jobs in the store by state.", []string{"state"}, nil)
	lengthDesc = prometheus.NewDesc("windlass_queue_length", "Jobs that are pending and due.", nil, nil)
	depthDesc  = prometheus.NewDesc("windlass_queue_depth",
		"Jobs that are pending and due, by queue: of the 100 queues with most work, and of the others together.",
		[]string{"queue"}, nil)
	oldestDesc = prometheus.NewDesc("windlass_oldest_pending_seconds",
		"How long the job that has been due longest is waiting.", nil, nil)
	orphansDesc = prometheus.NewDesc("windlass_orphan_jobs",
		"Jobs in processing for no worker that lives.", nil, nil)
	lastMinuteDesc = prometheus.NewDesc("windlass_finished_last_minute",
		"Jobs that finished in the last minute, by outcome; failed ones are dead, cancelled ones are apart.",
		[]string{"status"}, nil)
	attemptsDesc = prometheus.NewDesc("windlass_attempts_total", "Attempts that ended, by outcome, in all processes. "+
		"The store keeps the number, so it survives restarts: aggregate replicas with max, not with sum.",
		[]string{"outcome"}, nil)
	finishedDesc = prometheus.NewDesc("windlass_jobs_finished_total", "Jobs that ended, by how. A redrive or a "+
		"deletion does not lower it. The store keeps the number: aggregate replicas with max, not with sum.",
		[]string{"status"}, nil)
	recountedDesc = prometheus.NewDesc("windlass_recounted_jobs_total", "By how many jobs kept numbers were wrong when "+
		"they were recounted, in sum. It grows where somebody deletes rows by hand.", nil, nil)
	workersDesc = prometheus.NewDesc("windlass_workers", "Worker processes that live.", nil, nil)
	slotsDesc   = prometheus.NewDesc("windlass_slots", "Jobs that the workers can run at once.", nil, nil)
	storeUpDesc = prometheus.NewDesc("windlass_store_up",
		"Whether the store could be asked for these counts.", nil, nil)
	queueDegradedDesc = prometheus.NewDesc("windlass_queue_degraded",
		"Whether the queue is out of reach; jobs run from the store then.", nil, nil)
)

// Describe lists the metrics.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		jobsDesc, lengthDesc, depthDesc, oldestDesc, orphansDesc, lastMinuteDesc, attemptsDesc, finishedDesc, recountedDesc,
		workersDesc, slotsDesc, storeUpDesc, queueDegradedDesc,
	} {
		ch <- d
	}
}

// Collect asks the store. Without an answer it leaves the counts out.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	flag := map[bool]float64{true: 1}
	gauge(queueDegradedDesc, flag[c.client.Degraded()])
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout) // a scrape has no context of its own
	defer cancel()
	s, err := c.client.Stats(ctx)
	sessions, err2 := c.client.Sessions(ctx)
	if err = errors.Join(err, err2); err != nil {
		gauge(storeUpDesc, 0)
		return
	}
	gauge(storeUpDesc, 1)
	for state, n := range map[jobs.State]int64{
		jobs.StateScheduled: s.Scheduled, jobs.StateRetrying: s.Retrying, jobs.StateCompleted: s.Completed,
		jobs.StateDead: s.Dead, jobs.StateCancelled: s.Cancelled,
		// Jobs that are being cancelled are counted as running.
		jobs.StateRunning: s.Processing,
		jobs.StateWaiting: max(s.Total-s.Scheduled-s.Retrying-s.Processing-s.Completed-s.Failed, 0),
	} {
		gauge(jobsDesc, float64(n), string(state))
	}
	gauge(lengthDesc, float64(s.Due))
	gauge(oldestDesc, seconds(s.OldestDue))
	gauge(orphansDesc, float64(s.Orphans))
	gauge(lastMinuteDesc, float64(s.CompletedLastMinute), string(jobs.Completed))
	gauge(lastMinuteDesc, float64(s.FailedLastMinute), string(jobs.Failed))
	gauge(lastMinuteDesc, float64(s.CancelledLastMinute), string(jobs.KindCancelled))
	counter := func(d *prometheus.Desc, n int64, label string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), label)
	}
	ch <- prometheus.MustNewConstMetric(recountedDesc, prometheus.CounterValue, float64(s.Recounted))
	counter(attemptsDesc, s.Ended.Completed, "completed")
	counter(attemptsDesc, s.Ended.Failed, string(jobs.AttemptFailed))
	counter(attemptsDesc, s.Ended.TimedOut, string(jobs.AttemptTimeout))
	counter(attemptsDesc, s.Ended.LeaseLost, string(jobs.AttemptLeaseLost))
	counter(finishedDesc, s.Ended.Completed, string(jobs.StateCompleted))
	counter(finishedDesc, s.Ended.Dead, string(jobs.StateDead))
	counter(finishedDesc, s.Ended.Cancelled, string(jobs.StateCancelled))
	workers, slots := capacity(sessions)
	gauge(workersDesc, float64(workers))
	gauge(slotsDesc, float64(slots))
	// Who may submit may invent names of queues, so the labels are few: Stats lists the queues with most work.
	for _, q := range s.Queues {
		gauge(depthDesc, float64(q.Due), q.Name)
	}
	if s.QueueRest > 0 {
		gauge(depthDesc, float64(s.QueueDue), "(others)") // no queue can have this name
	}
}

// traffic counts requests.
type traffic struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// register adds the API's metrics, and those of the process and the Go runtime. What the registry has already is used.
func register(r *prometheus.Registry, client Client) (*traffic, error) {
	requests, err := registered(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "windlass_http_requests_total", Help: "Requests by route, method and status.",
	}, []string{"route", "method", "code"}))
	if err != nil {
		return nil, err
	}
	duration, err := registered(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "windlass_http_request_seconds", Help: "How long requests took, by route.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15},
	}, []string{"route"}))
	if err != nil {
		return nil, err
	}
	process := collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
	for _, c := range []prometheus.Collector{collector{client}, collectors.NewGoCollector(), process} {
		if _, err := registered(r, c); err != nil {
			return nil, err
		}
	}
	return &traffic{requests, duration}, nil
}

// registered registers c, and returns it or the equal one that was registered before.
func registered[C prometheus.Collector](r *prometheus.Registry, c C) (C, error) {
	err := r.Register(c)
	var before prometheus.AlreadyRegisteredError
	if errors.As(err, &before) {
		if same, ok := before.ExistingCollector.(C); ok {
			return same, nil
		}
	}
	return c, err
}

// count notes a request. Labels have few values, whatever clients send: route is a pattern of ours, and a method that
// HTTP does not know is "other".
func (t *traffic) count(route, method string, status int, took time.Duration) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions:
	default:
		method = "other"
	}
	t.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	t.duration.WithLabelValues(route).Observe(took.Seconds())
}
