package httpapi

import (
	"context"
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// JobType is what can be submitted.
type JobType struct {
	Name           string     `json:"name"`
	Description    *string    `json:"description"`
	Queue          string     `json:"queue" doc:"Of jobs that name none"`
	MaxAttempts    int        `json:"max_attempts" doc:"Of jobs that name no number"`
	TimeoutSeconds int        `json:"timeout_seconds" doc:"Of jobs that name no limit"`
	Schema         object     `json:"schema" doc:"JSON Schema (2020-12) of the payload"`
	Example        object     `json:"example" doc:"A payload that fits"`
	SeenAt         *time.Time `json:"seen_at" doc:"When a worker last announced it; null for the API's own types"`
}

type typesListed struct {
	Body struct {
		JobTypes []JobType `json:"job_types" nullable:"false" doc:"By name"`
	}
}

func (a *api) types(ctx context.Context, _ *struct{}) (*typesListed, error) {
	types, err := a.opts.Client.Types(ctx)
	if err != nil {
		return nil, problemOfRead(err)
	}
	var out typesListed
	out.Body.JobTypes = make([]JobType, len(types))
	for i, t := range types {
		out.Body.JobTypes[i] = JobType{
			t.Name, orNull(t.Description), t.Queue, t.MaxAttempts, int(t.Timeout / time.Second), orEmpty(t.Schema), orEmpty(t.Example), orNull(t.SeenAt),
		}
	}
	return &out, nil
}

func orEmpty(raw []byte) object {
	if len(raw) == 0 {
		return object(`{}`)
	}
	return object(raw)
}

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

// orNone makes an empty list of none, for JSON.
func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

type live struct {
	Body struct {
		Status string `json:"status" enum:"ok"`
	}
}

// live says that the process answers, and nothing of what is behind it.
func (a *api) live(context.Context, *struct{}) (*live, error) {
	var out live
	out.Body.Status = "ok"
	return &out, nil
}

type ready struct {
	Body struct {
		Status string `json:"status" enum:"ready"`
		Store  string `json:"store" enum:"ok"`
		Redis  string `json:"redis" enum:"ok,degraded" doc:"degraded: jobs are accepted and run, but may start a moment later"`
	}
}

const pingTimeout = 2 * time.Second

// ready says whether a job could be accepted now.
func (a *api) ready(ctx context.Context, _ *struct{}) (*ready, error) {
	if a.opts.Draining() {
		return nil, notReady.problem("The process is shutting down.")
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := a.opts.Ping(ctx); err != nil {
		a.log.Debug("not ready", "error", err.Error())
		return nil, notReady.problem("The store cannot be reached, or is not migrated.")
	}
	var out ready
	out.Body.Status, out.Body.Store, out.Body.Redis = "ready", "ok", "ok"
	if a.opts.Client.Degraded() {
		out.Body.Redis = "degraded"
	}
	return &out, nil
}

// object is a JSON object in canonical form, written as it is.
type object json.RawMessage

// MarshalJSON returns the object.
func (o object) MarshalJSON() ([]byte, error) { return json.RawMessage(o).MarshalJSON() }

// Schema describes any object.
func (object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

// seconds is a span as the API writes it.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
