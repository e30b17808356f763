package storetest

import (
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var cancelling = area{name: "Cancel", cases: []behaviour{
	{"PendingEndsAtOnce", cancelPending},
	{"ProcessingIsAskedToStop", cancelProcessing},
	{"TwiceIsNoError", cancelTwice},
	{"CompletedAndDeadAreConflicts", cancelConflict},
	{"UnknownIsNotFound", cancelUnknown},
	{"OutcomesEndCancelled", cancelOutcomes},
	{"CompletionStands", cancelComplete},
	{"RetryingJobCanBeCancelled", cancelRetrying},
	{"DeleteOnlyWhatHasEnded", deleteEnded},
	{"DeleteTakesTheHistory", deleteHistory},
}}

// cancel cancels a job, or requests it.
func (f *fixture) cancel(id string) jobs.Job {
	f.Helper()
	j, err := f.store.Cancel(f.Context(), id)
	f.check(err, "cancel")
	return j
}

func cancelPending(f *fixture) {
	j := f.submit()
	from := f.now()
	got := f.cancel(j.ID)
	is(f, "status", got.Status, jobs.Failed)
	is(f, "kind", got.FailureKind, jobs.KindCancelled)
	is(f, "state", got.State(from), jobs.StateCancelled)
	is(f, "fence grew", got.Fence > j.Fence, true)
	f.between("finished at", got.FinishedAt, from, f.now())
	is(f, "job as read", jsonOf(f.get(j.ID)), jsonOf(got))
	is(f, "attempts in the history", len(f.history(j.ID)), 0)
	is(f, "claimed", len(f.claim(f.worker(), j.ID).Jobs), 0)
}

func cancelProcessing(f *fixture) {
	session := f.worker()
	j := f.running(session)
	from := f.now()
	got := f.cancel(j.ID)
	is(f, "status", got.Status, jobs.Processing)
	is(f, "state", got.State(from), jobs.StateCancelling)
	is(f, "fence", got.Fence, j.Fence)
	f.between("cancel requested at", got.CancelRequestedAt, from, f.now())
	is(f, "job as read", jsonOf(f.get(j.ID)), jsonOf(got))
	held := f.beat(session, store.SessionAlive).Held
	if len(held) != 1 || !held[0].CancelRequested {
		f.Errorf("held: %+v, want one with a cancel request", held)
	}
}

func cancelTwice(f *fixture) {
	pending, processing := f.submit(), f.running(f.worker())
	for _, id := range []string{pending.ID, processing.ID} {
		first := f.cancel(id)
		again := f.cancel(id)
		is(f, "status", again.Status, first.Status)
		is(f, "fence", again.Fence, first.Fence)
		is(f, "finished at", again.FinishedAt, first.FinishedAt)
		is(f, "cancel requested at", again.CancelRequestedAt, first.CancelRequestedAt)
	}
}

func cancelConflict(f *fixture) {
	session := f.worker()
	for _, j := range []jobs.Job{f.completed(session), f.dead(session, "x")} {
		before := f.picture(j.ID)
		got, err := f.store.Cancel(f.Context(), j.ID)
		f.wants(err, jobs.ErrConflict, "cancel of "+string(j.Status))
		is(f, "job in the answer", got.ID, j.ID)
		is(f, "status in the answer", got.Status, j.Status)
		is(f, "job", f.picture(j.ID), before)
	}
}

func cancelUnknown(f *fixture) {
	_, err := f.store.Cancel(f.Context(), newID())
	f.wants(err, jobs.ErrNotFound, "cancel")
	f.wants(f.store.Delete(f.Context(), newID()), jobs.ErrNotFound, "delete")
}

func cancelOutcomes(f *fixture) {
	session := f.worker()
	for _, verb := range []store.Verb{store.VerbRetry, store.VerbFail, store.VerbSnooze, store.VerbRelease} {
		j := f.running(session)
		f.cancel(j.ID)
		settled := f.record(outcome(j, verb))
		is(f, "settled status of "+string(verb), settled.Status, jobs.Failed)
		is(f, "settled kind of "+string(verb), settled.Kind, jobs.KindCancelled)
		is(f, "hint of "+string(verb), settled.Hint != nil, false)
		got := f.get(j.ID)
		is(f, "status after "+string(verb), got.Status, jobs.Failed)
		is(f, "kind after "+string(verb), got.FailureKind, jobs.KindCancelled)
		is(f, "finished after "+string(verb), got.FinishedAt.IsZero(), false)
		history := f.history(j.ID)
		if len(history) != 1 || history[0].Outcome != jobs.AttemptCancelled || history[0].Fence != j.Fence {
			f.Errorf("history after %s: %+v", verb, history)
		}
		is(f, "repeated "+string(verb), f.settle(outcome(j, verb))[0].Result, store.Already)
	}
	is(f, "cancelled", f.stats().Cancelled, 4)
}

func cancelComplete(f *fixture) {
	j := f.running(f.worker())
	f.cancel(j.ID)
	settled := f.record(outcome(j, store.VerbComplete))
	is(f, "settled status", settled.Status, jobs.Completed)
	got := f.get(j.ID)
	is(f, "status", got.Status, jobs.Completed)
	is(f, "kind", got.FailureKind, "")
	is(f, "state", got.State(f.now()), jobs.StateCompleted)
}

func cancelRetrying(f *fixture) {
	j := f.running(f.worker())
	f.record(outcome(j, store.VerbRetry))
	got := f.cancel(j.ID)
	is(f, "kind", got.FailureKind, jobs.KindCancelled)
	is(f, "attempts in the history", len(f.history(j.ID)), 1)
}

func deleteEnded(f *fixture) {
	session := f.worker()
	for _, j := range []jobs.Job{f.submit(), f.running(session)} {
		before := f.picture(j.ID)
		f.wants(f.store.Delete(f.Context(), j.ID), jobs.ErrConflict, "delete of "+string(j.Status))
		is(f, "job", f.picture(j.ID), before)
	}
	for _, j := range []jobs.Job{f.completed(session), f.dead(session, "x"), f.cancelled()} {
		f.check(f.store.Delete(f.Context(), j.ID), "delete")
		_, _, err := f.store.Get(f.Context(), j.ID)
		f.wants(err, jobs.ErrNotFound, "get")
		f.wants(f.store.Delete(f.Context(), j.ID), jobs.ErrNotFound, "second delete")
	}
	is(f, "total", f.stats().Total, 2)
}

func deleteHistory(f *fixture) {
	session := f.worker()
	j := f.dead(session, "x")
	f.check(f.store.Delete(f.Context(), j.ID), "delete")
	// A new job with the same id shows whether the history is gone.
	f.submit(func(n *jobs.New) { n.ID = j.ID })
	is(f, "attempts in the history", len(f.history(j.ID)), 0)
}
