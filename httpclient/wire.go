package httpclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// newJSON is a job to be, as the body of POST /jobs. What was left out is left to the API.
func newJSON(n *jobs.New) map[string]any {
	doc := map[string]any{}
	for i := range fields.Submission {
		f := &fields.Submission[i]
		switch {
		case !f.Given(n):
		case f.Text != nil:
			doc[f.Name] = *f.Text(n)
		case f.Whole != nil:
			doc[f.Name] = *f.Whole(n)
		case f.Span != nil:
			doc[f.Name] = secondsUp(*f.Span(n))
		case f.Moment != nil:
			doc[f.Name] = *f.Moment(n)
		case f.Pairs != nil:
			doc[f.Name] = *f.Pairs(n)
		default:
			doc[f.Name] = *f.Object(n)
		}
	}
	return doc
}

// submission makes the request that stores jobs. Its errors are those of what HTTP cannot carry, with the engine's
// pointers.
func submission(s jobs.Submission) (*request, error) {
	var faults []jobs.FieldError
	fault := func(pointer, detail string) {
		faults = append(faults, jobs.FieldError{Pointer: pointer, Detail: detail})
	}
	if len(s.Jobs) == 0 || len(s.Jobs) > jobs.MaxBulk {
		fault("", fmt.Sprintf("must hold 1 to %d jobs", jobs.MaxBulk))
		return nil, &jobs.InvalidError{Fields: faults}
	}
	r := &request{method: http.MethodPost, path: "/jobs"}
	if s.Key != nil {
		if s.Key.Key == "" || len(s.Key.Key) > maxKeyBytes || !visible(s.Key.Key, false) {
			fault("", fmt.Sprintf("the key must have 1 to %d visible ASCII characters", maxKeyBytes))
		}
		if s.Key.Scope != "" {
			fault("", "the key must have no scope: the API scopes keys by token")
		}
		r.key = quoteKey(s.Key.Key)
	}
	list := make([]map[string]any, len(s.Jobs))
	for i := range s.Jobs {
		n := &s.Jobs[i]
		at := fmt.Sprintf("/%d/", i)
		if n.ID != "" {
			fault(at+"id", "cannot be chosen over HTTP")
		}
		if n.Timeout%time.Second != 0 {
			fault(at+"timeout_seconds", fmt.Sprintf("must be whole seconds, 1 to %d", jobs.MaxTimeout/time.Second))
		}
		if len(n.Payload) > 0 && !json.Valid(n.Payload) {
			fault(at+"payload", "is not proper JSON")
		}
		list[i] = newJSON(n)
	}
	if faults != nil {
		return nil, &jobs.InvalidError{Fields: faults}
	}
	var doc any = list[0]
	if len(list) > 1 {
		r.path += "/bulk"
		doc = map[string]any{"jobs": list}
	}
	var err error
	r.body, err = marshal(doc)
	return r, err
}

// marshal writes JSON without the escapes that only HTML needs. They would make payloads larger.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

const maxKeyBytes = 255

// quoteKey writes a key for the Idempotency-Key header: bare, or as a string of RFC 8941 where it begins like one.
func quoteKey(key string) string {
	if !strings.HasPrefix(key, `"`) {
		return key
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
}

// secondsUp rounds up: a job is not to start sooner than was asked.
func secondsUp(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d > time.Duration(s)*time.Second {
		s++
	}
	return s
}

// redriveJSON is the body of POST /dlq/retry.
type redriveJSON struct {
	IDs           []string           `json:"ids,omitempty"`
	Filter        *redriveFilterJSON `json:"filter,omitempty"`
	Limit         int                `json:"limit,omitempty"`
	SpreadSeconds int64              `json:"spread_seconds,omitempty"`
}

type redriveFilterJSON struct {
	Type  string `json:"type,omitempty"`
	Queue string `json:"queue,omitempty"`
	Error string `json:"error,omitempty"`
}

func redriveOf(r store.Redrive) redriveJSON {
	if len(r.IDs) > 0 {
		return redriveJSON{IDs: r.IDs, SpreadSeconds: secondsUp(r.Spread)}
	}
	return redriveJSON{
		Filter:        &redriveFilterJSON{r.Type, r.Queue, r.Error},
		Limit:         r.Limit,
		SpreadSeconds: secondsUp(r.Spread),
	}
}

// jobJSON is a job as the API shows it. In lists, payload and result are missing. A field that is null stays zero.
type jobJSON struct {
	ID                string           `json:"id"`
	Type              string           `json:"type"`
	Queue             string           `json:"queue"`
	Status            jobs.Status      `json:"status"`
	Priority          int              `json:"priority"`
	Attempts          int              `json:"attempts"`
	MaxAttempts       int              `json:"max_attempts"`
	TimeoutSeconds    int64            `json:"timeout_seconds"`
	RunAt             time.Time        `json:"run_at"`
	ErrorMessage      string           `json:"error_message"`
	FailureKind       jobs.FailureKind `json:"failure_kind"`
	Progress          *progressJSON    `json:"progress"`
	WorkerID          string           `json:"worker_id"`
	CancelRequestedAt time.Time        `json:"cancel_requested_at"`
	StartedAt         time.Time        `json:"started_at"`
	FinishedAt        time.Time        `json:"finished_at"`
	CreatedAt         time.Time        `json:"created_at"`
	UpdatedAt         time.Time        `json:"updated_at"`
	Payload           json.RawMessage  `json:"payload"`
	Result            json.RawMessage  `json:"result"`
}

type progressJSON struct {
	Percent float64   `json:"percent"`
	Message string    `json:"message"`
	At      time.Time `json:"at"`
}

func (j *jobJSON) job() jobs.Job {
	job := jobs.Job{
		ID: j.ID, Type: j.Type, Queue: j.Queue, Payload: j.Payload, Status: j.Status, Priority: j.Priority,
		Attempts: j.Attempts, MaxAttempts: j.MaxAttempts, Timeout: seconds(j.TimeoutSeconds),
		RunAt: j.RunAt, Error: j.ErrorMessage, FailureKind: j.FailureKind,
		WorkerID: j.WorkerID, CancelRequestedAt: j.CancelRequestedAt, StartedAt: j.StartedAt, FinishedAt: j.FinishedAt,
		CreatedAt: j.CreatedAt, UpdatedAt: j.UpdatedAt,
	}
	if string(j.Result) != "null" {
		job.Result = j.Result
	}
	if p := j.Progress; p != nil {
		job.Progress = &jobs.Progress{Percent: p.Percent, Message: p.Message, At: p.At}
	}
	return job
}

// jobDoc is a job in an answer, with its history where the answer has it.
type jobDoc struct {
	job     jobs.Job
	history []jobs.Attempt
}

// UnmarshalJSON reads the fields of jobJSON, and those that package fields says where to keep.
func (d *jobDoc) UnmarshalJSON(raw []byte) error {
	var j struct {
		jobJSON
		History []attemptJSON `json:"history"`
	}
	var values map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(raw, &j), json.Unmarshal(raw, &values)); err != nil {
		return err
	}
	*d = jobDoc{job: j.job(), history: make([]jobs.Attempt, len(j.History))}
	for i := range j.History {
		d.history[i] = j.History[i].attempt()
	}
	for i := range fields.Submission {
		if f := &fields.Submission[i]; f.Stored != nil && values[f.Name] != nil {
			if err := json.Unmarshal(values[f.Name], f.Stored(&d.job)); err != nil {
				return err
			}
		}
	}
	return nil
}

func toJobs(list []jobDoc) []jobs.Job {
	out := make([]jobs.Job, len(list))
	for i := range list {
		out[i] = list[i].job
	}
	return out
}

type attemptJSON struct {
	Attempt    int                 `json:"attempt"`
	Fence      int64               `json:"fence"`
	WorkerID   string              `json:"worker_id"`
	StartedAt  time.Time           `json:"started_at"`
	FinishedAt time.Time           `json:"finished_at"`
	Outcome    jobs.AttemptOutcome `json:"outcome"`
	Error      string              `json:"error"`
}

func (a *attemptJSON) attempt() jobs.Attempt {
	return jobs.Attempt{
		Attempt: a.Attempt, Fence: a.Fence, WorkerID: a.WorkerID, StartedAt: a.StartedAt, FinishedAt: a.FinishedAt,
		Outcome: a.Outcome, Error: a.Error,
	}
}

type queueJSON struct {
	Name                 string  `json:"name"`
	Depth                int64   `json:"depth"`
	Scheduled            int64   `json:"scheduled"`
	Running              int64   `json:"running"`
	OldestPendingSeconds float64 `json:"oldest_pending_seconds"`
}

func (q *queueJSON) stats() store.QueueStats {
	return store.QueueStats{
		Name:       q.Name,
		Due:        q.Depth,
		Later:      q.Scheduled,
		Processing: q.Running,
		OldestDue:  fraction(q.OldestPendingSeconds),
	}
}

type workerJSON struct {
	ID               string             `json:"id"`
	Hostname         string             `json:"hostname"`
	PID              int                `json:"pid"`
	Version          string             `json:"version"`
	State            store.SessionState `json:"state"`
	Slots            int                `json:"slots"`
	Running          int                `json:"running"`
	Types            []string           `json:"types"`
	Queues           []string           `json:"queues"`
	StartedAt        time.Time          `json:"started_at"`
	LastHeartbeatAt  time.Time          `json:"last_heartbeat_at"`
	LastCompletionAt time.Time          `json:"last_completion_at"`
	EndedAt          time.Time          `json:"ended_at"`
	Lost             bool               `json:"lost"`
}

func (w *workerJSON) session() store.Session {
	return store.Session{
		ID: w.ID, Hostname: w.Hostname, PID: w.PID, Version: w.Version, Slots: w.Slots,
		Types: w.Types, Queues: w.Queues, State: w.State, Running: w.Running,
		StartedAt: w.StartedAt, BeatAt: w.LastHeartbeatAt, LastCompletionAt: w.LastCompletionAt,
		EndedAt: w.EndedAt, Lost: w.Lost,
	}
}

type typeJSON struct {
	Name           string          `json:"name"`
	Description    string          `json:"description"`
	Queue          string          `json:"queue"`
	MaxAttempts    int             `json:"max_attempts"`
	TimeoutSeconds int64           `json:"timeout_seconds"`
	Schema         json.RawMessage `json:"schema"`
	Example        json.RawMessage `json:"example"`
	SeenAt         time.Time       `json:"seen_at"`
}

func (t *typeJSON) typ() jobs.Type {
	return jobs.Type{
		Name: t.Name, Description: t.Description, Queue: t.Queue, MaxAttempts: t.MaxAttempts,
		Timeout: seconds(t.TimeoutSeconds), Schema: t.Schema, Example: t.Example, SeenAt: t.SeenAt,
	}
}

type metricsJSON struct {
	TotalJobs            int64   `json:"total_jobs"`
	ActiveJobs           int64   `json:"active_jobs"`
	CompletedJobs        int64   `json:"completed_jobs"`
	FailedJobs           int64   `json:"failed_jobs"`
	QueueLength          int64   `json:"queue_length"`
	Scheduled            int64   `json:"scheduled"`
	Retrying             int64   `json:"retrying"`
	Dead                 int64   `json:"dead"`
	Cancelled            int64   `json:"cancelled"`
	OldestPendingSeconds float64 `json:"oldest_pending_seconds"`
	Workers              int     `json:"workers"`
	Slots                int     `json:"slots"`
	CompletedLastMinute  int64   `json:"completed_last_minute"`
	FailedLastMinute     int64   `json:"failed_last_minute"`
	CancelledLastMinute  int64   `json:"cancelled_last_minute"`

	AttemptsLastMinute       int64 `json:"attempts_last_minute"`
	FailedAttemptsLastMinute int64 `json:"failed_attempts_last_minute"`
}

func (m *metricsJSON) metrics() Metrics {
	return Metrics{Workers: m.Workers, Slots: m.Slots, Stats: store.Stats{
		Total: m.TotalJobs, Due: m.QueueLength, Scheduled: m.Scheduled, Retrying: m.Retrying, Processing: m.ActiveJobs,
		Completed: m.CompletedJobs, Failed: m.FailedJobs, Dead: m.Dead, Cancelled: m.Cancelled,
		OldestDue: fraction(
			m.OldestPendingSeconds,
		), CompletedLastMinute: m.CompletedLastMinute, FailedLastMinute: m.FailedLastMinute,
		CancelledLastMinute: m.CancelledLastMinute, AttemptsLastMinute: m.AttemptsLastMinute,
		FailedAttemptsLastMinute: m.FailedAttemptsLastMinute,
	}}
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

func fraction(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
