package storetest

import (
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var keys = area{name: "Keys", cases: []behaviour{
	{"RepetitionIsReplayed", keyReplayed},
	{"OtherRequestIsRefused", keyReused},
	{"ScopesAreApart", keyScopes},
	{"BulkIsReplayedInOrder", keyBulk},
	{"ReplayHasNoResults", keyWithoutResults},
	{"EachItemIsAnsweredByItself", keyMixed},
	{"LastADay", keyExpiry},
	{"GoneWithTheirJobs", keyGone},
	{"GoneWithAPartOfTheirJobs", keyPartlyGone},
	{"RejectedSubmissionTakesNoKey", keyRejected},
	{"ConcurrentSubmissionsStoreOne", keyRace},
	{"ConcurrentTakeoverStoresOne", keyTakeoverRace},
}}

func fingerprint(b byte) (p [32]byte) { p[0] = b; return p }

// keyed is a submission with a key.
func keyed(key string, request byte, all ...jobs.New) jobs.Submission {
	if len(all) == 0 {
		all = []jobs.New{job()}
	}
	return jobs.Submission{Jobs: all, Key: &jobs.Key{Scope: "", Key: key, Fingerprint: fingerprint(request)}}
}

// send inserts submissions and returns the receipts.
func (f *fixture) send(subs ...jobs.Submission) []jobs.Receipt {
	f.Helper()
	receipts, err := f.store.Insert(f.Context(), subs)
	f.check(err, "insert")
	if len(receipts) != len(subs) {
		f.Fatalf("insert: %d receipts for %d submissions", len(receipts), len(subs))
	}
	return receipts
}

func keyReplayed(f *fixture) {
	first := f.send(keyed("k", 1))[0]
	f.check(first.Err, "first")
	is(f, "first replayed", first.Replayed, false)
	f.take(f.worker(), first.Jobs[0].ID)

	again := f.send(keyed("k", 1))[0]
	f.check(again.Err, "again")
	is(f, "again replayed", again.Replayed, true)
	is(f, "job as it is now", jsonOf(again.Jobs), jsonOf([]jobs.Job{f.get(first.Jobs[0].ID)}))
	is(f, "total", f.stats().Total, 1)
}

// A replay costs what the request costs, whatever has become of its jobs.
func keyWithoutResults(f *fixture) {
	first := f.send(keyed("k", 1, job(), job()))[0]
	f.check(first.Err, "first")
	session := f.worker()
	f.take(session, first.Jobs[0].ID)
	done := outcome(f.get(first.Jobs[0].ID), store.VerbComplete)
	done.Session, done.Result = session, json.RawMessage(`{"a":1}`)
	f.record(done)
	want := f.get(first.Jobs[0].ID)
	is(f, "result", string(want.Result), `{"a":1}`)
	want.Result = nil
	again := f.send(keyed("k", 1, job(), job()))[0]
	f.check(again.Err, "again")
	is(f, "replayed", again.Replayed, true)
	is(f, "jobs", jsonOf(again.Jobs), jsonOf([]jobs.Job{want, f.get(first.Jobs[1].ID)}))
}

func keyReused(f *fixture) {
	first := f.send(keyed("k", 1))[0]
	other := f.send(keyed("k", 2))[0]
	f.wants(other.Err, jobs.ErrKeyReused, "other request")
	is(f, "jobs of the refused", len(other.Jobs), 0)
	is(f, "total", f.stats().Total, 1)
	again := f.send(keyed("k", 1))[0]
	f.check(again.Err, "first request again")
	is(f, "job", again.Jobs[0].ID, first.Jobs[0].ID)
}

func keyScopes(f *fixture) {
	a, b := keyed("k", 1), keyed("k", 2)
	b.Key.Scope = "token"
	receipts := f.send(a, b)
	f.check(receipts[0].Err, "scope ''")
	f.check(receipts[1].Err, "scope token")
	is(f, "replayed", receipts[0].Replayed || receipts[1].Replayed, false)
	is(f, "total", f.stats().Total, 2)
}

func keyBulk(f *fixture) {
	// The order of submission is not the order of ids.
	bulk := []jobs.New{job(), job(), job(), job(), job()}
	slices.Reverse(bulk)
	first := f.send(keyed("k", 1, bulk...))[0]
	f.check(first.Err, "first")
	again := f.send(keyed("k", 1, job(), job(), job(), job(), job()))[0]
	f.check(again.Err, "again")
	is(f, "replayed", again.Replayed, true)
	is(f, "ids in order", jsonOf(ids(again.Jobs)), jsonOf(ids(first.Jobs)))
	is(f, "ids as submitted", first.Jobs[0].ID, bulk[0].ID)
	is(f, "total", f.stats().Total, 5)
}

func keyMixed(f *fixture) {
	old := f.send(keyed("old", 1))[0].Jobs[0]
	receipts := f.send(
		keyed("new", 1), keyed("old", 1), jobs.Submission{Jobs: []jobs.New{job(), job()}}, keyed("other", 9),
		keyed("fresh", 1),
	)
	for i, r := range receipts {
		f.check(r.Err, "receipt")
		is(f, "replayed", r.Replayed, i == 1)
	}
	is(f, "replayed job", receipts[1].Jobs[0].ID, old.ID)
	is(f, "total", f.stats().Total, 6)

	receipts = f.send(keyed("new", 7), keyed("latest", 1))
	f.wants(receipts[0].Err, jobs.ErrKeyReused, "reused")
	f.check(receipts[1].Err, "beside the reused one")
	is(f, "total", f.stats().Total, 7)
}

func keyExpiry(f *fixture) {
	first := f.send(keyed("k", 1))[0]
	f.age(jobs.KeyTTL - time.Hour)
	is(f, "replayed within the day", f.send(keyed("k", 1))[0].Replayed, true)
	f.age(2 * time.Hour)
	other := f.send(keyed("k", 2))[0] // the key is free for any request
	f.check(other.Err, "after a day")
	is(f, "replayed after a day", other.Replayed, false)
	if other.Jobs[0].ID == first.Jobs[0].ID {
		f.Error("no new job after a day")
	}
	f.wants(f.send(keyed("k", 1))[0].Err, jobs.ErrKeyReused, "first request again")
	is(f, "total", f.stats().Total, 2)
}

func keyGone(f *fixture) {
	j := f.send(keyed("k", 1))[0].Jobs[0]
	_, err := f.store.Cancel(f.Context(), j.ID)
	f.check(err, "cancel")
	f.check(f.store.Delete(f.Context(), j.ID), "delete")
	f.wants(f.send(keyed("k", 1))[0].Err, jobs.ErrKeyGone, "same request")
	f.wants(f.send(keyed("k", 2))[0].Err, jobs.ErrKeyReused, "other request")
	is(f, "total", f.stats().Total, 0)
}

func keyPartlyGone(f *fixture) {
	all := f.send(keyed("k", 1, job(), job()))[0].Jobs
	_, err := f.store.Cancel(f.Context(), all[1].ID)
	f.check(err, "cancel")
	f.check(f.store.Delete(f.Context(), all[1].ID), "delete")
	f.wants(f.send(keyed("k", 1, job(), job()))[0].Err, jobs.ErrKeyGone, "same request")
	is(f, "total", f.stats().Total, 1)
}

func keyRejected(f *fixture) {
	bad := job(func(n *jobs.New) { n.Type = "a\x00b" })
	_, err := f.store.Insert(f.Context(), []jobs.Submission{keyed("k", 1, job(), bad)})
	f.wants(err, jobs.ErrRejected, "insert")
	is(f, "total", f.stats().Total, 0)
	r := f.send(keyed("k", 2))[0]
	f.check(r.Err, "same key")
	is(f, "replayed", r.Replayed, false)
}

func keyRace(f *fixture) {
	f.raceForKey(50)
}

func keyTakeoverRace(f *fixture) {
	f.check(f.send(keyed("k", 1))[0].Err, "first")
	f.age(25 * time.Hour)
	f.raceForKey(12)
	is(f, "total", f.stats().Total, 2)
}

// raceForKey submits the same request n times at once. One call must create the job, and all must return it.
func (f *fixture) raceForKey(n int) {
	f.Helper()
	stores := f.peers()
	before := f.stats().Total
	receipts := make([]jobs.Receipt, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { receipts[i] = f.persist(stores[i%2], keyed("k", 1)) })
	}
	all.Wait()
	created := 0
	for _, r := range receipts {
		f.check(r.Err, "submission")
		if !r.Replayed {
			created++
		}
		if r.Jobs[0].ID != receipts[0].Jobs[0].ID {
			f.Errorf("two jobs for one key: %s and %s", r.Jobs[0].ID, receipts[0].Jobs[0].ID)
		}
	}
	is(f, "created", created, 1)
	is(f, "new jobs", f.stats().Total-before, 1)
}

// persist submits again while the Store is busy, as a client does.
func (f *fixture) persist(s store.Store, sub jobs.Submission) jobs.Receipt {
	for range 100 {
		receipts, err := s.Insert(f.Context(), []jobs.Submission{sub})
		if err != nil && !errors.Is(err, jobs.ErrBusy) {
			return jobs.Receipt{Err: err}
		}
		if err == nil && !errors.Is(receipts[0].Err, jobs.ErrBusy) {
			return receipts[0]
		}
	}
	return jobs.Receipt{Err: errors.New("busy 100 times")}
}
