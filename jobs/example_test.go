package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/windlass-jobs/windlass/jobs"
)

// Invoice is the payload of a job type: what its handler wants to know.
type Invoice struct {
	Customer string `json:"customer" doc:"who pays"`
	Cents    int    `json:"cents" minimum:"1"`
}

// A job type is a payload, a function, and a line that registers it.
func ExampleHandle() {
	send := func(ctx context.Context, run *jobs.Run, in Invoice) (any, error) {
		if in.Customer == "" {
			return nil, jobs.Permanent(errors.New("an invoice to nobody")) // no retry can help
		}
		run.Progress(50, "printed")
		return map[string]any{"sent_to": in.Customer}, nil
	}
	var registry jobs.Registry
	jobs.Handle(&registry, "invoice", send, jobs.WithQueue("billing"), jobs.WithMaxAttempts(3))

	// A worker does this for each job that it has claimed.
	handler := registry.Lookup("invoice")
	job := jobs.Job{Type: "invoice", Payload: []byte(`{"customer":"Ada","cents":1200}`)}
	result, err := handler.Run(context.Background(), jobs.NewRun(job, slog.Default(), nil))
	fmt.Println(result, err)
	// Output: map[sent_to:Ada] <nil>
}

// The waits between the attempts of a job, without their random part.
func ExampleBackoffBase() {
	for attempt := 1; attempt <= 4; attempt++ {
		fmt.Println(jobs.BackoffBase(attempt))
	}
	// Output:
	// 2s
	// 4s
	// 8s
	// 16s
}
