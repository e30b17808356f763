package storetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var inserting = area{name: "Insert", cases: []behaviour{
	{"StoresWhatWasSubmitted", insertStores},
	{"DelayCountsFromNow", insertDelay},
	{"PastRunAtIsNow", insertPast},
	{"FutureRunAtIsKept", insertFuture},
	{"PayloadComesBackAsWritten", insertPayload},
	{"MetadataComesBackAsWritten", insertMetadata},
	{"TimesAreUTCMicroseconds", insertTimes},
	{"AThousandInOneCall", insertThousand},
	{"JobsOfOneCallMayDiffer", insertDiffering},
	{"BulkKeepsItsOrder", insertBulk},
	{"BadTextIsRejectedWithAll", insertBadText},
	{"TakenIDIsRejectedWithAll", insertTakenID},
	{"GetOfUnknownIsNotFound", getUnknown},
}}

func insertStores(f *fixture) {
	n := jobs.New{
		ID: newID(), Type: "report.daily", Queue: "critical", Payload: json.RawMessage(`{"rows":3}`),
		Priority: -7, MaxAttempts: 9, Timeout: 90 * time.Second,
	}
	from := f.now()
	j := f.submitAll(n)[0]
	to := f.now()
	is(f, "status", j.Status, jobs.Pending)
	is(f, "type", j.Type, n.Type)
	is(f, "queue", j.Queue, n.Queue)
	is(f, "priority", j.Priority, n.Priority)
	is(f, "attempts", j.Attempts, 0)
	is(f, "max attempts", j.MaxAttempts, n.MaxAttempts)
	is(f, "timeout", j.Timeout, n.Timeout)
	is(f, "payload", string(j.Payload), string(n.Payload))
	f.between("created at", j.CreatedAt, from, to)
	f.between("run at", j.RunAt, from, to)
	f.between("updated at", j.UpdatedAt, from, to)
	if !j.StartedAt.IsZero() || !j.FinishedAt.IsZero() || !j.DeadlineAt.IsZero() || !j.CancelRequestedAt.IsZero() {
		f.Errorf("a new job has times it cannot have: %+v", j)
	}
	if j.Error != "" || j.FailureKind != "" || j.Result != nil || j.Progress != nil || j.WorkerID != "" {
		f.Errorf("a new job has values it cannot have: %+v", j)
	}
	is(f, "job as read", jsonOf(f.get(j.ID)), jsonOf(j))
	is(f, "attempts in the history", len(f.history(j.ID)), 0)
}

// Metadata is there wherever a job is read, and the store has a copy of its own.
func insertMetadata(f *fixture) {
	noted := map[string]string{"customer": `Ada & "sons"`, "é": "", "a": "\u2028"}
	given := maps.Clone(noted)
	n := job(func(n *jobs.New) { n.Metadata = given })
	empty := job(func(n *jobs.New) { n.Metadata = map[string]string{} })
	list := f.submitAll(n, job(), empty)
	given["customer"] = "changed by the caller"

	check := func(where string, got, want map[string]string) {
		f.Helper()
		if !maps.Equal(got, want) || (got == nil) != (want == nil) {
			f.Errorf("metadata %s: %q, want %q", where, got, want)
		}
	}
	check("as submitted", list[0].Metadata, noted)
	check("as read", f.get(n.ID).Metadata, noted)
	check("that was left out", f.get(list[1].ID).Metadata, nil)
	check("that was empty", f.get(empty.ID).Metadata, nil)
	for _, j := range f.pages(store.ListQuery{Limit: 10}) {
		if j.ID == n.ID {
			check("in a list", j.Metadata, noted)
		}
	}
	claimed := f.take(f.worker("email"), n.ID)
	check("in a claim", claimed.Metadata, noted)
	f.record(outcome(claimed, store.VerbFail))
	check("of a dead job", f.get(n.ID).Metadata, noted)
}

// The first two jobs differ only in the payload. Each further one differs from the first in one more field.
func insertDiffering(f *fixture) {
	at := f.now().Add(24 * time.Hour).Truncate(time.Microsecond)
	edits := []func(n *jobs.New){
		func(*jobs.New) {}, func(n *jobs.New) { n.Payload = json.RawMessage(`{"other":true}`) },
		func(n *jobs.New) { n.Type = "other" }, func(n *jobs.New) { n.Queue = "other" }, func(n *jobs.New) { n.Priority = 5 },
		func(n *jobs.New) { n.MaxAttempts = 11 }, func(n *jobs.New) { n.Timeout = 77 * time.Second },
		func(n *jobs.New) { n.RunAt = at }, func(n *jobs.New) { n.Delay = 3 * time.Hour },
		func(n *jobs.New) { n.Metadata = map[string]string{"a": "b"} },
	}
	base := jobs.New{Type: "email", Queue: "default", Payload: json.RawMessage(`{"n":1}`), MaxAttempts: 5,
		Timeout: time.Minute}
	for size := 2; size <= len(edits); size++ { // also without the later ones
		list := make([]jobs.New, size)
		for i := range list {
			list[i] = base
			list[i].ID = newID()
			edits[i](&list[i])
		}
		for i, j := range f.submitAll(list...) {
			n := list[i]
			is(f, "id", j.ID, n.ID)
			got := f.get(j.ID)
			is(f, "job as read", jsonOf(got), jsonOf(j))
			is(f, "fields", fmt.Sprint(got.Type, got.Queue, got.Priority, got.MaxAttempts, got.Timeout, string(got.Payload)),
				fmt.Sprint(n.Type, n.Queue, n.Priority, n.MaxAttempts, n.Timeout, string(n.Payload)))
			if n.RunAt.IsZero() {
				is(f, "delay", got.RunAt.Sub(got.CreatedAt), n.Delay)
			} else {
				is(f, "run at", got.RunAt, at)
			}
		}
	}
}

func insertDelay(f *fixture) {
	j := f.submit(after(90 * time.Minute))
	is(f, "run at - created at", j.RunAt.Sub(j.CreatedAt), 90*time.Minute)
	is(f, "state", j.State(f.now()), jobs.StateScheduled)
}

func insertPast(f *fixture) {
	from := f.now()
	j := f.submit(func(n *jobs.New) { n.RunAt = from.Add(-time.Hour) })
	f.between("run at", j.RunAt, from, f.now())
	is(f, "state", j.State(j.CreatedAt), jobs.StateWaiting)
}

func insertFuture(f *fixture) {
	at := f.now().Add(48 * time.Hour)
	zone := time.FixedZone("elsewhere", 5*3600)
	j := f.submit(func(n *jobs.New) { n.RunAt = at.In(zone) })
	if !j.RunAt.Equal(at) {
		f.Errorf("run at: got %s, want %s", j.RunAt, at)
	}
	is(f, "run at as read", jsonOf(f.get(j.ID).RunAt), jsonOf(at.UTC()))
}

// documents hold what a database may change: digits, escapes, the order of keys, long texts. They are in canonical
// form, as all documents that come to a Store.
var documents = []string{
	`{}`,
	canonical(`{"b":1.00,"aa":12345678901234567890,"n":{"x":[1,"\u00e9 é <>&"]}}`),
	canonical(`{"a":0.1000,"huge":1234567890123456789012345678901234567890.5,"tiny":1e-300,"z":[[],{},null,true]}`),
	canonical(`{"quote":"\"\\/\b\f\n\r\t","emoji":"🙂","separator":"\u2028"}`),
}

func canonical(doc string) string {
	c, err := canonjson.Canonical([]byte(doc), canonjson.Limits{})
	if err != nil {
		panic(err)
	}
	return string(c)
}

func insertPayload(f *fixture) {
	all := slices.Clone(documents)
	all = append(all, `{"long":"`+strings.Repeat("x", 200<<10)+`"}`)
	session := f.worker()
	for _, doc := range all {
		j := f.submit(func(n *jobs.New) { n.Payload = json.RawMessage(doc) })
		f.sameJSON("payload in the receipt", j.Payload, doc)
		f.sameJSON("payload as read", f.get(j.ID).Payload, doc)
		f.sameJSON("payload as claimed", f.take(session, j.ID).Payload, doc)
	}
}

// sameJSON compares documents byte by byte, without white space.
func (f *fixture) sameJSON(what string, got []byte, want string) {
	f.Helper()
	var compact bytes.Buffer
	if err := json.Compact(&compact, got); err != nil {
		f.Errorf("%s: %q: %v", what, got, err)
		return
	}
	if compact.String() != want {
		f.Errorf("%s: got %.200s, want %.200s", what, compact.String(), want)
	}
}

func insertTimes(f *fixture) {
	at := time.Date(2060, 2, 3, 4, 5, 6, 123_456_000, time.UTC)
	j := f.get(f.submit(func(n *jobs.New) { n.RunAt = at }).ID)
	is(f, "run at", j.RunAt.Format(time.RFC3339Nano), "2060-02-03T04:05:06.123456Z")
	for _, got := range []time.Time{j.RunAt, j.CreatedAt, j.UpdatedAt} {
		is(f, "location", got.Location(), time.UTC)
		is(f, "part of a microsecond", got.Nanosecond()%1000, 0)
	}
}

func insertThousand(f *fixture) {
	stored := f.submitMany(1000)
	is(f, "total", f.stats().Total, 1000)
	for _, i := range []int{0, 499, 999} {
		is(f, "job as read", jsonOf(f.get(stored[i].ID)), jsonOf(stored[i]))
	}
}

func insertBulk(f *fixture) {
	bulk := make([]jobs.New, jobs.MaxBulk)
	for i := range bulk {
		bulk[i] = job(priority(i % 5))
	}
	single := job()
	receipts, err := f.store.Insert(f.Context(), []jobs.Submission{{Jobs: bulk}, {Jobs: []jobs.New{single}}})
	f.check(err, "insert")
	f.check(receipts[0].Err, "insert")
	is(f, "jobs of the bulk", len(receipts[0].Jobs), len(bulk))
	for i, j := range receipts[0].Jobs {
		if j.ID != bulk[i].ID || j.Priority != bulk[i].Priority {
			f.Fatalf("job %d: got %s with priority %d", i, j.ID, j.Priority)
		}
	}
	is(f, "single job", receipts[1].Jobs[0].ID, single.ID)
	is(f, "replayed", receipts[0].Replayed || receipts[1].Replayed, false)
}

func insertBadText(f *fixture) {
	for name, spoil := range map[string]func(*jobs.New){
		"invalid UTF-8 in the payload": func(n *jobs.New) { n.Payload = json.RawMessage("{\"a\":\"\xff\"}") },
		"NUL in the payload":           func(n *jobs.New) { n.Payload = json.RawMessage("{\"a\":\"\x00\"}") },
		"NUL in the type":              func(n *jobs.New) { n.Type = "em\x00ail" },
		"invalid UTF-8 in the queue":   func(n *jobs.New) { n.Queue = "de\xffault" },
	} {
		good, bad := job(), job(spoil)
		_, err := f.store.Insert(f.Context(), []jobs.Submission{{Jobs: []jobs.New{good}}, {Jobs: []jobs.New{bad}}})
		f.wants(err, jobs.ErrRejected, name)
		for _, id := range []string{good.ID, bad.ID} {
			_, _, err = f.store.Get(f.Context(), id)
			f.wants(err, jobs.ErrNotFound, name+": get")
		}
	}
	is(f, "total", f.stats().Total, 0)
}

func insertTakenID(f *fixture) {
	taken := f.submit(priority(3))
	before := f.picture(taken.ID)
	good, bad := job(), job(func(n *jobs.New) { n.ID = taken.ID })
	_, err := f.store.Insert(f.Context(), []jobs.Submission{{Jobs: []jobs.New{good}}, {Jobs: []jobs.New{bad}}})
	f.wants(err, jobs.ErrRejected, "insert")
	is(f, "total", f.stats().Total, 1)
	is(f, "job that had the id", f.picture(taken.ID), before)
}

func getUnknown(f *fixture) {
	_, _, err := f.store.Get(f.Context(), newID())
	f.wants(err, jobs.ErrNotFound, "get")
}
