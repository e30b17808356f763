package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/windlass-jobs/windlass/jobs"
)

// attempt is the outcome of one call of a handler.
type attempt struct {
	result   string // as JSON
	err      error
	took     time.Duration
	progress []string // "percent message"
}

// try runs one attempt of a job.
func try(t *testing.T, ctx context.Context, opts Options, jobType, payload string) attempt {
	t.Helper()
	var r jobs.Registry
	Register(&r, opts)
	var a attempt
	run := jobs.NewRun(
		jobs.Job{ID: "0198-id", Type: jobType, Payload: json.RawMessage(payload)}, slog.New(slog.DiscardHandler),
		func(percent float64, message string) {
			a.progress = append(a.progress, fmt.Sprintf("%.0f %s", percent, message))
		},
	)
	start := time.Now()
	result, err := r.Lookup(jobType).Run(ctx, run)
	a.took, a.err = time.Since(start), err
	if err == nil {
		raw, merr := json.Marshal(result)
		if merr != nil {
			t.Fatal(merr)
		}
		a.result = string(raw)
	}
	return a
}

// draws returns a source of random numbers that yields the given ones, and repeats the last one.
func draws(numbers ...float64) func() float64 {
	i := -1
	return func() float64 {
		i = min(i+1, len(numbers)-1)
		return numbers[i]
	}
}

var failures = map[string][]string{"email": emailFailures, "report": reportFailures, "image": imageFailures}

func TestRegister(t *testing.T) {
	var r jobs.Registry
	Register(&r, Options{})
	var got []string
	for _, typ := range r.Types() {
		got = append(got, typ.Name)
	}
	if want := []string{"email", "image", "report"}; !slices.Equal(got, want) {
		t.Fatalf("types %v, want %v", got, want)
	}
	usual := map[string]time.Duration{"email": emailDuration, "report": reportDuration, "image": imageDuration}
	for _, typ := range r.Types() {
		t.Run(typ.Name, func(t *testing.T) {
			var doc struct {
				Properties map[string]struct {
					Minimum, Maximum, Default *float64
					Description               string
				}
				Required []string
			}
			// doc holds numbers only, so properties with other kinds of defaults are left out.
			var raw map[string]json.RawMessage
			if err := json.Unmarshal(typ.Schema, &raw); err != nil {
				t.Fatal(err)
			}
			var properties map[string]json.RawMessage
			if err := json.Unmarshal(raw["properties"], &properties); err != nil {
				t.Fatal(err)
			}
			trimmed, _ := json.Marshal(map[string]any{"properties": map[string]json.RawMessage{
				"duration_ms": properties["duration_ms"], "fail_rate": properties["fail_rate"],
			}})
			if err := json.Unmarshal(trimmed, &doc); err != nil {
				t.Fatal(err)
			}
			duration, rate := doc.Properties["duration_ms"], doc.Properties["fail_rate"]
			if *duration.Minimum != 0 || *duration.Maximum != maxDurationMS ||
				*duration.Default != float64(usual[typ.Name].Milliseconds()) {
				t.Errorf("duration_ms: %s", properties["duration_ms"])
			}
			if *rate.Minimum != 0 || *rate.Maximum != 1 || rate.Default != nil {
				t.Errorf("fail_rate: %s", properties["fail_rate"])
			}
			if raw["required"] != nil {
				t.Errorf("required fields %s, want none", raw["required"])
			}
			if typ.Description == "" {
				t.Error("no description")
			}
			validate(t, typ.Schema, typ.Example)
			validate(t, typ.Schema, json.RawMessage(`{}`))
			if err := r.Lookup(typ.Name).Check(typ.Example); err != nil {
				t.Errorf("the example does not decode: %v", err)
			}
		})
	}
}

func validate(t *testing.T, schema, payload json.RawMessage) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schema)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(payload)))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.MustCompile("schema.json").Validate(v); err != nil {
		t.Errorf("the schema rejects %s: %v", payload, err)
	}
}

func TestZeroDurationDoesNothing(t *testing.T) {
	for jobType := range failures {
		synctest.Test(t, func(t *testing.T) {
			a := try(t, t.Context(), Options{}, jobType, `{"duration_ms":0,"fail_rate":0}`)
			if a.err != nil || a.took != 0 || len(a.progress) > 0 {
				t.Errorf("%s: error %v after %s, progress %v; want no error, no time, no progress",
					jobType, a.err, a.took, a.progress)
			}
			a = try(t, t.Context(), Options{Rand: draws(0)}, jobType, `{"duration_ms":0,"fail_rate":1}`)
			if a.err == nil || a.took != 0 {
				t.Errorf("%s with fail_rate 1: error %v after %s, want an error at once", jobType, a.err, a.took)
			}
		})
	}
}

func TestFailRate(t *testing.T) {
	tests := []struct {
		name    string
		setting float64
		payload string
		draw    float64
		fails   bool
	}{
		{"the setting is the default of the payload", 0.2, `{"duration_ms":0}`, 0.19, true},
		{"a number equal to the rate succeeds", 0.2, `{"duration_ms":0}`, 0.2, false},
		{"the payload overrides the setting upwards", 0, `{"duration_ms":0,"fail_rate":1}`, 0.999, true},
		{"the payload overrides the setting downwards", 1, `{"duration_ms":0,"fail_rate":0}`, 0, false},
	}
	for jobType, texts := range failures {
		for _, test := range tests {
			t.Run(jobType+"/"+test.name, func(t *testing.T) {
				a := try(t, t.Context(), Options{FailRate: test.setting, Rand: draws(test.draw)}, jobType, test.payload)
				if (a.err != nil) != test.fails {
					t.Fatalf("error %v, want an error: %v", a.err, test.fails)
				}
				if test.fails && (jobs.IsPermanent(a.err) || !slices.Contains(texts, a.err.Error())) {
					t.Errorf("error %v, want a retryable error of this job type", a.err)
				}
			})
		}
		t.Run(jobType+"/every error text occurs", func(t *testing.T) {
			seen := map[string]bool{}
			for i := range texts {
				opts := Options{Rand: draws(0, (float64(i)+0.5)/float64(len(texts)))}
				seen[try(t, t.Context(), opts, jobType, `{"duration_ms":0,"fail_rate":1}`).err.Error()] = true
			}
			highest := Options{Rand: draws(0, math.Nextafter(1, 0))}
			if a := try(t, t.Context(), highest, jobType, `{"duration_ms":0,"fail_rate":1}`); a.err == nil {
				t.Error("the highest random number yields no error")
			}
			if len(seen) != len(texts) {
				t.Errorf("saw %v of %v", seen, texts)
			}
		})
	}
}

// A retry cannot cure a payload that breaks the limits.
func TestInvalidPayloadIsAPermanentError(t *testing.T) {
	payloads := []string{`{"duration_ms":-1}`, `{"duration_ms":3600001}`, `{"fail_rate":1.1}`, `{"fail_rate":-0.1}`,
		`{"duration_ms":"long"}`}
	for jobType := range failures {
		for _, payload := range payloads {
			if a := try(t, t.Context(), Options{}, jobType, payload); !jobs.IsPermanent(a.err) {
				t.Errorf("%s %s: error %v, want a permanent one", jobType, payload, a.err)
			}
		}
	}
	for _, payload := range []string{`{"width":0}`, `{"height":4097}`} {
		if a := try(t, t.Context(), Options{}, "image", payload); !jobs.IsPermanent(a.err) {
			t.Errorf("image %s: error %v, want a permanent one", payload, a.err)
		}
	}
}

func TestContextEndsTheHandler(t *testing.T) {
	for jobType := range failures {
		t.Run(jobType, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(jobs.ErrCancelled)
			a := try(t, ctx, Options{}, jobType, `{"duration_ms":3600000,"fail_rate":0}`)
			if !errors.Is(a.err, jobs.ErrCancelled) {
				t.Errorf("error %v, want the cause of the context", a.err)
			}
		})
	}
	t.Run("in the middle of the work", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 1500*time.Millisecond, jobs.ErrTimeout)
			defer cancel()
			a := try(t, ctx, Options{}, "report", `{"fail_rate":0}`)
			if !errors.Is(a.err, jobs.ErrTimeout) || a.took != 1500*time.Millisecond {
				t.Errorf("error %v after %s, want a time-out after 1.5 s", a.err, a.took)
			}
		})
	})
}

// With fail_attempts 2 a job succeeds at its third attempt, even where the setting makes all attempts fail.
func TestFailAttempts(t *testing.T) {
	for jobType := range failures {
		for attempt, fails := range map[int]bool{1: true, 2: true, 3: false, 4: false} {
			var r jobs.Registry
			Register(&r, Options{FailRate: 1, Rand: draws(0)})
			job := jobs.Job{ID: "0198-id", Type: jobType, Attempts: attempt,
				Payload: json.RawMessage(`{"duration_ms":0,"fail_attempts":2}`)}
			_, err := r.Lookup(jobType).Run(t.Context(), jobs.NewRun(job, slog.New(slog.DiscardHandler), nil))
			if (err != nil) != fails || jobs.IsPermanent(err) {
				t.Errorf("%s, attempt %d: error %v, want an error: %v", jobType, attempt, err, fails)
			}
		}
	}
}
