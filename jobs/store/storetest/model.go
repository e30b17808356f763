package storetest

import (
	"errors"
	"flag"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var modelling = area{name: "Model", cases: []behaviour{
	{"RandomHistoriesGoAsTheModelSays", followModel},
}}

// modelled is what the model knows about a job: what each call must answer, and what the job must be after it.
type modelled struct {
	status           jobs.Status
	kind             jobs.FailureKind
	attempts, max    int
	releases, losses int
	fence            int64
	session          string
	cancel           bool
	later            bool // pending, and perhaps not due yet
	overdue          bool // processing, past its deadline
	settled          *store.Outcome
	settledAs        jobs.Status
	history          int
}

// machine makes the same calls to the model and to the Store.
type machine struct {
	*fixture
	jobs     map[string]*modelled
	ids      []string
	sessions []string
	dead     map[string]bool
	claims   []store.Outcome // of attempts that were claimed, some of them stale
}

func followModel(f *fixture) {
	// Few by default, because a Store takes time. The message of a failure holds its seed.
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		f.check(errors.Join(flag.Set("rapid.checks", "30"), flag.Set("rapid.nofailfile", "true")), "settings of rapid")
	}
	rapid.Check(f.T, func(t *rapid.T) {
		m := &machine{fixture: f, jobs: map[string]*modelled{}, sessions: []string{f.worker(), f.worker()},
			dead: map[string]bool{}}
		t.Repeat(map[string]func(*rapid.T){
			"submit": m.submitSome, "claim": m.claimSome, "settle": m.settleOne, "settle again": m.settleAgain,
			"cancel":  m.cancelOne,
			"redrive": m.redriveOne, "delete": m.deleteOne, "die": m.die, "reap": m.reapAll, "age": m.ageAll, "": m.compare,
		})
	})
}

func (m *machine) pick(t *rapid.T) string {
	if len(m.ids) == 0 {
		t.Skip("there is no job")
	}
	return rapid.SampledFrom(m.ids).Draw(t, "job")
}

func (m *machine) submitSome(t *rapid.T) {
	most := rapid.IntRange(1, 3).Draw(t, "max attempts")
	for _, j := range m.submitMany(rapid.IntRange(1, 3).Draw(t, "n"), attempts(most)) {
		m.jobs[j.ID] = &modelled{status: jobs.Pending, max: most}
		m.ids = append(m.ids, j.ID)
	}
}

func (m *machine) claimSome(t *rapid.T) {
	if len(m.ids) == 0 {
		t.Skip("there is no job")
	}
	session := rapid.SampledFrom(m.sessions).Draw(t, "session")
	ids := rapid.SliceOfNDistinct(rapid.SampledFrom(m.ids), 1, min(4, len(m.ids)), rapid.ID).Draw(t, "jobs")
	suspects := rapid.SampledFrom([]int{0, len(ids)}).Draw(t, "suspects")
	got, err := m.store.Claim(m.Context(), store.Claim{Session: session, Types: []string{"email"}, IDs: ids,
		Suspects: suspects})
	if err != nil {
		t.Fatalf("claim: %v", err)
	}
	for _, j := range got.Jobs {
		w := m.jobs[j.ID]
		if w == nil || w.status != jobs.Pending || m.dead[session] || w.attempts >= w.max || !slices.Contains(ids, j.ID) ||
			(w.losses > 0 && suspects == 0) {
			t.Fatalf("claim handed out %s, which is %+v", j.ID, w)
		}
		w.status, w.session, w.later, w.overdue, w.settled = jobs.Processing, session, false, false, nil
		w.attempts++
		w.fence++
		if j.Fence != w.fence || j.Attempts != w.attempts {
			t.Fatalf("claim handed out %s with fence %d in attempt %d, want %+v", j.ID, j.Fence, j.Attempts, w)
		}
		m.claims = append(m.claims, store.Outcome{ID: j.ID, Fence: j.Fence, Session: session})
	}
	for _, id := range ids {
		if w := m.jobs[id]; w != nil && w.status == jobs.Pending && !w.later && !m.dead[session] &&
			(w.losses == 0 || suspects > 0) {
			t.Fatalf("claim left out %s, which is due: %+v", id, w)
		}
	}
}

func (m *machine) settleOne(t *rapid.T) {
	if len(m.claims) == 0 {
		t.Skip("nothing was claimed")
	}
	o := rapid.SampledFrom(m.claims).Draw(t, "claim")
	o.Verb = rapid.SampledFrom(verbs).Draw(t, "verb")
	o.Attempt, o.Kind, o.Error = jobs.AttemptFailed, jobs.KindError, "no luck"
	if o.Verb == store.VerbComplete {
		o.Error = ""
	}
	m.settleAs(t, o)
}

// settleAgain repeats an outcome, as a worker does that has not got the answer.
func (m *machine) settleAgain(t *rapid.T) {
	w := m.jobs[m.pick(t)]
	if w == nil || w.settled == nil {
		t.Skip("nothing was settled")
	}
	got, err := m.store.Settle(m.Context(), []store.Outcome{*w.settled})
	if err != nil || got[0].Result != store.Already || got[0].Status != w.settledAs {
		t.Fatalf("settled again: %+v %v, want already and %s", got, err, w.settledAs)
	}
}

func (m *machine) settleAs(t *rapid.T, o store.Outcome) {
	got, err := m.store.Settle(m.Context(), []store.Outcome{o})
	if err != nil {
		t.Fatalf("settle: %v", err)
	}
	w := m.jobs[o.ID]
	if w == nil || w.status != jobs.Processing || w.fence != o.Fence || w.session != o.Session {
		if got[0].Result == store.Recorded {
			t.Fatalf("settle recorded %+v for %+v", o, w)
		}
		return
	}
	if got[0].Result != store.Recorded {
		t.Fatalf("settle answered %s to %+v for %+v", got[0].Result, o, w)
	}
	w.settle(o)
	if got[0].Status != w.status || got[0].Kind != w.kind {
		t.Fatalf("settle made it %s %s, want %+v", got[0].Status, got[0].Kind, w)
	}
	w.settled, w.settledAs = &o, w.status
	if o.Verb == store.VerbRelease && w.status == jobs.Failed {
		// The contract does not say whether a release that fails the job raises the fence. Nobody can claim it after
		// that.
		if j := m.get(o.ID); j.Fence == o.Fence {
			w.fence = o.Fence
		}
	}
}

// settle applies an outcome to the model.
func (w *modelled) settle(o store.Outcome) {
	if o.Verb == store.VerbComplete {
		w.status, w.losses = jobs.Completed, 0
		return
	}
	back := !w.cancel && (o.Verb == store.VerbSnooze || o.Verb == store.VerbRelease && w.releases < jobs.MaxReleases)
	if w.cancel || o.Verb != store.VerbSnooze {
		w.history++
	}
	left := back || w.attempts < w.max
	switch {
	case w.cancel:
		w.status, w.kind = jobs.Failed, jobs.KindCancelled
	case o.Verb == store.VerbFail, o.Verb == store.VerbRetry && !left:
		w.status, w.kind = jobs.Failed, jobs.KindError
	case !left:
		w.status, w.kind = jobs.Failed, jobs.KindWorkerLost
	default:
		w.status = jobs.Pending
	}
	if back {
		w.attempts--
	}
	if o.Verb == store.VerbRelease {
		w.fence++
		w.releases++
	} else {
		w.losses = 0
	}
}

func (m *machine) cancelOne(t *rapid.T) {
	id := m.pick(t)
	w := m.jobs[id]
	_, err := m.store.Cancel(m.Context(), id)
	switch {
	case w == nil:
		if !errors.Is(err, jobs.ErrNotFound) {
			t.Fatalf("cancel of what is deleted: %v", err)
		}
	case w.status == jobs.Completed, w.status == jobs.Failed && w.kind != jobs.KindCancelled:
		if !errors.Is(err, jobs.ErrConflict) {
			t.Fatalf("cancel of %+v: %v", w, err)
		}
	case err != nil:
		t.Fatalf("cancel of %+v: %v", w, err)
	case w.status == jobs.Pending:
		w.status, w.kind, w.settled = jobs.Failed, jobs.KindCancelled, nil
		w.fence++
		w.cancel = true
	case w.status == jobs.Processing:
		w.cancel = true
	}
}

func (m *machine) redriveOne(t *rapid.T) {
	id := m.pick(t)
	w := m.jobs[id]
	hints, err := m.store.Redrive(m.Context(), store.Redrive{IDs: []string{id}, Limit: 1})
	moved := w != nil && w.status == jobs.Failed
	if err != nil || len(hints) == 1 != moved {
		t.Fatalf("redrive of %+v: %d hints, %v", w, len(hints), err)
	}
	if moved {
		*w = modelled{status: jobs.Pending, max: w.max, fence: w.fence + 1, session: w.session, history: w.history}
	}
}

func (m *machine) deleteOne(t *rapid.T) {
	id := m.pick(t)
	w := m.jobs[id]
	err := m.store.Delete(m.Context(), id)
	switch {
	case w == nil && !errors.Is(err, jobs.ErrNotFound),
		w != nil && !w.status.Terminal() && !errors.Is(err, jobs.ErrConflict):
		t.Fatalf("delete of %+v: %v", w, err)
	case w == nil, !w.status.Terminal():
	case err != nil:
		t.Fatalf("delete of %+v: %v", w, err)
	default:
		m.jobs[id] = nil
	}
}

// die ends a session and opens a new one in its place.
func (m *machine) die(t *rapid.T) {
	i := rapid.IntRange(0, len(m.sessions)-1).Draw(t, "session")
	if m.dead[m.sessions[i]] {
		m.sessions[i] = m.worker()
		return
	}
	last := store.Heartbeat{Session: m.sessions[i], State: store.SessionDead}
	if _, err := m.store.Heartbeat(m.Context(), last); err != nil {
		t.Fatalf("end of a session: %v", err)
	}
	m.dead[m.sessions[i]] = true
}

func (m *machine) reapAll(t *rapid.T) {
	reaped := map[string]store.Reaped{}
	for {
		list, err := m.store.Reap(m.Context(), m.now(), 500)
		if err != nil {
			t.Fatalf("reap: %v", err)
		}
		for _, r := range list {
			reaped[r.Job.ID] = r
		}
		if len(list) < 500 {
			break
		}
	}
	for _, id := range m.ids {
		w := m.jobs[id]
		_, taken := reaped[id]
		if want := w != nil && w.status == jobs.Processing && (m.dead[w.session] || w.overdue); taken != want {
			t.Fatalf("reap took %s: %t, want %t: %+v", id, taken, want, w)
		}
		if !taken {
			continue
		}
		w.fence++
		w.losses++
		w.history++
		switch {
		case w.cancel:
			w.status, w.kind = jobs.Failed, jobs.KindCancelled
		case w.attempts >= w.max || w.losses >= jobs.MaxLeaseLosses:
			w.status, w.kind = jobs.Failed, jobs.KindWorkerLost
		default:
			w.status, w.later = jobs.Pending, true
		}
	}
}

// ageAll lets so much time pass that every retry is due and every deadline has passed.
func (m *machine) ageAll(*rapid.T) {
	m.age(2 * time.Hour)
	for _, w := range m.jobs {
		if w != nil {
			w.later, w.overdue = false, w.status == jobs.Processing
		}
	}
}

// compare looks at every job after each step.
func (m *machine) compare(t *rapid.T) {
	for _, id := range m.ids {
		w := m.jobs[id]
		j, history, err := m.store.Get(m.Context(), id)
		if w == nil {
			if !errors.Is(err, jobs.ErrNotFound) {
				t.Fatalf("%s is deleted, and is there: %v", id, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("get: %v", err)
		}
		same := j.Status == w.status && j.FailureKind == w.kind && j.Attempts == w.attempts && j.Fence == w.fence &&
			j.LeaseLosses == w.losses && len(history) == w.history
		if !same {
			t.Fatalf("%s is %s %q, attempt %d, fence %d, %d lost leases, %d in its history; want %+v",
				id, j.Status, j.FailureKind, j.Attempts, j.Fence, j.LeaseLosses, len(history), *w)
		}
	}
}
