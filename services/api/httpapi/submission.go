package httpapi

import (
	"fmt"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

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
	case f.Pairs != nil:
		s = pairsSchema(f.Doc)
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

// readOne reads the body of POST /jobs.
func readOne(f *form, doc []byte) []jobs.New { return []jobs.New{readNew(f, "", doc)} }

// readBulk reads the body of POST /jobs/bulk. It stops after the first job that is too many: the engine checks their
// number.
func readBulk(f *form, doc []byte) (list []jobs.New) {
	f.members("", doc, func(name string, value []byte) bool {
		if name != "jobs" {
			return false
		}
		f.elements("/jobs", value, func(i int, item []byte) {
			if i <= jobs.MaxBulk {
				list = append(list, readNew(f, fmt.Sprintf("/jobs/%d", i), item))
			}
		})
		return true
	})
	return list
}

// readNew reads one submission by the table of fields. The engine checks what it returns. The limits are applied here
// too, because only the body tells a zero that was written from a field that was left out.
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
	case field.Pairs != nil:
		*field.Pairs(n), _ = f.pairs(pointer, value, field)
	default:
		if f.check(pointer, field.CheckObject(value)) {
			*field.Object(n) = value
		}
	}
}
