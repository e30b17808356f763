package storetest

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// forever is longer than any Age: the time to live of sessions that are not to expire.
const forever = 10_000 * time.Hour

// fixture is one test with a Store of its own. Its methods are short words for what most tests do.
type fixture struct {
	*testing.T
	store   store.Store
	harness Harness
	plain   bool // see area
}

func newFixture(t *testing.T, h Harness) *fixture {
	t.Helper()
	return &fixture{T: t, store: h.Open(t), harness: h}
}

// age lets the time d pass.
func (f *fixture) age(d time.Duration) {
	f.Helper()
	f.harness.Age(f.T, f.store, d)
}

// now reads the Store's clock.
func (f *fixture) now() time.Time {
	f.Helper()
	lead, err := f.store.Lead(f.Context(), "clock", "kit", time.Minute)
	f.check(err, "read the clock")
	return lead.Now
}

// peers returns two Stores on one database, or the same Store twice if the driver allows only one.
func (f *fixture) peers() [2]store.Store {
	f.Helper()
	if f.harness.Second != nil {
		if second := f.harness.Second(f.T, f.store); second != nil {
			return [2]store.Store{f.store, second}
		}
	}
	return [2]store.Store{f.store, f.store}
}

// check ends the test if there is an error.
func (f *fixture) check(err error, what string) {
	f.Helper()
	if err != nil {
		f.Fatalf("%s: %v", what, err)
	}
}

// wants ends the test if the error is not the one that the contract names.
func (f *fixture) wants(err, want error, what string) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Fatalf("%s: got error %v, want %v", what, err, want)
	}
}

// job is a new job as most tests need it.
func job(edits ...func(*jobs.New)) jobs.New {
	n := jobs.New{
		ID: newID(), Type: "email", Queue: jobs.DefaultQueue, Payload: json.RawMessage(`{"to":"ada"}`),
		MaxAttempts: jobs.DefaultMaxAttempts, Timeout: time.Minute,
	}
	for _, edit := range edits {
		edit(&n)
	}
	return n
}

func ofType(name string) func(*jobs.New)        { return func(n *jobs.New) { n.Type = name } }
func inQueue(name string) func(*jobs.New)       { return func(n *jobs.New) { n.Queue = name } }
func priority(p int) func(*jobs.New)            { return func(n *jobs.New) { n.Priority = p } }
func attempts(most int) func(*jobs.New)         { return func(n *jobs.New) { n.MaxAttempts = most } }
func after(delay time.Duration) func(*jobs.New) { return func(n *jobs.New) { n.Delay = delay } }

// submit stores one job.
func (f *fixture) submit(edits ...func(*jobs.New)) jobs.Job {
	f.Helper()
	return f.submitAll(job(edits...))[0]
}

// submitMany stores n jobs that differ only in their ids.
func (f *fixture) submitMany(n int, edits ...func(*jobs.New)) []jobs.Job {
	f.Helper()
	all := make([]jobs.New, n)
	for i := range all {
		all[i] = job(edits...)
	}
	return f.submitAll(all...)
}

// submitAll stores jobs in one call, each in a submission of its own.
func (f *fixture) submitAll(all ...jobs.New) []jobs.Job {
	f.Helper()
	subs := make([]jobs.Submission, len(all))
	for i, n := range all {
		subs[i].Jobs = []jobs.New{n}
	}
	receipts, err := f.store.Insert(f.Context(), subs)
	f.check(err, "insert")
	if len(receipts) != len(subs) {
		f.Fatalf("insert: %d receipts for %d submissions", len(receipts), len(subs))
	}
	stored := make([]jobs.Job, len(all))
	for i, r := range receipts {
		f.check(r.Err, "insert")
		if len(r.Jobs) != 1 || r.Jobs[0].ID != all[i].ID {
			f.Fatalf("insert: receipt %d is not about job %s: %+v", i, all[i].ID, r)
		}
		stored[i] = r.Jobs[0]
	}
	return stored
}

// get reads a job.
func (f *fixture) get(id string) jobs.Job {
	f.Helper()
	j, _, err := f.store.Get(f.Context(), id)
	f.check(err, "get")
	return j
}

// history reads a job's unsuccessful attempts.
func (f *fixture) history(id string) []jobs.Attempt {
	f.Helper()
	_, history, err := f.store.Get(f.Context(), id)
	f.check(err, "get")
	return history
}

// picture is all that the Store says about a job. Equal pictures mean that nothing has changed.
func (f *fixture) picture(id string) string {
	f.Helper()
	j, history, err := f.store.Get(f.Context(), id)
	f.check(err, "get")
	return jsonOf(j) + jsonOf(history)
}

// worker opens a session that serves these types, or "email" if none is named.
func (f *fixture) worker(types ...string) string {
	f.Helper()
	return f.workerFor(forever, types...)
}

func (f *fixture) workerFor(ttl time.Duration, types ...string) string {
	f.Helper()
	if len(types) == 0 {
		types = []string{"email"}
	}
	s := store.Session{ID: newID(), Hostname: "host", PID: 7, Version: "1.0", Slots: 10, Types: types}
	f.check(f.store.Register(f.Context(), s, nil, ttl), "register")
	return s.ID
}

// die ends a session.
func (f *fixture) die(session string) {
	f.Helper()
	_, err := f.store.Heartbeat(f.Context(), store.Heartbeat{Session: session, State: store.SessionDead,
		SinceCompletion: -1})
	f.check(err, "beat")
}

// claim claims jobs of the type "email" by id.
func (f *fixture) claim(session string, ids ...string) store.Claimed {
	f.Helper()
	c := store.Claim{Session: session, Types: []string{"email"}, IDs: ids, Suspects: len(ids)}
	if f.plain {
		c.Suspects = 0
	}
	return f.claimAs(c)
}

func (f *fixture) claimAs(c store.Claim) store.Claimed {
	f.Helper()
	claimed, err := f.store.Claim(f.Context(), c)
	f.check(err, "claim")
	return claimed
}

// take claims one job, and ends the test if that fails.
func (f *fixture) take(session, id string) jobs.Job {
	f.Helper()
	claimed := f.claim(session, id)
	if len(claimed.Jobs) != 1 || claimed.Jobs[0].ID != id {
		f.Fatalf("claim of %s got %+v", id, claimed)
	}
	return claimed.Jobs[0]
}

// running stores a job and claims it.
func (f *fixture) running(session string, edits ...func(*jobs.New)) jobs.Job {
	f.Helper()
	return f.take(session, f.submit(edits...).ID)
}

// outcome is an outcome of the attempt that j shows.
func outcome(j jobs.Job, verb store.Verb) store.Outcome {
	o := store.Outcome{ID: j.ID, Fence: j.Fence, Session: j.WorkerID, Verb: verb}
	switch verb {
	case store.VerbRetry:
		o.Attempt, o.Error = jobs.AttemptFailed, "it broke"
	case store.VerbFail:
		o.Attempt, o.Kind, o.Error = jobs.AttemptFailed, jobs.KindError, "it broke"
	case store.VerbRelease:
		o.Error = "shutting down"
	}
	return o
}

// settle records outcomes and returns the answers.
func (f *fixture) settle(outcomes ...store.Outcome) []store.Settled {
	f.Helper()
	settled, err := f.store.Settle(f.Context(), outcomes)
	f.check(err, "settle")
	if len(settled) != len(outcomes) {
		f.Fatalf("settle: %d answers to %d outcomes", len(settled), len(outcomes))
	}
	return settled
}

// record settles one attempt, and ends the test if that is not recorded.
func (f *fixture) record(o store.Outcome) store.Settled {
	f.Helper()
	settled := f.settle(o)[0]
	if settled.Result != store.Recorded {
		f.Fatalf("settle %s: %s, want recorded", o.Verb, settled.Result)
	}
	return settled
}

// completed, dead and cancelled store a job and end it.
func (f *fixture) completed(session string, edits ...func(*jobs.New)) jobs.Job {
	f.Helper()
	j := f.running(session, edits...)
	f.record(outcome(j, store.VerbComplete))
	return f.get(j.ID)
}

func (f *fixture) dead(session, text string, edits ...func(*jobs.New)) jobs.Job {
	f.Helper()
	j := f.running(session, edits...)
	o := outcome(j, store.VerbFail)
	o.Error = text
	f.record(o)
	return f.get(j.ID)
}

func (f *fixture) cancelled(edits ...func(*jobs.New)) jobs.Job {
	f.Helper()
	j, err := f.store.Cancel(f.Context(), f.submit(edits...).ID)
	f.check(err, "cancel")
	return j
}

// stats counts.
func (f *fixture) stats() store.Stats {
	f.Helper()
	s, err := f.store.Stats(f.Context())
	f.check(err, "stats")
	return s
}

// is compares a value with the one that the contract asks for.
func is[T comparable](f *fixture, what string, got, want T) {
	f.Helper()
	if got != want {
		f.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// between checks that a time lies between two others.
func (f *fixture) between(what string, got, from, to time.Time) {
	f.Helper()
	if got.Before(from) || got.After(to) {
		f.Errorf("%s: got %s, want %s to %s", what, got, from, to)
	}
}

// span checks the time until something. It may be a little less than want, because the test itself takes time.
func (f *fixture) span(what string, got, want time.Duration) {
	f.Helper()
	if got > want || got < want-10*time.Second {
		f.Errorf("%s: got %s, want %s or a little less", what, got, want)
	}
}

// ids lists the jobs' ids.
func ids(all []jobs.Job) []string {
	list := make([]string, len(all))
	for i, j := range all {
		list[i] = j.ID
	}
	return list
}

// hintIDs lists the hints' ids.
func hintIDs(hints []jobs.Hint) []string {
	list := make([]string, len(hints))
	for i, h := range hints {
		list[i] = h.ID
	}
	return list
}

// jsonOf turns a value into a text, to compare and to print.
func jsonOf(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%+v", v)
	}
	return string(raw)
}

var lastID atomic.Int64

// newID returns a UUIDv7 that is greater than all before it.
func newID() string {
	var stamp int64 // milliseconds in the upper 48 bits and a counter in the lower 12
	for {
		last := lastID.Load()
		stamp = max(last+1, time.Now().UnixMilli()<<12)
		if lastID.CompareAndSwap(last, stamp) {
			break
		}
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(stamp>>12)<<16|0x7000|uint64(stamp&0xfff))
	_, _ = rand.Read(b[8:]) // never fails
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
