package storetest

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var settling = area{name: "Settle", cases: []behaviour{
	{"CompleteEndsTheJob", settleComplete},
	{"ResultComesBackAsWritten", settleResult},
	{"RetryComesBackAfterItsDelay", settleRetry},
	{"RetryFailsOnTheLastAttempt", settleLastAttempt},
	{"FailKeepsItsKind", settleFail},
	{"SnoozeGivesTheAttemptBack", settleSnooze},
	{"ReleaseGivesTheAttemptBack", settleRelease},
	{"ReleaseTooOftenCounts", settleReleases},
	{"OutcomeResetsLeaseLosses", settleResets},
	{"ErrorTextIsKept", settleErrorText},
	{"BadTextIsRejectedWithAll", settleBadText},
	{"ManyInOneCall", settleMany},
	{"OfManyAlikeSomeWereRecorded", settleAlike},
	{"HistoryIsKeptInOrder", settleHistory},
}}

func settleComplete(f *fixture) {
	session := f.worker()
	j := f.running(session)
	f.record(outcome(j, store.VerbRetry)) // leaves an error, which a completion empties
	j = f.take(session, j.ID)
	o := outcome(j, store.VerbComplete)
	o.Result = json.RawMessage(`{"sent":true}`)
	from := f.now()
	settled := f.record(o)
	is(f, "settled status", settled.Status, jobs.Completed)
	is(f, "settled kind", settled.Kind, "")
	is(f, "has a hint", settled.Hint != nil, false)
	got := f.get(j.ID)
	is(f, "status", got.Status, jobs.Completed)
	is(f, "result", string(got.Result), `{"sent":true}`)
	is(f, "error", got.Error, "")
	is(f, "kind", got.FailureKind, "")
	is(f, "worker", got.WorkerID, session)
	is(f, "attempts", got.Attempts, 2)
	is(f, "deadline is zero", got.DeadlineAt.IsZero(), true)
	f.between("finished at", got.FinishedAt, from, f.now())
	is(f, "attempts in the history", len(f.history(j.ID)), 1)
}

func settleResult(f *fixture) {
	session := f.worker()
	for _, doc := range append([]string{`null`, `7`, `"text"`, `[1.00]`}, documents...) {
		j := f.running(session)
		o := outcome(j, store.VerbComplete)
		o.Result = json.RawMessage(doc)
		f.record(o)
		f.sameJSON("result", f.get(j.ID).Result, doc)
	}
	if got := f.completed(session).Result; got != nil {
		f.Errorf("result of none: %s", got)
	}
}

func settleRetry(f *fixture) {
	session := f.worker()
	j := f.running(session)
	o := outcome(j, store.VerbRetry)
	o.Delay = time.Hour
	from := f.now()
	settled := f.record(o)
	to := f.now()
	is(f, "settled status", settled.Status, jobs.Pending)
	if settled.Hint == nil {
		f.Fatal("no hint")
	}
	f.span("in", settled.Hint.In, time.Hour)
	f.hinted(*settled.Hint)
	got := f.get(j.ID)
	is(f, "status", got.Status, jobs.Pending)
	is(f, "state", got.State(to), jobs.StateRetrying)
	is(f, "error", got.Error, "it broke")
	is(f, "kind", got.FailureKind, "")
	is(f, "attempts", got.Attempts, 1)
	f.between("run at", got.RunAt, from.Add(time.Hour), to.Add(time.Hour))
	is(f, "deadline is zero", got.DeadlineAt.IsZero(), true)

	history := f.history(j.ID)
	if len(history) != 1 {
		f.Fatalf("history: %+v", history)
	}
	a := history[0]
	is(f, "attempt", a.Attempt, 1)
	is(f, "attempt's fence", a.Fence, j.Fence)
	is(f, "attempt's worker", a.WorkerID, session)
	is(f, "attempt's outcome", a.Outcome, jobs.AttemptFailed)
	is(f, "attempt's error", a.Error, "it broke")
	is(f, "attempt's start", a.StartedAt, j.StartedAt)
	f.between("attempt's end", a.FinishedAt, from, to)

	is(f, "claimed early", len(f.claim(session, j.ID).Jobs), 0)
	f.age(time.Hour)
	is(f, "attempts", f.take(session, j.ID).Attempts, 2)
}

func settleLastAttempt(f *fixture) {
	session := f.worker()
	for attempt, kind := range map[jobs.AttemptOutcome]jobs.FailureKind{
		jobs.AttemptFailed: jobs.KindError, jobs.AttemptTimeout: jobs.KindTimeout,
	} {
		j := f.running(session, attempts(1))
		o := outcome(j, store.VerbRetry)
		o.Attempt, o.Kind, o.Delay = attempt, kind, time.Hour
		settled := f.record(o)
		is(f, "settled status", settled.Status, jobs.Failed)
		is(f, "settled kind", settled.Kind, kind)
		is(f, "has a hint", settled.Hint != nil, false)
		got := f.get(j.ID)
		is(f, "status", got.Status, jobs.Failed)
		is(f, "kind", got.FailureKind, kind)
		is(f, "finished", got.FinishedAt.IsZero(), false)
		is(f, "error", got.Error, "it broke")
		is(f, "outcome in the history", f.history(j.ID)[0].Outcome, attempt)
	}
}

func settleFail(f *fixture) {
	session := f.worker()
	for _, kind := range []jobs.FailureKind{jobs.KindError, jobs.KindTimeout, jobs.KindPermanent, jobs.KindWorkerLost} {
		j := f.running(session)
		o := outcome(j, store.VerbFail)
		o.Kind = kind
		if kind == jobs.KindTimeout {
			o.Attempt = jobs.AttemptTimeout
		}
		from := f.now()
		settled := f.record(o)
		is(f, "settled status", settled.Status, jobs.Failed)
		is(f, "settled kind", settled.Kind, kind)
		got := f.get(j.ID)
		is(f, "status", got.Status, jobs.Failed)
		is(f, "kind", got.FailureKind, kind)
		is(f, "error", got.Error, "it broke")
		is(f, "state", got.State(from), jobs.StateDead)
		f.between("finished at", got.FinishedAt, from, f.now())
		is(f, "outcome in the history", f.history(j.ID)[0].Outcome, o.Attempt)
	}
}

func settleSnooze(f *fixture) {
	session := f.worker()
	j := f.running(session, attempts(1))
	o := outcome(j, store.VerbSnooze)
	o.Delay = time.Hour
	settled := f.record(o)
	is(f, "settled status", settled.Status, jobs.Pending)
	if settled.Hint == nil {
		f.Fatal("no hint")
	}
	f.span("in", settled.Hint.In, time.Hour)
	f.hinted(*settled.Hint)
	got := f.get(j.ID)
	is(f, "status", got.Status, jobs.Pending)
	is(f, "attempts", got.Attempts, 0)
	is(f, "attempts in the history", len(f.history(j.ID)), 0)
	f.age(time.Hour)
	again := f.take(session, j.ID)
	is(f, "attempts of the next claim", again.Attempts, 1)
	is(f, "fence grew", again.Fence > j.Fence, true)
}

func settleRelease(f *fixture) {
	session := f.worker()
	j := f.running(session, attempts(1))
	settled := f.record(outcome(j, store.VerbRelease))
	is(f, "settled status", settled.Status, jobs.Pending)
	if settled.Hint == nil {
		f.Fatal("no hint")
	}
	is(f, "due at once", settled.Hint.In <= 0, true)
	f.hinted(*settled.Hint)
	got := f.get(j.ID)
	is(f, "status", got.Status, jobs.Pending)
	is(f, "attempts", got.Attempts, 0)
	is(f, "fence", got.Fence, j.Fence+1)
	is(f, "suspect", got.Suspect(), false)
	history := f.history(j.ID)
	if len(history) != 1 || history[0].Outcome != jobs.AttemptReleased || history[0].Error != "shutting down" ||
		history[0].Fence != j.Fence {
		f.Errorf("history: %+v", history)
	}
	is(f, "fence of the next claim", f.take(session, j.ID).Fence, j.Fence+2)
}

func settleReleases(f *fixture) {
	session := f.worker()
	id := f.submit(attempts(2)).ID
	for range jobs.MaxReleases {
		f.record(outcome(f.take(session, id), store.VerbRelease))
		is(f, "attempts", f.get(id).Attempts, 0)
	}
	settled := f.record(outcome(f.take(session, id), store.VerbRelease))
	is(f, "status after one more", settled.Status, jobs.Pending)
	is(f, "attempts after one more", f.get(id).Attempts, 1)
	settled = f.record(outcome(f.take(session, id), store.VerbRelease))
	is(f, "status after the last", settled.Status, jobs.Failed)
	is(f, "kind after the last", settled.Kind, jobs.KindWorkerLost)
	is(f, "has a hint", settled.Hint != nil, false)
	got := f.get(id)
	is(f, "status", got.Status, jobs.Failed)
	is(f, "kind", got.FailureKind, jobs.KindWorkerLost)
	is(f, "attempts in the history", len(f.history(id)), jobs.MaxReleases+2)
}

func settleResets(f *fixture) {
	for verb, want := range map[store.Verb]int{
		store.VerbComplete: 0, store.VerbRetry: 0, store.VerbFail: 0, store.VerbSnooze: 0, store.VerbRelease: 1,
	} {
		lost := f.suspects(1)[0]
		f.record(outcome(f.take(f.worker(), lost.ID), verb))
		is(f, "lease losses after "+string(verb), f.get(lost.ID).LeaseLosses, want)
	}
}

func settleErrorText(f *fixture) {
	text := "panic: déjà vu 🙂 \"quoted\" 'x' %s \\ \x01\t\n" + strings.Repeat("goroutine 1 [running]\n", 150)
	session := f.worker()
	j := f.dead(session, text)
	is(f, "error", j.Error, text)
	is(f, "error in the history", f.history(j.ID)[0].Error, text)
}

func settleBadText(f *fixture) {
	session := f.worker()
	good, bad := f.running(session), f.running(session)
	before := f.picture(good.ID) + f.picture(bad.ID)
	for name, text := range map[string]string{"NUL": "a\x00b", "invalid UTF-8": "a\xffb", "half a rune": "a\xe2\x82"} {
		for _, verb := range []store.Verb{store.VerbRetry, store.VerbFail, store.VerbRelease} {
			o := outcome(bad, verb)
			o.Error = text
			_, err := f.store.Settle(f.Context(), []store.Outcome{outcome(good, store.VerbComplete), o})
			f.wants(err, jobs.ErrRejected, name+" in the error of "+string(verb))
		}
		o := outcome(bad, store.VerbComplete)
		o.Result = json.RawMessage(`{"a":"` + text + `"}`)
		_, err := f.store.Settle(f.Context(), []store.Outcome{outcome(good, store.VerbComplete), o})
		f.wants(err, jobs.ErrRejected, name+" in a result")
		is(f, "both jobs", f.picture(good.ID)+f.picture(bad.ID), before)
	}
	f.record(outcome(good, store.VerbComplete))
}

func settleMany(f *fixture) {
	session := f.worker()
	all := f.submitMany(1000)
	outcomes := make([]store.Outcome, len(all))
	verbs := []store.Verb{store.VerbComplete, store.VerbRetry, store.VerbFail, store.VerbSnooze, store.VerbRelease}
	want := map[store.Verb]jobs.Status{
		store.VerbComplete: jobs.Completed, store.VerbRetry: jobs.Pending, store.VerbFail: jobs.Failed,
		store.VerbSnooze: jobs.Pending, store.VerbRelease: jobs.Pending,
	}
	for i, j := range f.claim(session, ids(all)...).Jobs {
		outcomes[i] = outcome(j, verbs[i%len(verbs)])
	}
	for i, s := range f.settle(outcomes...) {
		if s.Result != store.Recorded || s.Status != want[outcomes[i].Verb] {
			f.Fatalf("%s: %+v", outcomes[i].Verb, s)
		}
		if (s.Hint != nil) != (s.Status == jobs.Pending) || s.Hint != nil && s.Hint.ID != outcomes[i].ID {
			f.Fatalf("%s: hint %+v", outcomes[i].Verb, s.Hint)
		}
	}
	stats := f.stats()
	is(f, "completed", stats.Completed, 200)
	is(f, "failed", stats.Failed, 200)
	is(f, "due", stats.Due, 600)
}

// A driver may have a shorter statement for completions that are alike. Its answers must be the same.
func settleAlike(f *fixture) {
	session := f.worker()
	var outcomes []store.Outcome
	for _, j := range f.claim(session, ids(f.submitMany(20))...).Jobs {
		outcomes = append(outcomes, outcome(j, store.VerbComplete))
	}
	earlier := outcomes[5:10]
	for i, s := range f.settle(earlier...) {
		is(f, "result of "+earlier[i].ID, s, store.Settled{Result: store.Recorded, Status: jobs.Completed})
	}
	unknown := outcomes[0]
	unknown.ID = newID()
	for i, s := range f.settle(append(outcomes, unknown)...) {
		want := store.Settled{Result: store.Recorded, Status: jobs.Completed}
		switch {
		case i >= 5 && i < 10:
			want.Result = store.Already
		case i == len(outcomes):
			want = store.Settled{Result: store.Stale}
		}
		is(f, "result", s, want)
	}
	is(f, "completed", f.stats().Completed, int64(len(outcomes)))
}

func settleHistory(f *fixture) {
	session := f.worker()
	id := f.submit().ID
	var fences []int64
	for _, verb := range []store.Verb{store.VerbRetry, store.VerbRelease, store.VerbSnooze, store.VerbRetry,
		store.VerbFail} {
		j := f.take(session, id)
		f.record(outcome(j, verb))
		if verb != store.VerbSnooze {
			fences = append(fences, j.Fence)
		}
	}
	var got []int64
	for _, a := range f.history(id) {
		got = append(got, a.Fence)
	}
	is(f, "fences", jsonOf(got), jsonOf(fences))
	is(f, "attempts", f.get(id).Attempts, 3)
}
