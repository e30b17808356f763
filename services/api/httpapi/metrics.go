package httpapi

import (
	"context"
	"mime"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// Metrics are counts of everything.
type Metrics struct {
	TotalJobs            int64   `json:"total_jobs" doc:"All that are stored"`
	ActiveJobs           int64   `json:"active_jobs" doc:"Being processed"`
	CompletedJobs        int64   `json:"completed_jobs"`
	FailedJobs           int64   `json:"failed_jobs" doc:"Dead and cancelled"`
	QueueLength          int64   `json:"queue_length" doc:"Pending and due"`
	Scheduled            int64   `json:"scheduled" doc:"Pending, due later, not attempted yet"`
	Retrying             int64   `json:"retrying" doc:"Pending after an unsuccessful attempt"`
	Dead                 int64   `json:"dead" doc:"In the dead-letter queue"`
	Cancelled            int64   `json:"cancelled"`
	OldestPendingSeconds float64 `json:"oldest_pending_seconds" doc:"How long the job that has been due longest is waiting; 0 where none is"`
	Workers              int     `json:"workers" doc:"Worker processes that live"`
	Slots                int     `json:"slots" doc:"Jobs that they can run at once"`
	CompletedLastMinute  int64   `json:"completed_last_minute" doc:"Jobs that were completed in the last minute. This number and the next ones may be off by what ended in 5 s."`
	FailedLastMinute     int64   `json:"failed_last_minute" doc:"Jobs that became dead in the last minute. Cancelled ones are not among them."`
	CancelledLastMinute  int64   `json:"cancelled_last_minute" doc:"Jobs that became cancelled in the last minute"`

	AttemptsLastMinute       int64 `json:"attempts_last_minute" doc:"Attempts that ended in the last minute: completed, failed, timed out, or lost with their worker. Attempts of cancelled jobs and attempts that were handed back are not among them."`
	FailedAttemptsLastMinute int64 `json:"failed_attempts_last_minute" doc:"Those of attempts_last_minute that did not complete, also where a retry follows. The failure rate is their share."`
}

type counted struct{ Body Metrics }

func (a *api) metrics(ctx context.Context, _ *struct{}) (*counted, error) {
	s, err := a.opts.Client.Stats(ctx)
	if err != nil {
		return nil, problemOfRead(err)
	}
	sessions, err := a.opts.Client.Sessions(ctx)
	if err != nil {
		return nil, problemOfRead(err)
	}
	workers, slots := capacity(sessions)
	return &counted{Metrics{
		TotalJobs: s.Total, ActiveJobs: s.Processing, CompletedJobs: s.Completed, FailedJobs: s.Failed,
		QueueLength: s.Due, Scheduled: s.Scheduled, Retrying: s.Retrying, Dead: s.Dead, Cancelled: s.Cancelled,
		OldestPendingSeconds: seconds(s.OldestDue), Workers: workers, Slots: slots,
		CompletedLastMinute: s.CompletedLastMinute, FailedLastMinute: s.FailedLastMinute,
		CancelledLastMinute: s.CancelledLastMinute, AttemptsLastMinute: s.AttemptsLastMinute,
		FailedAttemptsLastMinute: s.FailedAttemptsLastMinute,
	}}, nil
}

func capacity(sessions []store.Session) (workers, slots int) {
	for _, s := range sessions {
		if s.State == store.SessionAlive {
			workers++
			slots += s.Slots
		}
	}
	return workers, slots
}

// prometheusText answers GET /metrics in Prometheus's format where the Accept header prefers it, as Prometheus does.
func (a *api) prometheusText() func(ctx huma.Context, next func(huma.Context)) {
	text := promhttp.HandlerFor(a.opts.Registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, Timeout: 0, MaxRequestsInFlight: 4, EnableOpenMetrics: true,
	})
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		w.Header().Add("Vary", "Accept")
		if prefersText(r.Header.Values("Accept")) {
			text.ServeHTTP(w, r)
			return
		}
		next(ctx)
	}
}

// prefersText reports whether an Accept header names a format of Prometheus and prefers it to JSON. A wildcard names
// no format, so browsers get JSON.
func prefersText(accept []string) bool {
	var text, json float64
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if given, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(given, 64); err != nil {
				continue
			}
		}
		switch media {
		case "text/plain", "application/openmetrics-text", "application/vnd.google.protobuf":
			text = max(text, q)
		case "application/json":
			json = max(json, q)
		}
	}
	return text > json
}
