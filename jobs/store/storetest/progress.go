package storetest

import (
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var progressing = area{name: "Progress", cases: []behaviour{
	{"IsKept", progressKept},
	{"NewestWins", progressNewest},
	{"StaysOnCompletion", progressStays},
	{"OthersArePassedOver", progressGuarded},
}}

func note(j jobs.Job, percent float64, message string) store.ProgressNote {
	return store.ProgressNote{ID: j.ID, Fence: j.Fence, Session: j.WorkerID, Percent: percent, Message: message}
}

func (f *fixture) progress(notes ...store.ProgressNote) {
	f.Helper()
	f.check(f.store.Progress(f.Context(), notes), "progress")
}

func progressKept(f *fixture) {
	j := f.running(f.worker())
	from := f.now()
	f.progress(note(j, 33.25, "a third of the 🙂"))
	got := f.get(j.ID)
	if got.Progress == nil {
		f.Fatal("no progress")
	}
	is(f, "percent", got.Progress.Percent, 33.25)
	is(f, "message", got.Progress.Message, "a third of the 🙂")
	f.between("at", got.Progress.At, from, f.now())
	is(f, "status", got.Status, jobs.Processing)
	is(f, "fence", got.Fence, j.Fence)
}

func progressNewest(f *fixture) {
	j := f.running(f.worker())
	f.progress(note(j, 50, "half"))
	f.progress(note(j, 0, ""))
	got := f.get(j.ID).Progress
	if got == nil || got.Percent != 0 || got.Message != "" {
		f.Errorf("progress: %+v", got)
	}
}

func progressStays(f *fixture) {
	j := f.running(f.worker())
	f.progress(note(j, 80, "nearly"))
	f.record(outcome(j, store.VerbComplete))
	if got := f.get(j.ID).Progress; got == nil || got.Percent != 80 || got.Message != "nearly" {
		f.Errorf("progress: %+v", got)
	}
}

func progressGuarded(f *fixture) {
	session := f.worker()
	good, other, done, waiting := f.running(session), f.running(session), f.running(session), f.submit()
	f.record(outcome(done, store.VerbComplete))
	wrongFence, wrongSession := note(other, 10, "x"), note(other, 10, "x")
	wrongFence.Fence--
	wrongSession.Session = f.worker()
	waiting.WorkerID = session
	unknown := note(other, 10, "x")
	unknown.ID = newID()
	f.progress(wrongFence, note(done, 10, "x"), note(waiting, 10, "x"), unknown, note(good, 60, "on"))
	f.progress(wrongSession)
	for _, j := range []jobs.Job{other, done, waiting} {
		if got := f.get(j.ID).Progress; got != nil {
			f.Errorf("progress of a %s job that was not to be touched: %+v", f.get(j.ID).Status, got)
		}
	}
	if got := f.get(good.ID).Progress; got == nil || got.Percent != 60 {
		f.Errorf("progress beside the stale ones: %+v", got)
	}
}
