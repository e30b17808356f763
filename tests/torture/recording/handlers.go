// Package recording is used by all processes of the torture: handlers that record each execution before it begins and
// before it ends, and a Store that records the answers of the real one.
package recording

import (
	"context"
	"errors"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// The job types. Their behaviour depends only on the payload and the attempt, so the checker knows how each must end.
const (
	Quick     = "torture.quick"     // succeeds at once
	Slow      = "torture.slow"      // succeeds after Millis, or stops when its context ends
	Deaf      = "torture.deaf"      // succeeds after Millis, and ignores its context
	Flaky     = "torture.flaky"     // fails in its first attempt
	Doomed    = "torture.doomed"    // always fails
	Panics    = "torture.panics"    // always panics
	Permanent = "torture.permanent" // fails with a permanent error
	Snoozer   = "torture.snoozer"   // snoozes when it is claimed for the first time
	Late      = "torture.late"      // takes longer than its timeout
	Poison    = "torture.poison"    // kills its process
	Hog       = "torture.hog"       // takes all memory, which ends its process
	Newest    = "torture.newest"    // like Quick; workers of an older release do not know it
)

// Types lists all job types.
var Types = []string{Quick, Slow, Deaf, Flaky, Doomed, Panics, Permanent, Snoozer, Late, Poison, Hog, Newest}

// Payload is the payload of every type.
type Payload struct {
	Key    string `json:"key"`              // key of the submission, "#", and the index of the job in it
	Millis int    `json:"millis,omitempty"` // duration of an attempt
}

// Result is the result of a successful job. Its fence identifies the execution.
type Result struct {
	Key   string `json:"key"`
	Fence int64  `json:"fence"`
}

var errOnPurpose = errors.New("failed on purpose")

// Register adds the types in only, or all types if only is empty.
func Register(r *jobs.Registry, log *history.Log, only []string) {
	add := func(name string, do func(ctx context.Context, run *jobs.Run, p Payload) error, options ...jobs.Option) {
		if len(only) > 0 && !slices.Contains(only, name) {
			return
		}
		jobs.Handle(r, name, func(ctx context.Context, run *jobs.Run, p Payload) (any, error) {
			e := history.Event{
				ID: run.Job.ID, Key: p.Key, Fence: run.Job.Fence, Attempt: run.Job.Attempts, Worker: run.Job.WorkerID,
			}
			begin, end := e, e
			begin.Kind = history.Start
			log.Write(begin)
			end.Kind, end.Detail = history.EndErr, "panic"
			returned := false
			defer func() {
				if !returned {
					log.Write(end)
				}
			}()
			err := do(ctx, run, p)
			returned = true
			if err != nil {
				end.Detail = err.Error()
				log.Write(end)
				return nil, err
			}
			end.Kind, end.Detail = history.EndOK, ""
			log.Write(end)
			return Result{p.Key, run.Job.Fence}, nil
		}, append([]jobs.Option{jobs.WithTimeout(time.Minute), jobs.WithMaxAttempts(6)}, options...)...)
	}
	add(Quick, sleep)
	add(Newest, sleep)
	add(Slow, sleep)
	add(Deaf, func(_ context.Context, run *jobs.Run, p Payload) error { return sleep(context.Background(), run, p) })
	add(Flaky, func(_ context.Context, run *jobs.Run, _ Payload) error {
		if run.Job.Attempts == 1 {
			return errOnPurpose
		}
		return nil
	})
	add(Doomed, func(context.Context, *jobs.Run, Payload) error { return errOnPurpose }, jobs.WithMaxAttempts(2))
	add(Panics, func(context.Context, *jobs.Run, Payload) error { panic(errOnPurpose) }, jobs.WithMaxAttempts(1))
	add(Permanent, func(context.Context, *jobs.Run, Payload) error { return jobs.Permanent(errOnPurpose) })
	add(Snoozer, func(_ context.Context, run *jobs.Run, _ Payload) error {
		if run.Job.Fence == 1 {
			return jobs.Snooze(500 * time.Millisecond)
		}
		return nil
	})
	add(Late, func(ctx context.Context, run *jobs.Run, p Payload) error { return sleep(ctx, run, p) },
		jobs.WithTimeout(time.Second), jobs.WithMaxAttempts(1))
	add(Poison, func(context.Context, *jobs.Run, Payload) error {
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	})
	add(Hog, func(context.Context, *jobs.Run, Payload) error { return takeAll() })
}

func sleep(ctx context.Context, run *jobs.Run, p Payload) error {
	if p.Millis == 0 {
		return nil
	}
	run.Progress(50, "half-way")
	t := time.NewTimer(time.Duration(p.Millis) * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
