package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/internal/fault"
)

const (
	settlePauseMin = 50 * time.Millisecond
	settlePauseMax = 2 * time.Second
)

// settle records how an attempt ended, and returns when that is durable or another has the job. It tries for as long as it takes: the
// fence keeps a late result from doing harm, and a result given up is work done twice.
func (w *Worker) settle(r *run, o jobs.Outcome) {
	wait := settlePauseMin
	for {
		s, err := w.record(o)
		if err == nil {
			w.settled(r, o, s)
			return
		}
		if errors.Is(err, jobs.ErrRejected) && (o.Result != nil || o.Error != "") {
			// The Store cannot hold what we checked. The outcome counts, its text does not.
			w.tell(r, slog.LevelError, "outcome rejected by the store, recorded without its text", slog.Any("error", err))
			o.Result = nil
			if o.Error != "" {
				o.Error = "the error's text could not be stored"
			}
			continue
		}
		w.tell(r, slog.LevelWarn, "result not recorded, trying again", slog.Any("error", err))
		if !pause(w.recording, wait) {
			return
		}
		wait = min(2*wait, settlePauseMax)
	}
}

func (w *Worker) record(o jobs.Outcome) (jobs.Settled, error) {
	if err := fault.Point("before-settle"); err != nil {
		return jobs.Settled{}, err
	}
	s, err := w.settler.do(context.Background(), o)
	if err == nil {
		err = fault.Point("after-settle-commit")
	}
	return s, err
}

// settled tells of a recorded outcome.
func (w *Worker) settled(r *run, o jobs.Outcome, s jobs.Settled) {
	took := slog.Int64("duration_ms", time.Since(r.startedAt).Milliseconds())
	if s.Result == jobs.Stale {
		w.counters.stale.Add(1)
		w.tell(r, slog.LevelWarn, "stale result dropped", slog.String("verb", string(o.Verb)), took)
		return
	}
	failure := slog.String("error", firstLine(o.Error))
	switch o.Verb {
	case jobs.VerbComplete:
		w.counters.completed.Add(1)
		w.counters.completedAt.Store(since())
		w.tell(r, slog.LevelInfo, "job completed", took)
	case jobs.VerbRetry, jobs.VerbFail:
		w.counters.failed.Add(1)
		if s.Kind != jobs.KindCancelled {
			w.tell(r, slog.LevelWarn, "job failed", took, failure)
		}
	}
	switch {
	case s.Status == jobs.Failed && s.Kind == jobs.KindCancelled:
		w.tell(r, slog.LevelInfo, "job cancelled", took)
	case s.Status == jobs.Failed:
		w.tell(r, slog.LevelError, "job dead", slog.String("failure_kind", string(s.Kind)), failure)
	case s.Status == jobs.Pending && o.Verb == jobs.VerbRetry:
		w.tell(r, slog.LevelInfo, "retry scheduled", slog.Int64("delay_ms", o.Delay.Milliseconds()))
	case s.Status == jobs.Pending && o.Verb == jobs.VerbSnooze:
		w.tell(r, slog.LevelInfo, "job snoozed", slog.Int64("delay_ms", o.Delay.Milliseconds()))
	case s.Status == jobs.Pending && o.Verb == jobs.VerbRelease:
		w.tell(r, slog.LevelInfo, "job released", took)
	}
	if s.Hint != nil {
		w.hurry.push(*s.Hint)
	}
}

// firstLine leaves a stack out of the log; it is kept with the job.
func firstLine(text string) string {
	for i := range len(text) {
		if text[i] == '\n' {
			return text[:i]
		}
	}
	return text
}
