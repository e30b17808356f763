// Package handlers holds the job types of this installation, one file each. To add a type, write a file like email.go
// and add a line to Register.
//
// The three built-in types are examples. They wait or compute for a while, report progress, and fail now and then, so
// that the whole system can be tried out. Their payloads share three fields:
//
//	duration_ms     how long an attempt takes, 0 to 3,600,000; with 0 it does nothing, to measure the system itself
//	fail_rate       the share of attempts that fail, 0 (none) to 1 (all)
//	fail_attempts   the number of attempts that fail before one succeeds, 0 to 100
package handlers

import (
	"math/rand/v2"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// Options are what the handlers need from outside.
type Options struct {
	FailRate float64        // share of attempts that fail where the payload has no fail_rate, 0 to 1
	Rand     func() float64 // returns numbers in [0, 1); nil means math/rand/v2
}

// Register adds every job type.
func Register(r *jobs.Registry, opts Options) {
	if opts.Rand == nil {
		opts.Rand = rand.Float64
	}
	jobs.Handle(r, "email", email{opts}.send,
		jobs.WithDescription("Pretends to send an email."),
		jobs.WithTimeout(time.Minute),
		jobs.WithExample(map[string]any{"to": "ada@example.com", "subject": "Your receipt"}))
	jobs.Handle(r, "report", report{opts}.build,
		jobs.WithDescription("Pretends to build a report, step by step."),
		jobs.WithExample(map[string]any{"title": "Monthly sales", "format": "pdf", "rows": 5000}))
	jobs.Handle(r, "image", image{opts}.render,
		jobs.WithDescription("Renders a picture of the Mandelbrot set: real work for one CPU."),
		jobs.WithExample(map[string]any{"width": 320, "height": 240}))
}
