package storetest

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var sessions = area{name: "Sessions", cases: []behaviour{
	{"RegisterIsListed", sessionListed},
	{"BeatRenews", sessionRenewed},
	{"BeatTellsWhatIsHeld", sessionHeld},
	{"ExpiredButNotReapedLivesOn", sessionLate},
	{"DeadNeverLivesAgain", sessionDead},
	{"UnknownIsNotAlive", sessionUnknown},
	{"OldestFirst", sessionOrder},
	{"TypesAreOverwritten", sessionTypes},
	{"EndedLastOneFirst", sessionsEnded},
	{"OneWithItsJobs", sessionWithJobs},
}}

// beat sends a heartbeat.
func (f *fixture) beat(session string, state store.SessionState) store.HeartbeatReply {
	f.Helper()
	v, err := f.store.Heartbeat(f.Context(), store.Heartbeat{Session: session, State: state, TTL: forever,
		SinceCompletion: -1})
	f.check(err, "beat")
	return v
}

func (f *fixture) sessions() []store.Session {
	f.Helper()
	list, err := f.store.Sessions(f.Context())
	f.check(err, "sessions")
	return list
}

func sessionListed(f *fixture) {
	s := store.Session{
		ID: newID(), Hostname: "haul", PID: 42, Version: "1.2", Slots: 8,
		Types: []string{"email", "report"}, Queues: []string{"critical", "default"},
	}
	from := f.now()
	f.check(f.store.Register(f.Context(), s, nil, 30*time.Second), "register")
	to := f.now()
	list := f.sessions()
	if len(list) != 1 {
		f.Fatalf("sessions: %+v", list)
	}
	got := list[0]
	f.between("started at", got.StartedAt, from, to)
	f.between("beat at", got.BeatAt, from, to)
	f.between("expires at", got.ExpiresAt, from.Add(30*time.Second), to.Add(30*time.Second))
	is(f, "has completed", got.LastCompletionAt.IsZero(), true)
	want := s
	want.State, want.StartedAt, want.BeatAt, want.ExpiresAt = store.SessionAlive, got.StartedAt, got.BeatAt, got.ExpiresAt
	is(f, "session", jsonOf(got), jsonOf(want))
}

func sessionRenewed(f *fixture) {
	session := f.workerFor(30 * time.Second)
	f.age(20 * time.Second)
	from := f.now()
	v, err := f.store.Heartbeat(f.Context(), store.Heartbeat{
		Session: session, State: store.SessionDraining, TTL: 30 * time.Second, Running: 3, SinceCompletion: 5 * time.Second,
	})
	f.check(err, "beat")
	to := f.now()
	is(f, "alive", v.Alive, true)
	got := f.sessions()[0]
	is(f, "state", got.State, store.SessionDraining)
	is(f, "running", got.Running, 3)
	f.between("beat at", got.BeatAt, from, to)
	f.between("expires at", got.ExpiresAt, from.Add(30*time.Second), to.Add(30*time.Second))
	f.between("last completion at", got.LastCompletionAt, from.Add(-5*time.Second), to.Add(-5*time.Second))
	f.between("started at", got.StartedAt, from.Add(-time.Hour), from.Add(-20*time.Second))
}

func sessionHeld(f *fixture) {
	session, other := f.worker(), f.worker()
	a, b := f.running(session), f.running(session)
	f.running(other)
	f.completed(session)
	f.cancel(b.ID)
	held := f.beat(session, store.SessionAlive).Held
	slices.SortFunc(held, func(x, y store.Held) int { return slices.Compare([]byte(x.ID), []byte(y.ID)) })
	want := []store.Held{{ID: a.ID, Fence: a.Fence}, {ID: b.ID, Fence: b.Fence, CancelRequested: true}}
	is(f, "held", jsonOf(held), jsonOf(want))
}

func sessionLate(f *fixture) {
	session := f.workerFor(30 * time.Second)
	j := f.running(session)
	f.age(40 * time.Second)
	is(f, "alive", f.beat(session, store.SessionAlive).Alive, true)
	is(f, "reaped", len(f.reap(10)), 0)
	f.record(outcome(j, store.VerbComplete))
}

func sessionDead(f *fixture) {
	session := f.worker()
	j := f.submit()
	f.die(session)
	for _, state := range []store.SessionState{store.SessionAlive, store.SessionDraining, store.SessionDead} {
		is(f, "alive", f.beat(session, state).Alive, false)
	}
	is(f, "claimed", len(f.claim(session, j.ID).Jobs), 0)
	is(f, "sessions", len(f.sessions()), 0)
}

func sessionUnknown(f *fixture) {
	v := f.beat(newID(), store.SessionAlive)
	is(f, "alive", v.Alive, false)
	is(f, "sessions", len(f.sessions()), 0)
}

func sessionOrder(f *fixture) {
	var want []string
	for range 4 {
		want = append(want, f.worker())
		f.age(time.Minute)
	}
	var got []string
	for _, s := range f.sessions() {
		got = append(got, s.ID)
	}
	is(f, "oldest first", jsonOf(got), jsonOf(want))
}

func sessionsEnded(f *fixture) {
	ended := func(limit int) []store.Session {
		f.Helper()
		list, err := f.store.EndedSessions(f.Context(), limit)
		f.check(err, "ended sessions")
		return list
	}
	f.worker()
	is(f, "ended", len(ended(10)), 0)
	inOrder, late, lost := f.worker(), f.workerFor(30*time.Second), f.workerFor(time.Minute)
	f.age(40 * time.Second)
	from := f.now()
	f.die(inOrder)
	f.die(late) // after it had expired, and before anybody noticed: it has ended in order
	f.age(time.Minute)
	f.reap(10)
	to := f.now()
	list := ended(10)
	if len(list) != 3 {
		f.Fatalf("ended: %+v", list)
	}
	is(f, "last", jsonOf([]any{list[0].ID, list[0].State, list[0].Lost}), jsonOf([]any{lost, store.SessionDead, true}))
	f.between("ended at", list[0].EndedAt, from, to)
	for _, s := range list[1:] {
		is(f, "lost", s.Lost, false)
		f.between("ended at", s.EndedAt, from.Add(-time.Minute), to.Add(-time.Minute))
	}
	got := []string{list[1].ID, list[2].ID}
	is(f, "others", slices.Contains(got, inOrder) && slices.Contains(got, late), true)
	is(f, "of one", jsonOf(ended(1)), jsonOf(list[:1]))
}

func sessionWithJobs(f *fixture) {
	one := func(id string, limit int) (store.Session, []string) {
		f.Helper()
		s, held, err := f.store.Session(f.Context(), id, limit)
		f.check(err, "session")
		ids := []string{}
		for _, j := range held {
			is(f, "worker", j.WorkerID, id)
			is(f, "payload", len(j.Payload), 0)
			ids = append(ids, j.ID)
		}
		return s, ids
	}
	session, other := f.worker(), f.worker()
	first := f.running(session)
	f.age(time.Minute)
	second := f.running(session)
	f.running(other)
	f.completed(session)
	f.submit()
	s, held := one(session, 10)
	is(f, "session", jsonOf(s), jsonOf(f.sessions()[0]))
	is(f, "held", jsonOf(held), jsonOf([]string{first.ID, second.ID}))
	_, held = one(session, 1)
	is(f, "longest", jsonOf(held), jsonOf([]string{first.ID}))
	f.die(session)
	s, _ = one(session, 10)
	is(f, "state", s.State, store.SessionDead)
	is(f, "has ended", s.EndedAt.IsZero(), false)
	f.reap(10)
	_, held = one(session, 10)
	is(f, "held once reaped", len(held), 0)
	for _, id := range []string{newID(), "no-uuid", ""} {
		_, _, err := f.store.Session(f.Context(), id, 10)
		f.wants(err, jobs.ErrNotFound, "session "+id)
	}
}

func sessionTypes(f *fixture) {
	email := jobs.Type{
		Name: "email", Description: "sends", Queue: "critical", MaxAttempts: 7, Timeout: 45 * time.Second,
		Schema: json.RawMessage(`{"type":"object"}`), Example: json.RawMessage(`{"to":"ada@example.com"}`),
	}
	report := email
	report.Name, report.Queue = "report", "low"
	register := func(types ...jobs.Type) {
		f.Helper()
		f.check(f.store.Register(f.Context(), store.Session{ID: newID(), Slots: 1}, types, forever), "register")
	}
	register(report, email)
	f.age(time.Hour)
	email.MaxAttempts, email.Description = 3, "sends mail"
	from := f.now()
	register(email)
	types, err := f.store.Types(f.Context())
	f.check(err, "types")
	if len(types) != 2 {
		f.Fatalf("types: %+v", types)
	}
	f.between("seen at", types[0].SeenAt, from, f.now())
	f.between("seen at", types[1].SeenAt, from.Add(-2*time.Hour), from.Add(-time.Hour))
	email.SeenAt, report.SeenAt = types[0].SeenAt, types[1].SeenAt
	is(f, "types", jsonOf(types), jsonOf([]jobs.Type{email, report}))
}
