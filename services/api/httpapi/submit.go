package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
)

// Submission is the body of POST /jobs, for the documentation: readNew reads it.
type Submission struct{}

// Schema describes the body by the table of fields.
func (Submission) Schema(r huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{}}
	for i := range fields.Submission {
		f := &fields.Submission[i]
		s.Properties[f.Name] = submissionField(f)
		if f.Required {
			s.Required = append(s.Required, f.Name)
		}
	}
	return component(r, "Submission", s)
}

func submissionField(f *fields.Field) *huma.Schema {
	s := &huma.Schema{Description: f.Doc}
	switch {
	case f.Text != nil:
		s.Type = huma.TypeString
	case f.Whole != nil, f.Span != nil:
		low, high := float64(f.Min), float64(f.Max)
		s.Type, s.Format, s.Minimum, s.Maximum = huma.TypeInteger, "int64", &low, &high
	case f.Moment != nil:
		s.Type, s.Format = huma.TypeString, "date-time"
	default:
		s.Type, s.AdditionalProperties = huma.TypeObject, true
	}
	if f.Pattern != nil {
		s.Pattern = f.Pattern.String()
	}
	if f.Example != "" {
		s.Examples = []any{f.Example}
	}
	return s
}

// BulkSubmission is the body of POST /jobs/bulk, for the documentation: readBulk reads it.
type BulkSubmission struct {
	Jobs []Submission `json:"jobs" minItems:"1" maxItems:"1000" nullable:"false" doc:"Stored all or none"`
}

// SubmitInput is what the operations that submit read.
type SubmitInput struct {
	Request
	IdempotencyKey string `header:"Idempotency-Key" doc:"Makes the request repeatable for 24 hours: the same key and request again gets the same jobs, with status 200. Bare or quoted, 1 to 255 visible ASCII characters"`
}

// readOne reads the body of POST /jobs.
func readOne(f *form, doc []byte) []jobs.New { return []jobs.New{readNew(f, "", doc)} }

// readBulk reads the body of POST /jobs/bulk.
func readBulk(f *form, doc []byte) (list []jobs.New) {
	given := false
	f.members("", doc, func(name string, value []byte) bool {
		if name != "jobs" {
			return false
		}
		given = true
		n := f.elements("/jobs", value, func(i int, item []byte) {
			if i < jobs.MaxBulk {
				list = append(list, readNew(f, fmt.Sprintf("/jobs/%d", i), item))
			}
		})
		if value[0] == '[' && (n < 1 || n > jobs.MaxBulk) {
			f.fault("/jobs", fmt.Sprintf("must hold 1 to %d jobs", jobs.MaxBulk))
		}
		return true
	})
	if !given && doc[0] == '{' {
		f.fault("/jobs", "is required")
	}
	return list
}

// readNew reads one submission by the table of fields. The engine checks what it returns. What is checked here as well is
// what jobs.New cannot tell: a field that is there with the value that stands for a field left out.
func readNew(f *form, at string, doc []byte) (n jobs.New) {
	var given []*fields.Field
	f.members(at, doc, func(name string, value []byte) bool {
		field := fields.Named(name)
		if field == nil {
			return false
		}
		given = append(given, field)
		readField(f, at+"/"+name, value, field, &n)
		return true
	})
	for _, field := range given {
		if field.Excludes != "" && slices.Contains(given, fields.Named(field.Excludes)) {
			f.check(at+"/"+field.Name, field.Conflict())
		}
	}
	return n
}

func readField(f *form, pointer string, value []byte, field *fields.Field, n *jobs.New) {
	if value[0] == 'n' {
		f.fault(pointer, "must not be null: leave it out for its default")
		return
	}
	switch {
	case field.Text != nil:
		*field.Text(n), _ = f.text(pointer, value, field)
	case field.Whole != nil:
		if v, ok := f.number(pointer, value, field); ok {
			*field.Whole(n) = int(v)
		}
	case field.Span != nil:
		if v, ok := f.number(pointer, value, field); ok {
			*field.Span(n) = time.Duration(v) * time.Second
		}
	case field.Moment != nil:
		*field.Moment(n), _ = f.moment(pointer, value, field)
	default:
		if f.check(pointer, field.CheckObject(value)) {
			*field.Object(n) = value
		}
	}
}

// created answers POST /jobs.
type created struct {
	Status   int
	Location string `header:"Location" doc:"Where the job is"`
	Replayed string `header:"Idempotency-Replayed" doc:"true where an earlier request with this key has stored the job; else absent"`
	Body     Job
}

func (a *api) submit(ctx context.Context, in *SubmitInput) (*created, error) {
	receipt, err := a.store(ctx, in, a.bodyLimit(), canonjson.Limits{Bytes: a.opts.MaxPayloadBytes, Envelope: 1}, readOne, func(pointer string) string {
		return strings.TrimPrefix(pointer, "/0") // the engine counts a single job, too
	})
	if err != nil {
		return nil, err
	}
	status, replayed := receiptStatus(receipt)
	stored := &receipt.Jobs[0]
	return &created{status, "/jobs/" + stored.ID, replayed, Job{view{stored, time.Now()}}}, nil
}

// bulkCreated answers POST /jobs/bulk.
type bulkCreated struct {
	Status   int
	Replayed string `header:"Idempotency-Replayed" doc:"true where an earlier request with this key has stored the jobs; else absent"`
	Body     BulkCreatedBody
}

// BulkCreatedBody holds the jobs of a submission.
type BulkCreatedBody struct {
	Jobs []Job `json:"jobs" nullable:"false" doc:"In the order of the request"`
}

func (c BulkCreatedBody) writeTo(b *bytes.Buffer) error {
	b.WriteString(`{"jobs":`)
	if err := writeList(b, c.Jobs); err != nil {
		return err
	}
	b.WriteByte('}')
	return nil
}

func (a *api) submitBulk(ctx context.Context, in *SubmitInput) (*bulkCreated, error) {
	limits := canonjson.Limits{Bytes: a.opts.MaxPayloadBytes, Envelope: 3}
	receipt, err := a.store(ctx, in, max(maxBulkBodyBytes, a.bodyLimit()), limits, readBulk, func(pointer string) string {
		return "/jobs" + pointer
	})
	if err != nil {
		return nil, err
	}
	var out bulkCreated
	out.Status, out.Replayed = receiptStatus(receipt)
	now := time.Now()
	out.Body.Jobs = make([]Job, len(receipt.Jobs))
	for i := range receipt.Jobs {
		out.Body.Jobs[i] = Job{view{&receipt.Jobs[i], now}}
	}
	return &out, nil
}

func receiptStatus(r jobs.Receipt) (status int, replayed string) {
	if r.Replayed {
		return http.StatusOK, "true"
	}
	return http.StatusCreated, ""
}

// store reads a body and submits what it says. The engine's pointers begin with a job's index; at turns them into pointers into
// the body.
func (a *api) store(
	ctx context.Context, in *SubmitInput, limit int64, limits canonjson.Limits, read func(*form, []byte) []jobs.New, at func(string) string,
) (jobs.Receipt, error) {
	none := jobs.Receipt{}
	key, bad := idempotencyKey(in.r.Header)
	if bad != nil {
		return none, bad
	}
	doc, bad := readBody(in.w, in.r, limit, limits)
	if bad != nil {
		return none, bad
	}
	if doc == nil {
		return none, malformedBody.problem("A body is required.")
	}
	var f form
	list := read(&f, doc)
	if f.faults != nil {
		return none, invalidBody(f.faults)
	}

	receipt, err := a.opts.Client.Submit(ctx, jobs.Submission{Jobs: list, Key: keyOf(key, in.r.URL.Path, list)})
	if err == nil {
		return receipt, nil
	}
	p := problemOf(err, at)
	if p.kind == busy && key != "" {
		p = keyBusy.problem("A request with this Idempotency-Key is under way. Nothing was stored; try again.")
	}
	return none, p
}
