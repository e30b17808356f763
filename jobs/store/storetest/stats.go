package storetest

import (
	"slices"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var counting = area{name: "Stats", cases: []behaviour{
	{"EmptyStore", statsEmpty},
	{"CountsEveryState", statsStates},
	{"OldestDue", statsOldest},
	{"LastMinute", statsMinute},
	{"CancellationIsNoFailure", statsCancelled},
	{"FailedAttemptsAreCountedWhileRetriesFollow", statsAttempts},
	{"HandedBackIsNoFailedAttempt", statsHandedBack},
	{"EndedOnlyGrows", statsEnded},
	{"OrphansAreThoseOfDeadSessions", statsOrphans},
}}

func statsEmpty(f *fixture) {
	got := f.stats()
	is(f, "queues", len(got.Queues), 0)
	got.Queues = nil
	is(f, "stats", jsonOf(got), jsonOf(store.Stats{}))
}

// counted is what Stats must be for these jobs, without what depends on the clock (oldest, last minute), and without
// orphans.
func counted(all []jobs.Job, now time.Time) store.Stats {
	var s store.Stats
	queues := map[string]*store.QueueStats{}
	for _, j := range all {
		s.Total++
		q := queues[j.Queue]
		if q == nil {
			q = &store.QueueStats{Name: j.Queue}
			queues[j.Queue] = q
		}
		switch j.Status {
		case jobs.Pending:
			due := !j.RunAt.After(now)
			if due {
				s.Due++
				q.Due++
			} else {
				q.Later++
			}
			if j.Attempts > 0 {
				s.Retrying++
			} else if !due {
				s.Scheduled++
			}
		case jobs.Processing:
			s.Processing++
			q.Processing++
		case jobs.Completed:
			s.Completed++
		case jobs.Failed:
			s.Failed++
			if j.FailureKind == jobs.KindCancelled {
				s.Cancelled++
			} else {
				s.Dead++
			}
		}
	}
	for _, name := range sortedKeys(queues) {
		if q := queues[name]; q.Due+q.Later+q.Processing > 0 {
			s.Queues = append(s.Queues, *q)
		}
	}
	slices.SortFunc(s.Queues, func(a, b store.QueueStats) int { return a.Compare(&b) })
	return s
}

// counts compares Stats with a count of the jobs. A job may become due meanwhile: either count is right then.
func (f *fixture) counts(all []jobs.Job) {
	f.Helper()
	before := f.now()
	got := f.stats()
	after := f.now()
	got.OldestDue, got.Orphans, got.Ended = 0, 0, store.Ended{}
	got.LastMinute(store.Ended{})
	for i := range got.Queues {
		got.Queues[i].OldestDue = 0
	}
	if jsonOf(got) != jsonOf(counted(all, before)) {
		is(f, "stats", jsonOf(got), jsonOf(counted(all, after)))
	}
}

func statsStates(f *fixture) {
	all := f.population()
	f.counts(all)
	// Deletes, redrives and cancels keep the sums right.
	var left []jobs.Job
	for i, j := range all {
		switch {
		case j.Status.Terminal() && i%2 == 0:
			f.check(f.store.Delete(f.Context(), j.ID), "delete")
			continue
		case j.Status == jobs.Failed:
			_, err := f.store.Redrive(f.Context(), store.Redrive{IDs: []string{j.ID}, Limit: 1})
			f.check(err, "redrive")
		case j.Status == jobs.Pending && i%2 == 0:
			f.cancel(j.ID)
		}
		left = append(left, f.get(j.ID))
	}
	f.counts(left)
}

func statsOldest(f *fixture) {
	f.submit(inQueue("a"))
	f.age(time.Hour)
	f.submit(inQueue("b"))
	f.submit(inQueue("c"), after(time.Hour))
	f.age(time.Minute)
	got := f.stats()
	f.aged("oldest due", got.OldestDue, 61*time.Minute)
	if len(got.Queues) != 3 {
		f.Fatalf("queues: %+v", got.Queues)
	}
	f.aged("oldest due of a", got.Queues[0].OldestDue, 61*time.Minute)
	f.aged("oldest due of b", got.Queues[1].OldestDue, time.Minute)
	is(f, "oldest due of c", got.Queues[2].OldestDue, 0)
}

// aged checks how long ago something was. It may be a little longer ago than want, because the test itself takes time.
func (f *fixture) aged(what string, got, want time.Duration) {
	f.Helper()
	if got < want || got > want+10*time.Second {
		f.Errorf("%s: got %s, want %s or a little more", what, got, want)
	}
}

func statsMinute(f *fixture) {
	session := f.worker()
	for range 3 {
		f.completed(session)
	}
	f.dead(session, "x")
	f.cancelled()
	f.lately(store.Ended{Completed: 3, Failed: 1, Dead: 1, Cancelled: 1})
	f.age(66 * time.Second)
	f.completed(session)
	f.lately(store.Ended{Completed: 1})
	is(f, "completed", f.stats().Completed, 4)
}

// lately checks all numbers of the last minute.
func (f *fixture) lately(e store.Ended) {
	f.Helper()
	got := f.stats()
	is(f, "completed in the last minute", got.CompletedLastMinute, e.Completed)
	is(f, "failed in the last minute", got.FailedLastMinute, e.Dead)
	is(f, "cancelled in the last minute", got.CancelledLastMinute, e.Cancelled)
	is(f, "attempts in the last minute", got.AttemptsLastMinute, e.Completed+e.Failed+e.TimedOut+e.LeaseLost)
	is(f, "failed attempts in the last minute", got.FailedAttemptsLastMinute, e.Failed+e.TimedOut+e.LeaseLost)
}

// statsCancelled cancels jobs that wait, that run, and whose worker is lost.
func statsCancelled(f *fixture) {
	session, lost := f.worker(), f.worker()
	f.cancelled()
	runs, orphan := f.running(session), f.running(lost)
	f.cancel(runs.ID)
	f.cancel(runs.ID)
	f.cancel(orphan.ID)
	f.lately(store.Ended{Cancelled: 1})
	f.record(outcome(f.get(runs.ID), store.VerbRetry))
	f.lately(store.Ended{Cancelled: 2})
	f.die(lost)
	_, err := f.store.Reap(f.Context(), f.now(), 10)
	f.check(err, "reap")
	f.lately(store.Ended{Cancelled: 3, LeaseLost: 1})
	is(f, "cancelled", f.stats().Cancelled, 3)
	is(f, "dead", f.stats().Dead, 0)
}

// statsAttempts fails attempts of jobs that are tried again.
func statsAttempts(f *fixture) {
	session, lost := f.worker(), f.worker()
	var failing []store.Outcome
	for range 25 {
		failing = append(failing, outcome(f.running(session), store.VerbRetry))
	}
	f.settle(failing...)
	f.lately(store.Ended{Failed: 25})
	for _, s := range f.settle(failing...) { // the same outcomes again: the first answer was lost
		is(f, "result of a repeated outcome", s.Result, store.Already)
	}
	late := outcome(f.running(session), store.VerbRetry)
	late.Attempt = jobs.AttemptTimeout
	f.record(late)
	last := outcome(f.running(session, attempts(1)), store.VerbRetry)
	last.Attempt = jobs.AttemptTimeout
	f.record(last)
	f.running(lost)
	f.die(lost)
	_, err := f.store.Reap(f.Context(), f.now(), 10)
	f.check(err, "reap")
	f.record(outcome(f.running(session), store.VerbComplete))
	want := store.Ended{Completed: 1, Failed: 25, TimedOut: 2, LeaseLost: 1, Dead: 1}
	f.lately(want)
	is(f, "ended", f.stats().Ended, want)
	stale := outcome(f.running(session), store.VerbFail)
	stale.Fence++
	f.settle(stale)
	is(f, "ended after a stale outcome", f.stats().Ended, want)
}

// statsHandedBack ends attempts that say nothing about the work.
func statsHandedBack(f *fixture) {
	session := f.worker()
	f.record(outcome(f.running(session), store.VerbRelease))
	f.record(outcome(f.running(session), store.VerbSnooze))
	f.lately(store.Ended{})
	is(f, "ended", f.stats().Ended, store.Ended{})
}

// statsEnded takes jobs away after they have ended, and lets time pass.
func statsEnded(f *fixture) {
	session := f.worker()
	done, failed, called := f.completed(session), f.dead(session, "x"), f.cancelled()
	want := store.Ended{Completed: 1, Failed: 1, Dead: 1, Cancelled: 1}
	is(f, "ended", f.stats().Ended, want)
	f.check(f.store.Delete(f.Context(), done.ID), "delete")
	f.check(f.store.Delete(f.Context(), called.ID), "delete")
	_, err := f.store.Redrive(f.Context(), store.Redrive{IDs: []string{failed.ID}, Limit: 1})
	f.check(err, "redrive")
	is(f, "ended after all of them are gone", f.stats().Ended, want)
	f.lately(want)
	for range 2 {
		f.age(10 * time.Minute)
		_, err = f.store.Prune(f.Context(), store.Prune{Completed: time.Hour, Failed: time.Hour, Sessions: time.Hour,
			Limit: 100})
		f.check(err, "prune")
		is(f, "ended long ago", f.stats().Ended, want)
		f.lately(store.Ended{})
	}
	f.record(outcome(f.take(f.worker(), failed.ID), store.VerbFail))
	want.Failed, want.Dead = 2, 2
	is(f, "ended after the redrive", f.stats().Ended, want)
}

func statsOrphans(f *fixture) {
	one, two := f.worker(), f.worker()
	f.running(one)
	f.running(two)
	f.running(two)
	is(f, "orphans", f.stats().Orphans, 0)
	f.die(two)
	is(f, "orphans of the dead", f.stats().Orphans, 2)
	is(f, "processing", f.stats().Processing, 3)
}
