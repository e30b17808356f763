package httpapi

import (
	"context"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// Worker is a worker process.
type Worker struct {
	ID               string     `json:"id" format:"uuid" doc:"Of this run of the process: worker_id of its jobs"`
	Hostname         string     `json:"hostname"`
	PID              int        `json:"pid"`
	Version          string     `json:"version"`
	State            string     `json:"state" enum:"alive,draining"`
	Slots            int        `json:"slots" doc:"Jobs at once"`
	Running          int        `json:"running" doc:"Jobs at the last heartbeat"`
	Types            []string   `json:"types" nullable:"false"`
	Queues           []string   `json:"queues" nullable:"false" doc:"In this order; empty: all"`
	StartedAt        time.Time  `json:"started_at"`
	LastHeartbeatAt  time.Time  `json:"last_heartbeat_at"`
	LastCompletionAt *time.Time `json:"last_completion_at"`
}

type workersListed struct {
	Body struct {
		Workers []Worker `json:"workers" nullable:"false" doc:"Oldest first"`
	}
}

func (a *api) workers(ctx context.Context, _ *struct{}) (*workersListed, error) {
	sessions, err := a.opts.Client.Sessions(ctx)
	if err != nil {
		return nil, problemOfRead(err)
	}
	var out workersListed
	out.Body.Workers = make([]Worker, 0, len(sessions))
	for _, s := range sessions {
		if s.State == store.SessionDead {
			continue
		}
		out.Body.Workers = append(out.Body.Workers, Worker{
			s.ID, s.Hostname, s.PID, s.Version, string(s.State), s.Slots, s.Running, orNone(s.Types), orNone(s.Queues),
			s.StartedAt, s.BeatAt, orNull(s.LastCompletionAt),
		})
	}
	return &out, nil
}

// orNone makes an empty list of a nil one, which would be null in JSON.
func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
