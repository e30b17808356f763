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
	handed    jobs.Run // to the handler, with the job, which the handler may change
	log       slog.Logger
	late      lateAttrs
	over      atomic.Bool                  // set by whoever records how the attempt ended
	inTx      atomic.Pointer[txCompletion] // of CompleteTx; nil where it was not called
	at        int                          // index in runs.list, under its lock; -1 once it was removed

	// These belong to whoever has set over.
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

// runKey identifies an attempt. An abandoned handler may still be running when its job comes back to the same worker.
type runKey struct {
	id    string
	fence int64
}

func (r *run) key() runKey { return runKey{r.job.ID, r.job.Fence} }

// runs are the attempts on this worker.
type runs struct {
	mu      sync.Mutex
	list    []*run        // in no order
	suspect bool          // a suspect is running, or its place is reserved
	empty   chan struct{} // closed when the last one is removed, where somebody waits for that
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
	return slices.ContainsFunc(rs.all(), func(r *run) bool { return r.job.ID == id })
}

func (rs *runs) all() []*run {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return slices.Clone(rs.list)
}

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

// idle waits until nothing runs. It reports false when that takes longer than the timeout.
func (rs *runs) idle(timeout time.Duration) bool {
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
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case <-empty:
		return true
	case <-t.C:
		return false
	}
}

// suspectPlace is the right to look for a suspect and to run it. A worker runs one suspect at a time, because it may
// take the process down. The zero value is no such right.
type suspectPlace struct{ runs *runs }

// reserveSuspect returns the place, or none where a suspect runs or somebody else looks for one.
func (rs *runs) reserveSuspect() suspectPlace {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.suspect {
		return suspectPlace{}
	}
	rs.suspect = true
	return suspectPlace{rs}
}

// count is how many suspects may be looked for: 1 or 0.
func (p *suspectPlace) count() int {
	if p.runs == nil {
		return 0
	}
	return 1
}

// use leaves the place to a suspect that is about to start. It is free again when that attempt is removed.
func (p *suspectPlace) use() { p.runs = nil }

// Release gives the place back, unless it was used or given back before.
func (p *suspectPlace) Release() {
	if p.runs == nil {
		return
	}
	p.runs.mu.Lock()
	defer p.runs.mu.Unlock()
	p.runs.suspect = false
	p.runs = nil
}
