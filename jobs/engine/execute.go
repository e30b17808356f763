package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/internal/fault"
)

// stuckAfter is how long a handler may go on after its context has ended before its outcome is recorded without it.
const stuckAfter = 10 * time.Second

// start begins an attempt at a job that was claimed for session. Its slot is taken already.
func (w *Worker) start(job jobs.Job, session string) {
	ctx, end := context.WithCancelCause(context.Background())
	r := &run{job: job, session: session, startedAt: time.Now(), ctx: ctx, end: end}
	w.runs.add(r)
	select {
	case w.idle <- r:
	default:
		go w.serve(r)
	}
}

// serve makes attempts, one after the other, until the worker ends. A goroutine that has run a handler has a stack that fits the next one: growing a
// new one for each job was a tenth of all CPU time.
func (w *Worker) serve(r *run) {
	for {
		w.execute(r)
		select {
		case r = <-w.idle:
		case <-w.recording.Done():
			return
		}
	}
}

// execute makes one attempt at a job and records how it ended.
func (w *Worker) execute(r *run) {
	defer w.slots.give(1)
	defer w.runs.remove(r)
	defer r.end(nil)
	w.tell(r, slog.LevelInfo, "job started")
	handler := w.opts.Registry.Lookup(r.job.Type)
	ctx, stop := context.WithTimeoutCause(r.ctx, r.job.Timeout, jobs.ErrTimeout)
	defer stop()
	unwatch := w.watch(ctx, r, handler)
	var result any
	err := errors.New("the handler ended its goroutine")
	defer func() { // deferred, because runtime.Goexit comes back no other way
		unwatch()
		w.conclude(r, handler, context.Cause(ctx), result, err)
	}()
	_ = fault.Point("in-handler")
	result, err = invoke(ctx, handler, jobs.NewRun(r.job, w.logOf(r), r.report))
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

// conclude records how an attempt ended, if it is still ours to record.
func (w *Worker) conclude(r *run, handler *jobs.Handler, cause error, result any, err error) {
	switch {
	case !r.over.CompareAndSwap(false, true):
		// It took so long that watch has done so.
	case errors.Is(cause, jobs.ErrLeaseLost):
		w.lose(r)
	default:
		w.settle(r, w.outcome(cause, r, handler, result, err))
	}
}

// outcome decides what to do with a job whose handler has returned; cause says why its context had ended by then, if it had.
func (w *Worker) outcome(cause error, r *run, handler *jobs.Handler, result any, err error) jobs.Outcome {
	o := jobs.Outcome{ID: r.job.ID, Fence: r.job.Fence, Session: r.session}
	if err == nil {
		o.Verb, o.Result = jobs.VerbComplete, w.storable(r, result)
		return o
	}
	o.Error = jobs.SanitizeError(err.Error())
	interrupted := cause != nil && (errors.Is(err, cause) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
	wait, snooze := jobs.IsSnooze(err)
	switch {
	case errors.Is(cause, jobs.ErrCancelled):
		o.Verb, o.Attempt, o.Kind = jobs.VerbFail, jobs.AttemptCancelled, jobs.KindCancelled
	case interrupted && errors.Is(cause, jobs.ErrShutdown):
		o.Verb, o.Attempt = jobs.VerbRelease, jobs.AttemptReleased
	case snooze:
		o.Verb, o.Delay = jobs.VerbSnooze, wait
	case jobs.IsPermanent(err):
		o.Verb, o.Attempt, o.Kind = jobs.VerbFail, jobs.AttemptFailed, jobs.KindPermanent
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
func again(o *jobs.Outcome, r *run, handler *jobs.Handler) {
	if r.job.Attempts >= r.job.MaxAttempts {
		o.Verb = jobs.VerbFail
		return
	}
	o.Verb, o.Delay = jobs.VerbRetry, backoff(handler, r.job.Attempts)
}

// backoff asks the handler's curve; one that panics is replaced by the default.
func backoff(handler *jobs.Handler, attempt int) (d time.Duration) {
	defer func() {
		if recover() != nil {
			d = jobs.Backoff(attempt)
		}
	}()
	return min(max(handler.Backoff(attempt), 0), jobs.MaxDelay)
}

// storable turns what a handler returned into a result. What cannot be stored is left out with a warning: the work is done all the same.
func (w *Worker) storable(r *run, result any) json.RawMessage {
	if result == nil {
		return nil
	}
	raw, err := json.Marshal(result)
	if err == nil {
		raw, err = jobs.Canonical(raw, jobs.JSONLimits{Bytes: jobs.MaxResultBytes})
	}
	if err != nil {
		w.tell(r, slog.LevelWarn, "result not stored", slog.Any("error", err))
		return nil
	}
	return raw
}

// watch records the outcome of a handler that does not return when its context has ended. Its slot stays taken until it does. The
// function that watch returns ends the watch.
func (w *Worker) watch(ctx context.Context, r *run, handler *jobs.Handler) (unwatch func()) {
	returned := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(stuckAfter)
		defer t.Stop()
		select {
		case <-returned:
			return
		case <-t.C:
		}
		w.tell(r, slog.LevelError, "handler ignores the end of its context", slog.Any("cause", context.Cause(ctx)))
		n := w.counters.stuck.Add(1)
		if w.opts.ExitWhenStuck && 4*int(n) > w.opts.Concurrency {
			w.giveUp()
		}
		w.conclude(r, handler, context.Cause(ctx), nil, context.Cause(ctx))
		w.runs.remove(r)
		<-returned
		w.counters.stuck.Add(-1)
	})
	return func() {
		stop()
		close(returned)
	}
}

// lose leaves an attempt to whoever has the job now.
func (w *Worker) lose(r *run) {
	w.counters.leasesLost.Add(1)
	w.tell(r, slog.LevelWarn, "lease lost")
}

// tell logs a line about an attempt.
func (w *Worker) tell(r *run, level slog.Level, message string, more ...slog.Attr) {
	if !w.log.Enabled(context.Background(), level) {
		return
	}
	attrs := append(about(&r.job), slog.Int("attempt", r.job.Attempts), slog.String("worker_id", r.session))
	w.log.LogAttrs(context.Background(), level, message, append(attrs, more...)...)
}

// logOf is what the handler logs with: the worker's logger, with the attempt's facts. Most handlers never log, so these are put in only when one does.
func (w *Worker) logOf(r *run) *slog.Logger {
	return slog.New(&lateAttrs{Handler: w.log.Handler(), attrs: func() []slog.Attr {
		return append(about(&r.job), slog.Int("attempt", r.job.Attempts), slog.String("worker_id", r.session))
	}})
}

// lateAttrs is a slog.Handler with attributes that are made when they are needed.
type lateAttrs struct {
	slog.Handler
	attrs func() []slog.Attr
}

func (h *lateAttrs) Handle(ctx context.Context, record slog.Record) error {
	return h.Handler.WithAttrs(h.attrs()).Handle(ctx, record)
}

func (h *lateAttrs) WithAttrs(more []slog.Attr) slog.Handler {
	return h.Handler.WithAttrs(h.attrs()).WithAttrs(more)
}

func (h *lateAttrs) WithGroup(name string) slog.Handler {
	return h.Handler.WithAttrs(h.attrs()).WithGroup(name)
}
