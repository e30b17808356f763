package fields

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// TestEveryFieldIsListed looks for fields of jobs.New that the table does not know. Only the engine gives out ids.
func TestEveryFieldIsListed(t *testing.T) {
	var n jobs.New
	known := map[any]string{&n.ID: "id"}
	for i := range Submission {
		f := &Submission[i]
		var at []any
		if f.Text != nil {
			at = append(at, f.Text(&n))
		}
		if f.Whole != nil {
			at = append(at, f.Whole(&n))
		}
		if f.Span != nil {
			at = append(at, f.Span(&n))
		}
		if f.Moment != nil {
			at = append(at, f.Moment(&n))
		}
		if f.Object != nil {
			at = append(at, f.Object(&n))
		}
		if f.Pairs != nil {
			at = append(at, f.Pairs(&n))
		}
		if len(at) != 1 || f.Name == "" || f.Doc == "" || known[at[0]] != "" ||
			f.Excludes != "" && Named(f.Excludes) == nil {
			t.Fatalf("%+v", f)
		}
		known[at[0]] = f.Name
	}
	v := reflect.ValueOf(&n).Elem()
	for i := range v.NumField() {
		if known[v.Field(i).Addr().Interface()] == "" {
			t.Errorf("%s is not in the table", v.Type().Field(i).Name)
		}
	}
}

func TestCheck(t *testing.T) {
	soon := time.Now().Add(time.Hour)
	for _, c := range []struct {
		field string
		n     jobs.New
		want  string // the beginning of the fault; empty: none
	}{
		{"type", jobs.New{Type: "email"}, ""},
		{"type", jobs.New{}, "is required"},
		{"type", jobs.New{Type: "Email"}, "must match"},
		{"queue", jobs.New{}, ""},
		{"queue", jobs.New{Queue: "../x"}, "must match"},
		{"queue", jobs.New{Queue: strings.Repeat("q", 63)}, ""},
		{"queue", jobs.New{Queue: strings.Repeat("q", 64)}, "must match"},
		{"priority", jobs.New{Priority: -10}, ""},
		{"priority", jobs.New{Priority: 11}, "must be -10 to 10"},
		{"max_attempts", jobs.New{MaxAttempts: -1}, "must be 1 to 100"},
		{"max_attempts", jobs.New{MaxAttempts: 100}, ""},
		{"timeout_seconds", jobs.New{Timeout: jobs.MaxTimeout}, ""},
		{"timeout_seconds", jobs.New{Timeout: jobs.MaxTimeout + time.Second}, "must be 1 to 86400"},
		{"timeout_seconds", jobs.New{Timeout: 1500 * time.Millisecond}, "must be whole seconds"},
		{"timeout_seconds", jobs.New{Timeout: -time.Second}, "must be 1 to 86400"},
		{"delay_seconds", jobs.New{Delay: 1500 * time.Millisecond}, ""},
		{"delay_seconds", jobs.New{Delay: -time.Nanosecond}, "must be 0 to 31622399"},
		{"delay_seconds", jobs.New{Delay: jobs.MaxDelay - time.Second}, ""},
		{"delay_seconds", jobs.New{Delay: jobs.MaxDelay - time.Nanosecond}, "must be 0 to 31622399"},
		{"delay_seconds", jobs.New{Delay: time.Second, RunAt: soon}, "cannot be given together with run_at"},
		{"run_at", jobs.New{Delay: time.Second, RunAt: soon}, ""},
		{"run_at", jobs.New{RunAt: time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC)},
			"must not be before the year 2000"},
		{"run_at", jobs.New{RunAt: earliest}, ""},
		{"run_at", jobs.New{RunAt: soon.Add(jobs.MaxDelay)}, "must be at most 366 days ahead"},
		{"metadata", jobs.New{Metadata: map[string]string{"order": "7", "": "x"}}, "must not have a member without"},
		{"metadata", jobs.New{Metadata: map[string]string{"order": "\xff"}}, "must be text in UTF-8"},
		{"metadata", jobs.New{Metadata: map[string]string{"a\x00": ""}}, "must not contain U+0000"},
		{"metadata", jobs.New{Metadata: many(MaxPairs)}, ""},
		{"metadata", jobs.New{Metadata: many(MaxPairs + 1)}, "must have at most 16 members"},
		{"metadata", jobs.New{Metadata: map[string]string{"é": strings.Repeat("x", 1022)}}, ""},
		{"metadata", jobs.New{Metadata: map[string]string{"é": strings.Repeat("x", 1023)}}, "must have at most 1024 bytes"},
		{"payload", jobs.New{Payload: json.RawMessage(`[]`)}, "must be an object"},
		{"payload", jobs.New{Payload: json.RawMessage(`{"a":1}`)}, ""},
		{"payload", jobs.New{}, ""},
	} {
		if got := Named(c.field).Check(&c.n); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s of %+v: %q, want %q", c.field, c.n, got, c.want)
		}
	}
}

// many is an object of n texts.
func many(n int) map[string]string {
	pairs := map[string]string{}
	for i := range n {
		pairs[fmt.Sprint(i)] = "x"
	}
	return pairs
}

func TestPairsComeBack(t *testing.T) {
	for _, pairs := range []map[string]string{nil, {"b": "2", "a": ""}, {"<&>": "\"quoted\" \u2028 é"}} {
		if got := DecodePairs([]byte(EncodePairs(pairs))); !maps.Equal(got, pairs) || (got == nil) != (pairs == nil) {
			t.Errorf("%v came back as %v", pairs, got)
		}
	}
	changed := DecodePairs([]byte(`{"n": 7, "s": "x", "o": {"a": 1}, "z": null}`)) // by hand
	if want := map[string]string{"n": "7", "s": "x", "o": `{"a": 1}`, "z": "null"}; !maps.Equal(changed, want) {
		t.Errorf("%v, want %v", changed, want)
	}
}

// TestFingerprint changes one field after the other: each counts. What is left out is as good as its zero value.
func TestFingerprint(t *testing.T) {
	sum := func(kind string, list ...jobs.New) [32]byte {
		p := NewFingerprint(kind)
		for i := range list {
			p.Add(&list[i])
		}
		return p.Sum()
	}
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	email := jobs.New{Type: "email"}
	seen := map[[32]byte]string{}
	for name, got := range map[string][32]byte{
		"one": sum("", email), "two": sum("", email, email), "none": sum(""), "kind": sum("bulk", email),
		"type":     sum("", jobs.New{Type: "report"}),
		"queue":    sum("", jobs.New{Type: "email", Queue: "q"}),
		"payload":  sum("", jobs.New{Type: "email", Payload: json.RawMessage(`{"a":1}`)}),
		"digits":   sum("", jobs.New{Type: "email", Payload: json.RawMessage(`{"a":1.0}`)}),
		"priority": sum("", jobs.New{Type: "email", Priority: 1}),
		"attempts": sum("", jobs.New{Type: "email", MaxAttempts: 1}),
		"timeout":  sum("", jobs.New{Type: "email", Timeout: time.Second}),
		"delay":    sum("", jobs.New{Type: "email", Delay: time.Second}),
		"run_at":   sum("", jobs.New{Type: "email", RunAt: at}),
		"order":    sum("", email, jobs.New{Type: "email", Priority: 1}),
		"other":    sum("", jobs.New{Type: "email", Priority: 1}, email),
	} {
		if other := seen[got]; other != "" {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		seen[got] = name
	}
	for name, n := range map[string]jobs.New{
		"id":            {Type: "email", ID: "x"},
		"metadata":      {Type: "email", Metadata: map[string]string{"a": "b"}},
		"empty payload": {Type: "email", Payload: json.RawMessage(`{}`)},
	} {
		if sum("", n) != sum("", email) {
			t.Errorf("%s counts", name)
		}
	}
	zone := jobs.New{Type: "email", RunAt: at.In(time.FixedZone("", 3600))}
	if sum("", zone) != sum("", jobs.New{Type: "email", RunAt: at}) {
		t.Error("the zone of run_at counts")
	}
}
