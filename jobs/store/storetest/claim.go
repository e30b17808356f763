package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var claiming = area{name: "Claim", cases: []behaviour{
	{"CountsTheAttempt", claimCounts},
	{"EmptiesTheProgress", claimEmptiesProgress},
	{"LeavesOutWhatIsNotPending", claimLeavesOut},
	{"SameIDTwiceIsOneClaim", claimTwiceTheID},
	{"NextTakesTheFirstOfTheQueue", claimNext},
	{"NextGoesByTheOrderOfQueues", claimNextQueues},
	{"NextPassesOverForeignTypes", claimNextTypes},
	{"NextKeepsTheLimitOnSuspects", claimNextSuspects},
	{"NextFindsALoneJobBesideManyQueues", claimNextOfMany},
	{"DrainingSessionGetsNothing", claimDraining},
	{"DeadSessionGetsNothing", claimDead},
	{"UnknownSessionGetsNothing", claimUnknownSession},
	{"AThousandAtOnce", claimThousand},
}}

var claimingPlain = area{name: "ClaimWithoutSuspects", cases: claiming.cases, plain: true}

var claimRaces = area{name: "ClaimRace", cases: []behaviour{
	{"LosesToAnotherWorker", raceTwoWorkers},
	{"EachJobOnce", raceByIDs},
	{"EachJobOnceByNext", raceByNext},
}}

func claimCounts(f *fixture) {
	session := f.worker()
	j := f.submit()
	from := f.now()
	got := f.take(session, j.ID)
	to := f.now()
	is(f, "status", got.Status, jobs.Processing)
	is(f, "attempts", got.Attempts, 1)
	is(f, "fence grows by", got.Fence-j.Fence, 1)
	is(f, "worker", got.WorkerID, session)
	is(f, "payload", string(got.Payload), string(j.Payload))
	f.between("started at", got.StartedAt, from, to)
	is(f, "time to the deadline", got.DeadlineAt.Sub(got.StartedAt), j.Timeout+30*time.Second)
	is(f, "created at", got.CreatedAt, j.CreatedAt)
	is(f, "job as read", jsonOf(f.get(j.ID)), jsonOf(got))
}

func claimEmptiesProgress(f *fixture) {
	session := f.worker()
	j := f.running(session)
	note := store.ProgressNote{ID: j.ID, Fence: j.Fence, Session: session, Percent: 40, Message: "on"}
	f.check(f.store.Progress(f.Context(), []store.ProgressNote{note}), "progress")
	f.record(outcome(j, store.VerbRetry))
	if f.get(j.ID).Progress == nil {
		f.Error("progress was lost by a retry")
	}
	if again := f.take(session, j.ID); again.Progress != nil {
		f.Errorf("progress after the claim: %+v", again.Progress)
	}
}

func claimLeavesOut(f *fixture) {
	session := f.worker()
	all := []string{
		newID(), // unknown
		f.running(session).ID, f.completed(session).ID, f.dead(session, "x").ID, f.cancelled().ID,
	}
	good := f.submit()
	claimed := f.claim(session, append(all, good.ID)...)
	is(f, "claimed", jsonOf(ids(claimed.Jobs)), jsonOf([]string{good.ID}))
	is(f, "later", len(claimed.Later), 0)
}

func claimTwiceTheID(f *fixture) {
	j := f.submit()
	claimed := f.claim(f.worker(), j.ID, j.ID)
	is(f, "jobs", len(claimed.Jobs), 1)
	is(f, "attempts", f.get(j.ID).Attempts, 1)
}

func claimNext(f *fixture) {
	session := f.worker()
	low := f.submit(priority(-3))
	first, second := f.submit(), f.submit()
	high := f.submit(priority(9))
	f.submit(priority(10), after(time.Hour))
	next := func(n int) []string {
		list := ids(f.claimAs(store.Claim{Session: session, Types: []string{"email"}, Next: n}).Jobs)
		slices.Sort(list)
		return list
	}
	is(f, "next two", jsonOf(next(2)), jsonOf([]string{first.ID, high.ID}))
	is(f, "next ten", jsonOf(next(10)), jsonOf([]string{low.ID, second.ID}))
	is(f, "next of none", len(next(10)), 0)
}

func claimNextQueues(f *fixture) {
	session := f.worker()
	f.submit(inQueue("a"), priority(10))
	b := f.submit(inQueue("b"), priority(-10))
	c := []jobs.Job{f.submit(inQueue("c")), f.submit(inQueue("c"))}
	next := store.Claim{Session: session, Types: []string{"email"}, Next: 2, Queues: []string{"c", "b"}}
	got := ids(f.claimAs(next).Jobs)
	slices.Sort(got)
	is(f, "the first queue first", jsonOf(got), jsonOf(ids(c)))
	got = ids(f.claimAs(store.Claim{Session: session, Types: []string{"email"}, Next: 5, Queues: []string{"c", "b"}}).Jobs)
	is(f, "then the next, no other", jsonOf(got), jsonOf([]string{b.ID}))
	is(f, "every queue", len(f.claimAs(store.Claim{Session: session, Types: []string{"email"}, Next: 5}).Jobs), 1)
}

func claimNextTypes(f *fixture) {
	session := f.worker("email", "image")
	f.submit(ofType("report"), priority(10))
	a, b := f.submit(), f.submit(ofType("image"))
	got := ids(f.claimAs(store.Claim{Session: session, Types: []string{"email", "image"}, Next: 5}).Jobs)
	slices.Sort(got)
	is(f, "claimed", jsonOf(got), jsonOf([]string{a.ID, b.ID}))
}

func claimNextSuspects(f *fixture) {
	lost := f.suspects(3)
	session := f.worker()
	plain := f.submit(priority(-10))
	claimed := f.claimAs(store.Claim{Session: session, Types: []string{"email"}, Next: 10, Suspects: 1})
	is(f, "claimed", len(claimed.Jobs), 2)
	is(f, "plain job among them", slices.Contains(ids(claimed.Jobs), plain.ID), true)
	claimed = f.claimAs(store.Claim{Session: session, Types: []string{"email"}, Next: 10})
	is(f, "claimed with no suspect allowed", len(claimed.Jobs), 0)
	claimed = f.claimAs(store.Claim{Session: session, Types: []string{"email"}, Next: 10, Suspects: 10})
	is(f, "suspects that were left", len(claimed.Jobs), len(lost)-1)
}

// suspects returns n jobs that are due, and have lost a worker once.
func (f *fixture) suspects(n int) []jobs.Job {
	f.Helper()
	session := f.worker()
	all := f.submitMany(n)
	is(f, "claimed", len(f.claim(session, ids(all)...).Jobs), n)
	f.die(session)
	is(f, "reaped", len(f.reap(100)), n)
	f.age(time.Minute)
	for i := range all {
		all[i] = f.get(all[i].ID)
		is(f, "suspect", all[i].Suspect(), true)
	}
	return all
}

func claimNextOfMany(f *fixture) {
	session := f.worker()
	const names = 4500 // more than one claim looks at
	for from := 0; from < names; from += 500 {
		list := make([]jobs.New, 500)
		for i := range list {
			list[i] = job(inQueue(fmt.Sprintf("tenant-%05d", from+i)), after(time.Hour))
		}
		f.submitAll(list...)
	}
	for _, queue := range []string{"a", "z"} {
		want := f.submit(inQueue(queue))
		var got []string
		for range 3 {
			got = append(got, ids(f.claimAs(store.Claim{Session: session, Types: []string{"email"}, Next: 10}).Jobs)...)
		}
		is(f, "claimed from "+queue, jsonOf(got), jsonOf([]string{want.ID}))
	}
}

func claimDraining(f *fixture) {
	session := f.worker()
	j := f.submit()
	f.beat(session, store.SessionDraining)
	f.getsNothing(session, j)
}

func claimDead(f *fixture) {
	session := f.worker()
	j := f.submit()
	f.die(session)
	f.getsNothing(session, j)
}

func claimUnknownSession(f *fixture) {
	f.getsNothing(newID(), f.submit())
}

// getsNothing checks that a session can claim neither by id nor the next jobs.
func (f *fixture) getsNothing(session string, j jobs.Job) {
	f.Helper()
	before := f.picture(j.ID)
	for what, claim := range map[string]store.Claim{"id": {IDs: []string{j.ID}}, "next": {Next: 1}} {
		claim.Session, claim.Types = session, []string{"email"}
		got := f.claimAs(claim)
		is(f, "claimed by "+what, len(got.Jobs)+len(got.Later), 0)
		is(f, "refused by "+what, got.Refused, true)
	}
	is(f, "job", f.picture(j.ID), before)
}

func claimThousand(f *fixture) {
	all := f.submitMany(1000, func(n *jobs.New) { n.Payload = json.RawMessage(`{"n":1}`) })
	is(f, "claimed", len(f.claim(f.worker(), ids(all)...).Jobs), 1000)
	is(f, "processing", f.stats().Processing, 1000)
}

func raceTwoWorkers(f *fixture) {
	stores := f.peers()
	one, two := f.worker(), f.worker()
	j := f.submit()
	is(f, "first", len(f.claim(one, j.ID).Jobs), 1)
	claimed, err := stores[1].Claim(f.Context(), store.Claim{Session: two, Types: []string{"email"}, IDs: []string{j.ID}})
	f.check(err, "second claim")
	is(f, "second", len(claimed.Jobs)+len(claimed.Later), 0)
	is(f, "worker", f.get(j.ID).WorkerID, one)
}

func raceByIDs(f *fixture) {
	all := ids(f.submitMany(300))
	f.race(300, func(session string) store.Claim {
		return store.Claim{Session: session, Types: []string{"email"}, IDs: all}
	})
}

func raceByNext(f *fixture) {
	f.submitMany(300)
	f.race(300, func(session string) store.Claim {
		return store.Claim{Session: session, Types: []string{"email"}, Next: 40}
	})
}

// race lets eight workers claim until all n jobs are taken, and checks that each job was taken once.
func (f *fixture) race(n int, want func(session string) store.Claim) {
	f.Helper()
	stores := f.peers()
	var lock sync.Mutex
	owners := map[string]string{}
	var all sync.WaitGroup
	for i := range 8 {
		session := f.worker()
		all.Go(func() {
			for range 50 {
				claimed, err := stores[i%2].Claim(f.Context(), want(session))
				lock.Lock()
				if err != nil {
					f.Errorf("claim: %v", err)
				}
				for _, j := range claimed.Jobs {
					if other, taken := owners[j.ID]; taken {
						f.Errorf("%s went to %s and %s", j.ID, other, session)
					}
					owners[j.ID] = session
				}
				done := len(owners) == n || err != nil
				lock.Unlock()
				if done {
					return
				}
			}
		})
	}
	all.Wait()
	is(f, "jobs claimed", len(owners), n)
	for id, session := range owners {
		if j := f.get(id); j.WorkerID != session || j.Attempts != 1 || j.Fence != 1 {
			f.Fatalf("%s was given to %s, but is %+v", id, session, j)
		}
	}
}
