package storetest

import (
	"slices"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var feeding = area{name: "Feed", cases: []behaviour{
	{"DueInTheOrderOfTheQueue", dueOrder},
	{"DueLeavesOutTheOthers", dueOthers},
	{"AheadIsWhatIsNotDueYet", dueAhead},
	{"AfterContinues", dueAfter},
	{"AfterContinuesOverTies", dueTies},
	{"SuspectsAreMarked", dueSuspects},
	{"QueuesWithPendingJobs", queueNames},
}}

func (f *fixture) due(d store.Due) []jobs.Hint {
	f.Helper()
	if d.Queue == "" {
		d.Queue = jobs.DefaultQueue
	}
	hints, err := f.store.Due(f.Context(), d)
	f.check(err, "due")
	if len(hints) > d.Limit {
		f.Fatalf("due: %d hints, limit %d", len(hints), d.Limit)
	}
	return hints
}

func dueOrder(f *fixture) {
	base := f.now().Add(-time.Hour)
	var want []string
	at := func(n *jobs.New, ms int) { n.RunAt = base.Add(2*time.Hour + time.Duration(ms)*time.Millisecond) }
	late := f.submit(priority(3), func(n *jobs.New) { at(n, 20) })
	early := f.submit(priority(3), func(n *jobs.New) { at(n, 10) })
	same := f.submit(priority(3), func(n *jobs.New) { at(n, 10) })
	low := f.submit(priority(-10), func(n *jobs.New) { at(n, 0) })
	high := f.submit(priority(10), func(n *jobs.New) { at(n, 30) })
	want = append(want, high.ID, early.ID, same.ID, late.ID, low.ID)
	f.age(3 * time.Hour)
	hints := f.due(store.Due{Limit: 100})
	is(f, "order", jsonOf(hintIDs(hints)), jsonOf(want))
	for _, h := range hints {
		f.hinted(h)
		f.aged("due for", -h.In, 2*time.Hour-time.Second)
	}
	is(f, "first two", jsonOf(hintIDs(f.due(store.Due{Limit: 2}))), jsonOf(want[:2]))
}

func dueOthers(f *fixture) {
	session := f.worker()
	f.running(session)
	f.completed(session)
	f.dead(session, "x")
	f.cancelled()
	f.submit(inQueue("low"))
	f.submit(after(time.Hour))
	want := f.submit()
	is(f, "due", jsonOf(hintIDs(f.due(store.Due{Limit: 100}))), jsonOf([]string{want.ID}))
	is(f, "due in an unknown queue", len(f.due(store.Due{Queue: "none", Limit: 100})), 0)
}

func dueAhead(f *fixture) {
	now, soon, late := f.submit(), f.submit(after(time.Minute)), f.submit(after(time.Hour), priority(9))
	is(f, "now", jsonOf(hintIDs(f.due(store.Due{Limit: 9}))), jsonOf([]string{now.ID}))
	hints := f.due(store.Due{Limit: 9, Ahead: 2 * time.Minute})
	is(f, "soon", jsonOf(hintIDs(hints)), jsonOf([]string{soon.ID}))
	f.span("in", hints[0].In, time.Minute)
	hints = f.due(store.Due{Limit: 9, Ahead: 2 * time.Hour})
	is(f, "later, by priority", jsonOf(hintIDs(hints)), jsonOf([]string{late.ID, soon.ID}))
}

// rest reads a queue to its end, page by page.
func (f *fixture) rest(limit int, ahead time.Duration) []string {
	f.Helper()
	var all []string
	var from *jobs.Hint
	for range 1000 {
		hints := f.due(store.Due{Limit: limit, After: from, Ahead: ahead})
		if len(hints) == 0 {
			return all
		}
		all = append(all, hintIDs(hints)...)
		from = &hints[len(hints)-1]
	}
	f.Fatal("due has no end")
	return nil
}

func dueAfter(f *fixture) {
	var want, due []string
	for _, p := range []int{10, 3, 0, -1, -10} {
		for i := range 3 {
			want = append(want, f.submit(priority(p), after(time.Duration(i+1)*time.Minute)).ID)
			due = append(due, f.submit(priority(p)).ID)
		}
	}
	for _, limit := range []int{1, 2, 4, 100} {
		is(f, "all ahead in order", jsonOf(f.rest(limit, time.Hour)), jsonOf(want))
		is(f, "all that are due in order", jsonOf(f.rest(limit, 0)), jsonOf(due))
	}
}

func dueTies(f *fixture) {
	// Jobs of one call have the same run time, so the id decides.
	all := f.submitMany(30, priority(1))
	other := f.submit()
	want := append(slices.Sorted(slices.Values(ids(all))), other.ID)
	is(f, "one run time", all[0].RunAt, all[29].RunAt)
	for _, limit := range []int{1, 7, 30, 31} {
		is(f, "all in order", jsonOf(f.rest(limit, 0)), jsonOf(want))
	}
	// The job at the place may be gone.
	gone := jobs.Hint{ID: want[10], Priority: 1, RunAt: all[0].RunAt}
	f.cancel(want[10])
	hints := f.due(store.Due{Limit: 100, After: &gone})
	is(f, "after a place that is gone", jsonOf(hintIDs(hints)), jsonOf(want[11:]))
}

func dueSuspects(f *fixture) {
	lost := f.suspects(1)[0]
	f.submit()
	for _, h := range f.due(store.Due{Limit: 10}) {
		is(f, "suspect", h.Suspect, h.ID == lost.ID)
	}
	is(f, "due", len(f.due(store.Due{Limit: 10})), 2)
}

func queueNames(f *fixture) {
	session := f.worker()
	for _, queue := range []string{"zeta", "alpha", "mid", "alpha"} {
		f.submit(inQueue(queue))
	}
	f.submit(inQueue("future"), after(time.Hour))
	f.running(session, inQueue("busy"))
	f.completed(session, inQueue("done"))
	f.dead(session, "x", inQueue("dead"))
	names, err := f.store.Queues(f.Context())
	f.check(err, "queues")
	is(f, "queues", jsonOf(names), jsonOf([]string{"alpha", "future", "mid", "zeta"}))
}
