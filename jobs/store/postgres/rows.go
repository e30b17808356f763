package postgres

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
)

// reads is a set of queries: those that read a column.
type reads uint8

const (
	inList   reads = 1 << iota // lists; jobs that Reap has taken back
	inReplay                   // jobs of an earlier submission
	inFull                     // queries for whole jobs
	inClaim                    // claims; the other fields of a claimed job are known

	inJob      = inReplay | inFull
	everywhere = inList | inJob | inClaim
)

// column describes how a column of windlass.jobs is read and written. A new field of a submission is one entry in
// columns, and a migration.
type column struct {
	name string
	in   reads

	// read is called once for each result. Rows are scanned into dest. take, if not nil, copies the value from there
	// into the job after each row. Both pgx and database/sql must be able to scan into dest.
	read func(j *jobs.Job) (dest any, take func())

	// The other fields are for columns that Insert writes. Columns without them start with their defaults.
	array string // the SQL type of one value
	value string // SQL for the stored value, from a row n; empty: the value as it was sent
	write writer
	keep  func(job *jobs.Job, n *jobs.New) // sets the field of a job that was just stored; CreatedAt is set
}

// writer gets the values of a column from new jobs.
type writer struct {
	all   func([]*jobs.New) (any, error) // all values, as one slice, so that they are not boxed
	alike func([]*jobs.New) bool         // whether all values are the same; nil: they differ
	one   func(*jobs.New) any
}

// columns are in the order in which rows are scanned.
var columns = append([]column{
	{
		name: "id", in: everywhere, read: direct(func(j *jobs.Job) any { return &j.ID }),
		array: "uuid", write: idsOf, keep: func(j *jobs.Job, n *jobs.New) { j.ID = n.ID },
	},
	{
		name: "type", in: everywhere, read: repeatedText(func(j *jobs.Job) *string { return &j.Type }),
		array: "text", write: values(func(n *jobs.New) string { return n.Type }),
		keep: func(j *jobs.Job, n *jobs.New) { j.Type = n.Type },
	},
	{
		name: "queue", in: everywhere, read: repeatedText(func(j *jobs.Job) *string { return &j.Queue }),
		array: "text", write: values(func(n *jobs.New) string { return n.Queue }),
		keep: func(j *jobs.Job, n *jobs.New) { j.Queue = n.Queue },
	},
	{
		name: "priority", in: everywhere, read: direct(func(j *jobs.Job) any { return &j.Priority }),
		array: "int", write: values(func(n *jobs.New) int32 { return int32(n.Priority) }),
		keep: func(j *jobs.Job, n *jobs.New) { j.Priority = n.Priority },
	},
	{
		name: "max_attempts", in: everywhere,
		read:  direct(func(j *jobs.Job) any { return &j.MaxAttempts }),
		array: "int", write: values(func(n *jobs.New) int32 { return int32(n.MaxAttempts) }),
		keep: func(j *jobs.Job, n *jobs.New) { j.MaxAttempts = n.MaxAttempts },
	},
	{
		name: "timeout_seconds", in: everywhere,
		read: func(j *jobs.Job) (any, func()) {
			var seconds int64
			return &seconds, func() { j.Timeout = time.Duration(seconds) * time.Second }
		},
		array: "int", write: values(func(n *jobs.New) int32 { return int32(n.Timeout / time.Second) }),
		keep: func(j *jobs.Job, n *jobs.New) { j.Timeout = n.Timeout.Truncate(time.Second) },
	},
	{
		// One number holds both: microseconds since 1970 where RunAt is set. Otherwise it is 0 or negative:
		// microseconds from now, times -1.
		name: "run_at", in: everywhere, read: moment(func(j *jobs.Job) *time.Time { return &j.RunAt }),
		array: "bigint", write: values(func(n *jobs.New) int64 {
			if n.RunAt.IsZero() {
				return -micros(n.Delay)
			}
			return max(n.RunAt.UnixMicro(), 1)
		}),
		value: `CASE WHEN n.run_at <= 0 THEN now() - n.run_at * interval '1 microsecond'
			ELSE greatest(now(), timestamptz 'epoch' + n.run_at * interval '1 microsecond') END`,
		keep: func(j *jobs.Job, n *jobs.New) {
			if n.RunAt.IsZero() {
				j.RunAt = j.CreatedAt.Add(time.Duration(micros(n.Delay)) * time.Microsecond)
				return
			}
			j.RunAt = n.RunAt.Truncate(time.Microsecond).UTC()
			if j.RunAt.Before(j.CreatedAt) {
				j.RunAt = j.CreatedAt
			}
		},
	},
	{name: "created_at", in: everywhere, read: moment(func(j *jobs.Job) *time.Time { return &j.CreatedAt })},
	{name: "attempts", in: everywhere, read: direct(func(j *jobs.Job) any { return &j.Attempts })},
	{name: "fence", in: everywhere, read: direct(func(j *jobs.Job) any { return &j.Fence })},
	{name: "lease_losses", in: everywhere, read: direct(func(j *jobs.Job) any { return &j.LeaseLosses })},
	{name: "error_message", in: everywhere,
		read: optionalText(func(j *jobs.Job) *string { return &j.Error })},
	{name: "status", in: inList | inJob, read: direct(func(j *jobs.Job) any { return &j.Status })},
	{name: "failure_kind", in: inList | inJob, read: func(j *jobs.Job) (any, func()) {
		var kind pgtype.Text
		return &kind, func() { j.FailureKind = jobs.FailureKind(kind.String) }
	}},
	{name: "worker_id", in: inList | inJob, read: optionalText(func(j *jobs.Job) *string { return &j.WorkerID })},
	{name: "updated_at", in: inList | inJob, read: moment(func(j *jobs.Job) *time.Time { return &j.UpdatedAt })},
	{
		name: "cancel_requested_at", in: inList | inJob,
		read: optionalMoment(func(j *jobs.Job) *time.Time { return &j.CancelRequestedAt }),
	},
	{
		name: "started_at", in: inList | inJob,
		read: optionalMoment(func(j *jobs.Job) *time.Time { return &j.StartedAt }),
	},
	{
		name: "deadline_at", in: inList | inJob,
		read: optionalMoment(func(j *jobs.Job) *time.Time { return &j.DeadlineAt }),
	},
	{
		name: "finished_at", in: inList | inJob,
		read: optionalMoment(func(j *jobs.Job) *time.Time { return &j.FinishedAt }),
	},
	// progress_at says whether there is a progress. The next two columns add to it.
	{name: "progress_at", in: inList | inJob, read: func(j *jobs.Job) (any, func()) {
		var at pgtype.Timestamptz
		return &at, func() {
			j.Progress = nil
			if at.Valid {
				j.Progress = &jobs.Progress{At: at.Time.UTC()}
			}
		}
	}},
	{name: "progress_percent", in: inList | inJob, read: func(j *jobs.Job) (any, func()) {
		var percent pgtype.Float8
		return &percent, func() {
			if j.Progress != nil {
				j.Progress.Percent = percent.Float64
			}
		}
	}},
	{name: "progress_message", in: inList | inJob, read: func(j *jobs.Job) (any, func()) {
		var message pgtype.Text
		return &message, func() {
			if j.Progress != nil {
				j.Progress.Message = message.String
			}
		}
	}},
	{
		name: "payload", in: inJob | inClaim, read: document(func(j *jobs.Job) *json.RawMessage { return &j.Payload }),
		array: "text", write: distinct(func(n *jobs.New) string { return string(n.Payload) }),
		value: "n.payload::jsonb",
		keep:  func(j *jobs.Job, n *jobs.New) { j.Payload = n.Payload },
	},
	{name: "result", in: inFull, read: document(func(j *jobs.Job) *json.RawMessage { return &j.Result })},
}, pairsColumns()...)

// pairsColumns are the columns of the fields that have no entry above but say in package fields where jobs.Job keeps
// them: objects of texts, as jsonb, NULL where they are empty. Claims read them too, because handlers see them.
func pairsColumns() (list []column) {
	for i := range fields.Submission {
		f := &fields.Submission[i]
		if f.Stored == nil {
			continue
		}
		list = append(list, column{
			name: f.Name, in: everywhere,
			read: func(j *jobs.Job) (any, func()) {
				var raw []byte
				to := f.Stored(j)
				return &raw, func() { *to, raw = fields.DecodePairs(raw), nil }
			},
			array: "text", write: values(func(n *jobs.New) string { return unescaped(fields.EncodePairs(*f.Pairs(n))) }),
			value: "nullif(n." + f.Name + ", '')::jsonb",
			keep:  func(j *jobs.Job, n *jobs.New) { *f.Stored(j) = maps.Clone(*f.Pairs(n)) },
		})
	}
	return list
}

// The column lists of queries, for a job j.
var (
	listed   = selected(inList)
	replayed = selected(inReplay)
	whole    = selected(inJob)
	claimed  = selected(inClaim)
)

func selected(in reads) string {
	var names []string
	for _, c := range columns {
		if c.in&in != 0 {
			names = append(names, "j."+c.name)
		}
	}
	return strings.Join(names, ", ")
}

// The ways to read a column.

// direct scans into the field itself.
func direct(field func(*jobs.Job) any) func(*jobs.Job) (any, func()) {
	return func(j *jobs.Job) (any, func()) { return field(j), nil }
}

// optionalText is empty for NULL.
func optionalText(field func(*jobs.Job) *string) func(*jobs.Job) (any, func()) {
	return func(j *jobs.Job) (any, func()) {
		var text pgtype.Text
		to := field(j)
		return &text, func() { *to = text.String }
	}
}

func repeatedText(field func(*jobs.Job) *string) func(*jobs.Job) (any, func()) {
	return func(j *jobs.Job) (any, func()) {
		var text repeated
		to := field(j)
		return &text, func() { *to = text.text }
	}
}

func moment(field func(*jobs.Job) *time.Time) func(*jobs.Job) (any, func()) {
	return func(j *jobs.Job) (any, func()) {
		at := field(j)
		return at, func() { *at = at.UTC() }
	}
}

// optionalMoment is the zero time for NULL.
func optionalMoment(field func(*jobs.Job) *time.Time) func(*jobs.Job) (any, func()) {
	return func(j *jobs.Job) (any, func()) {
		var at pgtype.Timestamptz
		to := field(j)
		return &at, func() { *to = utc(at) }
	}
}

func document(field func(*jobs.Job) *json.RawMessage) func(*jobs.Job) (any, func()) {
	return func(j *jobs.Job) (any, func()) {
		var raw []byte
		to := field(j)
		return &raw, func() { *to, raw = compact(raw), nil }
	}
}

// values is for columns that have the same value in most jobs of one call.
func values[T comparable](of func(*jobs.New) T) writer {
	w := distinct(of)
	w.alike = func(list []*jobs.New) bool {
		first := of(list[0])
		for _, n := range list[1:] {
			if of(n) != first {
				return false
			}
		}
		return true
	}
	w.one = func(n *jobs.New) any { return of(n) }
	return w
}

// distinct is for columns that have different values in most jobs.
func distinct[T any](of func(*jobs.New) T) writer {
	return writer{all: func(list []*jobs.New) (any, error) {
		all := make([]T, len(list))
		for i, n := range list {
			all[i] = of(n)
		}
		return all, nil
	}}
}

// idsOf is distinct for ids, which may be invalid.
var idsOf = writer{all: func(list []*jobs.New) (any, error) {
	ids, ok := make(uuids, len(list)), false
	for i, n := range list {
		if ids[i], ok = parseID(n.ID); !ok {
			return nil, fmt.Errorf("insert: the id of a job is no UUID: %w", jobs.ErrRejected)
		}
	}
	return ids, nil
}}

// jobRow scans jobs. One jobRow is used for all rows of a result.
type jobRow struct {
	job  jobs.Job
	dest []any
	take []func()
}

// newJobRow scans the columns of a query, and then into extra.
func newJobRow(in reads, extra ...any) *jobRow {
	r := &jobRow{dest: make([]any, 0, len(columns)+len(extra)), take: make([]func(), 0, len(columns))}
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
	r.dest = append(r.dest, extra...)
	return r
}

// scan reads the present row.
func (r *jobRow) scan(rows results) (jobs.Job, error) {
	if err := rows.Scan(r.dest...); err != nil {
		return jobs.Job{}, err
	}
	for _, take := range r.take {
		take()
	}
	return r.job, nil
}

// into appends the scanned jobs to a list.
func (r *jobRow) into(list *[]jobs.Job) func(results) error {
	return each(func(rows results) error {
		j, err := r.scan(rows)
		*list = append(*list, j)
		return err
	})
}

// claimedRow appends jobs that a session has claimed at a time. n is how many are expected.
func claimedRow(session string, at *time.Time, n int, list *[]jobs.Job) func(results) error {
	row := newJobRow(inClaim)
	row.job.Status, row.job.WorkerID = jobs.Processing, session
	return each(func(rows results) error {
		j, err := row.scan(rows)
		if err != nil {
			return err
		}
		j.StartedAt = at.UTC()
		j.UpdatedAt, j.DeadlineAt = j.StartedAt, j.StartedAt.Add(j.Timeout+grace)
		if *list == nil {
			*list = make([]jobs.Job, 0, n)
		}
		*list = append(*list, j)
		return nil
	})
}

// repeated is a text that is mostly the same in consecutive rows. The same string is used for them.
type repeated struct{ text string }

// ScanBytes implements pgtype.BytesScanner.
func (s *repeated) ScanBytes(v []byte) error {
	if s.text != string(v) {
		s.text = string(v)
	}
	return nil
}

// Scan implements sql.Scanner.
func (s *repeated) Scan(v any) error {
	switch v := v.(type) {
	case string:
		s.text = v
	case []byte:
		return s.ScanBytes(v)
	default:
		return fmt.Errorf("a text was expected, not %T", v)
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

// unescaped writes the characters that encoding/json escapes without need. A database in SQL_ASCII takes no escape
// beyond ASCII in jsonb.
func unescaped(text string) string {
	if !strings.Contains(text, `\u2`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch rest := text[i:]; {
		case strings.HasPrefix(rest, `\u2028`):
			b.WriteString("\u2028")
			i += 5
		case strings.HasPrefix(rest, `\u2029`):
			b.WriteString("\u2029")
			i += 5
		case strings.HasPrefix(rest, `\\`):
			b.WriteString(`\\`)
			i++
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

// compact removes, in place, the spaces that jsonb writes after each colon and comma. The rest is the canonical form of
// the value.
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
const hinted = `j.id, j.queue, j.type, j.priority, j.run_at, j.lease_losses > 0, ` + dueIn

// dueIn is how many microseconds are left until a job j is due.
const dueIn = `(extract(epoch FROM j.run_at - now()) * 1000000)::bigint`

// hintRow scans hints.
type hintRow struct {
	hint        jobs.Hint
	queue, kind repeated
	in          int64
}

func (r *hintRow) dest() []any {
	return []any{&r.hint.ID, &r.queue, &r.kind, &r.hint.Priority, &r.hint.RunAt, &r.hint.Suspect, &r.in}
}

// value is what was scanned last.
func (r *hintRow) value() jobs.Hint {
	h := r.hint
	h.Queue, h.Type = r.queue.text, r.kind.text
	h.RunAt, h.In = h.RunAt.UTC(), time.Duration(r.in)*time.Microsecond
	return h
}

// into appends the scanned hints to a list.
func (r *hintRow) into(list *[]jobs.Hint) func(results) error {
	dest := r.dest()
	return each(func(rows results) error {
		err := rows.Scan(dest...)
		*list = append(*list, r.value())
		return err
	})
}

// parseID parses an id. ok is false where it is no UUID in its usual form: no row has such an id.
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

// uuids are sent as an array. pgx can send a slice too, but it would box each element.
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
