package storetest

import (
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var pruning = area{name: "Prune", cases: []behaviour{
	{"CompletedPastRetention", pruneCompleted},
	{"FailedPastRetention", pruneFailed},
	{"LivingJobsStay", pruneLiving},
	{"BoundedByTheLimit", pruneBounded},
	{"HistoryGoesWithItsJob", pruneHistory},
	{"KeysPastTheirDay", pruneKeys},
	{"SessionsDeadForLong", pruneSessions},
}}

// prune calls Prune once. What the test does not name is kept.
func (f *fixture) prune(p store.Prune) store.Pruned {
	f.Helper()
	for _, d := range []*time.Duration{&p.Completed, &p.Failed, &p.Sessions} {
		if *d == 0 {
			*d = forever
		}
	}
	pruned, err := f.store.Prune(f.Context(), p)
	f.check(err, "prune")
	return pruned
}

// pruneAll calls Prune until the end is reached, and returns the sums.
func (f *fixture) pruneAll(p store.Prune) store.Pruned {
	f.Helper()
	var sum store.Pruned
	for range 1000 {
		pruned := f.prune(p)
		sum.Jobs += pruned.Jobs
		sum.Keys += pruned.Keys
		sum.Sessions += pruned.Sessions
		if pruned.Next == "" && pruned.Jobs+pruned.Keys+pruned.Sessions == 0 {
			return sum
		}
		p.After = pruned.Next
	}
	f.Fatal("prune has no end")
	return sum
}

func (f *fixture) gone(id string) bool {
	f.Helper()
	_, _, err := f.store.Get(f.Context(), id)
	if err != nil {
		f.wants(err, jobs.ErrNotFound, "get")
	}
	return err != nil
}

func pruneCompleted(f *fixture) {
	session := f.worker()
	old := f.completed(session)
	dead := f.dead(session, "x")
	f.age(2 * time.Hour)
	young := f.completed(session)
	is(f, "pruned", f.pruneAll(store.Prune{Completed: time.Hour, Limit: 100}).Jobs, 1)
	is(f, "old is gone", f.gone(old.ID), true)
	is(f, "young is gone", f.gone(young.ID), false)
	is(f, "dead is gone", f.gone(dead.ID), false)
	stats := f.stats()
	is(f, "completed", stats.Completed, 1)
	is(f, "total", stats.Total, 2)
}

func pruneFailed(f *fixture) {
	session := f.worker()
	dead, cancelled, done := f.dead(session, "x"), f.cancelled(), f.completed(session)
	f.age(2 * time.Hour)
	young := f.dead(session, "x")
	is(f, "pruned", f.pruneAll(store.Prune{Failed: time.Hour, Limit: 100}).Jobs, 2)
	is(f, "dead is gone", f.gone(dead.ID), true)
	is(f, "cancelled is gone", f.gone(cancelled.ID), true)
	is(f, "young is gone", f.gone(young.ID), false)
	is(f, "completed is gone", f.gone(done.ID), false)
	stats := f.stats()
	is(f, "failed", stats.Failed, 1)
	is(f, "cancelled", stats.Cancelled, 0)
	is(f, "total", stats.Total, 2)
}

func pruneLiving(f *fixture) {
	session := f.worker()
	all := []jobs.Job{f.submit(), f.running(session)}
	retry := outcome(f.running(session), store.VerbRetry)
	f.record(retry)
	f.age(5000 * time.Hour)
	is(f, "pruned", f.pruneAll(store.Prune{Completed: time.Hour, Failed: time.Hour, Limit: 100}).Jobs, 0)
	is(f, "pending is gone", f.gone(all[0].ID), false)
	is(f, "processing is gone", f.gone(all[1].ID), false)
	is(f, "retrying is gone", f.gone(retry.ID), false)
}

func pruneBounded(f *fixture) {
	session := f.worker()
	all := f.submitMany(25)
	var outcomes []store.Outcome
	for _, j := range f.claim(session, ids(all)...).Jobs {
		outcomes = append(outcomes, outcome(j, store.VerbComplete))
	}
	f.settle(outcomes[:20]...) // the others stay processing
	for range 10 {
		f.dead(session, "x")
	}
	f.age(2 * time.Hour)
	p := store.Prune{Completed: time.Hour, Failed: time.Hour, Limit: 4}
	first := f.prune(p)
	if first.Jobs > 8 { // 4 of each at most
		f.Errorf("one call pruned %d jobs, limit %d", first.Jobs, p.Limit)
	}
	is(f, "end reached by the first call", first.Next == "", false)
	p.After = first.Next
	is(f, "pruned", first.Jobs+f.pruneAll(p).Jobs, 30)
	is(f, "left", f.stats().Total, 5)
}

func pruneHistory(f *fixture) {
	session := f.worker()
	j := f.running(session)
	f.record(outcome(j, store.VerbRetry))
	f.record(outcome(f.take(session, j.ID), store.VerbComplete))
	dead := f.dead(session, "x")
	f.age(2 * time.Hour)
	is(f, "pruned", f.pruneAll(store.Prune{Completed: time.Hour, Failed: time.Hour, Limit: 100}).Jobs, 2)
	for _, id := range []string{j.ID, dead.ID} {
		// A new job with the same id shows whether the history is gone.
		f.submit(func(n *jobs.New) { n.ID = id })
		is(f, "attempts in the history", len(f.history(id)), 0)
	}
}

func pruneKeys(f *fixture) {
	old := f.send(keyed("old", 1))[0].Jobs[0]
	f.age(jobs.KeyTTL + time.Hour)
	young := f.send(keyed("young", 1))[0].Jobs[0]
	is(f, "keys", f.pruneAll(store.Prune{Limit: 100}).Keys, 1)
	is(f, "old replayed", f.send(keyed("old", 1))[0].Replayed, false)
	again := f.send(keyed("young", 1))[0]
	is(f, "young replayed", again.Replayed, true)
	is(f, "job of the young key", again.Jobs[0].ID, young.ID)
	is(f, "job of the old key is gone", f.gone(old.ID), false)
}

func pruneSessions(f *fixture) {
	living := f.worker()
	f.die(f.worker())
	f.age(2 * time.Hour)
	f.die(f.worker())
	is(f, "sessions", f.pruneAll(store.Prune{Sessions: time.Hour, Limit: 100}).Sessions, 1)
	is(f, "the younger dead", f.pruneAll(store.Prune{Sessions: time.Microsecond, Limit: 100}).Sessions, 1)
	is(f, "alive", f.beat(living, store.SessionAlive).Alive, true)
}
