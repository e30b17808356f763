package storetest

import (
	"slices"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var listing = area{name: "List", cases: []behaviour{
	{"NewestFirst", listOrder},
	{"LeavesOutPayloadAndResult", listBrief},
	{"PagesCoverEverythingOnce", listPages},
	{"PagesStayExactWhileJobsArrive", listWhileInserting},
	{"EveryFilter", listFilters},
	{"FilterByMetadata", listMetadata},
	{"EmptyStore", listEmpty},
}}

// pages reads a list to its end.
func (f *fixture) pages(q store.ListQuery) []jobs.Job {
	f.Helper()
	var all []jobs.Job
	for range 10_000 {
		page, err := f.store.List(f.Context(), q)
		f.check(err, "list")
		if len(page.Jobs) > q.Limit {
			f.Fatalf("list: %d jobs, limit %d", len(page.Jobs), q.Limit)
		}
		all = append(all, page.Jobs...)
		if page.Next == "" {
			return all
		}
		if q.Before != "" && page.Next >= q.Before {
			f.Fatalf("list does not move on: before %s, next %s", q.Before, page.Next)
		}
		q.Before = page.Next
	}
	f.Fatal("list has no end")
	return nil
}

func newestFirst(all []jobs.Job) []string {
	list := ids(all)
	slices.Sort(list)
	slices.Reverse(list)
	return list
}

func listOrder(f *fixture) {
	want := newestFirst(f.submitMany(5, priority(2)))
	got := f.pages(store.ListQuery{Limit: 200})
	is(f, "ids", jsonOf(ids(got)), jsonOf(want))
	got = f.pages(store.ListQuery{Limit: 200, Before: want[2]})
	is(f, "ids before the third", jsonOf(ids(got)), jsonOf(want[3:]))
}

func listBrief(f *fixture) {
	session := f.worker()
	j := f.running(session)
	f.progress(note(j, 50, "half"))
	o := outcome(j, store.VerbComplete)
	o.Result = []byte(`{"a":1}`)
	f.record(o)
	want := f.get(j.ID)
	want.Payload, want.Result = nil, nil
	is(f, "job", jsonOf(f.pages(store.ListQuery{Limit: 1})), jsonOf([]jobs.Job{want}))
}

func listPages(f *fixture) {
	all := f.submitMany(53)
	for _, limit := range []int{1, 7, 53, 200} {
		got := ids(f.pages(store.ListQuery{Limit: limit}))
		is(f, "ids", jsonOf(got), jsonOf(newestFirst(all)))
	}
}

func listWhileInserting(f *fixture) {
	old := newestFirst(f.submitMany(200))
	stop, stopped := make(chan struct{}), sync.WaitGroup{}
	stopped.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := f.store.Insert(f.Context(), []jobs.Submission{{Jobs: []jobs.New{job()}}}); err != nil {
					f.Errorf("insert: %v", err)
					return
				}
			}
		}
	})
	for range 5 {
		var got []string
		for _, id := range ids(f.pages(store.ListQuery{Limit: 9})) {
			if id <= old[0] {
				got = append(got, id)
			}
		}
		is(f, "jobs that were there before", jsonOf(got), jsonOf(old))
	}
	close(stop)
	stopped.Wait()
}

// population stores at least one job in every state, and of several types and queues.
func (f *fixture) population() []jobs.Job {
	f.Helper()
	session := f.worker()
	var list []string
	for _, edit := range []func(*jobs.New){inQueue("default"), inQueue("low"), priority(5)} {
		list = append(list,
			f.submit(edit).ID, f.submit(edit, ofType("report")).ID, f.submit(edit, after(time.Hour)).ID,
			f.running(session, edit).ID, f.completed(session, edit).ID, f.dead(session, "oh", edit).ID, f.cancelled(edit).ID,
			f.running(session, edit).ID,
		)
		f.cancel(list[len(list)-1])
		for _, delay := range []time.Duration{0, time.Hour} {
			retry := outcome(f.running(session, edit), store.VerbRetry)
			retry.Delay = delay
			f.record(retry)
			list = append(list, retry.ID)
		}
		// A job whose attempt was given back is waiting, not retrying.
		snoozed := outcome(f.running(session, edit), store.VerbSnooze)
		snoozed.Delay = time.Hour
		f.record(snoozed)
		list = append(list, snoozed.ID)
	}
	all := make([]jobs.Job, len(list))
	for i, id := range list {
		all[i] = f.get(id)
	}
	return all
}

func listFilters(f *fixture) {
	all := f.population()
	now := f.now()
	check := func(q store.ListQuery, match func(j jobs.Job) bool) {
		f.Helper()
		var want []jobs.Job
		for _, j := range all {
			if match(j) {
				want = append(want, j)
			}
		}
		for _, limit := range []int{2, 200} {
			q.Limit = limit
			if got := ids(f.pages(q)); jsonOf(got) != jsonOf(newestFirst(want)) {
				f.Errorf("%+v: got %d jobs %v, want %d: %v", q, len(got), got, len(want), newestFirst(want))
			}
		}
	}
	for _, status := range jobs.Statuses {
		check(store.ListQuery{Status: status}, func(j jobs.Job) bool { return j.Status == status })
		check(store.ListQuery{Status: status, Type: "email", Queue: "low"}, func(j jobs.Job) bool {
			return j.Status == status && j.Type == "email" && j.Queue == "low"
		})
	}
	for _, state := range jobs.States {
		check(store.ListQuery{State: state}, func(j jobs.Job) bool { return j.State(now) == state })
		check(store.ListQuery{State: state, Queue: "low"}, func(j jobs.Job) bool {
			return j.State(now) == state && j.Queue == "low"
		})
		check(store.ListQuery{State: state, Status: jobs.Pending}, func(j jobs.Job) bool {
			return j.State(now) == state && j.Status == jobs.Pending
		})
		occurs := slices.ContainsFunc(all, func(j jobs.Job) bool { return j.State(now) == state })
		is(f, "state occurs: "+string(state), occurs, true)
	}
	due := func(j jobs.Job) bool { return j.Status == jobs.Pending && !j.RunAt.After(now) }
	check(store.ListQuery{Due: true}, due)
	check(store.ListQuery{Due: true, Queue: "low"}, func(j jobs.Job) bool { return due(j) && j.Queue == "low" })
	check(store.ListQuery{Due: true, Status: jobs.Pending}, due)
	check(store.ListQuery{Due: true, Status: jobs.Failed}, func(jobs.Job) bool { return false })
	for _, state := range jobs.States {
		check(store.ListQuery{Due: true, State: state}, func(j jobs.Job) bool { return due(j) && j.State(now) == state })
	}
	is(f, "due jobs, listed and counted", len(f.pages(store.ListQuery{Due: true, Limit: 200})), int(f.stats().Due))
	check(store.ListQuery{Type: "report"}, func(j jobs.Job) bool { return j.Type == "report" })
	check(store.ListQuery{Queue: "low"}, func(j jobs.Job) bool { return j.Queue == "low" })
	check(store.ListQuery{Type: "none"}, func(jobs.Job) bool { return false })
}

func listMetadata(f *fixture) {
	noted := func(pairs ...string) func(*jobs.New) {
		return func(n *jobs.New) {
			n.Metadata = map[string]string{}
			for i := 0; i < len(pairs); i += 2 {
				n.Metadata[pairs[i]] = pairs[i+1]
			}
		}
	}
	// Each of these is a name of a job and the value of another one.
	odd := []string{
		`"`, `\`, `.`, `$`, `$.a`, `%`, `_`, `?`, `'`, `:`, `a.b`, `a"b`, `[0]`, `#`, ` `, "\n", "\u2028", "é",
		"e\u0301", "🚢", `{"a":"b"}`, "<&>", "null",
	}
	var all []jobs.Job
	submit := func(edit ...func(*jobs.New)) { all = append(all, f.submit(edit...)) }
	for i, text := range odd {
		submit(noted(text, "1", "customer", "Ada"))
		submit(noted("note", text, "customer", odd[(i+1)%len(odd)]), ofType("report"), after(time.Hour))
	}
	submit()
	submit(noted("empty", ""))
	submit(noted("n", "1", "true", "true", "A", "a"))
	submit(noted("a", "1", "b", "2", "c", "3"))
	submit(noted("a", "1", "b", "3"))
	submit(noted("a", "1", "b", "2"), inQueue("low"))

	check := func(q store.ListQuery, want int) {
		f.Helper()
		var match []jobs.Job
		for _, j := range all {
			fits := (q.Type == "" || j.Type == q.Type) && (q.State == "" || j.State(f.now()) == q.State) &&
				(q.Queue == "" || j.Queue == q.Queue)
			for name, value := range q.Metadata {
				got, there := j.Metadata[name]
				fits = fits && there && got == value
			}
			if fits {
				match = append(match, j)
			}
		}
		is(f, "jobs that match", len(match), want)
		for _, limit := range []int{1, 200} {
			q.Limit = limit
			if got := ids(f.pages(q)); jsonOf(got) != jsonOf(newestFirst(match)) {
				f.Errorf("%+v: got %d jobs %v, want %d: %v", q, len(got), got, want, newestFirst(match))
			}
		}
	}
	by := func(pairs ...string) (q store.ListQuery) {
		var n jobs.New
		noted(pairs...)(&n)
		q.Metadata = n.Metadata
		return q
	}
	for _, text := range odd {
		check(by(text, "1"), 1)
		check(by("note", text), 1)
		check(by("note", text, text, "1"), 0)
	}
	check(store.ListQuery{Metadata: map[string]string{}}, len(all))
	check(by("customer", "Ada"), len(odd))
	check(by("customer", "ada"), 0)
	check(by("Customer", "Ada"), 0)
	check(by("customer", "%"), 1)
	check(by("empty", ""), 1)
	check(by("none", ""), 0)
	check(by("n", "1.0"), 0)
	check(by("a", "1"), 3)
	check(by("a", "1", "b", "2"), 2)
	check(by("a", "1", "b", "2", "c", "3"), 1)
	check(by("a", "1", "b", "2", "c", "4"), 0)
	q := by("a", "1", "b", "2")
	q.Queue = "low"
	check(q, 1)
	q = by("note", `"`)
	q.Type, q.State = "report", jobs.StateScheduled
	check(q, 1)
	q.State = jobs.StateWaiting
	check(q, 0)
	q.State, q.Type = jobs.StateDead, ""
	check(q, 0)
	// What no job can have matches none.
	check(by("", "x"), 0)
	check(by("a", "\x00"), 0)
	check(by("a", "\xff"), 0)
}

func listEmpty(f *fixture) {
	page, err := f.store.List(f.Context(), store.ListQuery{Limit: 50})
	f.check(err, "list")
	is(f, "jobs", len(page.Jobs), 0)
	is(f, "next", page.Next, "")
}
