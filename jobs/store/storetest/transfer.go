package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var transferring = area{name: "Transfer", cases: []behaviour{
	{"EverythingArrives", transferAll},
	{"RecordsAreInOrder", transferOrder},
	{"ExportIsOfOneMoment", transferMoment},
	{"ExportEndsWithTheCallersError", transferEnds},
	{"ImportCanBeRepeated", transferAgain},
	{"InterruptedImportGoesOn", transferInterrupted},
	{"NothingIsOverwritten", transferConflict},
	{"OtherHistoryIsRefused", transferHistory},
	{"UnknownColumnsAreRefused", transferUnknown},
	{"OlderFilesGetDefaults", transferOlder},
	{"BadRecordsStoreNothing", transferBad},
	{"ExpiredKeysStayBehind", transferKeys},
}}

// Populated is what Populate has stored.
type Populated struct {
	IDs   []string        // of all jobs
	Dead  string          // a dead one
	Keyed jobs.Submission // whose key holds
}

// Populate stores jobs in every state, with histories and whatever is awkward to write down. It is for tests that move
// them to another driver.
func Populate(t *testing.T, s store.Store) Populated {
	t.Helper()
	return populate(&fixture{T: t, store: s})
}

func populate(f *fixture) (p Populated) {
	f.Helper()
	f.check(f.store.Register(f.Context(), store.Session{ID: newID(), Types: []string{"email"}}, []jobs.Type{
		{
			Name: "email", Description: "Sends <mail> & more", Queue: "mails", MaxAttempts: 7, Timeout: 90 * time.Second,
			Schema: json.RawMessage(`{"type":"object","properties":{"n":{"maximum":1.50}}}`), Example: json.RawMessage(`{"n":1.50}`),
		},
		{Name: "plain", Queue: jobs.DefaultQueue, MaxAttempts: 1, Timeout: time.Second},
	}, forever), "register")
	one, other := f.worker(), f.worker()
	add := func(j jobs.Job) jobs.Job {
		p.IDs = append(p.IDs, j.ID)
		return j
	}
	payload := func(text string) func(*jobs.New) { return func(n *jobs.New) { n.Payload = json.RawMessage(text) } }
	add(f.submit(payload(`{}`), func(n *jobs.New) {
		n.Metadata = map[string]string{"tenant": "a <b> & \"c\"", "é": "ü\n", "z": "", "longer name": "1.50"}
	}))
	add(f.submit(inQueue("vip"), priority(-10), payload(`{"list":[null,true,1.10,123456789012345678901234567890,0.1000],"text":"\"\\ü€😀\n\u0001</x>"}`)))
	add(f.submit(after(10*24*time.Hour), priority(10), attempts(100)))
	add(f.submit(func(n *jobs.New) { n.RunAt = time.Date(2030, 1, 2, 3, 4, 5, 678_901_000, time.UTC) }))

	again := add(f.running(one)) // three attempts that failed, each in another way
	f.record(outcome(again, store.VerbRetry))
	timeout := outcome(f.take(other, again.ID), store.VerbRetry)
	timeout.Attempt, timeout.Error, timeout.Delay = jobs.AttemptTimeout, "too slow: \"x\"\n\tü", time.Hour
	f.record(timeout)
	released := add(f.running(one))
	f.record(outcome(released, store.VerbRelease))

	done := add(f.running(one))
	note := store.ProgressNote{
		ID: done.ID, Fence: done.Fence, Session: one, Percent: 33.3333333333333, Message: "a third",
	}
	f.check(f.store.Progress(f.Context(), []store.ProgressNote{note}), "progress")
	o := outcome(done, store.VerbComplete)
	o.Result = json.RawMessage(`{"big":98765432109876543210.5,"none":null}`)
	f.record(o)
	for _, result := range []string{`null`, `""`, `[]`, `12.50`} {
		j := add(f.running(other))
		o := outcome(j, store.VerbComplete)
		o.Result = json.RawMessage(result)
		f.record(o)
	}
	add(f.completed(one))

	p.Dead = add(f.dead(one, "it broke")).ID
	redriven := add(f.dead(other, "it broke, too"))
	_, err := f.store.Redrive(f.Context(), store.Redrive{IDs: []string{redriven.ID}, Limit: 1})
	f.check(err, "redrive")
	add(f.cancelled())
	stopped := add(f.running(one))
	_, err = f.store.Cancel(f.Context(), stopped.ID)
	f.check(err, "cancel")
	f.record(outcome(stopped, store.VerbRetry))

	add(f.running(one))
	asked := add(f.running(other))
	_, err = f.store.Cancel(f.Context(), asked.ID)
	f.check(err, "cancel")
	lost := f.worker()
	suspect := add(f.running(lost))
	f.die(lost)
	_, err = f.store.Reap(f.Context(), time.Time{}, 10)
	f.check(err, "reap")
	is(f, "suspect", f.get(suspect.ID).LeaseLosses, 1)

	p.Keyed = keyed("a \"key\" ü", 7, job(), job(priority(3)))
	p.Keyed.Key.Scope = "somebody"
	for _, j := range f.send(p.Keyed)[0].Jobs {
		add(j)
	}
	return p
}

// records reads everything out of a Store.
func (f *fixture) records(s store.Store) (list []store.Record) {
	f.Helper()
	f.check(s.(store.Transfer).Export(f.Context(), func(r store.Record) error {
		list = append(list, r)
		return nil
	}), "export")
	return list
}

// reading hands records on as if from a file.
func reading(list []store.Record) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (f *fixture) load(to store.Store, list []store.Record) (store.Imported, error) {
	return to.(store.Transfer).Import(f.Context(), reading(list))
}

// target is an empty Store to import into.
func (f *fixture) target() store.Store {
	f.Helper()
	if f.harness.Target != nil {
		return f.harness.Target(f.T)
	}
	return f.harness.Open(f.T)
}

// Arrived checks that all of Populate is in another Store as it was in the first one, and that it can be worked on
// there.
func Arrived(t *testing.T, from, to store.Store, p Populated) {
	t.Helper()
	a, b := &fixture{T: t, store: from}, &fixture{T: t, store: to}
	for _, id := range p.IDs {
		is(b, "job "+id, b.picture(id), a.picture(id))
	}
	is(b, "stats", jsonOf(steady(b.stats())), jsonOf(steady(a.stats())))
	audited := b.audit()
	is(b, "kept counts that are wrong", len(wrong(audited)), 0)
	is(b, "lost attempts", audited.LostAttempts, 0)
	is(b, "broken rows", len(audited.Broken), 0)
	is(b, "types", jsonOf(typesOf(b)), jsonOf(typesOf(a)))

	again := b.send(p.Keyed)[0]
	b.check(again.Err, "the same key again")
	is(b, "replayed", again.Replayed, true)
	is(b, "jobs of the key", jsonOf(again.Jobs), jsonOf(a.send(p.Keyed)[0].Jobs))
	changed := p.Keyed
	key := *p.Keyed.Key
	key.Fingerprint = fingerprint(99)
	changed.Key = &key
	b.wants(b.send(changed)[0].Err, jobs.ErrKeyReused, "the key with another request")

	hints, err := to.Redrive(b.Context(), store.Redrive{IDs: []string{p.Dead}, Limit: 1})
	b.check(err, "redrive")
	is(b, "redriven", len(hints), 1)
	drain(b, a)
}

// steady are the numbers that do not depend on when they are asked for.
func steady(s store.Stats) store.Stats {
	s.OldestDue, s.Ended = 0, store.Ended{}
	s.LastMinute(store.Ended{})
	s.Orphans = 0 // all that was running is an orphan where it arrives
	s.Queues = slices.Clone(s.Queues)
	for i := range s.Queues {
		s.Queues[i].OldestDue = 0
	}
	return s
}

func typesOf(f *fixture) []jobs.Type {
	f.Helper()
	types, err := f.store.Types(f.Context())
	f.check(err, "types")
	return types
}

// drain takes what was running back, and works off what is due.
func drain(b, a *fixture) {
	b.Helper()
	before := b.stats()
	is(b, "orphans", before.Orphans, before.Processing)
	reaped, err := b.store.Reap(b.Context(), b.now(), 100)
	b.check(err, "reap")
	is(b, "taken back", int64(len(reaped)), before.Processing)
	for _, r := range reaped {
		was := a.get(r.Job.ID)
		is(b, "fence", r.Job.Fence, was.Fence+1)
		history := b.history(r.Job.ID)
		is(b, "outcome in the history", history[len(history)-1].Outcome, jobs.AttemptLeaseLost)
	}
	session := b.worker()
	for {
		claimed := b.claimAs(store.Claim{Session: session, Types: []string{"email"}, Next: 100, Suspects: 100})
		if len(claimed.Jobs) == 0 {
			break
		}
		for _, j := range claimed.Jobs {
			b.record(outcome(j, store.VerbComplete))
		}
	}
	is(b, "due", b.stats().Due, 0)
	is(b, "processing", b.stats().Processing, 0)
	is(b, "kept counts that are wrong", len(wrong(b.audit())), 0)
}

func transferAll(f *fixture) {
	p := populate(f)
	list := f.records(f.store)
	to := f.target()
	got, err := f.load(to, list)
	f.check(err, "import")
	is(f, "imported", jsonOf(got), jsonOf(store.Imported{Types: 2, Jobs: int64(len(p.IDs)), Keys: 1}))
	is(f, "exported again", jsonOf((&fixture{T: f.T, store: to}).records(to)), jsonOf(list))
	Arrived(f.T, f.store, to, p)
}

func transferOrder(f *fixture) {
	populate(f)
	f.submitMany(1203)
	var ids []string
	kinds := ""
	for _, r := range f.records(f.store) {
		if !strings.HasSuffix(kinds, string(r.Kind)) {
			kinds += " " + string(r.Kind)
		}
		if r.Kind == store.RecordJob {
			ids = append(ids, string(r.Row["id"]))
		}
	}
	is(f, "kinds", kinds, " type job key")
	is(f, "jobs", int64(len(ids)), f.stats().Total)
	is(f, "in the order of ids", slices.IsSorted(ids), true)
	to := f.target()
	_, err := f.load(to, f.records(f.store))
	f.check(err, "import")
	is(f, "stats", jsonOf(steady((&fixture{T: f.T, store: to}).stats())), jsonOf(steady(f.stats())))
}

func transferMoment(f *fixture) {
	p := populate(f)
	want := f.records(f.store)
	var got []store.Record
	f.check(f.store.(store.Transfer).Export(f.Context(), func(r store.Record) error {
		if len(got) == 0 {
			f.submit()
			_, err := f.store.Cancel(f.Context(), p.IDs[0])
			f.check(err, "cancel")
			f.check(f.store.Delete(f.Context(), p.Dead), "delete")
			f.send(keyed("later", 1))
		}
		got = append(got, r)
		return nil
	}), "export")
	is(f, "exported", jsonOf(got), jsonOf(want))
}

func transferEnds(f *fixture) {
	populate(f)
	full := errors.New("the disk is full")
	n := 0
	err := f.store.(store.Transfer).Export(f.Context(), func(store.Record) error {
		if n++; n == 5 {
			return full
		}
		return nil
	})
	f.wants(err, full, "export")
	is(f, "calls", n, 5)
}

func transferAgain(f *fixture) {
	populate(f)
	list := f.records(f.store)
	to := f.target()
	for i := range 2 {
		got, err := f.load(to, list)
		f.check(err, "import")
		is(f, "there already", got.Same, int64(i*len(list)))
	}
	b := &fixture{T: f.T, store: to}
	got, err := f.load(to, b.records(to)) // what it has exported itself
	f.check(err, "import")
	is(f, "there already", got.Same, int64(len(list)))
	b.sound("after two imports")
	is(f, "stats", jsonOf(steady(b.stats())), jsonOf(steady(f.stats())))
}

func transferInterrupted(f *fixture) {
	f.submitMany(800)
	p := populate(f)
	list := f.records(f.store)
	to := f.target()
	b := &fixture{T: f.T, store: to}
	broken := errors.New("the line went dead")
	_, err := to.(store.Transfer).Import(f.Context(), func(yield func(store.Record, error) bool) {
		for i, r := range list {
			if i == len(list)-8 {
				yield(store.Record{}, broken)
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	})
	f.wants(err, broken, "import")
	there := b.stats().Total
	is(f, "some are there", there > 0 && there < int64(len(p.IDs)+800), true)
	b.sound("after the interruption")
	got, err := f.load(to, list)
	f.check(err, "import")
	is(f, "the rest", got.Jobs, int64(len(p.IDs)+800)-there)
	b.sound("after the rest")
	Arrived(f.T, f.store, to, p)
}

func transferConflict(f *fixture) {
	p := populate(f)
	list := f.records(f.store)
	to := f.target()
	b := &fixture{T: f.T, store: to}
	_, err := f.load(to, list)
	f.check(err, "import")
	_, err = to.Cancel(f.Context(), p.IDs[0])
	f.check(err, "cancel")
	before := b.picture(p.IDs[0])
	extra := slices.Clone(list)
	_, err = f.load(to, extra)
	f.wants(err, jobs.ErrConflict, "import")
	is(f, "the error names the job", strings.Contains(err.Error(), p.IDs[0]), true)
	is(f, "job", b.picture(p.IDs[0]), before)

	// Another request has the key.
	other := f.target()
	c := &fixture{T: f.T, store: other}
	held := p.Keyed
	held.Jobs = []jobs.New{job()}
	c.check(c.send(held)[0].Err, "submit with the key")
	_, err = f.load(other, list)
	f.wants(err, jobs.ErrConflict, "import with a key that is taken")
	is(f, "the error names the key", strings.Contains(err.Error(), fmt.Sprintf("%q", held.Key.Key)), true)
	c.sound("after the refusal")
}

func transferHistory(f *fixture) {
	p := populate(f)
	list := f.records(f.store)
	for _, sql := range []string{
		`DELETE FROM windlass.job_attempts WHERE job_id = '` + p.Dead + `'`,
		`UPDATE windlass.job_attempts SET error = 'something else' WHERE job_id = '` + p.Dead + `'`,
		`UPDATE windlass.job_attempts SET fence = fence + 1000 WHERE job_id = '` + p.Dead + `'`,
	} {
		to := f.target()
		_, err := f.load(to, list)
		f.check(err, "import")
		f.harness.Exec(f.T, to, sql)
		before := (&fixture{T: f.T, store: to}).picture(p.Dead)
		_, err = f.load(to, list)
		f.wants(err, jobs.ErrConflict, sql)
		is(f, "the error names the job", strings.Contains(err.Error(), p.Dead), true)
		is(f, "job", (&fixture{T: f.T, store: to}).picture(p.Dead), before)
	}
}

// one is the record of a job that is alone in the Store.
func (f *fixture) one() store.Record {
	f.Helper()
	f.submit()
	list := f.records(f.store)
	is(f, "records", len(list), 1)
	return list[0]
}

func transferUnknown(f *fixture) {
	r := f.one()
	r.Row["colour"] = json.RawMessage(`"blue"`)
	to := f.target()
	_, err := f.load(to, []store.Record{r})
	f.wants(err, jobs.ErrRejected, "a column that is unknown")
	is(f, "the error names it", strings.Contains(err.Error(), "colour"), true)
	delete(r.Row, "colour")
	r.Kind = "planet"
	_, err = f.load(to, []store.Record{r})
	f.wants(err, jobs.ErrRejected, "a kind that is unknown")
	is(f, "total", (&fixture{T: f.T, store: to}).stats().Total, 0)
}

func transferOlder(f *fixture) {
	r := f.one()
	var id string
	f.check(json.Unmarshal(r.Row["id"], &id), "id")
	for _, column := range []string{"redrives", "releases", "lease_losses", "fence"} {
		delete(r.Row, column)
	}
	to := f.target()
	_, err := f.load(to, []store.Record{r})
	f.check(err, "import")
	is(f, "job", (&fixture{T: f.T, store: to}).picture(id), f.picture(id))
	got, err := f.load(to, []store.Record{r})
	f.check(err, "import")
	is(f, "there already", got.Same, 1)
}

func transferBad(f *fixture) {
	good := f.one()
	to := f.target()
	b := &fixture{T: f.T, store: to}
	for column, value := range map[string]string{
		"status": `"lost"`, "attempts": `99`, "run_at": `"tomorrow"`, "priority": `"high"`, "type": `null`, "payload": `{`, "max_attempts": `1.5`,
		"queue": `7`, "created_at": `12`,
	} {
		bad := store.Record{Kind: store.RecordJob, Row: store.Row{}}
		for k, v := range good.Row {
			bad.Row[k] = v
		}
		bad.Row["id"], bad.Row[column] = json.RawMessage(`"`+newID()+`"`), json.RawMessage(value)
		_, err := f.load(to, []store.Record{good, bad})
		f.wants(err, jobs.ErrRejected, column+": "+value)
		is(f, "total after "+column, b.stats().Total, 0)
	}
	missing := store.Record{Kind: store.RecordJob, Row: store.Row{"id": good.Row["id"]}}
	_, err := f.load(to, []store.Record{missing})
	f.wants(err, jobs.ErrRejected, "most columns missing")
	is(f, "total", b.stats().Total, 0)
}

func transferKeys(f *fixture) {
	f.send(keyed("old", 1))
	f.age(25 * time.Hour)
	f.send(keyed("new", 1))
	var found []string
	for _, r := range f.records(f.store) {
		if r.Kind == store.RecordKey {
			found = append(found, string(r.Row["key"]))
		}
	}
	is(f, "keys", jsonOf(found), jsonOf([]string{`"new"`}))
}
