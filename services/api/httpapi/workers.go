package httpapi

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// Worker is a worker process.
type Worker struct {
	ID               string     `json:"id" format:"uuid" doc:"Of this run of the process: worker_id of its jobs"`
	Hostname         string     `json:"hostname"`
	PID              int        `json:"pid"`
	Version          string     `json:"version"`
	State            string     `json:"state" enum:"alive,draining,dead"`
	Slots            int        `json:"slots" doc:"Jobs at once"`
	Running          int        `json:"running" doc:"Jobs at the last heartbeat"`
	Types            []string   `json:"types" nullable:"false"`
	Queues           []string   `json:"queues" nullable:"false" doc:"In this order; empty: all"`
	StartedAt        time.Time  `json:"started_at"`
	LastHeartbeatAt  time.Time  `json:"last_heartbeat_at"`
	LastCompletionAt *time.Time `json:"last_completion_at"`
	EndedAt          *time.Time `json:"ended_at" doc:"null unless dead"`
	Lost             bool       `json:"lost" doc:"It is dead and did not say so itself: it was killed, or cut off"`
}

// WorkersInput is the query of GET /workers.
type WorkersInput struct {
	State string `query:"state" enum:"alive,draining,dead" doc:"Only this state. Without it those that are not dead. The dead are those that ended in the last 24 hours, at most 200"`
}

type workersListed struct {
	Body struct {
		Workers []Worker `json:"workers" nullable:"false" doc:"Oldest first; the dead: the last that ended first"`
	}
}

// workers serves GET /workers.
func (a *api) workers(ctx context.Context, in *WorkersInput) (*workersListed, error) {
	read := a.opts.Client.Sessions
	if in.State == string(store.SessionDead) {
		read = a.opts.Client.EndedSessions
	}
	sessions, err := read(ctx)
	if err != nil {
		return nil, problemOfRead(err)
	}
	var out workersListed
	out.Body.Workers = make([]Worker, 0, len(sessions))
	for _, s := range sessions {
		if in.State == "" || in.State == string(s.State) {
			out.Body.Workers = append(out.Body.Workers, viewWorker(&s))
		}
	}
	return &out, nil
}

func viewWorker(s *store.Session) Worker {
	return Worker{
		s.ID, s.Hostname, s.PID, s.Version, string(s.State), s.Slots, s.Running, orNone(s.Types), orNone(s.Queues),
		s.StartedAt, s.BeatAt, orNull(s.LastCompletionAt), orNull(s.EndedAt), s.Lost,
	}
}

// WorkerPath is the path of one worker.
type WorkerPath struct {
	ID string `path:"id" format:"uuid" doc:"The worker's id: worker_id of its jobs"`
}

// WorkerDetail is a worker with its jobs.
type WorkerDetail struct {
	Worker Worker       `json:"worker"`
	Jobs   []JobSummary `json:"jobs" nullable:"false" doc:"That it runs now, the longest running first, at most 200"`
}

func (w WorkerDetail) writeTo(b *bytes.Buffer) error {
	b.WriteString(`{"worker":`)
	if err := encode(b, w.Worker); err != nil {
		return err
	}
	b.WriteString(`,"jobs":`)
	if err := writeList(b, w.Jobs); err != nil {
		return err
	}
	b.WriteByte('}')
	return nil
}

type workerGot struct{ Body WorkerDetail }

// worker serves GET /workers/{id}.
func (a *api) worker(ctx context.Context, in *WorkerPath) (*workerGot, error) {
	id, bad := (&JobPath{in.ID}).id()
	if bad != nil {
		return nil, bad
	}
	s, held, err := a.opts.Client.Session(ctx, id)
	if err != nil {
		if errors.Is(err, jobs.ErrNotFound) {
			return nil, workerNotFound.problem("No worker has this id, or it ended more than a day ago.")
		}
		return nil, problemOfRead(err)
	}
	out := workerGot{WorkerDetail{viewWorker(&s), make([]JobSummary, len(held))}}
	now := time.Now()
	for i := range held {
		out.Body.Jobs[i] = JobSummary{view{job: &held[i], now: now}}
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
