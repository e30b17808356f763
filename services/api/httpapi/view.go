package httpapi

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/windlass-jobs/windlass/jobs"
)

// JobSummary is a job as lists show it. Every field is always present, null where it has no value.
type JobSummary struct {
	ID                string     `json:"id" format:"uuid" doc:"UUIDv7: sorts by creation"`
	Type              string     `json:"type"`
	Queue             string     `json:"queue"`
	Status            string     `json:"status" enum:"pending,processing,completed,failed"`
	State             string     `json:"state" enum:"scheduled,waiting,retrying,running,cancelling,completed,cancelled,dead" doc:"The status as people see it"`
	Priority          int        `json:"priority" doc:"-10 to 10, the higher is served first"`
	Attempts          int        `json:"attempts" doc:"Begun so far"`
	MaxAttempts       int        `json:"max_attempts"`
	TimeoutSeconds    int        `json:"timeout_seconds" doc:"Of one attempt"`
	RunAt             time.Time  `json:"run_at" doc:"Not to be started before"`
	ErrorMessage      *string    `json:"error_message" doc:"Of the newest unsuccessful attempt; null once completed"`
	FailureKind       *failure   `json:"failure_kind" doc:"Why it failed; null unless the status is failed"`
	Progress          *Progress  `json:"progress" doc:"The newest word of the handler"`
	WorkerID          *string    `json:"worker_id" doc:"Who runs it, or ran it last"`
	CancelRequestedAt *time.Time `json:"cancel_requested_at"`
	StartedAt         *time.Time `json:"started_at" doc:"Of the newest attempt"`
	FinishedAt        *time.Time `json:"finished_at"`
	CreatedAt         time.Time  `json:"created_at"`
	UpdatedAt         time.Time  `json:"updated_at"`
}

// Job is a job whole.
type Job struct {
	JobSummary
	Payload object   `json:"payload"`
	Result  anything `json:"result" doc:"What the handler returned, any JSON; null unless completed with one"`
}

// JobDetail is a job with its history.
type JobDetail struct {
	Job
	History []Attempt `json:"history" nullable:"false" doc:"The unsuccessful attempts, oldest first"`
}

// Attempt is one unsuccessful attempt.
type Attempt struct {
	Attempt    int       `json:"attempt" doc:"Counted from 1; a number may occur again after a retry by hand"`
	Fence      int64     `json:"fence" doc:"Grows from attempt to attempt"`
	WorkerID   *string   `json:"worker_id"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
	Outcome    string    `json:"outcome" enum:"failed,timeout,cancelled,lease_lost,released"`
	Error      *string   `json:"error"`
}

// Progress is how far a handler is.
type Progress struct {
	Percent float64   `json:"percent" minimum:"0" maximum:"100"`
	Message string    `json:"message"`
	At      time.Time `json:"at"`
}

// Schema says what Huma would not: that there may be none.
func (*Progress) Schema(r huma.Registry) *huma.Schema {
	type fields Progress
	s := *huma.SchemaFromType(r, reflect.TypeFor[fields]())
	s.Nullable = true
	return &s
}

// failure is a jobs.FailureKind, or null.
type failure string

// Schema lists the kinds. Huma would forget that null is one of the values.
func (failure) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Nullable: true, Enum: []any{
		string(jobs.KindError), string(jobs.KindTimeout), string(jobs.KindWorkerLost), string(jobs.KindPermanent), string(jobs.KindCancelled), nil,
	}}
}

// object is a JSON object in canonical form, written as it is.
type object json.RawMessage

// MarshalJSON returns the object.
func (o object) MarshalJSON() ([]byte, error) { return json.RawMessage(o).MarshalJSON() }

// Schema describes any object.
func (object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

// anything is any JSON value, written as it is; null where there is none.
type anything json.RawMessage

// MarshalJSON returns the value.
func (v anything) MarshalJSON() ([]byte, error) { return json.RawMessage(v).MarshalJSON() }

// Schema describes any value.
func (anything) Schema(huma.Registry) *huma.Schema { return &huma.Schema{} }

func viewSummary(j *jobs.Job, now time.Time) JobSummary {
	s := JobSummary{
		ID: j.ID, Type: j.Type, Queue: j.Queue, Status: string(j.Status), State: string(j.State(now)),
		Priority: j.Priority, Attempts: j.Attempts, MaxAttempts: j.MaxAttempts, TimeoutSeconds: int(j.Timeout / time.Second),
		RunAt: j.RunAt, ErrorMessage: orNull(j.Error), FailureKind: orNull(failure(j.FailureKind)), WorkerID: orNull(j.WorkerID),
		CancelRequestedAt: orNull(j.CancelRequestedAt), StartedAt: orNull(j.StartedAt), FinishedAt: orNull(j.FinishedAt),
		CreatedAt: j.CreatedAt, UpdatedAt: j.UpdatedAt,
	}
	if p := j.Progress; p != nil {
		s.Progress = &Progress{p.Percent, p.Message, p.At}
	}
	return s
}

func viewJob(j *jobs.Job, now time.Time) Job {
	return Job{viewSummary(j, now), object(j.Payload), anything(j.Result)}
}

func viewHistory(attempts []jobs.Attempt) []Attempt {
	history := make([]Attempt, len(attempts))
	for i, a := range attempts {
		history[i] = Attempt{a.Attempt, a.Fence, orNull(a.WorkerID), a.StartedAt, a.FinishedAt, string(a.Outcome), orNull(a.Error)}
	}
	return history
}

// orNull is nil where v is zero.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	p := new(T) // and not &v: v would be allocated where it is zero, too
	*p = v
	return p
}

// seconds is a span as the API writes it.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
