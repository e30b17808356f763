package sqlite

import (
	"database/sql"
	"encoding/json"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// brief lists a job's columns without payload and result; full has them too. scanBrief and scanFull read them in this order.
const (
	brief = `id, type, queue, status, priority, attempts, max_attempts, timeout_seconds, run_at, fence, lease_losses,
		ifnull(failure_kind, ''), ifnull(worker_id, ''), ifnull(cancel_requested_at, 0), ifnull(started_at, 0), ifnull(deadline_at, 0),
		ifnull(finished_at, 0), created_at, updated_at, ifnull(progress_percent, 0), ifnull(progress_message, ''), ifnull(progress_at, 0),
		ifnull(error_message, '')`
	full = brief + `, payload, result`
)

func scanBrief(row *sql.Rows) (jobs.Job, error) { return scanJob(row) }

func scanFull(row *sql.Rows) (jobs.Job, error) {
	var payload, result []byte
	j, err := scanJob(row, &payload, &result)
	j.Payload = payload
	if result != nil {
		j.Result = result
	}
	return j, err
}

func scanJob(row *sql.Rows, more ...any) (jobs.Job, error) {
	var j jobs.Job
	var status, kind string
	var timeout, runAt, cancelAt, startedAt, deadlineAt, finishedAt, createdAt, updatedAt int64
	var progress jobs.Progress
	var progressAt int64
	values := append([]any{
		&j.ID, &j.Type, &j.Queue, &status, &j.Priority, &j.Attempts, &j.MaxAttempts, &timeout, &runAt, &j.Fence, &j.LeaseLosses,
		&kind, &j.WorkerID, &cancelAt, &startedAt, &deadlineAt,
		&finishedAt, &createdAt, &updatedAt, &progress.Percent, &progress.Message, &progressAt, &j.Error,
	}, more...)
	if err := row.Scan(values...); err != nil {
		return jobs.Job{}, err
	}
	j.Status, j.FailureKind, j.Timeout = jobs.Status(status), jobs.FailureKind(kind), time.Duration(timeout)*time.Second
	j.RunAt, j.CancelRequestedAt, j.StartedAt = timeOf(runAt), timeOf(cancelAt), timeOf(startedAt)
	j.DeadlineAt, j.FinishedAt, j.CreatedAt, j.UpdatedAt = timeOf(deadlineAt), timeOf(finishedAt), timeOf(createdAt), timeOf(updatedAt)
	if progressAt != 0 {
		progress.At = timeOf(progressAt)
		j.Progress = &progress
	}
	return j, nil
}

// hint columns are what scanHint reads.
const hint = `id, queue, priority, run_at, lease_losses`

// hintScan reads hints as seen at this moment.
func hintScan(now int64) func(row *sql.Rows) (jobs.Hint, error) {
	return func(row *sql.Rows) (jobs.Hint, error) {
		var h jobs.Hint
		var runAt, losses int64
		err := row.Scan(&h.ID, &h.Queue, &h.Priority, &runAt, &losses)
		h.RunAt, h.In, h.Suspect = timeOf(runAt), spanOf(runAt-now), losses > 0
		return h, err
	}
}

// hintOf is a pending job's hint at this moment.
func hintOf(j *jobs.Job, now int64) jobs.Hint {
	h := j.Hint()
	h.In = spanOf(j.RunAt.UnixMicro() - now)
	return h
}

func scanText(row *sql.Rows) (text string, err error) {
	err = row.Scan(&text)
	return text, err
}

// timeOf turns a stored time into Go's. 0 is no time.
func timeOf(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

func spanOf(micros int64) time.Duration { return time.Duration(micros) * time.Microsecond }

// orNull stores nothing as NULL.
func orNull[T comparable](v T) any {
	var none T
	if v == none {
		return nil
	}
	return v
}

// document stores a JSON text, and nil as NULL.
func document(raw json.RawMessage) any {
	if raw == nil {
		return nil
	}
	return string(raw)
}

// list writes strings down as a JSON array: the way to hand any number of them to a statement (json_each).
func list(texts []string) string {
	if len(texts) == 0 {
		return "[]"
	}
	raw, err := json.Marshal(texts)
	if err != nil {
		panic("sqlite: strings as JSON: " + err.Error()) // strings always can
	}
	return string(raw)
}
