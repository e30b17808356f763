package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/internal/fault"
	"github.com/windlass-jobs/windlass/jobs/store"
)

const (
	settlePauseMin = 50 * time.Millisecond
	settlePauseMax = 2 * time.Second
)

// settle has the outcome of an attempt recorded. It does not wait until that is done.
func (w *Worker) settle(r *run) {
	if err := fault.Point("before-settle"); err != nil {
		w.answered([]*run{r}, nil, err)
		return
	}
	w.settler.put(r)
}

// record is the flush of the settler.
func (w *Worker) record(ctx context.Context, list []*run) ([]store.Settled, error) {
	outcomes := make([]store.Outcome, len(list))
	for i, r := range list {
		outcomes[i] = r.outcome
	}
	return w.opts.Store.Settle(ctx, outcomes)
}

// answered finishes attempts whose outcome is durable, or whose job another worker has. The others are tried again.
func (w *Worker) answered(list []*run, answers []store.Settled, err error) {
	now := time.Now()
	done := make([]*run, 0, len(list))
	for i, r := range list {
		failed := err
		if failed == nil {
			failed = fault.Point("after-settle-commit")
		}
		if failed != nil {
			w.settleAgain(r, failed)
			continue
		}
		w.settled(r, answers[i], now)
		if answers[i].Status.Terminal() {
			endings.ended(r.job.ID)
		}
		done = append(done, r)
	}
	w.finish(done)
}

// settleAgain tries again to record an outcome, for as long as it takes: the fence keeps a late result from doing harm,
// and a result given up is work done twice.
func (w *Worker) settleAgain(r *run, err error) {
	settle := w.settle
	switch {
	case errors.Is(err, jobs.ErrRejected) && (r.outcome.Result != nil || r.outcome.Error != ""):
		// The Store cannot hold what we checked. The outcome counts, its text does not.
		w.logRun(r, slog.LevelError, "outcome rejected by the store, recorded without its text", slog.Any("error", err))
		r.outcome.Result = nil
		if r.outcome.Error != "" {
			r.outcome.Error = "the error's text could not be stored"
		}
	default:
		w.logRun(r, slog.LevelWarn, "result not recorded, trying again", slog.Any("error", err))
		r.wait = min(max(2*r.wait, settlePauseMin), settlePauseMax)
		if errors.Is(err, jobs.ErrBusy) {
			settle = w.settleAlone
		}
	}
	w.repeats.Go(func() {
		if r.wait > 0 && !pause(w.recording, r.wait) {
			w.finish([]*run{r})
			return
		}
		settle(r)
	})
}

// settleAlone records one outcome outside of the batches. Its row is locked, perhaps by a transaction of the handler's
// that goes on after the handler has returned, and the other outcomes of a batch would wait for that lock as well.
func (w *Worker) settleAlone(r *run) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	answers, err := w.record(ctx, []*run{r})
	w.answered([]*run{r}, answers, err)
}

// settled logs and counts a recorded outcome.
func (w *Worker) settled(r *run, s store.Settled, now time.Time) {
	o := &r.outcome
	took := slog.Int64("duration_ms", now.Sub(r.startedAt).Milliseconds())
	if s.Result == store.Stale {
		w.counters.stale.Add(1)
		w.logRun(r, slog.LevelWarn, "stale result dropped", slog.String("verb", string(o.Verb)), took)
		return
	}
	failure := slog.String("error", firstLine(o.Error))
	if s.Result == store.Already && s.Status == jobs.Completed && o.Verb != store.VerbComplete {
		w.counters.completed.Add(1)
		w.counters.completedAt.Store(int64(now.Sub(start)))
		if o.Error == errRolledBack.Error() {
			w.logChange(r, slog.LevelInfo, "job completed", took, inTransaction)
		} else {
			// The handler failed, or did not return in time, after its commit.
			w.logChange(r, slog.LevelWarn, "completed in the caller's transaction", took, inTransaction, failure)
		}
		return
	}
	switch o.Verb {
	case store.VerbComplete:
		w.counters.completed.Add(1)
		w.counters.completedAt.Store(int64(now.Sub(start)))
		w.logChange(r, slog.LevelInfo, "job completed", took)
	case store.VerbRetry, store.VerbFail:
		w.counters.failed.Add(1)
		if s.Kind != jobs.KindCancelled {
			w.logChange(r, slog.LevelWarn, "job failed", took, failure)
		}
	}
	switch {
	case s.Status == jobs.Failed && s.Kind == jobs.KindCancelled:
		w.logChange(r, slog.LevelInfo, "job cancelled", took)
	case s.Status == jobs.Failed:
		w.logChange(r, slog.LevelError, "job dead", slog.String("failure_kind", string(s.Kind)), failure)
	case s.Status == jobs.Pending && o.Verb == store.VerbRetry:
		w.logChange(r, slog.LevelInfo, "retry scheduled", slog.Int64("delay_ms", o.Delay.Milliseconds()))
	case s.Status == jobs.Pending && o.Verb == store.VerbSnooze:
		w.logChange(r, slog.LevelInfo, "job snoozed", slog.Int64("delay_ms", o.Delay.Milliseconds()))
	case s.Status == jobs.Pending && o.Verb == store.VerbRelease:
		w.logChange(r, slog.LevelInfo, "job released", took)
	}
	if s.Hint != nil {
		w.notify.push(*s.Hint)
	}
}

// firstLine leaves a stack out of the log. The stack is kept with the job.
func firstLine(text string) string {
	for i := range len(text) {
		if text[i] == '\n' {
			return text[:i]
		}
	}
	return text
}
