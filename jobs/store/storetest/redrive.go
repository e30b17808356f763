package storetest

import (
	"slices"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var redriving = area{name: "Redrive", cases: []behaviour{
	{"StartsAgainFromNothing", redriveResets},
	{"ByIDs", redriveIDs},
	{"OnlyFailedOnes", redriveOnlyFailed},
	{"DeadOnly", redriveDead},
	{"ByTypeAndQueue", redriveFilter},
	{"ByErrorText", redriveError},
	{"NewestFirstUpToTheLimit", redriveLimit},
	{"SpreadsRunTimes", redriveSpread},
	{"ConcurrentRedrivesMoveEachOnce", redriveRace},
}}

func (f *fixture) redrive(r store.Redrive) []string {
	f.Helper()
	if r.Limit == 0 {
		r.Limit = 1000
	}
	hints, err := f.store.Redrive(f.Context(), r)
	f.check(err, "redrive")
	for _, h := range hints {
		f.hinted(h)
	}
	list := hintIDs(hints)
	slices.Sort(list)
	return list
}

func redriveResets(f *fixture) {
	session := f.worker()
	id := f.submit(attempts(1)).ID
	for range jobs.MaxReleases {
		f.record(outcome(f.take(session, id), store.VerbRelease))
	}
	lost := f.take(f.worker(), id)
	f.cancel(id)
	f.lose(lost)
	was := f.get(id)
	is(f, "status", was.Status, jobs.Failed)
	is(f, "lease losses before", was.LeaseLosses, 1)
	history := jsonOf(f.history(id))

	from := f.now()
	is(f, "moved", jsonOf(f.redrive(store.Redrive{IDs: []string{id}})), jsonOf([]string{id}))
	got := f.get(id)
	is(f, "status", got.Status, jobs.Pending)
	is(f, "attempts", got.Attempts, 0)
	is(f, "lease losses", got.LeaseLosses, 0)
	is(f, "fence grew", got.Fence > was.Fence, true)
	is(f, "kind", got.FailureKind, "")
	is(f, "finished at is zero", got.FinishedAt.IsZero(), true)
	is(f, "cancel request is gone", got.CancelRequestedAt.IsZero(), true)
	f.between("run at", got.RunAt, from, f.now())
	is(f, "history", jsonOf(f.history(id)), history)
	// Releases start again at 0 too, so this one gives the attempt back.
	f.record(outcome(f.take(session, id), store.VerbRelease))
	is(f, "attempts", f.get(id).Attempts, 0)
	f.record(outcome(f.take(session, id), store.VerbComplete))
}

func redriveIDs(f *fixture) {
	session := f.worker()
	a, b, c := f.dead(session, "x"), f.dead(session, "x"), f.cancelled()
	got := f.redrive(store.Redrive{IDs: []string{c.ID, a.ID, newID()}})
	is(f, "moved", jsonOf(got), jsonOf([]string{a.ID, c.ID}))
	is(f, "status of the other", f.get(b.ID).Status, jobs.Failed)
	is(f, "moved again", len(f.redrive(store.Redrive{IDs: []string{c.ID, a.ID}})), 0)
}

func redriveOnlyFailed(f *fixture) {
	session := f.worker()
	all := []jobs.Job{f.submit(), f.running(session), f.completed(session)}
	before := f.picture(all[0].ID) + f.picture(all[1].ID) + f.picture(all[2].ID)
	is(f, "moved by ids", len(f.redrive(store.Redrive{IDs: ids(all)})), 0)
	is(f, "moved by filter", len(f.redrive(store.Redrive{})), 0)
	is(f, "jobs", f.picture(all[0].ID)+f.picture(all[1].ID)+f.picture(all[2].ID), before)
}

func redriveDead(f *fixture) {
	session := f.worker()
	dead, cancelled := f.dead(session, "x"), f.cancelled()
	is(f, "moved", jsonOf(f.redrive(store.Redrive{DeadOnly: true})), jsonOf([]string{dead.ID}))
	is(f, "moved of all", jsonOf(f.redrive(store.Redrive{})), jsonOf([]string{cancelled.ID}))
}

func redriveFilter(f *fixture) {
	session := f.worker("email", "report")
	a, b := f.dead(session, "x", inQueue("low")), f.dead(session, "x")
	c := f.submit(ofType("report"), inQueue("low"))
	claimed := f.claimAs(store.Claim{Session: session, Types: []string{"report"}, IDs: []string{c.ID}})
	f.record(outcome(claimed.Jobs[0], store.VerbFail))
	is(f, "moved by both", jsonOf(f.redrive(store.Redrive{Type: "email", Queue: "low"})), jsonOf([]string{a.ID}))
	is(f, "moved by queue", jsonOf(f.redrive(store.Redrive{Queue: "low"})), jsonOf([]string{c.ID}))
	is(f, "moved by type", jsonOf(f.redrive(store.Redrive{Type: "email"})), jsonOf([]string{b.ID}))
}

func redriveError(f *fixture) {
	session := f.worker()
	texts := []string{"Connection REFUSED by host", "100% full", "1000 full", "a_b", "axb", `C:\temp`, "it's [odd]",
		"* and ?"}
	all := map[string]string{}
	for _, text := range texts {
		all[text] = f.dead(session, text).ID
	}
	for part, want := range map[string]string{
		"connection refused": "Connection REFUSED by host", "0% f": "100% full", "A_B": "a_b", `C:\TEMP`: `C:\temp`,
		"t's [o": "it's [odd]", "* and ?": "* and ?",
	} {
		var moved []string
		for _, id := range f.redrive(store.Redrive{Error: part}) {
			moved = append(moved, f.get(id).ID)
		}
		is(f, "moved by "+part, jsonOf(moved), jsonOf([]string{all[want]}))
	}
	is(f, "moved by what none has", len(f.redrive(store.Redrive{Error: "%"})), 0)
	is(f, "moved by _ alone", len(f.redrive(store.Redrive{Error: "_"})), 0)
	is(f, "left", f.stats().Dead, 2)
}

func redriveLimit(f *fixture) {
	session := f.worker()
	var all []string
	for range 5 {
		all = append(all, f.dead(session, "x").ID)
		f.age(time.Second)
	}
	is(f, "the two newest", jsonOf(f.redrive(store.Redrive{Limit: 2})), jsonOf(all[3:]))
	is(f, "the next two", jsonOf(f.redrive(store.Redrive{Limit: 2, DeadOnly: true})), jsonOf(all[1:3]))
	is(f, "the last", jsonOf(f.redrive(store.Redrive{Limit: 2})), jsonOf(all[:1]))
}

func redriveSpread(f *fixture) {
	session := f.worker()
	for range 40 {
		f.dead(session, "x")
	}
	from := f.now()
	hints, err := f.store.Redrive(f.Context(), store.Redrive{Limit: 100, Spread: time.Hour})
	f.check(err, "redrive")
	to := f.now()
	is(f, "moved", len(hints), 40)
	early, late := 0, 0
	for _, h := range hints {
		f.between("run at", f.get(h.ID).RunAt, from, to.Add(time.Hour))
		if h.In > time.Hour {
			f.Errorf("in: %s", h.In)
		}
		if h.In < 30*time.Minute {
			early++
		} else {
			late++
		}
	}
	// Forty fair coins fall on the same side once in 5e11 runs.
	if early == 0 || late == 0 {
		f.Errorf("not spread: %d in the first half hour, %d in the second", early, late)
	}
}

func redriveRace(f *fixture) {
	stores := f.peers()
	session := f.worker()
	id := f.dead(session, "x").ID
	moved := make([]int, 8)
	var all sync.WaitGroup
	for i := range moved {
		all.Go(func() {
			hints, err := stores[i%2].Redrive(f.Context(), store.Redrive{IDs: []string{id}, Limit: 1})
			if err != nil {
				f.Errorf("redrive: %v", err)
			}
			moved[i] = len(hints)
		})
	}
	all.Wait()
	sum := 0
	for _, n := range moved {
		sum += n
	}
	is(f, "moved", sum, 1)
}
