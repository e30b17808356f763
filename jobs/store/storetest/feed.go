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
	{"DueOfSomeTypes", dueTypes},
	{"HeadsOfAllQueues", headsOfAll},
	{"HeadsOfDeepQueues", headsShare},
}}

func (f *fixture) due(d store.Due) []jobs.Hint {
	f.Helper()
	return f.duePage(d).Hints
}

func (f *fixture) duePage(d store.Due) store.DuePage {
	f.Helper()
	if d.Queue == "" {
		d.Queue = jobs.DefaultQueue
	}
	page, err := f.store.Due(f.Context(), d)
	f.check(err, "due")
	if len(page.Hints) > d.Limit {
		f.Fatalf("due: %d hints, limit %d", len(page.Hints), d.Limit)
	}
	return page
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
func (f *fixture) rest(d store.Due) []string {
	f.Helper()
	var all []string
	for range 1000 {
		page := f.duePage(d)
		all = append(all, hintIDs(page.Hints)...)
		if d.After = page.Next; d.After == nil {
			return all
		}
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
		is(f, "all ahead in order", jsonOf(f.rest(store.Due{Limit: limit, Ahead: time.Hour})), jsonOf(want))
		is(f, "all that are due in order", jsonOf(f.rest(store.Due{Limit: limit})), jsonOf(due))
	}
}

func dueTies(f *fixture) {
	// Jobs of one call have the same run time, so the id decides.
	all := f.submitMany(30, priority(1))
	other := f.submit()
	want := append(slices.Sorted(slices.Values(ids(all))), other.ID)
	is(f, "one run time", all[0].RunAt, all[29].RunAt)
	for _, limit := range []int{1, 7, 30, 31} {
		is(f, "all in order", jsonOf(f.rest(store.Due{Limit: limit})), jsonOf(want))
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

func dueTypes(f *fixture) {
	var mail, image, video []string
	for i := range 6 { // two priorities, types in turn
		p := priority(1 - i/3)
		mail = append(mail, f.submit(ofType("mail"), p).ID)
		image = append(image, f.submit(ofType("image"), p).ID)
		video = append(video, f.submit(ofType("video"), p).ID)
	}
	for _, limit := range []int{1, 2, 5, 100} {
		is(f, "one type", jsonOf(f.rest(store.Due{Limit: limit, Types: []string{"image"}})), jsonOf(image))
		is(f, "without two", jsonOf(f.rest(store.Due{Limit: limit, Without: []string{"image", "video", "no"}})), jsonOf(mail))
		is(f, "one of two", jsonOf(f.rest(store.Due{
			Limit: limit, Types: []string{"video", "image"}, Without: []string{"image"},
		})), jsonOf(video))
		is(f, "a type that nobody uses", len(f.rest(store.Due{Limit: limit, Types: []string{"no"}})), 0)
	}
	for _, h := range f.due(store.Due{Limit: 100, Types: []string{"mail"}}) {
		is(f, "type", h.Type, "mail")
	}
}

// heads walks over all queues, page by page.
func (f *fixture) heads(h store.Heads) []jobs.Hint {
	f.Helper()
	var all []jobs.Hint
	for range 1000 {
		page, err := f.store.Heads(f.Context(), h)
		f.check(err, "heads")
		if len(page.Hints) > h.Limit {
			f.Fatalf("heads: %d hints, limit %d", len(page.Hints), h.Limit)
		}
		all = append(all, page.Hints...)
		if h.After = page.Next; h.After == (store.Place{}) {
			return all
		}
	}
	f.Fatal("heads has no end")
	return nil
}

func headsOfAll(f *fixture) {
	session := f.worker()
	f.running(session, inQueue("busy"))
	f.completed(session, inQueue("done"))
	f.dead(session, "x", inQueue("dead"))
	is(f, "without a due job", len(f.heads(store.Heads{Pairs: 10, Each: 1, Limit: 1})), 0)
	var due, ahead, later []string
	for _, queue := range []string{"alpha", "mid", "zeta"} {
		for _, p := range []int{7, 0, -10} {
			first := f.submit(inQueue(queue), priority(p)).ID
			second := f.submit(inQueue(queue), priority(p)).ID
			soon := f.submit(inQueue(queue), priority(p), after(time.Minute)).ID
			f.submit(inQueue(queue), priority(p), after(time.Hour))
			due = append(due, first, second)
			ahead = append(ahead, first, second, soon)
			later = append(later, soon)
		}
		f.submit(inQueue(queue+"-later"), after(time.Hour))
	}
	for _, pairs := range []int{1, 2, 5, 100} {
		for _, limit := range []int{3, 4, 7, 100} {
			h := store.Heads{Pairs: pairs, Each: 3, Limit: limit}
			is(f, "due", jsonOf(hintIDs(f.heads(h))), jsonOf(due))
			h.Ahead = 2 * time.Minute
			is(f, "due within two minutes", jsonOf(hintIDs(f.heads(h))), jsonOf(ahead))
			h.Later = true
			is(f, "later, within two minutes", jsonOf(hintIDs(f.heads(h))), jsonOf(later))
		}
	}
	for _, h := range f.heads(store.Heads{Pairs: 100, Each: 3, Limit: 100, Ahead: 2 * time.Minute}) {
		f.hinted(h)
	}
}

func headsShare(f *fixture) {
	var want []string
	for _, queue := range []string{"a", "b", "c"} {
		all := slices.Sorted(slices.Values(ids(f.submitMany(20, inQueue(queue)))))
		want = append(want, all[:4]...)
	}
	for _, limit := range []int{4, 5, 9, 100} {
		is(f, "the first four of each", jsonOf(hintIDs(f.heads(store.Heads{Pairs: 2, Each: 4, Limit: limit}))), jsonOf(want))
	}
}
