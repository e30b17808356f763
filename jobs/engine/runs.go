package engine

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// run is one attempt on this worker, from its claim until its outcome is durable.
type run struct {
	worker    *Worker
	job       brief
	session   string
	startedAt time.Time
	ctx       attemptContext
	handed    jobs.Run // to the handler, with the job, which it may change
	log       slog.Logger
	late      lateAttrs
	over      atomic.Bool                  // somebody has taken it on to record how it ended
	inTx      atomic.Pointer[txCompletion] // of CompleteTx; nil where it was not called
	at        int                          // index in runs.list, under its lock; -1 once it was removed

	// From here on they belong to whoever has set over.
	outcome store.Outcome
	stuck   bool          // the handler has not returned: it keeps its slot
	wait    time.Duration // before the outcome is tried again

	mu   sync.Mutex
	note *store.ProgressNote // newest progress, not written yet
}

// brief is what the engine needs to know of a job that the handler has.
type brief struct {
	ID, Type, Queue       string
	Fence                 int64
	Attempts, MaxAttempts int
	Timeout               time.Duration
	Suspect               bool
}

// newRun prepares an attempt that starts now.
func (w *Worker) newRun(j jobs.Job, session string, now time.Time) *run {
	r := &run{
		worker: w,
		job: brief{
			ID: j.ID, Type: j.Type, Queue: j.Queue, Fence: j.Fence,
			Attempts: j.Attempts, MaxAttempts: j.MaxAttempts, Timeout: j.Timeout, Suspect: j.Suspect(),
		},
		session: session, startedAt: now,
	}
	r.ctx.deadline = now.Add(j.Timeout)
	r.late = lateAttrs{Handler: w.log.Handler(), r: r}
	r.log = *slog.New(&r.late)
	r.handed = jobs.MakeRun(j, &r.log, r)
	return r
}

// runKey tells apart two attempts at one job: an abandoned handler may still be running when the job comes back to the same worker.
type runKey struct {
	id    string
	fence int64
}

func (r *run) key() runKey { return runKey{r.job.ID, r.job.Fence} }

// runs are the attempts on this worker.
type runs struct {
	mu      sync.Mutex
	list    []*run        // in no order; who looks for one now and then makes a map
	suspect bool          // a suspect is running, or is being looked for
	empty   chan struct{} // closed when the last one goes, where somebody waits for that
}

func (rs *runs) add(list []*run) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range list {
		r.at = len(rs.list)
		rs.list = append(rs.list, r)
	}
}

func (rs *runs) remove(list []*run) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range list {
		if r.at < 0 {
			continue
		}
		end := len(rs.list) - 1
		last := rs.list[end]
		rs.list[r.at], last.at = last, r.at
		rs.list[end] = nil
		rs.list, r.at = rs.list[:end], -1
		if r.job.Suspect {
			rs.suspect = false
		}
	}
	if len(rs.list) == 0 && rs.empty != nil {
		close(rs.empty)
		rs.empty = nil
	}
}

func (rs *runs) byKey() map[runKey]*run {
	list := rs.all()
	m := make(map[runKey]*run, len(list))
	for _, r := range list {
		m[r.key()] = r
	}
	return m
}

func (rs *runs) has(id string) bool {
	for _, r := range rs.all() {
		if r.job.ID == id {
			return true
		}
	}
	return false
}

func (rs *runs) all() []*run {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return slices.Clone(rs.list)
}

// count is how many there are.
func (rs *runs) count() int {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return len(rs.list)
}

func (rs *runs) endAll(cause error) {
	for _, r := range rs.all() {
		r.ctx.end(cause, time.Now())
	}
}

// idle waits until nothing runs; it reports false when that takes longer than patience.
func (rs *runs) idle(patience time.Duration) bool {
	rs.mu.Lock()
	if len(rs.list) == 0 {
		rs.mu.Unlock()
		return true
	}
	if rs.empty == nil {
		rs.empty = make(chan struct{})
	}
	empty := rs.empty
	rs.mu.Unlock()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-empty:
		return true
	case <-t.C:
		return false
	}
}

// reserveSuspect reports whether a suspect may be looked for, and reserves the place for it.
func (rs *runs) reserveSuspect() bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.suspect {
		return false
	}
	rs.suspect = true
	return true
}

// returnSuspect gives a reserved place back.
func (rs *runs) returnSuspect(reserved bool) {
	if !reserved {
		return
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.suspect = false
}
