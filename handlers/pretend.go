package handlers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// maxDurationMS is one hour, as in the schema. It is checked here again for payloads that skipped the schema.
const maxDurationMS = 3_600_000

// plan is what an attempt is going to do.
type plan struct {
	duration time.Duration
	failure  error   // nil: the attempt succeeds
	failAt   float64 // the part of the duration after which it fails, 0 to 1
}

// plan decides how long an attempt takes and whether it fails, with one of the given errors. The first failAttempts
// attempts always fail; the later ones fail only where failRate says so.
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
		p.failAt = 0.2 + 0.7*o.Rand() // not at the very beginning or end
	}
	return p, nil
}

// steps carries out the plan by waiting. There is one step for each message, all of equal length; a step reports its
// message when it begins. It returns the plan's failure at its time, and the cause when the context ends.
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
			wait = left // includes the remainder of the division
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

// pause waits for d, or returns the cause when the context ends first.
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
