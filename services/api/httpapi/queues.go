package httpapi

import "context"

// Queue is a line of jobs.
type Queue struct {
	Name                 string  `json:"name"`
	Depth                int64   `json:"depth" doc:"Jobs that are due"`
	Scheduled            int64   `json:"scheduled" doc:"Jobs that are due later, retries included"`
	Running              int64   `json:"running"`
	OldestPendingSeconds float64 `json:"oldest_pending_seconds" doc:"How long the job that has been due longest is waiting; 0 where none is"`
}

type queuesListed struct {
	Body struct {
		Queues []Queue `json:"queues" nullable:"false" doc:"By name; those with jobs that are not over"`
	}
}

func (a *api) queues(ctx context.Context, _ *struct{}) (*queuesListed, error) {
	stats, err := a.opts.Client.Stats(ctx)
	if err != nil {
		return nil, problemOfRead(err)
	}
	var out queuesListed
	out.Body.Queues = make([]Queue, len(stats.Queues))
	for i, q := range stats.Queues {
		out.Body.Queues[i] = Queue{q.Name, q.Due, q.Later, q.Processing, seconds(q.OldestDue)}
	}
	return &out, nil
}
