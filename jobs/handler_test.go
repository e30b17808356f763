package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

type greeting struct {
	To    string `json:"to"`
	Times int    `json:"times"`
	Inner struct {
		Flags []bool `json:"flags"`
	} `json:"inner"`
}

func TestHandle(t *testing.T) {
	var reg jobs.Registry
	jobs.Handle(&reg, "greet", func(_ context.Context, run *jobs.Run, in greeting) (any, error) {
		run.Progress(50, "half")
		return in.To, nil
	}, jobs.WithQueue("mail"), jobs.WithTimeout(time.Minute), jobs.WithMaxAttempts(3), jobs.WithExample(greeting{To: "a"}))
	h := reg.Lookup("greet")
	if h == nil || h.Type.Queue != "mail" || h.Type.Timeout != time.Minute || h.Type.MaxAttempts != 3 {
		t.Fatalf("registered: %+v", h)
	}
	var percent float64
	run := jobs.NewRun(jobs.Job{Payload: json.RawMessage(`{"to":"you"}`)}, slog.Default(), func(p float64, _ string) { percent = p })
	if got, err := h.Run(t.Context(), run); got != "you" || err != nil || percent != 50 {
		t.Errorf("run: %v, %v, progress %v", got, err, percent)
	}
	if reg.Lookup("other") != nil {
		t.Error("a handler for an unknown type")
	}
}

func TestPayloadOfTheWrongType(t *testing.T) {
	var reg jobs.Registry
	jobs.Handle(&reg, "greet", func(context.Context, *jobs.Run, greeting) (any, error) { return nil, nil })
	h := reg.Lookup("greet")
	for payload, pointer := range map[string]string{
		`{"to":5}`: "/to", `{"times":"x"}`: "/times", `{"times":1.5}`: "/times", `{"inner":{"flags":[true,3]}}`: "/inner/flags", `[]`: "",
	} {
		var invalid *jobs.InvalidError
		if err := h.Check(json.RawMessage(payload)); !errors.As(err, &invalid) || invalid.Fields[0].Pointer != pointer {
			t.Errorf("%s: %v, want a fault at %q", payload, err, pointer)
		}
		if _, err := h.Run(t.Context(), jobs.NewRun(jobs.Job{Payload: json.RawMessage(payload)}, slog.Default(), nil)); !jobs.IsPermanent(err) {
			t.Errorf("%s: run: %v, want a permanent error", payload, err)
		}
	}
	if err := h.Check(json.RawMessage(`{"to":"x","more":[1]}`)); err != nil {
		t.Errorf("an unknown field: %v", err)
	}
}

func TestNumbersKeepTheirDigits(t *testing.T) {
	var reg jobs.Registry
	jobs.Handle(&reg, "echo", func(_ context.Context, _ *jobs.Run, in map[string]any) (any, error) { return in, nil })
	payload := `{"n":12345678901234567890,"x":1.00}`
	got, err := reg.Lookup("echo").Run(t.Context(), jobs.NewRun(jobs.Job{Payload: json.RawMessage(payload)}, slog.Default(), nil))
	if err != nil {
		t.Fatal(err)
	}
	if back, _ := json.Marshal(got); string(back) != payload {
		t.Errorf("got %s", back)
	}
}

func TestMistakesInARegistration(t *testing.T) {
	nothing := func(context.Context, *jobs.Run, struct{}) (any, error) { return nil, nil }
	for name, register := range map[string]func(*jobs.Registry){
		"name":     func(r *jobs.Registry) { jobs.Handle(r, "No Spaces", nothing) },
		"queue":    func(r *jobs.Registry) { jobs.Handle(r, "a", nothing, jobs.WithQueue("a:b")) },
		"attempts": func(r *jobs.Registry) { jobs.Handle(r, "a", nothing, jobs.WithMaxAttempts(101)) },
		"timeout":  func(r *jobs.Registry) { jobs.Handle(r, "a", nothing, jobs.WithTimeout(1500*time.Millisecond)) },
		"twice":    func(r *jobs.Registry) { jobs.Handle(r, "a", nothing); jobs.Handle(r, "a", nothing) },
		"example":  func(r *jobs.Registry) { jobs.Handle(r, "a", nothing, jobs.WithExample(func() {})) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			register(new(jobs.Registry))
		})
	}
}
