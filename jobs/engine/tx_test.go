package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// lateStore is a store.Transactional whose transactions keep what they are to do until they are committed. It shows
// what the engine makes of each answer; the drivers' own transactions, with their locks, are tested with the drivers.
type lateStore struct {
	*faultyStore
	asked atomic.Int64 // calls of Committed
	blind atomic.Bool  // Committed sees nothing
}

type lateTx struct {
	store *lateStore
	do    []func(ctx context.Context) error
	over  bool
}

func (tx *lateTx) commit(t *testing.T) {
	for _, do := range tx.do {
		if err := do(t.Context()); err != nil {
			t.Error(err)
		}
	}
	tx.over = true
}

func (s *lateStore) begin() *lateTx { return &lateTx{store: s} }

func (s *lateStore) tx(v any) (*lateTx, error) {
	tx, ok := v.(*lateTx)
	if !ok || tx.over || tx.store != s {
		return nil, store.ErrForeignTx
	}
	return tx, nil
}

func (s *lateStore) InsertTx(_ context.Context, v any, subs []jobs.Submission) ([]jobs.Receipt, error) {
	tx, err := s.tx(v)
	if err != nil {
		return nil, err
	}
	receipts, now := make([]jobs.Receipt, len(subs)), time.Now()
	for i, sub := range subs {
		for _, n := range sub.Jobs {
			receipts[i].Jobs = append(receipts[i].Jobs, jobs.Job{
				ID: n.ID, Type: n.Type, Queue: n.Queue, Status: jobs.Pending, CreatedAt: now, RunAt: now.Add(n.Delay),
			})
		}
	}
	tx.do = append(tx.do, func(ctx context.Context) error {
		_, err := s.Store.Insert(ctx, subs)
		return err
	})
	return receipts, nil
}

func (s *lateStore) UseQueuesTx(
	ctx context.Context, v any, names []string, most int,
) (known, refused []string, err error) {
	if _, err := s.tx(v); err != nil {
		return nil, nil, err
	}
	refused, err = s.UseQueues(ctx, names, most)
	return nil, refused, err
}

func (s *lateStore) CompleteTx(ctx context.Context, v any, o store.Outcome) error {
	tx, err := s.tx(v)
	if err != nil {
		return err
	}
	if j, _, err := s.Get(ctx, o.ID); err != nil || j.Status != jobs.Processing || j.Fence != o.Fence ||
		j.WorkerID != o.Session {
		return errors.Join(jobs.ErrStale, err)
	}
	tx.do = append(tx.do, func(ctx context.Context) error {
		answers, err := s.Store.Settle(ctx, []store.Outcome{o})
		if err == nil && answers[0].Result != store.Recorded {
			err = fmt.Errorf("the commit was %s", answers[0].Result)
		}
		return err
	})
	return nil
}

func (s *lateStore) Committed(ctx context.Context, ids []string) (hints []jobs.Hint, err error) {
	s.asked.Add(1)
	for _, id := range ids {
		if j, _, err := s.Get(ctx, id); err == nil && j.Status == jobs.Pending && !s.blind.Load() {
			h := j.Hint()
			h.In = time.Until(j.RunAt)
			hints = append(hints, h)
		}
	}
	return hints, nil
}

// withTx gives a system's client and workers a store that takes transactions.
func (s *system) withTx() *lateStore {
	st := &lateStore{faultyStore: s.store}
	s.client.Close()
	s.client = must(engine.NewClient(engine.ClientOptions{Store: st, Queue: s.queue, Bus: s.queue,
		Registry: &s.registry, Log: s.opts.Log}))
	s.opts.Store = st
	return st
}

// workerOnly starts a worker without maintenance, so that only hints make jobs start.
func (s *system) workerOnly() *engine.Worker {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	return s.worker(ctx)
}

// A job that was submitted in a transaction starts soon after the commit, and not before: because the client sees the
// commit, because the caller says so, or because the maintenance finds it.
func TestSubmitTx(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		blind, say, maintenance bool
		within                  time.Duration
	}{
		"the client looks":           {within: 200 * time.Millisecond},
		"the caller says so":         {blind: true, say: true, within: 200 * time.Millisecond},
		"the maintenance repairs it": {blind: true, maintenance: true, within: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			started := make(chan time.Time, 1)
			s.handle("work", func(context.Context, *jobs.Run, map[string]any) (any, error) {
				started <- time.Now()
				return nil, nil
			})
			st := s.withTx()
			st.blind.Store(c.blind)
			if c.maintenance {
				s.start()
			} else {
				s.workerOnly()
			}
			tx := st.begin()
			r, err := s.client.SubmitTx(t.Context(), tx, jobs.Submission{Jobs: []jobs.New{{Type: "work"}}})
			if err != nil || len(r.Jobs) != 1 {
				t.Fatalf("%+v, %v", r, err)
			}
			id := r.Jobs[0].ID
			eventually(t, "a look for the commit", func() bool { return st.asked.Load() > 2 })
			if _, _, err := s.client.Get(t.Context(), id); !errors.Is(err, jobs.ErrNotFound) ||
				len(s.log.messages(t, id)) != 0 {
				t.Errorf("before the commit: %v, log %v", err, s.log.messages(t, id))
			}
			tx.commit(t)
			committed := time.Now()
			if c.say {
				s.client.Committed(r.Jobs...)
			}
			if took := receive(t, "the start", started).Sub(committed); took > 10*c.within {
				t.Errorf("started %s after the commit, want about %s", took, c.within)
			}
			if want := !c.blind || c.say; want != slices.Contains(s.log.messages(t, id), "job received") {
				t.Errorf("log %v", s.log.messages(t, id))
			}
		})
	}
}

// A delayed job gets its hint at the commit, and waits in the queue.
func TestSubmitTxDelayed(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("work", nothing)
	st := s.withTx()
	tx := st.begin()
	if _, err := s.client.SubmitTx(t.Context(), tx,
		jobs.Submission{Jobs: []jobs.New{{Type: "work", Delay: time.Hour}}}); err != nil {
		t.Fatal(err)
	}
	tx.commit(t)
	eventually(t, "its hint", func() bool {
		d, err := s.queue.Depths(t.Context(), []string{"default"})
		return err == nil && d.Queues["default"].Later == 1
	})
}

// Close looks for commits one last time, so that a short program need not wait.
func TestSubmitTxThenClose(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("work", nothing)
	st := s.withTx()
	for range 20 {
		tx := st.begin()
		list := slices.Repeat([]jobs.New{{Type: "work"}}, 10)
		if _, err := s.client.SubmitTx(t.Context(), tx, jobs.Submission{Jobs: list}); err != nil {
			t.Fatal(err)
		}
		tx.commit(t)
	}
	s.client.Close()
	if d, err := s.queue.Depths(t.Context(), []string{"default"}); err != nil || d.Queues["default"].Ready != 200 {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestTxErrors(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("work", nothing)
	one := jobs.Submission{Jobs: []jobs.New{{Type: "work"}}}
	if _, err := s.client.SubmitTx(t.Context(), &lateTx{}, one); !errors.Is(err, jobs.ErrUnsupported) {
		t.Errorf("a store without transactions: %v", err)
	}
	s.withTx()
	var none *lateTx
	for name, tx := range map[string]any{"nil": nil, "typed nil": none, "another kind": "tx",
		"another store's": &lateTx{}} {
		if _, err := s.client.SubmitTx(t.Context(), tx, one); !errors.Is(err, store.ErrForeignTx) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var invalid *jobs.InvalidError
	if _, err := s.client.SubmitTx(t.Context(), &lateTx{},
		jobs.Submission{Jobs: []jobs.New{{Type: "unknown"}}}); !errors.As(err, &invalid) {
		t.Errorf("an unknown type: %v", err)
	}
}

// What becomes of a job whose handler calls CompleteTx, by how its transaction and its handler end.
func TestCompleteTx(t *testing.T) {
	t.Parallel()
	type call func(ctx context.Context, run *jobs.Run, st *lateStore) (any, error)
	complete := func(ctx context.Context, run *jobs.Run, st *lateStore) *lateTx {
		tx := st.begin()
		if err := run.CompleteTx(ctx, tx, map[string]int{"n": 1}); err != nil {
			t.Errorf("CompleteTx: %v", err)
		}
		return tx
	}
	failed := errors.New("after the transaction")
	for name, c := range map[string]struct {
		attempt  call
		status   jobs.Status
		attempts int
		errText  string
		log      string
	}{
		"committed": {func(ctx context.Context, run *jobs.Run, st *lateStore) (any, error) {
			complete(ctx, run, st).commit(t)
			return "not used", nil
		}, jobs.Completed, 1, "", "job completed"},
		"committed, then an error": {func(ctx context.Context, run *jobs.Run, st *lateStore) (any, error) {
			complete(ctx, run, st).commit(t)
			return nil, failed
		}, jobs.Completed, 1, "", "completed in the caller's transaction"},
		"committed, then a panic": {func(ctx context.Context, run *jobs.Run, st *lateStore) (any, error) {
			complete(ctx, run, st).commit(t)
			panic(failed)
		}, jobs.Completed, 1, "", "completed in the caller's transaction"},
		"committed, then a snooze": {func(ctx context.Context, run *jobs.Run, st *lateStore) (any, error) {
			complete(ctx, run, st).commit(t)
			return nil, jobs.Snooze(time.Hour)
		}, jobs.Completed, 1, "", "completed in the caller's transaction"},
		"rolled back": {func(ctx context.Context, run *jobs.Run, st *lateStore) (any, error) {
			complete(ctx, run, st)
			return nil, nil
		}, jobs.Failed, 2, "the transaction of CompleteTx was rolled back", "job dead"},
		"rolled back, then an error": {func(ctx context.Context, run *jobs.Run, st *lateStore) (any, error) {
			complete(ctx, run, st)
			return nil, failed
		}, jobs.Failed, 2, "after the transaction", "job dead"},
		"rolled back, then again": {func(ctx context.Context, run *jobs.Run, st *lateStore) (any, error) {
			complete(ctx, run, st)
			complete(ctx, run, st).commit(t)
			return nil, nil
		}, jobs.Completed, 1, "", "job completed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			st := s.withTx()
			s.handle("work", func(ctx context.Context, run *jobs.Run, _ map[string]any) (any, error) {
				return c.attempt(ctx, run, st)
			}, jobs.WithMaxAttempts(2))
			w := s.start()
			id := s.submit(jobs.New{Type: "work"})[0].ID
			j := s.awaitStatus(id, c.status)
			if j.Attempts != c.attempts || j.Error != c.errText ||
				c.status == jobs.Completed && string(j.Result) != `{"n":1}` {
				t.Errorf("job %+v, result %s", j, j.Result)
			}
			eventually(t, c.log, func() bool {
				i := slices.IndexFunc(s.log.lines(t, id),
					func(line map[string]any) bool { return line["msg"] == c.log })
				return i >= 0 && (c.status == jobs.Failed || s.log.lines(t, id)[i]["in_transaction"] == true)
			})
			stats := w.Stats()
			if c.status == jobs.Completed && (stats.Completed != 1 || stats.Failed != 0) {
				t.Errorf("worker %+v", stats)
			}
			eventually(t, "a free worker", func() bool { return w.Stats().Running == 0 })
		})
	}
}

func TestCompleteTxErrors(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	st := s.withTx()
	leaked := make(chan *jobs.Run, 1)
	s.handle("work", func(ctx context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		tx := st.begin()
		err := run.CompleteTx(ctx, tx, strings.Repeat("x", jobs.MaxResultBytes))
		if !errors.Is(err, jobs.ErrRejected) || len(tx.do) != 0 {
			t.Errorf("a result that is too large: %v, %d statements", err, len(tx.do))
		}
		if err := run.CompleteTx(ctx, tx, func() {}); !errors.Is(err, jobs.ErrRejected) || len(tx.do) != 0 {
			t.Errorf("a function as a result: %v", err)
		}
		if err := run.CompleteTx(ctx, "tx", nil); !errors.Is(err, store.ErrForeignTx) {
			t.Errorf("a string as a transaction: %v", err)
		}
		if err := run.CompleteTx(ctx, tx, nil); err != nil {
			t.Error(err)
		}
		if err := run.CompleteTx(ctx, tx, nil); !errors.Is(err, jobs.ErrCompletedTwice) {
			t.Errorf("twice: %v", err)
		}
		tx.commit(t)
		if err := run.CompleteTx(ctx, st.begin(), nil); !errors.Is(err, jobs.ErrStale) {
			t.Errorf("again after the commit: %v", err)
		}
		leaked <- run
		return nil, nil
	})
	w := s.start()
	s.awaitStatus(s.submit(jobs.New{Type: "work"})[0].ID, jobs.Completed)
	eventually(t, "the end of the attempt", func() bool { return w.Stats().Completed == 1 })
	err := receive(t, "the run", leaked).CompleteTx(t.Context(), st.begin(), nil)
	if !errors.Is(err, jobs.ErrAttemptOver) {
		t.Errorf("after the attempt: %v", err)
	}
}

func TestCompleteTxUnsupported(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("work", func(ctx context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		return nil, run.CompleteTx(ctx, &lateTx{}, nil)
	}, jobs.WithMaxAttempts(1))
	s.start()
	j := s.awaitStatus(s.submit(jobs.New{Type: "work"})[0].ID, jobs.Failed)
	if !strings.Contains(j.Error, jobs.ErrUnsupported.Error()) {
		t.Errorf("error %q", j.Error)
	}
}

// Another worker has the job: the handler hears of it before its effects are committed.
func TestCompleteTxOfALostJob(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	st := s.withTx()
	s.handle("work", func(ctx context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		if run.Job.Attempts == 1 {
			if _, err := s.store.Store.Heartbeat(t.Context(),
				store.Heartbeat{Session: run.Job.WorkerID, State: store.SessionDead, SinceCompletion: -1}); err != nil {
				t.Error(err)
			}
			s.await(run.Job.ID, "another attempt", func(j jobs.Job) bool { return j.Fence > run.Job.Fence })
			if err := run.CompleteTx(context.WithoutCancel(ctx), st.begin(), "zombie"); !errors.Is(err, jobs.ErrStale) {
				t.Errorf("CompleteTx: %v", err)
			}
			return nil, nil
		}
		return "second", nil
	})
	s.start()
	j := s.awaitStatus(s.submit(jobs.New{Type: "work"})[0].ID, jobs.Completed)
	if string(j.Result) != `"second"` {
		t.Errorf("result %s", j.Result)
	}
}

// A handler may go on for a while after its commit. No heartbeat takes that for a lost job.
func TestCompleteTxThenHeartbeats(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.opts.LeaseTTL = time.Second
	st := s.withTx()
	var beats atomic.Int32
	s.store.set(func() {
		s.store.onBeat = func(_ store.Heartbeat, real beat) (store.HeartbeatReply, error) {
			reply, err := real()
			beats.Add(1)
			return reply, err
		}
	})
	s.handle("work", func(ctx context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		tx := st.begin()
		if err := run.CompleteTx(ctx, tx, nil); err != nil {
			t.Error(err)
		}
		tx.commit(t)
		before := beats.Load()
		eventually(t, "heartbeats", func() bool { return beats.Load() > before+3 })
		return nil, context.Cause(ctx)
	})
	w := s.start()
	id := s.submit(jobs.New{Type: "work"})[0].ID
	eventually(t, "its completion", func() bool { return w.Stats().Completed == 1 })
	if stats := w.Stats(); stats.LeasesLost != 0 || !slices.Contains(s.log.messages(t, id), "job completed") {
		t.Errorf("worker %+v, log %v", stats, s.log.messages(t, id))
	}
}

// While the transaction is still open after the handler has returned, its outcome is tried again by itself, and other
// jobs go on.
func TestCompleteTxStillOpen(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	st := s.withTx()
	open := make(chan *lateTx, 1)
	s.handle("open", func(ctx context.Context, run *jobs.Run, _ map[string]any) (any, error) {
		tx := st.begin()
		open <- tx
		return nil, run.CompleteTx(ctx, tx, nil)
	})
	s.handle("other", nothing)
	id := s.submit(jobs.New{Type: "open"})[0].ID
	var alone atomic.Int32
	var unlocked atomic.Bool
	s.store.set(func() {
		s.store.onSettle = func(o []store.Outcome, real func() ([]store.Settled, error)) ([]store.Settled, error) {
			if unlocked.Load() || !slices.ContainsFunc(o, func(o store.Outcome) bool { return o.ID == id }) {
				return real()
			}
			if len(o) == 1 {
				alone.Add(1)
			}
			return nil, jobs.ErrBusy
		}
	})
	w := s.start()
	tx := receive(t, "the transaction", open)
	eventually(t, "more tries", func() bool { return alone.Load() > 2 })
	for _, j := range s.submit(slices.Repeat([]jobs.New{{Type: "other"}}, 100)...) {
		s.awaitStatus(j.ID, jobs.Completed)
	}
	tx.commit(t)
	unlocked.Store(true)
	s.awaitStatus(id, jobs.Completed)
	eventually(t, "its completion", func() bool { return w.Stats().Completed == 101 })
}
