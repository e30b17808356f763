package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
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
	}, jobs.WithQueue("mail"), jobs.WithTimeout(time.Minute), jobs.WithMaxAttempts(3),
		jobs.WithExample(greeting{To: "a"}))
	h := reg.Lookup("greet")
	if h == nil || h.Type.Queue != "mail" || h.Type.Timeout != time.Minute || h.Type.MaxAttempts != 3 {
		t.Fatalf("registered: %+v", h)
	}
	var percent float64
	run := jobs.NewRun(jobs.Job{Payload: json.RawMessage(`{"to":"you"}`)}, slog.Default(),
		func(p float64, _ string) { percent = p })
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
		`{"to":5}`: "/to", `{"times":"x"}`: "/times", `{"times":1.5}`: "/times",
		`{"inner":{"flags":[true,3]}}`: "/inner/flags", `[]`: "",
	} {
		var invalid *jobs.InvalidError
		if err := h.Check(json.RawMessage(payload)); !errors.As(err, &invalid) || invalid.Fields[0].Pointer != pointer {
			t.Errorf("%s: %v, want a fault at %q", payload, err, pointer)
		}
		if _, err := h.Run(t.Context(),
			jobs.NewRun(jobs.Job{Payload: json.RawMessage(payload)}, slog.Default(), nil)); !jobs.IsPermanent(err) {
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
	got, err := reg.Lookup("echo").Run(t.Context(),
		jobs.NewRun(jobs.Job{Payload: json.RawMessage(payload)}, slog.Default(), nil))
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
		"no func":  func(r *jobs.Registry) { jobs.Handle[struct{}](r, "a", nil) },
		"frozen":   func(r *jobs.Registry) { r.Freeze(); jobs.Handle(r, "a", nothing) },
		"backoff":  func(r *jobs.Registry) { jobs.Handle(r, "a", nothing, jobs.WithBackoff(nil)) },
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

// What Handle panics with is an error of NewHandler and Add.
func TestNewHandler(t *testing.T) {
	for name, options := range map[string][]jobs.Option{
		"No Spaces": nil, "queue": {jobs.WithQueue("a:b")}, "attempts": {jobs.WithMaxAttempts(0)},
		"example": {jobs.WithExample(func() {})},
	} {
		if _, err := jobs.NewHandler[greeting](name, nil, options...); err == nil ||
			!strings.Contains(err.Error(), `"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	declared, err := jobs.NewHandler[greeting]("greet", nil, jobs.WithQueue("mail"))
	if err != nil || declared.Run != nil {
		t.Fatalf("%+v, %v", declared, err)
	}
	var reg jobs.Registry
	if err := reg.Add(declared); err == nil {
		t.Error("a type without a function was added")
	}
	reg.Declare(declared)
	if got := reg.Lookup("greet"); got == nil || len(reg.Served()) != 0 || len(reg.Types()) != 1 {
		t.Errorf("declared: %+v", got)
	}
	served := jobs.WithFunc(declared,
		func(_ context.Context, _ *jobs.Run, in greeting) (any, error) { return in.To, nil })
	if err := reg.Add(served); err != nil {
		t.Error(err)
	}
	reg.Declare(declared) // changes nothing
	got := reg.Lookup("greet")
	if len(reg.Served()) != 1 || got.Type.Queue != "mail" {
		t.Errorf("served: %+v", got)
	}
	result, err := got.Run(t.Context(), jobs.NewRun(jobs.Job{Payload: []byte(`{"to":"you"}`)}, nil, nil))
	if result != "you" || err != nil {
		t.Errorf("%v, %v", result, err)
	}
	if err := reg.Add(served); err == nil {
		t.Error("a type was added twice")
	}
}

// A Run that was made by hand has everything that a handler may call.
func TestRunByHand(t *testing.T) {
	for _, run := range []*jobs.Run{jobs.NewRun(jobs.Job{}, nil, nil), {Job: jobs.Job{}, Log: slog.Default()}} {
		run.Log.Debug("not a nil pointer")
		run.Progress(50, "half")
		if err := run.CompleteTx(t.Context(), nil, nil); !errors.Is(err, jobs.ErrUnsupported) {
			t.Errorf("CompleteTx: %v", err)
		}
	}
}
