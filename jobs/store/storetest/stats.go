package storetest

import (
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var counting = area{name: "Stats", cases: []behaviour{
	{"EmptyStore", statsEmpty},
	{"CountsEveryState", statsStates},
	{"OldestDue", statsOldest},
	{"LastMinute", statsMinute},
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
	return s
}

// counts compares Stats with a count of the jobs. A job may become due meanwhile: either count is right then.
func (f *fixture) counts(all []jobs.Job) {
	f.Helper()
	before := f.now()
	got := f.stats()
	after := f.now()
	got.OldestDue, got.CompletedLastMinute, got.FailedLastMinute, got.Orphans = 0, 0, 0, 0
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
	got := f.stats()
	is(f, "completed in the last minute", got.CompletedLastMinute, 3)
	is(f, "failed in the last minute", got.FailedLastMinute, 2)
	f.age(66 * time.Second)
	f.completed(session)
	got = f.stats()
	is(f, "completed in the next minute", got.CompletedLastMinute, 1)
	is(f, "failed in the next minute", got.FailedLastMinute, 0)
	is(f, "completed", got.Completed, 4)
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
