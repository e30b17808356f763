package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var naming = area{name: "Queues", cases: []behaviour{
	{"NewNamesAreRefusedBeyondTheLimit", queuesLimit},
	{"SeveralProcessesKeepTheLimitTogether", queuesRace},
	{"EmptyOnesAreListed", queuesEmpty},
	{"TidyAddsThoseThatOnlyJobsName", queuesTidyAdds},
	{"TidyRemovesThoseThatWereUnusedForLong", queuesTidyRemoves},
	{"NamesInATransaction", queuesTx},
	{"StatsListThoseWithMostWork", queuesTop},
}}

func (f *fixture) use(most int, names ...string) []string {
	f.Helper()
	refused, err := f.store.UseQueues(f.Context(), names, most)
	f.check(err, "use queues")
	slices.Sort(refused)
	return refused
}

// queues returns the names of the queues that are listed.
func (f *fixture) queues() []string {
	f.Helper()
	list, err := f.store.Queues(f.Context())
	f.check(err, "queues")
	names := []string{}
	for _, q := range list {
		names = append(names, q.Name)
	}
	return names
}

func queuesLimit(f *fixture) {
	is(f, "refused", len(f.use(3, "a", "b", "a")), 0)
	is(f, "how many of two are refused", len(f.use(3, "c", "d", "a")), 1)
	is(f, "names", len(f.queues()), 3)
	names := f.queues()
	is(f, "known names", len(f.use(3, names...)), 0)
	is(f, "known names after the limit was lowered", len(f.use(1, names...)), 0)
	is(f, "known and new ones", jsonOf(f.use(3, "x", names[0], "y", "x")), jsonOf([]string{"x", "y"}))
	is(f, "with a higher limit", len(f.use(5, "x", "y")), 0)
	is(f, "no names", len(f.use(0)), 0)
}

func queuesRace(f *fixture) {
	const most = 20
	var all sync.WaitGroup
	for i, s := range f.peers() {
		for k := range 4 {
			all.Go(func() {
				for n := range 20 {
					name := fmt.Sprintf("tenant-%d-%d-%d", i, k, n)
					if _, err := s.UseQueues(context.WithoutCancel(f.Context()), []string{name, "shared"}, most); err != nil {
						f.Errorf("use queues: %v", err)
					}
				}
			})
		}
	}
	all.Wait()
	is(f, "names", len(f.queues()), most)
}

func queuesEmpty(f *fixture) {
	f.use(10, "empty", "busy", "due", "finished")
	session := f.worker()
	f.running(session, inQueue("busy"))
	f.completed(session, inQueue("finished"))
	f.submitMany(3, inQueue("due"))
	f.submit(inQueue("due"), after(time.Hour))
	f.submit(inQueue("only-jobs"), after(time.Hour))
	f.age(time.Minute)
	list, err := f.store.Queues(f.Context())
	f.check(err, "queues")
	for i := range list {
		if list[i].Name == "due" {
			f.aged("oldest due", list[i].OldestDue, time.Minute)
		}
		list[i].OldestDue = 0
	}
	is(f, "queues", jsonOf(list), jsonOf([]store.QueueStats{
		{Name: "busy", Processing: 1}, {Name: "due", Due: 3, Later: 1}, {Name: "empty"}, {Name: "finished"},
		{Name: "only-jobs", Later: 1},
	}))
}

// tidy walks over all queues, page by page.
func (f *fixture) tidy(limit int) (added, removed int) {
	f.Helper()
	t := store.TidyQueues{Unused: 30 * 24 * time.Hour, Limit: limit}
	for range 100 {
		done, err := f.store.TidyQueues(f.Context(), t)
		f.check(err, "tidy queues")
		added, removed = added+done.Added, removed+done.Removed
		if t.After = done.Next; t.After == (store.Place{}) {
			return added, removed
		}
	}
	f.Fatal("tidy has no end")
	return 0, 0
}

func queuesTidyAdds(f *fixture) {
	f.use(1, "known")
	for _, queue := range []string{"a", "b", "c", "known"} {
		f.submit(inQueue(queue))
		f.submit(inQueue(queue), priority(5), after(time.Hour))
	}
	for _, limit := range []int{3, 100} {
		added, removed := f.tidy(limit)
		is(f, "added", added, map[int]int{3: 3, 100: 0}[limit])
		is(f, "removed", removed, 0)
	}
	is(f, "they are known now", len(f.use(1, "a", "b", "c")), 0)
}

func queuesTidyRemoves(f *fixture) {
	f.use(10, "empty", "used", "waiting")
	f.submit(inQueue("waiting"), after(365*24*time.Hour))
	f.age(20 * 24 * time.Hour)
	f.use(10, "used")
	f.tidy(100)
	f.age(20 * 24 * time.Hour)
	_, removed := f.tidy(100)
	is(f, "removed", removed, 1)
	is(f, "queues", jsonOf(f.queues()), jsonOf([]string{"used", "waiting"}))
	// A job that waits keeps its name, even where the time of its use is old.
	f.age(40 * 24 * time.Hour)
	f.tidy(100)
	is(f, "queues", jsonOf(f.queues()), jsonOf([]string{"waiting"}))
}

func queuesTx(f *fixture) {
	f.use(2, "before")
	tx := f.begin()
	known, refused, err := tx.store.UseQueuesTx(f.Context(), tx.tx, []string{"before", "new", "more"}, 2)
	f.check(err, "use queues")
	is(f, "the old one is known", slices.Contains(known, "before"), true)
	is(f, "how many are refused", len(refused), 1)
	added := "new"
	if slices.Contains(refused, "new") {
		added = "more"
	}
	promised := slices.Contains(known, added)
	job := job(inQueue(added))
	_, err = tx.store.InsertTx(f.Context(), tx.tx, []jobs.Submission{{Jobs: []jobs.New{job}}})
	f.check(err, "insert")
	tx.rollback()
	if promised {
		is(f, "a name that was said to stay is there", slices.Contains(f.queues(), added), true)
	}
	tx = f.begin()
	_, refused, err = tx.store.UseQueuesTx(f.Context(), tx.tx, []string{added}, 2)
	f.check(err, "use queues")
	is(f, "refused", len(refused), 0)
	tx.commit()
	is(f, "queues", jsonOf(f.queues()), jsonOf(slices.Sorted(slices.Values([]string{"before", added}))))
}

func queuesTop(f *fixture) {
	const names = store.TopQueues + 20
	var list []jobs.New
	for i := range names {
		list = append(list, job(inQueue(fmt.Sprintf("%05d", i)), after(time.Hour)))
	}
	f.submitAll(list...)
	f.submitMany(2, inQueue("default"))
	f.submit(inQueue("mail"))
	f.running(f.worker(), inQueue("slow"))
	f.age(time.Minute)
	got := f.stats()
	is(f, "due", got.Due, 3)
	is(f, "scheduled", got.Scheduled, names)
	is(f, "queues listed", len(got.Queues), store.TopQueues)
	is(f, "others", got.QueueRest, names+3-store.TopQueues)
	is(f, "due in others", got.QueueDue, 0)
	for i, name := range []string{"default", "mail", "slow", "00000"} {
		is(f, "in the order of work", got.Queues[i].Name, name)
	}
	for i := range list {
		list[i] = job(inQueue(fmt.Sprintf("%05d", i)))
	}
	f.submitAll(list...)
	got = f.stats()
	is(f, "due in others", got.QueueDue, int64(names+2-store.TopQueues))
}
