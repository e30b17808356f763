package sqlite

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
)

// reads are the queries that read a column.
type reads uint8

const (
	inList   reads = 1 << iota // lists, and jobs that were taken back from their workers
	inReplay                   // a job of an earlier submission
	inFull                     // a whole job

	inJob = inReplay | inFull
)

// column is a column of jobs, as this driver reads and writes it. A new field of a submission is one entry in columns,
// and a migration.
type column struct {
	name string
	in   reads
	null string // SQL for the value that is read instead of NULL; empty: the column is never NULL, or read as it is

	// read is called once for a result. Each row is scanned into dest. take, if it is not nil, then moves the value
	// into the job.
	read func(j *jobs.Job) (dest any, take func())

	// The rest is for columns that Insert writes. The others begin with their default.
	keep  func(job *jobs.Job, n *jobs.New) // copies the field into the new job, whose CreatedAt is set
	write func(job *jobs.Job) any          // returns the value to store for this job
}

// columns are in the order in which rows are scanned.
var columns = append([]column{
	{
		name: "id", in: inList | inJob, read: text(func(j *jobs.Job) *string { return &j.ID }),
		keep: func(j *jobs.Job, n *jobs.New) { j.ID = n.ID }, write: func(j *jobs.Job) any { return j.ID },
	},
	{
		name: "type", in: inList | inJob, read: text(func(j *jobs.Job) *string { return &j.Type }),
		keep: func(j *jobs.Job, n *jobs.New) { j.Type = n.Type }, write: func(j *jobs.Job) any { return j.Type },
	},
	{
		name: "queue", in: inList | inJob, read: text(func(j *jobs.Job) *string { return &j.Queue }),
		keep: func(j *jobs.Job, n *jobs.New) { j.Queue = n.Queue }, write: func(j *jobs.Job) any { return j.Queue },
	},
	{
		name: "priority", in: inList | inJob, read: number(func(j *jobs.Job) *int { return &j.Priority }),
		keep: func(j *jobs.Job, n *jobs.New) { j.Priority = n.Priority }, write: func(j *jobs.Job) any { return j.Priority },
	},
	{
		name: "max_attempts", in: inList | inJob, read: number(func(j *jobs.Job) *int { return &j.MaxAttempts }),
		keep:  func(j *jobs.Job, n *jobs.New) { j.MaxAttempts = n.MaxAttempts },
		write: func(j *jobs.Job) any { return j.MaxAttempts },
	},
	{
		name: "timeout_seconds", in: inList | inJob,
		read: func(j *jobs.Job) (any, func()) {
			var seconds int64
			return &seconds, func() { j.Timeout = time.Duration(seconds) * time.Second }
		},
		keep:  func(j *jobs.Job, n *jobs.New) { j.Timeout = n.Timeout.Truncate(time.Second) },
		write: func(j *jobs.Job) any { return int64(j.Timeout / time.Second) },
	},
	{
		name: "run_at", in: inList | inJob, read: moment(func(j *jobs.Job) *time.Time { return &j.RunAt }),
		keep: func(j *jobs.Job, n *jobs.New) {
			j.RunAt = timeOf(j.CreatedAt.UnixMicro() + n.Delay.Microseconds())
			if !n.RunAt.IsZero() {
				j.RunAt = timeOf(max(n.RunAt.UnixMicro(), j.CreatedAt.UnixMicro()))
			}
		},
		write: func(j *jobs.Job) any { return j.RunAt.UnixMicro() },
	},
	{
		name: "created_at", in: inList | inJob, read: moment(func(j *jobs.Job) *time.Time { return &j.CreatedAt }),
		write: func(j *jobs.Job) any { return j.CreatedAt.UnixMicro() },
	},
	{
		name: "updated_at", in: inList | inJob, read: moment(func(j *jobs.Job) *time.Time { return &j.UpdatedAt }),
		write: func(j *jobs.Job) any { return j.UpdatedAt.UnixMicro() },
	},
	{name: "attempts", in: inList | inJob, read: number(func(j *jobs.Job) *int { return &j.Attempts })},
	{name: "fence", in: inList | inJob, read: func(j *jobs.Job) (any, func()) { return &j.Fence, nil }},
	{name: "lease_losses", in: inList | inJob, read: number(func(j *jobs.Job) *int { return &j.LeaseLosses })},
	{name: "error_message", in: inList | inJob, null: `''`, read: text(func(j *jobs.Job) *string { return &j.Error })},
	{name: "status", in: inList | inJob, read: func(j *jobs.Job) (any, func()) {
		var status string
		return &status, func() { j.Status = jobs.Status(status) }
	}},
	{name: "failure_kind", in: inList | inJob, null: `''`, read: func(j *jobs.Job) (any, func()) {
		var kind string
		return &kind, func() { j.FailureKind = jobs.FailureKind(kind) }
	}},
	{name: "worker_id", in: inList | inJob, null: `''`, read: text(func(j *jobs.Job) *string { return &j.WorkerID })},
	{
		name: "cancel_requested_at", in: inList | inJob, null: `0`,
		read: moment(func(j *jobs.Job) *time.Time { return &j.CancelRequestedAt }),
	},
	{name: "started_at", in: inList | inJob, null: `0`,
		read: moment(func(j *jobs.Job) *time.Time { return &j.StartedAt })},
	{name: "deadline_at", in: inList | inJob, null: `0`,
		read: moment(func(j *jobs.Job) *time.Time { return &j.DeadlineAt })},
	{name: "finished_at", in: inList | inJob, null: `0`,
		read: moment(func(j *jobs.Job) *time.Time { return &j.FinishedAt })},
	// The progress is there where its time is; the other two columns add to it.
	{name: "progress_at", in: inList | inJob, null: `0`, read: func(j *jobs.Job) (any, func()) {
		var at int64
		return &at, func() {
			j.Progress = nil
			if at != 0 {
				j.Progress = &jobs.Progress{At: timeOf(at)}
			}
		}
	}},
	{name: "progress_percent", in: inList | inJob, null: `0.0`, read: func(j *jobs.Job) (any, func()) {
		var percent float64
		return &percent, func() {
			if j.Progress != nil {
				j.Progress.Percent = percent
			}
		}
	}},
	{name: "progress_message", in: inList | inJob, null: `''`, read: func(j *jobs.Job) (any, func()) {
		var message string
		return &message, func() {
			if j.Progress != nil {
				j.Progress.Message = message
			}
		}
	}},
	{
		name: "payload", in: inJob, read: document(func(j *jobs.Job) *json.RawMessage { return &j.Payload }),
		keep:  func(j *jobs.Job, n *jobs.New) { j.Payload = n.Payload },
		write: func(j *jobs.Job) any { return string(j.Payload) },
	},
	{name: "result", in: inFull, read: document(func(j *jobs.Job) *json.RawMessage { return &j.Result })},
}, pairsColumns()...)

// pairsColumns are the columns of the fields that have no entry above but say in package fields where jobs.Job keeps
// them: objects of texts, as JSON, NULL where they are empty.
func pairsColumns() (list []column) {
	for i := range fields.Submission {
		f := &fields.Submission[i]
		if f.Stored == nil {
			continue
		}
		list = append(list, column{
			name: f.Name, in: inList | inJob,
			read: func(j *jobs.Job) (any, func()) {
				var raw []byte
				to := f.Stored(j)
				return &raw, func() { *to = fields.DecodePairs(raw) }
			},
			keep: func(j *jobs.Job, n *jobs.New) { *f.Stored(j) = maps.Clone(*f.Pairs(n)) },
			write: func(j *jobs.Job) any {
				if len(*f.Stored(j)) == 0 {
					return nil
				}
				return fields.EncodePairs(*f.Stored(j))
			},
		})
	}
	return list
}

// The columns of a job, for the queries that read them.
var (
	listed   = selected(inList)
	replayed = selected(inReplay)
	whole    = selected(inJob)
)

func selected(in reads) string {
	var names []string
	for _, c := range columns {
		switch {
		case c.in&in == 0:
		case c.null != "":
			names = append(names, "ifnull("+c.name+", "+c.null+")")
		default:
			names = append(names, c.name)
		}
	}
	return strings.Join(names, ", ")
}

// The ways to read a column. They scan into int64, float64, string and []byte: for int and named types database/sql
// first turns a number into a text.

func text(field func(*jobs.Job) *string) func(*jobs.Job) (any, func()) {
	return func(j *jobs.Job) (any, func()) { return field(j), nil }
}

func number(field func(*jobs.Job) *int) func(*jobs.Job) (any, func()) {
	return func(j *jobs.Job) (any, func()) {
		var n int64
		to := field(j)
		return &n, func() { *to = int(n) }
	}
}

// moment is the zero time for 0.
func moment(field func(*jobs.Job) *time.Time) func(*jobs.Job) (any, func()) {
	return func(j *jobs.Job) (any, func()) {
		var at int64
		to := field(j)
		return &at, func() { *to = timeOf(at) }
	}
}

// document is nil for NULL.
func document(field func(*jobs.Job) *json.RawMessage) func(*jobs.Job) (any, func()) {
	return func(j *jobs.Job) (any, func()) {
		var raw []byte
		to := field(j)
		return &raw, func() { *to = raw } // database/sql copies the bytes of each row
	}
}

// jobRow scans jobs; one serves all rows of a result.
type jobRow struct {
	job  jobs.Job
	dest []any
	take []func()
}

// newJobRow scans the columns that a query reads.
func newJobRow(in reads) *jobRow {
	r := &jobRow{dest: make([]any, 0, len(columns)), take: make([]func(), 0, len(columns))}
	for _, c := range columns {
		if c.in&in == 0 {
			continue
		}
		dest, take := c.read(&r.job)
		r.dest = append(r.dest, dest)
		if take != nil {
			r.take = append(r.take, take)
		}
	}
	return r
}

// scan reads the present row.
func (r *jobRow) scan(row *sql.Rows) (jobs.Job, error) {
	if err := row.Scan(r.dest...); err != nil {
		return jobs.Job{}, err
	}
	for _, take := range r.take {
		take()
	}
	return r.job, nil
}

// inserted are the columns that Insert writes.
var inserted = slices.DeleteFunc(slices.Clone(columns), func(c column) bool { return c.write == nil })

// insertJob stores a job; its parameters are the columns in inserted.
var insertJob = func() string {
	var names, values []string
	for i, c := range inserted {
		names, values = append(names, c.name), append(values, fmt.Sprintf("?%d", i+1))
	}
	return `INSERT INTO jobs (` + strings.Join(names, ", ") + `) VALUES (` + strings.Join(values, ", ") + `)`
}()

// fillIn sets j to the job that is stored for n. It does not return the job: that would be one allocation more for
// each.
func fillIn(j *jobs.Job, n *jobs.New, now time.Time) {
	j.Status, j.CreatedAt, j.UpdatedAt = jobs.Pending, now, now
	for i := range inserted {
		if keep := inserted[i].keep; keep != nil {
			keep(j, n)
		}
	}
}

// hinted are the columns of a hint, in the order in which scanHint reads them.
const hinted = `id, queue, type, priority, run_at, lease_losses`

// scanHint reads hints; In is the time from now.
func scanHint(now int64) func(row *sql.Rows) (jobs.Hint, error) {
	return func(row *sql.Rows) (jobs.Hint, error) {
		var h jobs.Hint
		var runAt, losses int64
		err := row.Scan(&h.ID, &h.Queue, &h.Type, &h.Priority, &runAt, &losses)
		h.RunAt, h.In, h.Suspect = timeOf(runAt), spanOf(runAt-now), losses > 0
		return h, err
	}
}

// hintOf is the hint of a pending job; In is the time from now.
func hintOf(j *jobs.Job, now int64) jobs.Hint {
	h := j.Hint()
	h.In = spanOf(j.RunAt.UnixMicro() - now)
	return h
}

func scanText(row *sql.Rows) (text string, err error) {
	err = row.Scan(&text)
	return text, err
}

// timeOf turns a stored time into a time.Time. 0 is the zero time.
func timeOf(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

func spanOf(micros int64) time.Duration { return time.Duration(micros) * time.Microsecond }

// orNull stores a zero value as NULL.
func orNull[T comparable](v T) any {
	var none T
	if v == none {
		return nil
	}
	return v
}

// textOf stores a JSON text, and nil as NULL.
func textOf(raw json.RawMessage) any {
	if raw == nil {
		return nil
	}
	return string(raw)
}

// list encodes strings as a JSON array. A statement takes any number of them apart with json_each.
func list(texts []string) string {
	if len(texts) == 0 {
		return "[]"
	}
	raw, err := json.Marshal(texts)
	if err != nil {
		panic("sqlite: strings as JSON: " + err.Error()) // cannot happen: strings can always be encoded
	}
	return string(raw)
}
