package httpapi

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
)

// jobField is one field of a job in answers. Every answer has all of its fields, null where a job has no value.
type jobField struct {
	name   string
	schema *huma.Schema
	value  func(j *jobs.Job, now time.Time) any // for encoding/json; json.RawMessage is in canonical form; nil is null
	large  bool                                 // lists leave it out
}

// jobFields is the one table of what answers say about a job, in their order. To add a field, add an entry. What a
// submission may say is in package fields.
var jobFields = append([]jobField{
	{name: "id", schema: textSchema("UUIDv7: sorts by creation", "uuid"),
		value: func(j *jobs.Job, _ time.Time) any { return j.ID }},
	{name: "type", schema: textSchema("", ""),
		value: func(j *jobs.Job, _ time.Time) any { return j.Type }},
	{name: "queue", schema: textSchema("", ""),
		value: func(j *jobs.Job, _ time.Time) any { return j.Queue }},
	{name: "status", schema: enumSchema("", jobs.Pending, jobs.Processing, jobs.Completed, jobs.Failed),
		value: func(j *jobs.Job, _ time.Time) any { return j.Status }},
	{name: "state", schema: enumSchema("The status as people see it",
		jobs.StateScheduled, jobs.StateWaiting, jobs.StateRetrying, jobs.StateRunning,
		jobs.StateCancelling, jobs.StateCompleted, jobs.StateCancelled, jobs.StateDead),
		value: func(j *jobs.Job, now time.Time) any { return j.State(now) }},
	{name: "priority", schema: integerSchema("-10 to 10, the higher is served first"),
		value: func(j *jobs.Job, _ time.Time) any { return j.Priority }},
	{name: "attempts", schema: integerSchema("Begun so far"),
		value: func(j *jobs.Job, _ time.Time) any { return j.Attempts }},
	{name: "max_attempts", schema: integerSchema(""),
		value: func(j *jobs.Job, _ time.Time) any { return j.MaxAttempts }},
	{name: "timeout_seconds", schema: integerSchema("Of one attempt"),
		value: func(j *jobs.Job, _ time.Time) any { return int(j.Timeout / time.Second) }},
	{name: "run_at", schema: textSchema("Not to be started before", "date-time"),
		value: func(j *jobs.Job, _ time.Time) any { return j.RunAt }},
	{name: "error_message", schema: nullable(textSchema("Of the newest unsuccessful attempt; null once completed", "")),
		value: func(j *jobs.Job, _ time.Time) any { return valueOrNull(j.Error) }},
	{name: "failure_kind", schema: nullable(enumSchema("Why it failed; null unless the status is failed",
		jobs.KindError, jobs.KindTimeout, jobs.KindWorkerLost, jobs.KindPermanent, jobs.KindCancelled)),
		value: func(j *jobs.Job, _ time.Time) any { return valueOrNull(j.FailureKind) }},
	{name: "progress", schema: nullable(progressSchema),
		value: func(j *jobs.Job, _ time.Time) any { return progressOf(j) }},
	{name: "worker_id", schema: nullable(textSchema("Who runs it, or ran it last", "")),
		value: func(j *jobs.Job, _ time.Time) any { return valueOrNull(j.WorkerID) }},
	{name: "cancel_requested_at", schema: nullable(textSchema("", "date-time")),
		value: func(j *jobs.Job, _ time.Time) any { return valueOrNull(j.CancelRequestedAt) }},
	{name: "started_at", schema: nullable(textSchema("Of the newest attempt", "date-time")),
		value: func(j *jobs.Job, _ time.Time) any { return valueOrNull(j.StartedAt) }},
	{name: "finished_at", schema: nullable(textSchema("", "date-time")),
		value: func(j *jobs.Job, _ time.Time) any { return valueOrNull(j.FinishedAt) }},
	{name: "created_at", schema: textSchema("", "date-time"),
		value: func(j *jobs.Job, _ time.Time) any { return j.CreatedAt }},
	{name: "updated_at", schema: textSchema("", "date-time"),
		value: func(j *jobs.Job, _ time.Time) any { return j.UpdatedAt }},
	{name: "payload", large: true, schema: nullable(&huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: true, Description: "null where payload_withheld is true"}),
		value: func(j *jobs.Job, _ time.Time) any { return rawOrNull(j.Payload) }},
	{name: "result", large: true, schema: &huma.Schema{
		Description: "What the handler returned, any JSON; null unless completed with one"},
		value: func(j *jobs.Job, _ time.Time) any { return rawOrNull(j.Result) }},
}, pairsFields()...)

// pairsFields are the fields that have no entry above but say in package fields where jobs.Job keeps them.
func pairsFields() (list []jobField) {
	for i := range fields.Submission {
		f := &fields.Submission[i]
		if f.Stored == nil {
			continue
		}
		list = append(list, jobField{
			name: f.Name, schema: nullable(pairsSchema(f.Doc)),
			value: func(j *jobs.Job, _ time.Time) any {
				if pairs := *f.Stored(j); len(pairs) > 0 {
					return pairs
				}
				return nil
			},
		})
	}
	return list
}

// pairsSchema describes an object of texts.
func pairsSchema(doc string) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, Description: doc, AdditionalProperties: &huma.Schema{Type: huma.TypeString},
		MaxProperties: new(fields.MaxPairs),
	}
}

// progress is a jobs.Progress in JSON.
type progress struct {
	Percent float64   `json:"percent"`
	Message string    `json:"message"`
	At      time.Time `json:"at"`
}

func progressOf(j *jobs.Job) any {
	if j.Progress == nil {
		return nil
	}
	return (*progress)(j.Progress)
}

var progressSchema = &huma.Schema{
	Type: huma.TypeObject, Description: "The newest word of the handler", AdditionalProperties: false,
	Properties: map[string]*huma.Schema{
		"percent": {Type: huma.TypeNumber, Format: "double", Minimum: new(float64(0)), Maximum: new(float64(100))},
		"message": textSchema("", ""),
		"at":      textSchema("", "date-time"),
	},
	Required: []string{"percent", "message", "at"},
}

func textSchema(doc, format string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: doc, Format: format}
}

func integerSchema(doc string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeInteger, Description: doc, Format: "int64"}
}

func enumSchema[T ~string](doc string, values ...T) *huma.Schema {
	s := textSchema(doc, "")
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	return s
}

// nullable makes null one of the values.
func nullable(s *huma.Schema) *huma.Schema {
	s.Nullable = true
	if s.Enum != nil {
		s.Enum = append(s.Enum, nil)
	}
	return s
}

// valueOrNull is nil where v is zero.
func valueOrNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

func rawOrNull(raw json.RawMessage) any {
	if raw == nil {
		return nil
	}
	return raw
}

// A job in answers: in lists, whole, and with its history.
type (
	JobSummary struct{ view }
	Job        struct{ view }
	JobDetail  struct {
		view
		history []Attempt
	}
)

// view is a job as it is at a moment.
type view struct {
	job    *jobs.Job
	now    time.Time
	sealed bool // payload and result are not for who asks
}

// withheld is a field of sealed views only.
const withheld = "payload_withheld"

// Schema describes the fields by their table.
func (JobSummary) Schema(r huma.Registry) *huma.Schema {
	return component(r, "JobSummary", jobSchema(false))
}

// Schema describes the fields by their table.
func (Job) Schema(r huma.Registry) *huma.Schema { return component(r, "Job", jobSchema(true)) }

// Schema describes the fields by their table, and the history.
func (JobDetail) Schema(r huma.Registry) *huma.Schema {
	s := jobSchema(true)
	history := r.Schema(reflect.TypeFor[[]Attempt](), true, "")
	history.Nullable, history.Description = false, "The unsuccessful attempts, oldest first"
	s.Properties["history"] = history
	s.Required = append([]string{"history"}, s.Required...)
	return component(r, "JobDetail", s)
}

func jobSchema(whole bool) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{}}
	for _, large := range []bool{true, false} {
		for _, f := range jobFields {
			if f.large == large && (whole || !large) {
				s.Properties[f.name] = f.schema
				s.Required = append(s.Required, f.name)
			}
		}
	}
	if whole {
		s.Properties[withheld] = &huma.Schema{Type: huma.TypeBoolean,
			Description: "true where payload and result are null because the token lacks read_payloads; else absent"}
	}
	return s
}

// component adds a schema to those of the document and returns a reference to it.
func component(r huma.Registry, name string, s *huma.Schema) *huma.Schema {
	r.Map()[name] = s
	return &huma.Schema{Ref: "#/components/schemas/" + name}
}

// writeTo writes the fields by their table, in JSON.
func (j JobSummary) writeTo(b *bytes.Buffer) error { return j.write(b, false) }

// writeTo writes the fields by their table, in JSON.
func (j Job) writeTo(b *bytes.Buffer) error { return j.write(b, true) }

// writeTo writes the fields by their table and the history, in JSON.
func (j JobDetail) writeTo(b *bytes.Buffer) error {
	if err := j.write(b, true); err != nil {
		return err
	}
	b.Truncate(b.Len() - len("}"))
	b.WriteString(`,"history":`)
	if err := encode(b, j.history); err != nil {
		return err
	}
	b.WriteByte('}')
	return nil
}

func (v view) write(b *bytes.Buffer, whole bool) error {
	enc := encoder(b)
	for i := range jobFields {
		f := &jobFields[i]
		if f.large && !whole {
			continue
		}
		if i == 0 {
			b.WriteByte('{')
		} else {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		b.WriteString(f.name)
		b.WriteString(`":`)
		if f.large && v.sealed {
			b.WriteString("null")
			continue
		}
		switch value := f.value(v.job, v.now).(type) {
		case int:
			b.Write(strconv.AppendInt(b.AvailableBuffer(), int64(value), 10))
		case time.Time:
			b.Write(value.AppendFormat(b.AvailableBuffer(), `"`+time.RFC3339Nano+`"`))
		case json.RawMessage:
			b.Write(value) // it is in canonical form
		case nil:
			b.WriteString("null")
		default:
			if err := enc.Encode(value); err != nil {
				return err
			}
			b.Truncate(b.Len() - len("\n"))
		}
	}
	if whole && v.sealed {
		b.WriteString(`,"` + withheld + `":true`)
	}
	b.WriteByte('}')
	return nil
}

// writeList writes an array.
func writeList[T writer](b *bytes.Buffer, list []T) error {
	b.WriteByte('[')
	for i, v := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := v.writeTo(b); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}
