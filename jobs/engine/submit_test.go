package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// faults submits a job and returns the pointers of what is wrong with it.
func (s *system) faults(n jobs.New) (pointers []string) {
	s.t.Helper()
	_, err := s.client.Submit(s.t.Context(), jobs.Submission{Jobs: []jobs.New{n}})
	var invalid *jobs.InvalidError
	if err != nil && !errors.As(err, &invalid) {
		s.t.Fatal(err)
	}
	if invalid != nil {
		for _, f := range invalid.Fields {
			pointers = append(pointers, f.Pointer)
		}
	}
	return pointers
}

// A submission from Go is checked by the schema of its type, as one over HTTP is: for types of this process and for
// types that workers have announced.
func TestSubmitChecksSchemas(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	type payload struct {
		N     int      `json:"n" minimum:"1"`
		To    string   `json:"to" required:"true" maxLength:"3"`
		Small *int8    `json:"small"`
		Tags  []string `json:"tags"`
	}
	jobs.Handle(&s.registry, "own", func(context.Context, *jobs.Run, payload) (any, error) { return nil, nil })
	announced := jobs.Type{
		Name: "elsewhere", Queue: "far", MaxAttempts: 2, Timeout: time.Minute, Example: json.RawMessage(`{}`),
		Schema: json.RawMessage(`{"type":"object","properties":{"n":{"minimum":1},"e":{"pattern":"^a+$"}},"required":["n"]}`),
	}
	broken := announced
	broken.Name, broken.Schema = "broken", json.RawMessage(`{"type":"no such type"}`)
	session := store.Session{ID: "4a3bb7a4-9c4c-4ab5-a2ab-54dc2c8a9d11", Types: []string{"elsewhere", "broken"}}
	if err := s.store.Register(t.Context(), session, []jobs.Type{announced, broken}, time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		typ, payload string
		want         []string
	}{
		{"own", `{"to":"a"}`, nil},
		{"own", `{"to":"a","n":1,"more":[]}`, nil},
		{"own", `{"to":"a","n":0}`, []string{"/0/payload/n"}},
		{"own", `{"to":"abcd","n":0}`, []string{"/0/payload/n", "/0/payload/to"}},
		{"own", `{}`, []string{"/0/payload/to"}},
		{"own", ``, []string{"/0/payload/to"}},
		{"own", `{"to":"a","tags":["x",1]}`, []string{"/0/payload/tags/1"}},
		{"own", `{"to":"a","small":200}`, []string{"/0/payload/small"}}, // fits the schema, but not the Go type
		{"own", `{"to":"a","n":1.0}`, []string{"/0/payload/n"}},         // likewise
		{"own", `{"to":"a","<x>":{"a":[}}`, []string{"/0/payload"}},
		{"own", `null`, []string{"/0/payload"}},
		{"elsewhere", `{"n":1,"e":"aaa"}`, nil},
		{"elsewhere", `{"n":0,"e":"b"}`, []string{"/0/payload/e", "/0/payload/n"}},
		{"elsewhere", `{}`, []string{"/0/payload/n"}},
		{"broken", `{"anything":1}`, nil},
	} {
		got := s.faults(jobs.New{Type: c.typ, Payload: json.RawMessage(c.payload)})
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s %s: faults at %v, want %v", c.typ, c.payload, got, c.want)
		}
	}
	if !strings.Contains(s.log.String(), "schema of a job type cannot be used") {
		t.Error("nothing in the log about the schema that cannot be used")
	}
}

func TestSubmitListsAllFaults(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("mail", nothing)
	got := s.faults(jobs.New{
		Type: "mail", Payload: json.RawMessage(`[]`), Queue: "A", Priority: 11, MaxAttempts: 101, Timeout: -1,
		Delay: -1,
		RunAt: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC),
	})
	want := []string{
		"/0/payload", "/0/queue", "/0/priority", "/0/max_attempts", "/0/timeout_seconds", "/0/run_at",
		"/0/delay_seconds",
	}
	if !slices.Equal(got, want) {
		t.Errorf("faults at %v, want %v", got, want)
	}
	_, err := s.client.Submit(t.Context(), jobs.Submission{Jobs: slices.Repeat([]jobs.New{{Type: "male"}}, 1000)})
	var invalid *jobs.InvalidError
	if !errors.As(err, &invalid) || len(invalid.Fields) != 100 {
		t.Errorf("%.100v", err)
	}
}

// A key without a fingerprint gets that of the submission as it was given.
func TestSubmitMakesTheFingerprint(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("mail", nothing)
	given := func() jobs.Submission {
		return jobs.Submission{
			Jobs: []jobs.New{{Type: "mail", Payload: json.RawMessage(`{"a": 1}`)}}, Key: &jobs.Key{Key: "k"},
		}
	}
	submission := given()
	first, err := s.client.Submit(t.Context(), submission)
	if err != nil || first.Replayed {
		t.Fatalf("%+v, %v", first, err)
	}
	if !reflect.DeepEqual(submission, given()) {
		t.Errorf("Submit has changed the submission: %+v", submission)
	}
	again, err := s.client.Submit(t.Context(), submission)
	if err != nil || !again.Replayed || again.Jobs[0].ID != first.Jobs[0].ID {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	submission.Jobs[0].Payload = json.RawMessage(`{"a": 2}`)
	if _, err := s.client.Submit(t.Context(), submission); !errors.Is(err, jobs.ErrKeyReused) {
		t.Errorf("another payload: %v", err)
	}
	for _, key := range []string{"", "a b", "\xff", strings.Repeat("k", 256)} {
		submission.Key.Key = key
		var invalid *jobs.InvalidError
		if _, err := s.client.Submit(t.Context(), submission); !errors.As(err, &invalid) {
			t.Errorf("key %.10q: %v", key, err)
		}
	}
}
