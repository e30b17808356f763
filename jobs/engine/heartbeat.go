package engine

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/internal/fault"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// lease is the worker's hold on its session, and so on all of its jobs. All of its times are of the process's monotonic
// clock.
type lease struct {
	mu      sync.Mutex
	session string
	renewed time.Time         // when the newest heartbeat that was answered was sent
	claims  map[int]time.Time // claims under way, by when they were sent
	next    int

	wake    chan struct{}        // asks for a heartbeat at once
	unknown map[runKey]time.Time // jobs that the Store says run here, and that do not, by when it first said so
	lost    bool                 // everything has been abandoned since the last renewal
	refused bool                 // the Store refused a claim since the last renewal: the session is dead there
	failing bool                 // the last heartbeat failed
}

func (l *lease) id() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session
}

// fresh reports whether no other worker can have been given our jobs yet.
func (l *lease) fresh(ttl time.Duration) bool { return l.younger(ttl) }

// mayClaim is stricter than fresh: new work is begun only with time to spare. A worker that may not claim takes no
// hints from the Queue either: others can use them.
func (l *lease) mayClaim(ttl time.Duration) bool {
	l.mu.Lock()
	refused := l.refused
	l.mu.Unlock()
	return !refused && l.younger(ttl*6/10)
}

// refuse notes that the Store refused a claim of a session, and asks for a heartbeat, which opens a new session.
func (l *lease) refuse(session string) {
	l.mu.Lock()
	l.refused = l.refused || l.session == session
	l.mu.Unlock()
	l.heartbeatNow()
}

func (l *lease) younger(age time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session != "" && time.Since(l.renewed) < age
}

func (l *lease) renew(session string, sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session, l.renewed, l.lost, l.failing, l.refused = session, sent, false, false, false
}

// claiming runs f, which claims jobs for the session and registers those it got. Meanwhile a job that the Store says is
// ours, and that we do not know, may be one of them.
func (l *lease) claiming(f func(session string)) {
	l.mu.Lock()
	n, session := l.next, l.session
	l.next++
	if l.claims == nil {
		l.claims = map[int]time.Time{}
	}
	l.claims[n] = time.Now()
	l.mu.Unlock()
	f(session)
	l.mu.Lock()
	delete(l.claims, n)
	l.mu.Unlock()
}

// settledBy returns a time: all claims sent before it have been answered, and their jobs are registered.
func (l *lease) settledBy() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	by := time.Now()
	for _, sent := range l.claims {
		if sent.Before(by) {
			by = sent
		}
	}
	return by
}

func (l *lease) heartbeatNow() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// open registers a new session. It tries until it has one. It reports false when ctx ends first.
func (w *Worker) open(ctx context.Context) bool {
	for {
		sent := time.Now()
		s := w.session(uuid.NewString())
		call, cancel := context.WithTimeout(ctx, storeTimeout)
		err := w.opts.Store.Register(call, s, w.announce, w.opts.LeaseTTL)
		cancel()
		if err == nil {
			w.lease.renew(s.ID, sent)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		w.log.Warn("store unreachable, trying again", "error", err)
		if !pause(ctx, time.Second) {
			return false
		}
	}
}

// keepLease sends heartbeats until ctx ends.
func (w *Worker) keepLease(ctx context.Context) {
	tick := time.NewTicker(w.opts.LeaseTTL / 6)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-w.lease.wake:
		}
		w.heartbeat(ctx)
	}
}

func (w *Worker) heartbeat(ctx context.Context) {
	l := &w.lease
	h := store.Heartbeat{
		Session: l.id(), State: store.SessionAlive, TTL: w.opts.LeaseTTL, Running: w.running(), SinceCompletion: -1,
	}
	if w.draining.Load() {
		h.State = store.SessionDraining
	}
	if at := w.counters.completedAt.Load(); at > 0 {
		h.SinceCompletion = time.Duration(since() - at)
	}
	sent := time.Now()
	call, cancel := context.WithTimeout(ctx, min(w.opts.LeaseTTL/3, storeTimeout))
	reply, err := w.opts.Store.Heartbeat(call, h)
	cancel()
	switch {
	case ctx.Err() != nil:
	case err != nil:
		if !l.failing {
			l.failing = true
			w.log.Warn("heartbeat failed", "worker_id", h.Session, "error", err)
		}
		if !l.fresh(w.opts.LeaseTTL) && !l.lost {
			// Other workers may be given our jobs from now on. The session may still live when the Store is back.
			l.lost = true
			w.abandon()
		}
	case !reply.Alive:
		w.log.Warn("session lost", "worker_id", h.Session)
		w.abandon()
		l.unknown = nil
		if w.open(ctx) {
			w.log.Info("session opened", "worker_id", l.id())
		}
	default:
		if l.failing {
			w.log.Info("heartbeat restored", "worker_id", h.Session)
		}
		l.renew(h.Session, sent)
		w.compare(ctx, reply.Held, sent)
	}
}

// abandon ends all running handlers without recording what they return.
func (w *Worker) abandon() {
	w.runs.endAll(jobs.ErrLeaseLost)
}

// compare looks for differences between what the Store says that this worker runs and what it does run.
func (w *Worker) compare(ctx context.Context, held []store.Held, sent time.Time) {
	l := &w.lease
	session := l.id()
	// Before the look at the attempts: otherwise jobs that are registered in between look like those of a lost claim.
	settledBy := l.settledBy()
	running := w.runs.byKey()
	ours := make(map[runKey]bool, len(held))
	unknown := map[runKey]time.Time{}
	var phantoms []store.Outcome
	for _, h := range held {
		key := runKey{h.ID, h.Fence}
		ours[key] = true
		r := running[key]
		switch first, before := l.unknown[key]; {
		case r != nil && h.CancelRequested:
			r.ctx.end(jobs.ErrCancelled, time.Now())
		case r != nil:
		case before && !first.After(settledBy):
			// Every claim that can have brought this job was answered, and none did. The answer was lost, and nobody
			// runs the job.
			phantoms = append(phantoms, store.Outcome{
				ID: h.ID, Fence: h.Fence, Session: session, Verb: store.VerbRelease,
				Error: "the answer to the claim was lost; handed back",
			})
		case before:
			unknown[key] = first
		default:
			unknown[key] = time.Now()
		}
	}
	l.unknown = unknown
	for key, r := range running {
		// A job that is not ours any more was taken from us, for example by the reaper past its deadline. Or its
		// handler has completed it in a transaction, and is about to return.
		if r.session == session && r.startedAt.Before(sent) && !ours[key] && !r.over.Load() && r.inTx.Load() == nil {
			r.ctx.end(jobs.ErrLeaseLost, time.Now())
		}
	}
	if len(phantoms) > 0 && !fault.Removed("phantom check") {
		w.releasePhantoms(ctx, phantoms)
	}
}

func (w *Worker) releasePhantoms(ctx context.Context, phantoms []store.Outcome) {
	for len(phantoms) > 0 {
		batch := phantoms[:min(len(phantoms), batchMax)]
		phantoms = phantoms[len(batch):]
		call, cancel := context.WithTimeout(ctx, storeTimeout)
		settled, err := w.opts.Store.Settle(call, batch)
		cancel()
		if err != nil {
			w.log.Warn("phantom release failed, trying again", "error", err)
			return // the next heartbeats see them again
		}
		for i, s := range settled {
			if s.Result != store.Recorded {
				continue
			}
			w.counters.phantoms.Add(1)
			w.log.Warn("phantom released", "job_id", batch[i].ID, "fence", batch[i].Fence, "worker_id", batch[i].Session)
			if s.Hint != nil {
				w.notify.push(*s.Hint)
			}
		}
	}
}

// hearCancels sends a heartbeat at once when somebody cancels a job that runs here. The answer to the heartbeat, not
// the message, ends the job.
func (w *Worker) hearCancels(ctx context.Context) {
	for ctx.Err() == nil {
		events, err := w.opts.Bus.Subscribe(ctx)
		if err != nil {
			pause(ctx, queueRest)
			continue
		}
		for e := range events {
			if e.Kind == queue.EventLost || e.Kind == queue.EventCancel && w.runs.has(e.JobID) {
				w.lease.heartbeatNow()
			}
		}
	}
}

// closeSession ends the session: the jobs it still has are free to be taken.
func (w *Worker) closeSession() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	h := store.Heartbeat{Session: w.lease.id(), State: store.SessionDead, TTL: w.opts.LeaseTTL, SinceCompletion: -1}
	if _, err := w.opts.Store.Heartbeat(ctx, h); err != nil {
		w.log.Warn("session not closed; it will expire", "error", err)
	}
}
