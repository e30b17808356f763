package storetest

import (
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var putOff = area{name: "ClaimLater", cases: []behaviour{
	{"NotDueYet", laterNotDue},
	{"TypeOfAnotherWorker", laterForeign},
	{"TypeNobodyServesIsParked", laterParked},
	{"TypeOfADeadWorkerIsParked", laterParkedByDead},
	{"SuspectsTooMany", laterSuspects},
}}

// later claims a job that cannot be claimed now, and returns its hint.
func (f *fixture) later(session string, id string) jobs.Hint {
	f.Helper()
	claimed := f.claim(session, id)
	if len(claimed.Jobs) != 0 || len(claimed.Later) != 1 || claimed.Later[0].ID != id {
		f.Fatalf("claim of %s: %+v, want it in Later", id, claimed)
	}
	return claimed.Later[0]
}

// hinted compares a hint with its job.
func (f *fixture) hinted(h jobs.Hint) {
	f.Helper()
	j := f.get(h.ID)
	want := j.Hint()
	want.In = h.In
	is(f, "hint", jsonOf(h), jsonOf(want))
}

func laterNotDue(f *fixture) {
	j := f.submit(after(time.Hour), priority(4), inQueue("slow"))
	before := f.picture(j.ID)
	h := f.later(f.worker(), j.ID)
	f.span("in", h.In, time.Hour)
	f.hinted(h)
	is(f, "job", f.picture(j.ID), before)
	f.age(time.Hour)
	f.take(f.worker(), j.ID)
}

func laterForeign(f *fixture) {
	f.worker("report")
	j := f.submit(ofType("report"))
	before := f.picture(j.ID)
	h := f.later(f.worker("email"), j.ID)
	is(f, "in", h.In, time.Second)
	f.hinted(h)
	is(f, "job", f.picture(j.ID), before)
}

func laterParked(f *fixture) {
	session := f.worker("email")
	j := f.submit(ofType("report"))
	from := f.now()
	h := f.later(session, j.ID)
	to := f.now()
	f.span("in", h.In, 30*time.Second)
	f.hinted(h)
	got := f.get(j.ID)
	f.between("run at", got.RunAt, from.Add(30*time.Second), to.Add(30*time.Second))
	is(f, "status", got.Status, jobs.Pending)
	is(f, "attempts", got.Attempts, 0)
	// A second claim does not put the job off further.
	f.age(10 * time.Second)
	f.span("in, 10 s later", f.later(session, j.ID).In, 20*time.Second)
}

func laterParkedByDead(f *fixture) {
	f.die(f.worker("report"))
	f.workerFor(time.Minute, "report")
	f.age(2 * time.Minute)
	f.reap(10) // marks the expired one dead
	j := f.submit(ofType("report"))
	f.span("in", f.later(f.worker("email"), j.ID).In, 30*time.Second)
}

func laterSuspects(f *fixture) {
	lost := f.suspects(3)
	plain := f.submit()
	session := f.worker()
	claimed := f.claimAs(store.Claim{
		Session: session, Types: []string{"email"}, IDs: append(ids(lost), plain.ID), Suspects: 1,
	})
	is(f, "claimed", len(claimed.Jobs), 2)
	is(f, "put off", len(claimed.Later), 2)
	for _, h := range claimed.Later {
		is(f, "suspect", h.Suspect, true)
		is(f, "in", h.In, 0)
		is(f, "status", f.get(h.ID).Status, jobs.Pending)
	}
	claimed = f.claimAs(store.Claim{Session: session, Types: []string{"email"}, IDs: hintIDs(claimed.Later)})
	is(f, "claimed with none allowed", len(claimed.Jobs), 0)
	is(f, "put off with none allowed", len(claimed.Later), 2)
}
