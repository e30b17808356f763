package httpapi

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// JobPath is the path of one job.
type JobPath struct {
	ID string `path:"id" format:"uuid" doc:"The job's id"`
}

// id returns the id as the store writes it.
func (p *JobPath) id() (string, *Problem) {
	var raw [16]byte
	if !parseID(raw[:], p.ID) {
		return "", badParameter("id", "must be a UUID in its usual form")
	}
	return formatID(raw[:]), nil
}

// ListInput is the query of the lists of jobs.
type ListInput struct {
	Type     string   `query:"type" maxLength:"100" pattern:"^[a-z0-9][a-z0-9_.-]{0,99}$" doc:"Only this job type"`
	Queue    string   `query:"queue" maxLength:"63" pattern:"^[a-z0-9][a-z0-9_-]{0,62}$" doc:"Only this queue"`
	Metadata []string `query:"metadata,explode" nullable:"false" maxItems:"16" example:"customer:ada" doc:"Only jobs that have this pair of metadata: its name, a colon, its value. Repeat it for several pairs; a job has to have all of them. The name ends at the first colon. A colon or a backslash that belongs to the name has a backslash in front. The value is taken as it is"`
	From     string   `query:"from" format:"uuid" doc:"Only this job and older ones, so that a list can be read again without the jobs that came since. It need not be there any more. With a cursor it has no effect"`
	Limit    int      `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"At most so many"`
	Cursor   string   `query:"cursor" maxLength:"100" doc:"Where to go on: next_cursor of the page before, with the same filter"`
}

// pairs reads the parameter metadata.
func (in *ListInput) pairs() (map[string]string, *Problem) {
	pairs := make(map[string]string, len(in.Metadata))
	for _, text := range in.Metadata {
		name, value, ok := fields.ParsePair(text, ':')
		if !ok {
			return nil, badParameter("metadata", `must be name:value; in the name, \: stands for a colon and \\ for a backslash`)
		}
		if _, twice := pairs[name]; twice {
			return nil, badParameter("metadata", "must not have a name twice")
		}
		pairs[name] = value
	}
	if fault := fields.Named("metadata").CheckPairs(pairs); fault != "" {
		return nil, badParameter("metadata", fault)
	}
	return pairs, nil
}

// StatusInput is the query of GET /jobs. The dead-letter queue has one status only.
type StatusInput struct {
	ListInput
	Status string `query:"status" enum:"pending,processing,completed,failed" doc:"Only this status"`
	State  string `query:"state" enum:"scheduled,waiting,retrying,running,cancelling,completed,cancelled,dead" doc:"Only this state"`
	Due    bool   `query:"due" doc:"If true, only jobs that are pending and due, as queue_length counts them: waiting for their first attempt, or for a retry whose time has come"`
}

// listed answers with a page.
type listed struct{ Body ListedBody }

// ListedBody is a page of a list.
type ListedBody struct {
	Jobs       []JobSummary `json:"jobs" nullable:"false" doc:"Newest first. With a filter there may be fewer than limit, or none, and still a next_cursor"`
	NextCursor *string      `json:"next_cursor" doc:"null at the end"`
}

func (l ListedBody) writeTo(b *bytes.Buffer) error {
	b.WriteString(`{"jobs":`)
	if err := writeList(b, l.Jobs); err != nil {
		return err
	}
	b.WriteString(`,"next_cursor":`)
	if err := encode(b, l.NextCursor); err != nil {
		return err
	}
	b.WriteByte('}')
	return nil
}

// list serves GET /jobs.
func (a *api) list(ctx context.Context, in *StatusInput) (*listed, error) {
	return a.page(ctx, "jobs", in)
}

// page answers with a page of a list. The list's name and its filter are bound to its cursors.
func (a *api) page(ctx context.Context, name string, in *StatusInput) (*listed, error) {
	pairs, bad := in.pairs()
	if bad != nil {
		return nil, bad
	}
	filter := strings.Join([]string{
		name, in.Status, in.State, in.Type, in.Queue, fields.EncodePairs(pairs),
	}, "\x00")
	if in.Due {
		filter += "\x00due"
	}
	q := store.ListQuery{
		Status: jobs.Status(in.Status), State: jobs.State(in.State), Due: in.Due, Type: in.Type, Queue: in.Queue,
		Metadata: pairs, Limit: in.Limit,
	}
	if in.From != "" {
		var raw [16]byte
		if !parseID(raw[:], in.From) {
			return nil, badParameter("from", "must be a UUID in its usual form")
		}
		q.Before = idAfter(raw)
	}
	if in.Cursor != "" {
		var err error
		if q.Before, err = decodeCursor(in.Cursor, filter); err != nil {
			return nil, badParameter("cursor", err.Error())
		}
	}
	who := callerOf(ctx)
	if who != nil && !who.narrow(&q) {
		return &listed{ListedBody{Jobs: []JobSummary{}}}, nil
	}
	page, err := a.opts.Client.List(ctx, q)
	if err != nil {
		return nil, problemOfRead(err)
	}
	if who != nil {
		page.Jobs = who.reached(page.Jobs)
	}
	var out listed
	now := time.Now()
	out.Body.Jobs = make([]JobSummary, len(page.Jobs))
	for i := range page.Jobs {
		out.Body.Jobs[i] = JobSummary{view{job: &page.Jobs[i], now: now}}
	}
	if page.Next != "" {
		out.Body.NextCursor = orNull(encodeCursor(page.Next, filter))
	}
	return &out, nil
}

// idAfter returns the id that follows one in the order of ids. It is empty after the last one, as Before is where it
// does not restrict.
func idAfter(id [16]byte) string {
	for i := len(id) - 1; i >= 0; i-- {
		id[i]++
		if id[i] != 0 {
			return formatID(id[:])
		}
	}
	return ""
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

func viewHistory(attempts []jobs.Attempt) []Attempt {
	history := make([]Attempt, len(attempts))
	for i, a := range attempts {
		history[i] = Attempt{
			a.Attempt, a.Fence, orNull(a.WorkerID), a.StartedAt, a.FinishedAt, string(a.Outcome), orNull(a.Error),
		}
	}
	return history
}

type got struct{ Body JobDetail }

// get serves GET /jobs/{id}.
func (a *api) get(ctx context.Context, in *JobPath) (*got, error) {
	id, bad := in.id()
	if bad != nil {
		return nil, bad
	}
	j, attempts, err := a.opts.Client.Get(ctx, id)
	if err == nil && !callerOf(ctx).reaches(&j) {
		err = jobs.ErrNotFound
	}
	if err != nil {
		return nil, problemOfRead(err)
	}
	return &got{JobDetail{viewOf(ctx, &j), viewHistory(attempts)}}, nil
}

// ActInput is the input of an operation on a job that needs no body. An empty object is accepted.
type ActInput struct {
	Request
	JobPath
}

// nothing refuses a body that says something.
func (a *api) nothing(in *Request) *Problem {
	doc, bad := readBody(in, maxBodyBytes, canonjson.Limits{Envelope: 1})
	if bad != nil || doc == nil {
		return bad
	}
	var f form
	f.members("", doc, func(string, []byte) bool { return false })
	if f.faults != nil {
		return invalidBody(f.faults)
	}
	return nil
}

type acted struct {
	Status int
	Body   Job
}

// retry serves POST /jobs/{id}/retry.
func (a *api) retry(ctx context.Context, in *ActInput) (*acted, error) {
	return a.act(ctx, in, a.opts.Client.Retry, "only a failed job can be sent back")
}

// cancel serves POST /jobs/{id}/cancel.
func (a *api) cancel(ctx context.Context, in *ActInput) (*acted, error) {
	out, err := a.act(ctx, in, a.opts.Client.Cancel, "only a job that is not over can be cancelled")
	if err == nil && out.Body.job.Status == jobs.Processing {
		out.Status = http.StatusAccepted // its worker does not know of the request yet
	}
	return out, err
}

// act does what verb does to a job. rule says which jobs it can be done to.
func (a *api) act(
	ctx context.Context, in *ActInput, verb func(context.Context, string) (jobs.Job, error), rule string,
) (*acted, error) {
	id, bad := in.id()
	if bad == nil {
		bad = a.nothing(&in.Request)
	}
	if bad != nil {
		return nil, bad
	}
	ctx, cancel := in.limit(ctx)
	defer cancel()
	if bad := a.hidden(ctx, id); bad != nil {
		return nil, bad
	}
	j, err := verb(ctx, id)
	if err != nil {
		p := problemOf(err, noPointer)
		if p.kind == conflict && j.Status != "" {
			p.Detail = "The job is " + string(j.Status) + "; " + rule + "."
		}
		return nil, p
	}
	return &acted{http.StatusOK, Job{viewOf(ctx, &j)}}, nil
}

// delete serves DELETE /jobs/{id}.
func (a *api) delete(ctx context.Context, in *JobPath) (*struct{}, error) {
	id, bad := in.id()
	if bad == nil {
		bad = a.hidden(ctx, id)
	}
	if bad != nil {
		return nil, bad
	}
	if err := a.opts.Client.Delete(ctx, id); err != nil {
		p := problemOf(err, noPointer)
		if p.kind == conflict {
			p.Detail = "The job is not over; only completed and failed jobs can be deleted."
		}
		return nil, p
	}
	return nil, nil
}
