package storetest

import (
	"slices"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var reaping = area{name: "Reap", cases: []behaviour{
	{"ExpiredSessionLosesItsJobs", reapExpired},
	{"SessionThatSaidGoodbyeLosesItsJobs", reapDead},
	{"MissingSessionLosesItsJobs", reapMissing},
	{"LivingSessionKeepsItsJobs", reapLiving},
	{"DrainingSessionKeepsItsJobs", reapDraining},
	{"DeadlinePassed", reapDeadline},
	{"GoesByTheTimeThatIsTrusted", reapTrusted},
	{"LastAttemptFails", reapLastAttempt},
	{"ThreeLossesFail", reapThreeLosses},
	{"ComesBackAfterBackoff", reapBackoff},
	{"CancelledWhileLost", reapCancelled},
	{"TakesNoMoreThanTheLimit", reapLimit},
	{"ConcurrentReapersTakeEachOnce", reapRace},
}}

func (f *fixture) reap(limit int) []store.Reaped {
	f.Helper()
	reaped, err := f.store.Reap(f.Context(), f.now(), limit)
	f.check(err, "reap")
	return reaped
}

// lost checks that a job was taken back, and is pending again.
func (f *fixture) lost(reaped []store.Reaped, was jobs.Job) {
	f.Helper()
	if len(reaped) != 1 || reaped[0].Job.ID != was.ID {
		f.Fatalf("reaped %+v, want %s", reaped, was.ID)
	}
	r, got := reaped[0], f.get(was.ID)
	is(f, "from", r.From, was.WorkerID)
	is(f, "status", got.Status, jobs.Pending)
	is(f, "fence", got.Fence, was.Fence+1)
	is(f, "lease losses", got.LeaseLosses, was.LeaseLosses+1)
	is(f, "attempts", got.Attempts, was.Attempts)
	is(f, "deadline is zero", got.DeadlineAt.IsZero(), true)
	is(f, "has an error", got.Error != "", true)
	is(f, "payload in the answer", len(r.Job.Payload), 0)
	r.Job.Payload = got.Payload
	is(f, "job in the answer", jsonOf(r.Job), jsonOf(got))
	if r.Hint == nil {
		f.Fatal("no hint")
	}
	f.hinted(*r.Hint)
	history := f.history(was.ID)
	last := history[len(history)-1]
	is(f, "outcome", last.Outcome, jobs.AttemptLeaseLost)
	is(f, "fence in the history", last.Fence, was.Fence)
	is(f, "attempt in the history", last.Attempt, was.Attempts)
	is(f, "worker in the history", last.WorkerID, was.WorkerID)
	is(f, "start in the history", last.StartedAt.IsZero(), false)
}

func reapExpired(f *fixture) {
	session := f.workerFor(30 * time.Second)
	j := f.running(session)
	is(f, "reaped early", len(f.reap(10)), 0)
	f.age(31 * time.Second)
	f.lost(f.reap(10), j)
	is(f, "reaped again", len(f.reap(10)), 0)
	is(f, "alive", f.beat(session, store.SessionAlive).Alive, false)
}

func reapDead(f *fixture) {
	j := f.running(f.worker())
	f.die(j.WorkerID)
	is(f, "orphans", f.stats().Orphans, 1)
	f.lost(f.reap(10), j)
	is(f, "orphans", f.stats().Orphans, 0)
}

func reapMissing(f *fixture) {
	j := f.running(f.worker(), func(n *jobs.New) { n.Timeout = jobs.MaxTimeout })
	f.die(j.WorkerID)
	f.age(2 * time.Hour)
	pruned := f.prune(store.Prune{Sessions: time.Hour, Limit: 100})
	is(f, "sessions pruned", pruned.Sessions, 1)
	is(f, "orphans", f.stats().Orphans, 1)
	f.lost(f.reap(10), j)
}

func reapLiving(f *fixture) {
	j := f.running(f.worker())
	before := f.picture(j.ID)
	is(f, "reaped", len(f.reap(10)), 0)
	is(f, "job", f.picture(j.ID), before)
}

func reapDraining(f *fixture) {
	j := f.running(f.worker())
	is(f, "alive", f.beat(j.WorkerID, store.SessionDraining).Alive, true)
	is(f, "reaped", len(f.reap(10)), 0)
	f.record(outcome(j, store.VerbComplete))
}

func reapDeadline(f *fixture) {
	j := f.running(f.worker(), func(n *jobs.New) { n.Timeout = 10 * time.Second })
	f.age(42 * time.Second) // deadline 40 s, grace 5 s
	is(f, "reaped within the grace", len(f.reap(10)), 0)
	f.age(4 * time.Second)
	f.lost(f.reap(10), j)
	is(f, "session lives", f.beat(j.WorkerID, store.SessionAlive).Alive, true)
}

// The clock may have jumped forward or back since the caller read it.
func reapTrusted(f *fixture) {
	f.running(f.worker())
	gone := f.running(f.workerFor(30 * time.Second))
	overdue := f.running(f.worker(), func(n *jobs.New) { n.Timeout = 10 * time.Second })
	f.age(time.Minute)
	said := f.running(f.worker())
	f.die(said.WorkerID)
	asOf := func(when time.Time) (got []string) {
		reaped, err := f.store.Reap(f.Context(), when, 10)
		f.check(err, "reap")
		for _, r := range reaped {
			got = append(got, r.Job.ID)
		}
		slices.Sort(got)
		return got
	}
	is(f, "reaped as of never", jsonOf(asOf(time.Time{})), jsonOf([]string{said.ID}))
	is(f, "reaped as of before they were lost", len(asOf(f.now().Add(-time.Minute))), 0)
	future := asOf(f.now().Add(24 * time.Hour))
	is(f, "reaped as of a time in the future", jsonOf(future), jsonOf([]string{gone.ID, overdue.ID}))
}

func reapLastAttempt(f *fixture) {
	j := f.running(f.worker(), attempts(1))
	f.die(j.WorkerID)
	from := f.now()
	reaped := f.reap(10)
	if len(reaped) != 1 || reaped[0].Hint != nil {
		f.Fatalf("reaped %+v, want one without a hint", reaped)
	}
	got := f.get(j.ID)
	is(f, "status", got.Status, jobs.Failed)
	is(f, "kind", got.FailureKind, jobs.KindWorkerLost)
	is(f, "fence", got.Fence, j.Fence+1)
	is(f, "lease losses", got.LeaseLosses, 1)
	f.between("finished at", got.FinishedAt, from, f.now())
	is(f, "outcome", f.history(j.ID)[0].Outcome, jobs.AttemptLeaseLost)
	is(f, "job in the answer", reaped[0].Job.FailureKind, jobs.KindWorkerLost)
}

func reapThreeLosses(f *fixture) {
	id := f.submit(attempts(50)).ID
	for n := 1; n <= jobs.MaxLeaseLosses; n++ {
		j := f.take(f.worker(), id)
		f.die(j.WorkerID)
		is(f, "reaped", len(f.reap(10)), 1)
		got := f.get(id)
		is(f, "lease losses", got.LeaseLosses, n)
		is(f, "failed", got.Status == jobs.Failed, n == jobs.MaxLeaseLosses)
		f.age(time.Hour)
	}
	got := f.get(id)
	is(f, "kind", got.FailureKind, jobs.KindWorkerLost)
	is(f, "attempts in the history", len(f.history(id)), jobs.MaxLeaseLosses)

	// An outcome sets the count back to 0.
	id = f.submit(attempts(50)).ID
	for range jobs.MaxLeaseLosses + 1 {
		j := f.take(f.worker(), id)
		f.die(j.WorkerID)
		is(f, "reaped", len(f.reap(10)), 1)
		f.age(time.Hour)
		f.record(outcome(f.take(f.worker(), id), store.VerbSnooze))
	}
	is(f, "status", f.get(id).Status, jobs.Pending)
}

func reapBackoff(f *fixture) {
	session := f.worker()
	id := f.submit(attempts(50)).ID
	for n := 1; n <= 5; n++ {
		j := f.take(session, id)
		if n < 5 {
			f.record(outcome(j, store.VerbRetry))
		}
	}
	f.die(session)
	from := f.now()
	reaped := f.reap(10)
	to := f.now()
	is(f, "reaped", len(reaped), 1)
	base := jobs.BackoffBase(5)
	f.between("run at", f.get(id).RunAt, from.Add(base), to.Add(base+base/10))
	if in := reaped[0].Hint.In; in < base-5*time.Second || in > base+base/10 {
		f.Errorf("in: got %s, want %s to 10%% more", in, base)
	}
}

func reapCancelled(f *fixture) {
	j := f.running(f.worker())
	f.cancel(j.ID)
	f.die(j.WorkerID)
	reaped := f.reap(10)
	if len(reaped) != 1 || reaped[0].Hint != nil {
		f.Fatalf("reaped %+v, want one without a hint", reaped)
	}
	got := f.get(j.ID)
	is(f, "status", got.Status, jobs.Failed)
	is(f, "kind", got.FailureKind, jobs.KindCancelled)
	is(f, "outcome", f.history(j.ID)[0].Outcome, jobs.AttemptLeaseLost)
}

func reapLimit(f *fixture) {
	session := f.worker()
	all := f.submitMany(7)
	f.claim(session, ids(all)...)
	f.die(session)
	is(f, "reaped first", len(f.reap(3)), 3)
	is(f, "orphans", f.stats().Orphans, 4)
	is(f, "reaped then", len(f.reap(3)), 3)
	is(f, "reaped last", len(f.reap(3)), 1)
	is(f, "reaped after", len(f.reap(3)), 0)
}

func reapRace(f *fixture) {
	stores := f.peers()
	session := f.worker()
	f.claim(session, ids(f.submitMany(100))...)
	f.die(session)
	asOf := f.now()
	var lock sync.Mutex
	seen := map[string]int{}
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			for range 40 {
				reaped, err := stores[i%2].Reap(f.Context(), asOf, 10)
				lock.Lock()
				if err != nil {
					f.Errorf("reap: %v", err)
				}
				for _, r := range reaped {
					seen[r.Job.ID]++
				}
				done := len(seen) == 100 || err != nil
				lock.Unlock()
				if done {
					return
				}
			}
		})
	}
	all.Wait()
	is(f, "jobs reaped", len(seen), 100)
	for id, times := range seen {
		is(f, "times reaped", times, 1)
		is(f, "lease losses", f.get(id).LeaseLosses, 1)
	}
}
