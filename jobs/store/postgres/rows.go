package postgres

import (
	"encoding/hex"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/windlass-jobs/windlass/jobs"
)

// The columns of a job j, in the order in which jobRow scans them.
const (
	listed = `j.id, j.type, j.queue, j.status, j.priority, j.attempts, j.max_attempts, j.timeout_seconds,
		j.run_at, j.error_message, j.failure_kind, j.progress_percent, j.progress_message, j.progress_at, j.worker_id,
		j.cancel_requested_at, j.started_at, j.deadline_at, j.finished_at, j.created_at, j.updated_at, j.fence, j.lease_losses`
	whole = listed + `, j.payload, j.result`
)

// jobRow scans jobs; one serves all rows of a result.
type jobRow struct {
	job                                              jobs.Job
	timeout                                          int64
	errorText, kind, progressText                    pgtype.Text
	worker                                           pgtype.UUID
	percent                                          pgtype.Float8
	progressAt, cancelled, started, deadline, ending pgtype.Timestamptz
	payload, result                                  []byte
	dest                                             []any
}

// newJobRow scans the columns listed, or whole ones where they are asked for, and then what extra points to.
func newJobRow(all bool, extra ...any) *jobRow {
	r := &jobRow{}
	j := &r.job
	r.dest = []any{
		&j.ID, &j.Type, &j.Queue, &j.Status, &j.Priority, &j.Attempts, &j.MaxAttempts, &r.timeout,
		&j.RunAt, &r.errorText, &r.kind, &r.percent, &r.progressText, &r.progressAt, &r.worker,
		&r.cancelled, &r.started, &r.deadline, &r.ending, &j.CreatedAt, &j.UpdatedAt, &j.Fence, &j.LeaseLosses,
	}
	if all {
		r.dest = append(r.dest, &r.payload, &r.result)
	}
	r.dest = append(r.dest, extra...)
	return r
}

// scan reads the present row.
func (r *jobRow) scan(rows pgx.Rows) (jobs.Job, error) {
	r.payload, r.result = nil, nil
	if err := rows.Scan(r.dest...); err != nil {
		return jobs.Job{}, err
	}
	j := r.job
	j.Timeout = time.Duration(r.timeout) * time.Second
	j.RunAt, j.CreatedAt, j.UpdatedAt = j.RunAt.UTC(), j.CreatedAt.UTC(), j.UpdatedAt.UTC()
	j.Error, j.FailureKind = r.errorText.String, jobs.FailureKind(r.kind.String)
	j.WorkerID = r.worker.String()
	j.CancelRequestedAt, j.StartedAt, j.DeadlineAt, j.FinishedAt = utc(r.cancelled), utc(r.started), utc(r.deadline), utc(r.ending)
	if r.progressAt.Valid {
		j.Progress = &jobs.Progress{Percent: r.percent.Float64, Message: r.progressText.String, At: utc(r.progressAt)}
	}
	j.Payload, j.Result = compact(r.payload), compact(r.result)
	return j, nil
}

// into appends the scanned jobs to a list.
func (r *jobRow) into(list *[]jobs.Job) func(pgx.Rows) error {
	return each(func(rows pgx.Rows) error {
		j, err := r.scan(rows)
		*list = append(*list, j)
		return err
	})
}

// claimed are the columns of a job that was just claimed, in the order in which claimedRow scans them: the others follow from the claim.
const claimed = `j.id, j.type, j.queue, j.priority, j.attempts, j.max_attempts, j.timeout_seconds, j.run_at, j.error_message, j.created_at,
	j.fence, j.lease_losses, j.payload`

// claimedRow appends jobs that session has claimed at a time to a list; about n are expected.
func claimedRow(session string, at *time.Time, n int, list *[]jobs.Job) func(pgx.Rows) error {
	j := jobs.Job{Status: jobs.Processing, WorkerID: session}
	var timeout int64
	var errorText pgtype.Text
	var payload []byte
	var typ, queue repeated
	dest := []any{
		&j.ID, &typ, &queue, &j.Priority, &j.Attempts, &j.MaxAttempts, &timeout, &j.RunAt, &errorText, &j.CreatedAt,
		&j.Fence, &j.LeaseLosses, &payload,
	}
	return each(func(rows pgx.Rows) error {
		payload = nil
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		j.Type, j.Queue = typ.text, queue.text
		j.Timeout = time.Duration(timeout) * time.Second
		j.RunAt, j.CreatedAt, j.StartedAt = j.RunAt.UTC(), j.CreatedAt.UTC(), at.UTC()
		j.UpdatedAt, j.DeadlineAt = j.StartedAt, j.StartedAt.Add(j.Timeout+grace)
		j.Error, j.Payload = errorText.String, compact(payload)
		if *list == nil {
			*list = make([]jobs.Job, 0, n)
		}
		*list = append(*list, j)
		return nil
	})
}

// repeated is a text that is mostly the same from row to row: it is kept once.
type repeated struct{ text string }

// ScanBytes implements pgtype.BytesScanner.
func (s *repeated) ScanBytes(v []byte) error {
	if s.text != string(v) {
		s.text = string(v)
	}
	return nil
}

// utc is the zero time for NULL.
func utc(t pgtype.Timestamptz) time.Time {
	if !t.Valid {
		return time.Time{}
	}
	return t.Time.UTC()
}

// compact takes the spaces out that jsonb writes after each colon and comma, in place. What is left is the canonical form
// that came in.
func compact(raw []byte) []byte {
	out, inString := raw[:0], false
	for i := 0; i < len(raw); i++ {
		b := raw[i]
		switch {
		case inString && b == '\\':
			out = append(out, b)
			i++
			b = raw[i] // a backslash is never the last byte
		case b == '"':
			inString = !inString
		case b == ' ' && !inString:
			continue
		}
		out = append(out, b)
	}
	return out
}

// The columns of a hint for a pending job j, in the order in which scanHint reads them.
const hinted = `j.id, j.queue, j.priority, j.run_at, j.lease_losses > 0, ` + dueIn

// dueIn is how many microseconds are left until a job j is due.
const dueIn = `(extract(epoch FROM j.run_at - now()) * 1000000)::bigint`

// hintRow scans hints.
type hintRow struct {
	hint jobs.Hint
	in   int64
}

func (r *hintRow) dest() []any {
	return []any{&r.hint.ID, &r.hint.Queue, &r.hint.Priority, &r.hint.RunAt, &r.hint.Suspect, &r.in}
}

// value is what was scanned last.
func (r *hintRow) value() jobs.Hint {
	h := r.hint
	h.RunAt, h.In = h.RunAt.UTC(), time.Duration(r.in)*time.Microsecond
	return h
}

// into appends the scanned hints to a list.
func (r *hintRow) into(list *[]jobs.Hint) func(pgx.Rows) error {
	dest := r.dest()
	return each(func(rows pgx.Rows) error {
		err := rows.Scan(dest...)
		*list = append(*list, r.value())
		return err
	})
}

// parseID turns an id into what the driver sends. ok is false for what is no UUID in its usual form: no row has such an id.
func parseID(id string) (pgtype.UUID, bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return pgtype.UUID{}, false
	}
	var digits [32]byte
	copy(digits[:8], id)
	copy(digits[8:12], id[9:])
	copy(digits[12:16], id[14:])
	copy(digits[16:20], id[19:])
	copy(digits[20:], id[24:])
	u := pgtype.UUID{Valid: true}
	if _, err := hex.Decode(u.Bytes[:], digits[:]); err != nil {
		return pgtype.UUID{}, false
	}
	return u, true
}

// uuids go to the server as an array. pgx sends slices as well, but boxes each element on its way.
type uuids []pgtype.UUID

// Dimensions implements pgtype.ArrayGetter.
func (u uuids) Dimensions() []pgtype.ArrayDimension {
	if u == nil {
		return nil
	}
	return []pgtype.ArrayDimension{{Length: int32(len(u)), LowerBound: 1}}
}

// Index implements pgtype.ArrayGetter.
func (u uuids) Index(i int) any { return &u[i] }

// IndexType implements pgtype.ArrayGetter.
func (u uuids) IndexType() any { return (*pgtype.UUID)(nil) }

// parseIDs leaves out what is no UUID.
func parseIDs(ids []string) uuids {
	parsed := make(uuids, 0, len(ids))
	for _, id := range ids {
		if u, ok := parseID(id); ok {
			parsed = append(parsed, u)
		}
	}
	return parsed
}
