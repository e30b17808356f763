package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/internal/fault"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// stuckAfter is how long a handler may go on after its context has ended before its outcome is recorded without it.
const stuckAfter = 10 * time.Second

// errNoReturn is the error of a handler that called runtime.Goexit.
var errNoReturn = errors.New("the handler ended its goroutine")

// start begins attempts at jobs that were claimed for session. Their slots are taken already.
func (w *Worker) start(claimed []jobs.Job, session string) {
	list, now := make([]*run, len(claimed)), time.Now()
	for i := range claimed {
		list[i] = w.newRun(claimed[i], session, now)
	}
	w.runs.add(list)
	w.pool.give(list)
}

// execute makes one attempt at a job and has its outcome recorded.
func (w *Worker) execute(r *run) {
	w.logChange(r, slog.LevelInfo, "job started")
	handler := w.handlers[r.job.Type]
	var result any
	err := errNoReturn
	defer func() { // deferred, so that it runs after runtime.Goexit too
		now := time.Now()
		_, cause := r.ctx.ended(now)
		r.ctx.end(context.Canceled, now)
		if r.over.CompareAndSwap(false, true) {
			w.conclude(r, handler, cause, result, err)
			return
		}
		// The watchdog has recorded the outcome without this handler.
		w.counters.stuck.Add(-1)
		w.slots.give(1)
	}()
	_ = fault.Point("in-handler")
	result, err = invoke(&r.ctx, handler, &r.handed)
}

// invoke runs the handler. A panic is an error with its stack.
func invoke(ctx context.Context, handler *jobs.Handler, run *jobs.Run) (result any, err error) {
	defer func() {
		if v := recover(); v != nil {
			result, err = nil, &jobs.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return handler.Run(ctx, run)
}

// conclude has the outcome of an attempt recorded, unless the lease was lost. The caller has set r.over.
func (w *Worker) conclude(r *run, handler *jobs.Handler, cause error, result any, err error) {
	if errors.Is(cause, jobs.ErrLeaseLost) {
		// Another worker has the job, or will get it.
		w.counters.leasesLost.Add(1)
		if r.inTx.Load() != nil {
			w.logChange(r, slog.LevelWarn, "lease lost; the handler's transaction decides", inTransaction)
		} else {
			w.logChange(r, slog.LevelWarn, "lease lost")
		}
		w.finish([]*run{r})
		return
	}
	r.outcome = w.outcome(cause, r, handler, result, err)
	w.settle(r)
}

// finish removes attempts and frees their slots, all at once: the fetcher that waits for slots gets them all, and
// claims as many jobs.
func (w *Worker) finish(list []*run) {
	w.runs.remove(list)
	free := 0
	for _, r := range list {
		if !r.stuck {
			free++
		}
	}
	w.slots.give(free)
}

// outcome decides what to do with a job whose handler has returned. cause says why its context had ended by then, if it
// had.
func (w *Worker) outcome(cause error, r *run, handler *jobs.Handler, result any, err error) store.Outcome {
	o := store.Outcome{ID: r.job.ID, Fence: r.job.Fence, Session: r.session}
	if err == nil && r.inTx.Load() != nil {
		err = errRolledBack // unless it was committed: then the Store does not take this outcome
	}
	if err == nil {
		o.Verb, o.Result = store.VerbComplete, w.storable(r, result)
		return o
	}
	o.Error = jobs.SanitizeError(err.Error())
	interrupted := cause != nil &&
		(errors.Is(err, cause) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
	wait, snooze := jobs.IsSnooze(err)
	switch {
	case errors.Is(cause, jobs.ErrCancelled):
		o.Verb, o.Attempt, o.Kind = store.VerbFail, jobs.AttemptCancelled, jobs.KindCancelled
	case interrupted && errors.Is(cause, jobs.ErrShutdown):
		o.Verb, o.Attempt = store.VerbRelease, jobs.AttemptReleased
	case snooze:
		o.Verb, o.Delay = store.VerbSnooze, wait
	case jobs.IsPermanent(err):
		o.Verb, o.Attempt, o.Kind = store.VerbFail, jobs.AttemptFailed, jobs.KindPermanent
	case interrupted && errors.Is(cause, jobs.ErrTimeout):
		o.Attempt, o.Kind = jobs.AttemptTimeout, jobs.KindTimeout
		o.Error = fmt.Sprintf("timed out after %s: %s", r.job.Timeout, o.Error)
		again(&o, r, handler)
	default:
		o.Attempt, o.Kind = jobs.AttemptFailed, jobs.KindError
		again(&o, r, handler)
	}
	return o
}

// again retries where attempts are left.
func again(o *store.Outcome, r *run, handler *jobs.Handler) {
	if r.job.Attempts >= r.job.MaxAttempts {
		o.Verb = store.VerbFail
		return
	}
	o.Verb, o.Delay = store.VerbRetry, backoff(handler, r.job.Attempts)
}

// backoff asks the handler's retry curve. Where that panics, the default takes its place.
func backoff(handler *jobs.Handler, attempt int) (d time.Duration) {
	defer func() {
		if recover() != nil {
			d = jobs.Backoff(attempt)
		}
	}()
	return min(max(handler.Backoff(attempt), 0), jobs.MaxDelay)
}

// storable turns what a handler returned into a result. A value that cannot be stored is left out with a warning: the
// work is done all the same.
func (w *Worker) storable(r *run, result any) json.RawMessage {
	raw, err := canonicalResult(result)
	if err != nil {
		w.logRun(r, slog.LevelWarn, "result not stored", slog.Any("error", err))
	}
	return raw
}

// canonicalResult is nil for nil.
func canonicalResult(result any) (json.RawMessage, error) {
	if result == nil {
		return nil, nil
	}
	raw, err := json.Marshal(result)
	if err != nil {
		return nil, err
	}
	return canonjson.Canonical(raw, canonjson.Limits{Bytes: jobs.MaxResultBytes})
}

// watchdog looks for handlers that do not return stuckAfter after their context has ended, and records the outcome
// without them, until ctx ends. Their slots stay taken until they do return.
func (w *Worker) watchdog(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		for _, r := range w.runs.all() {
			at, cause := r.ctx.ended(now)
			if cause == nil || now.Sub(at) < stuckAfter || !r.over.CompareAndSwap(false, true) {
				continue
			}
			r.stuck = true
			w.logRun(r, slog.LevelError, "handler ignores the end of its context", slog.Any("cause", cause))
			n := w.counters.stuck.Add(1)
			if w.opts.ExitWhenStuck && 4*int(n) > w.opts.Concurrency {
				w.giveUp()
			}
			w.conclude(r, w.handlers[r.job.Type], cause, nil, cause)
		}
	}
}

// logRun logs a line about an attempt.
func (w *Worker) logRun(r *run, level slog.Level, message string, more ...slog.Attr) {
	if !w.log.Enabled(context.Background(), level) {
		return
	}
	w.log.LogAttrs(context.Background(), level, message, append(r.attrs(), more...)...)
}

// attrs name the attempt in a log line.
func (r *run) attrs() []slog.Attr {
	job := jobs.Job{ID: r.job.ID, Type: r.job.Type, Queue: r.job.Queue}
	return append(about(&job), slog.Int("attempt", r.job.Attempts), slog.String("worker_id", r.session))
}

// lateAttrs is what a handler logs with: the worker's slog.Handler, with the attributes of the attempt. Most handlers
// never log, so the attributes are only made when one does.
type lateAttrs struct {
	slog.Handler
	r *run
}

func (h *lateAttrs) Handle(ctx context.Context, record slog.Record) error {
	return h.Handler.WithAttrs(h.r.attrs()).Handle(ctx, record)
}

func (h *lateAttrs) WithAttrs(more []slog.Attr) slog.Handler {
	return h.Handler.WithAttrs(h.r.attrs()).WithAttrs(more)
}

func (h *lateAttrs) WithGroup(name string) slog.Handler {
	return h.Handler.WithAttrs(h.r.attrs()).WithGroup(name)
}
