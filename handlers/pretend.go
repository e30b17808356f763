package handlers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// maxDurationMS is an hour. The schema keeps longer ones out of the API, not out of a Go client.
const maxDurationMS = 3_600_000

// plan is what an attempt is going to do.
type plan struct {
	duration time.Duration
	failure  error   // nil: it succeeds
	failAt   float64 // the part of the duration after which it fails, 0..1
}

// plan decides how long an attempt takes and whether it fails, of the errors that may happen to its type. The first failAttempts attempts fail in
// any case; after them, none does unless failRate says so.
func (o Options) plan(
	run *jobs.Run, durationMS *int64, failRate *float64, failAttempts int, usual time.Duration, failures []string,
) (plan, error) {
	p := plan{duration: usual}
	if durationMS != nil {
		if *durationMS < 0 || *durationMS > maxDurationMS {
			return p, jobs.Permanent(fmt.Errorf("duration_ms must be 0 to %d", maxDurationMS))
		}
		p.duration = time.Duration(*durationMS) * time.Millisecond
	}
	rate := o.FailRate
	if failAttempts > 0 {
		rate = 0
	}
	if failRate != nil {
		if rate = *failRate; !(rate >= 0 && rate <= 1) {
			return p, jobs.Permanent(errors.New("fail_rate must be 0 to 1"))
		}
	}
	if failAttempts > 0 && run.Job.Attempts <= failAttempts {
		rate = 1
	}
	if rate > 0 && o.Rand() < rate {
		p.failure = errors.New(failures[int(o.Rand()*float64(len(failures)))])
		p.failAt = 0.2 + 0.7*o.Rand() // rarely at the very beginning or end
	}
	return p, nil
}

// steps goes through the plan by waiting: in as many equal steps as there are messages, each of which is told at its beginning. It
// returns the plan's failure when its time has come, and the cause when the context ends.
func (p plan) steps(ctx context.Context, run *jobs.Run, messages ...string) error {
	if p.duration == 0 {
		return p.failure
	}
	left := p.duration
	if p.failure != nil {
		left = time.Duration(float64(p.duration) * p.failAt)
	}
	step := max(p.duration/time.Duration(len(messages)), 1)
	for i, message := range messages {
		run.Progress(100*float64(i)/float64(len(messages)), message)
		wait := min(step, left)
		if p.failure == nil && i == len(messages)-1 {
			wait = left // what the division has left over
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
		if left -= wait; left <= 0 && p.failure != nil {
			return p.failure
		}
	}
	return p.failure
}

// pause waits, or returns why the context has ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
