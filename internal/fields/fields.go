// Package fields is the one table of what a submission may say: name, documentation, limits, and where jobs.New keeps
// it.
//
// The engine checks submissions by it, whoever made them. The HTTP API reads, documents and shows them by it, and so
// does its client. Both stores have a column for each field that has a Stored. To add a field, add it to jobs.New and
// jobs.Job, an entry to Submission, and a migration for each store. A kind of value that no field has had so far
// needs a case in the methods here, in the API's reader and schema, and in the columns of the stores.
package fields

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/windlass-jobs/windlass/jobs"
)

// Field is one field of a submission.
type Field struct {
	Name     string // in JSON
	Doc      string // for people who write JSON
	Example  string
	Required bool
	Pattern  *regexp.Regexp // of a Text
	Min, Max int64          // of a Whole, or of a Span in seconds; inclusive
	Exact    bool           // a Span is whole seconds, from Go as well
	Excludes string         // name of a field that cannot be given together with this one
	Unkeyed  bool           // it does not count for an idempotency key: see Fingerprint

	// Where jobs.New keeps the value. Exactly one of these is set; it says which kind of value the field has.
	// The zero value means that the field was left out.
	Text   func(*jobs.New) *string
	Whole  func(*jobs.New) *int
	Span   func(*jobs.New) *time.Duration // seconds in JSON
	Moment func(*jobs.New) *time.Time     // RFC 3339 in JSON
	Object func(*jobs.New) *json.RawMessage
	Pairs  func(*jobs.New) *map[string]string // an object of texts; Max bounds its size in bytes, see CheckPairs

	// Stored is where jobs.Job keeps the value of a field of the kind Pairs. Such a field has a column of its name in both
	// stores, jsonb or JSON text, NULL where it was left out, and answers show it. The older fields have entries of their
	// own in the stores and in answers.
	Stored func(*jobs.Job) *map[string]string
}

// Submission lists the fields of a submission.
var Submission = []Field{
	{
		Name: "type", Required: true, Pattern: jobs.TypePattern, Example: "email",
		Doc:  "A job type: see GET /job-types",
		Text: func(n *jobs.New) *string { return &n.Type },
	},
	{
		Name: "payload",
		Doc: "What the handler gets; {} if left out. At most 256 KiB in canonical form, 32 levels deep, " +
			"10,000 values. Fields that the type's schema names are checked against it",
		Object: func(n *jobs.New) *json.RawMessage { return &n.Payload },
	},
	{
		Name: "queue", Pattern: jobs.QueuePattern,
		Doc:  "The type's own queue if left out",
		Text: func(n *jobs.New) *string { return &n.Queue },
	},
	{
		Name: "priority", Min: jobs.MinPriority, Max: jobs.MaxPriority,
		Doc:   "The higher is served first; 0 if left out",
		Whole: func(n *jobs.New) *int { return &n.Priority },
	},
	{
		Name: "max_attempts", Min: 1, Max: jobs.MaxMaxAttempts,
		Doc:   "The type's own number if left out",
		Whole: func(n *jobs.New) *int { return &n.MaxAttempts },
	},
	{
		Name: "timeout_seconds", Min: 1, Max: seconds(jobs.MaxTimeout), Exact: true,
		Doc:  "For one attempt; the type's own limit if left out",
		Span: func(n *jobs.New) *time.Duration { return &n.Timeout },
	},
	{
		Name: "run_at",
		Doc: "Not to be started before; at most 366 days ahead; in the past: at once. " +
			"Not together with delay_seconds",
		Moment: func(n *jobs.New) *time.Time { return &n.RunAt },
	},
	{
		Name: "delay_seconds", Min: 0, Max: seconds(jobs.MaxDelay) - 1, Excludes: "run_at",
		Doc: "Not to be started sooner than so many seconds from now, less than 366 days. " +
			"Not together with run_at",
		Span: func(n *jobs.New) *time.Duration { return &n.Delay },
	},
	{
		Name: "metadata", Max: jobs.MaxMetadataBytes, Unkeyed: true,
		Doc: "Pairs of text for people and filters: at most 16, and 1,024 bytes of names and values. " +
			"Repeating a request with an Idempotency-Key may change them, and keeps those of the first",
		Pairs:  func(n *jobs.New) *map[string]string { return &n.Metadata },
		Stored: func(j *jobs.Job) *map[string]string { return &j.Metadata },
	},
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// Named returns the field with a name in JSON, or nil.
func Named(name string) *Field {
	for i := range Submission {
		if Submission[i].Name == name {
			return &Submission[i]
		}
	}
	return nil
}

// Given reports whether n has a value for the field. An empty object is as good as none.
func (f *Field) Given(n *jobs.New) bool {
	switch {
	case f.Text != nil:
		return *f.Text(n) != ""
	case f.Whole != nil:
		return *f.Whole(n) != 0
	case f.Span != nil:
		return *f.Span(n) != 0
	case f.Moment != nil:
		return !f.Moment(n).IsZero()
	case f.Pairs != nil:
		return len(*f.Pairs(n)) > 0
	default:
		raw := *f.Object(n)
		return len(raw) > 0 && string(raw) != "{}"
	}
}

// Check says what is wrong with n's value for the field, in a sentence without the value; "" for nothing. A value
// that was left out is wrong where the field is required.
func (f *Field) Check(n *jobs.New) string {
	if !f.Given(n) {
		if f.Required {
			return "is required"
		}
		return ""
	}
	if other := Named(f.Excludes); other != nil && other.Given(n) {
		return f.Conflict()
	}
	switch {
	case f.Text != nil:
		return f.CheckText(*f.Text(n))
	case f.Whole != nil:
		return f.CheckNumber(int64(*f.Whole(n)))
	case f.Span != nil:
		d := *f.Span(n)
		fraction := d % time.Second
		if f.Exact && fraction != 0 {
			return fmt.Sprintf("must be whole seconds, %d to %d", f.Min, f.Max)
		}
		whole := seconds(d)
		if fraction > 0 {
			whole++ // a part of a second beyond the limit is beyond it
		}
		if fraction < 0 {
			whole--
		}
		return f.CheckNumber(whole)
	case f.Moment != nil:
		return f.CheckMoment(*f.Moment(n))
	case f.Pairs != nil:
		return f.CheckPairs(*f.Pairs(n))
	default:
		return f.CheckObject(*f.Object(n))
	}
}

// CheckText is Check for a value that is given.
func (f *Field) CheckText(text string) string {
	if f.Pattern != nil && !f.Pattern.MatchString(text) {
		return "must match " + f.Pattern.String()
	}
	return ""
}

// CheckNumber is Check for a value that is given: a whole number, or a span in seconds.
func (f *Field) CheckNumber(v int64) string {
	if v < f.Min || v > f.Max {
		return fmt.Sprintf("must be %d to %d", f.Min, f.Max)
	}
	return ""
}

// earliest is before any moment that a submitter can have meant.
var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// CheckMoment is Check for a value that is given.
func (f *Field) CheckMoment(t time.Time) string {
	switch {
	case t.Before(earliest):
		return "must not be before the year 2000"
	case t.After(time.Now().Add(jobs.MaxDelay)):
		return fmt.Sprintf("must be at most %d days ahead", jobs.MaxDelay/(24*time.Hour))
	}
	return ""
}

// CheckObject is Check for a value that is given: a JSON value without space around it.
func (f *Field) CheckObject(raw []byte) string {
	if raw[0] != '{' {
		return "must be an object"
	}
	return ""
}

// MaxPairs is how many members an object of texts may have.
const MaxPairs = 16

// CheckPairs is Check for a value that is given. The size is that of all names and values together, in bytes of UTF-8.
func (f *Field) CheckPairs(pairs map[string]string) string {
	if len(pairs) > MaxPairs {
		return fmt.Sprintf("must have at most %d members", MaxPairs)
	}
	size := int64(0)
	for name, value := range pairs {
		size += int64(len(name) + len(value))
		switch {
		case name == "":
			return "must not have a member without a name"
		case !utf8.ValidString(name) || !utf8.ValidString(value):
			return "must be text in UTF-8"
		case strings.Contains(name, "\x00") || strings.Contains(value, "\x00"):
			return "must not contain U+0000"
		}
	}
	if size > f.Max {
		return fmt.Sprintf("must have at most %d bytes of names and values", f.Max)
	}
	return ""
}

// EncodePairs writes an object of texts as JSON, with its names in order; "" for none.
func EncodePairs(pairs map[string]string) string {
	if len(pairs) == 0 {
		return ""
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(pairs); err != nil {
		panic(err) // a map of texts has nothing that cannot be written
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// DecodePairs reads what EncodePairs has written; nil for nothing. A value that is no text, because somebody has
// changed the row by hand, is shown as its JSON.
func DecodePairs(raw []byte) (pairs map[string]string) {
	if len(raw) == 0 || json.Unmarshal(raw, &pairs) == nil {
		return pairs
	}
	var values map[string]json.RawMessage
	if json.Unmarshal(raw, &values) != nil {
		return nil
	}
	for name, value := range values {
		if _, ok := pairs[name]; !ok || value[0] != '"' {
			pairs[name] = string(value)
		}
	}
	return pairs
}

// Conflict says that the field was given together with the one that it excludes.
func (f *Field) Conflict() string { return "cannot be given together with " + f.Excludes }

// MaxKeyBytes is how long an idempotency key may be.
const MaxKeyBytes = 255

// CheckKey says what is wrong with an idempotency key, "" for nothing.
func CheckKey(key string) string {
	if key == "" || len(key) > MaxKeyBytes {
		return fmt.Sprintf("must have 1 to %d characters", MaxKeyBytes)
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] >= 0x7f {
			return "must consist of visible ASCII characters"
		}
	}
	return ""
}
