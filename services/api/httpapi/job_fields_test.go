package httpapi

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// hidden are the fields of a job that no answer shows.
var hidden = []string{"DeadlineAt", "Fence", "LeaseLosses"}

// TestEveryFieldIsShown changes one field of a job after the other: the answer has to change.
func TestEveryFieldIsShown(t *testing.T) {
	now := time.Now()
	empty, err := inJSON(Job{view{job: &jobs.Job{}, now: now}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[jobs.Job]()) {
		var j jobs.Job
		v := reflect.ValueOf(&j).Elem().FieldByIndex(f.Index)
		switch value := v.Addr().Interface().(type) {
		case *time.Time:
			*value = now
		case *time.Duration:
			*value = time.Minute
		case *json.RawMessage:
			*value = json.RawMessage(`{"a":1}`)
		case *map[string]string:
			*value = map[string]string{"a": "b"}
		case **jobs.Progress:
			*value = &jobs.Progress{Percent: 50}
		default:
			switch v.Kind() {
			case reflect.String:
				v.SetString("x")
			case reflect.Int, reflect.Int64:
				v.SetInt(7)
			default:
				t.Fatalf("%s has a type that this test does not know", f.Name)
			}
		}
		got, err := inJSON(Job{view{job: &j, now: now}})
		if err != nil {
			t.Fatal(err)
		}
		if shown, want := string(got) != string(empty), !slices.Contains(hidden, f.Name); shown != want {
			t.Errorf("%s is shown: %v, want %v", f.Name, shown, want)
		}
	}
}

func inJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	err := writeJSON(&b, v)
	return b.Bytes(), err
}

// TestJobsFitTheirSchema compares what answers hold with what the documentation says they hold.
func TestJobsFitTheirSchema(t *testing.T) {
	now := time.Now()
	full := &jobs.Job{
		ID: "0192f000-1111-7222-8333-444444444444", Type: "email", Queue: "default", Status: jobs.Failed,
		Error:       "<b>\u2028",
		FailureKind: jobs.KindError, WorkerID: "w", Timeout: time.Minute, Payload: json.RawMessage(`{"a":1.00}`),
		Result: json.RawMessage(`[1]`), Progress: &jobs.Progress{Percent: 1, Message: "m", At: now},
		Metadata:          map[string]string{"a": "b"},
		CancelRequestedAt: now, StartedAt: now, FinishedAt: now, RunAt: now, CreatedAt: now, UpdatedAt: now,
	}
	for _, j := range []*jobs.Job{full, {Status: jobs.Pending, Payload: json.RawMessage(`{}`)}} {
		for name, answer := range map[string]any{
			"JobSummary": JobSummary{view{job: j, now: now}}, "Job": Job{view{job: j, now: now}},
			"JobDetail":       JobDetail{view{job: j, now: now}, []Attempt{}},
			"ListedBody":      ListedBody{Jobs: []JobSummary{{view{job: j, now: now}}}},
			"BulkCreatedBody": BulkCreatedBody{[]Job{{view{job: j, now: now}}}},
		} {
			raw, err := inJSON(answer)
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]json.RawMessage
			if err := json.Unmarshal(raw, &got); err != nil {
				t.Fatalf("%s: %v", raw, err)
			}
			schema := openAPIComponent(t, name)
			delete(schema.Properties, withheld) // of sealed views only
			if len(got) != len(schema.Properties) || len(got) != len(schema.Required) {
				t.Errorf("%s has %d fields, documented are %d, required %d", name, len(got), len(schema.Properties),
					len(schema.Required))
			}
			for field, value := range got {
				kinds, documented := schema.Properties[field]
				if !documented || !slices.Contains(schema.Required, field) {
					t.Errorf("%s: %s is not documented as always there", name, field)
				}
				if string(value) == "null" && kinds.Type != nil && !slices.Contains(kinds.Type, "null") {
					t.Errorf("%s: %s is null", name, field)
				}
			}
		}
	}
}

// documented is a component of the document.
type documented struct {
	Properties map[string]struct{ Type kinds }
	Required   []string
}

// kinds is one type or a list of types.
type kinds []string

func (k *kinds) UnmarshalJSON(raw []byte) error {
	if raw[0] == '[' {
		return json.Unmarshal(raw, (*[]string)(k))
	}
	*k = kinds{""}
	return json.Unmarshal(raw, &(*k)[0])
}

func openAPIComponent(t *testing.T, name string) documented {
	t.Helper()
	raw, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Components struct{ Schemas map[string]documented }
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	return document.Components.Schemas[name]
}
