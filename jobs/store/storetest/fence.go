package storetest

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var fencing = area{name: "Fence", cases: []behaviour{
	{"RepetitionIsAlready", fenceAlready},
	{"WrongFenceIsStale", fenceWrong},
	{"OtherSessionIsStale", fenceOtherSession},
	{"UnknownJobIsStale", fenceUnknown},
	{"NeverClaimedIsStale", fenceUnclaimed},
	{"ZombieIsStaleAfterReap", fenceZombieReaped},
	{"ZombieIsStaleAfterTheNextClaim", fenceZombieReclaimed},
	{"ZombieIsStaleAfterTheNextCompletion", fenceZombieCompleted},
	{"OneStaleOutcomeLeavesTheOthers", fenceMixed},
	{"ConcurrentOutcomesRecordOne", fenceRace},
}}

var verbs = []store.Verb{store.VerbComplete, store.VerbRetry, store.VerbFail, store.VerbSnooze, store.VerbRelease}

func fenceAlready(f *fixture) {
	session := f.worker()
	for _, verb := range verbs {
		for _, last := range []bool{false, true} { // on the last attempt a retry fails the job
			j := f.running(session)
			if last {
				j = f.running(session, attempts(1))
			}
			o := outcome(j, verb)
			o.Delay = time.Hour
			first := f.record(o)
			before := f.picture(j.ID)
			again := f.settle(o)[0]
			is(f, "again "+string(verb), again.Result, store.Already)
			is(f, "status of "+string(verb), again.Status, first.Status)
			is(f, "kind of "+string(verb), again.Kind, first.Kind)
			is(f, "job after "+string(verb), f.picture(j.ID), before)
		}
	}
	is(f, "completed", f.stats().Completed, 2)
}

// stale checks that neither an outcome nor a progress note with the fence and session of j changes anything.
func (f *fixture) stale(j jobs.Job) {
	f.Helper()
	before := f.picture(j.ID)
	for _, verb := range verbs {
		o := outcome(j, verb)
		if verb == store.VerbComplete {
			o.Result = json.RawMessage(`{"by":"a zombie"}`)
		}
		settled := f.settle(o)[0]
		is(f, string(verb), settled.Result, store.Stale)
		is(f, "has a hint", settled.Hint != nil, false)
	}
	note := store.ProgressNote{ID: j.ID, Fence: j.Fence, Session: j.WorkerID, Percent: 99, Message: "zombie"}
	f.check(f.store.Progress(f.Context(), []store.ProgressNote{note}), "progress")
	is(f, "job", f.picture(j.ID), before)
}

func fenceWrong(f *fixture) {
	j := f.running(f.worker())
	for _, by := range []int64{-1, 1, 100} {
		wrong := j
		wrong.Fence += by
		f.stale(wrong)
	}
	f.record(outcome(j, store.VerbComplete))
}

func fenceOtherSession(f *fixture) {
	j := f.running(f.worker())
	wrong := j
	wrong.WorkerID = f.worker()
	f.stale(wrong)
	wrong.WorkerID = newID()
	f.stale(wrong)
	f.record(outcome(j, store.VerbComplete))
	f.stale(wrong)
}

func fenceUnknown(f *fixture) {
	for _, verb := range verbs {
		o := outcome(jobs.Job{ID: newID(), Fence: 1, WorkerID: f.worker()}, verb)
		is(f, string(verb), f.settle(o)[0].Result, store.Stale)
	}
}

func fenceUnclaimed(f *fixture) {
	j := f.submit()
	j.WorkerID = f.worker()
	f.stale(j)
}

// lose takes a job back from its worker, which goes on as a zombie.
func (f *fixture) lose(j jobs.Job) {
	f.Helper()
	f.die(j.WorkerID)
	is(f, "reaped", len(f.reap(10)), 1)
	f.age(time.Hour)
}

func fenceZombieReaped(f *fixture) {
	j := f.running(f.worker())
	f.lose(j)
	f.stale(j)
	last := f.running(f.worker(), attempts(1))
	f.lose(last)
	is(f, "status", f.get(last.ID).Status, jobs.Failed)
	f.stale(last)
}

func fenceZombieReclaimed(f *fixture) {
	j := f.running(f.worker())
	f.lose(j)
	next := f.take(f.worker(), j.ID)
	f.stale(j)
	f.record(outcome(next, store.VerbComplete))
	is(f, "worker", f.get(j.ID).WorkerID, next.WorkerID)
}

func fenceZombieCompleted(f *fixture) {
	j := f.running(f.worker())
	f.lose(j)
	f.record(outcome(f.take(f.worker(), j.ID), store.VerbComplete))
	f.stale(j)
}

func fenceMixed(f *fixture) {
	session := f.worker()
	good, gone := f.running(session), f.running(session)
	done := f.running(session)
	f.record(outcome(done, store.VerbComplete))
	wrong := outcome(gone, store.VerbFail)
	wrong.Fence += 4
	settled := f.settle(wrong, outcome(done, store.VerbComplete), outcome(good, store.VerbComplete))
	for i, want := range []store.SettleResult{store.Stale, store.Already, store.Recorded} {
		is(f, "result", settled[i].Result, want)
	}
	is(f, "status", f.get(good.ID).Status, jobs.Completed)
	is(f, "status of the stale", f.get(gone.ID).Status, jobs.Processing)
}

func fenceRace(f *fixture) {
	stores := f.peers()
	j := f.running(f.worker())
	results := make([]store.SettleResult, 12)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() {
			settled, err := stores[i%2].Settle(f.Context(), []store.Outcome{outcome(j, store.VerbComplete)})
			if err != nil {
				f.Errorf("settle: %v", err)
				return
			}
			results[i] = settled[0].Result
		})
	}
	all.Wait()
	counts := map[store.SettleResult]int{}
	for _, r := range results {
		counts[r]++
	}
	is(f, "recorded", counts[store.Recorded], 1)
	is(f, "already", counts[store.Already], 11)
	is(f, "completed", f.stats().Completed, 1)
}
