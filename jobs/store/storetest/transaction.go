package storetest

import (
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// While a transaction is open, only OpenKeyIsBusy writes outside of it. With a driver that has one writer, others would
// wait.
var transacting = area{name: "Transaction", cases: []behaviour{
	{"InsertIsThereOnceCommitted", txInsert},
	{"InsertIsGoneAfterRollback", txInsertRollback},
	{"InsertedJobsCanBeClaimed", txInsertClaim},
	{"RejectedInsertStoresNothing", txInsertRejected},
	{"KeyIsReplayedInTheSameTransaction", txKeySame},
	{"KeyIsFreeAfterRollback", txKeyRollback},
	{"CommittedKeyIsReplayed", txKeyCommitted},
	{"OpenKeyIsBusy", txKeyOpen},
	{"CompletionIsThereOnceCommitted", txComplete},
	{"CompletionIsGoneAfterRollback", txCompleteRollback},
	{"CompletionStandsDespiteCancel", txCompleteCancelled},
	{"StaleCompletionIsRefused", txStale},
	{"SecondCompletionIsStale", txCompleteTwice},
	{"OtherVerbsAreRejected", txOtherVerbs},
	{"TooLargeResultIsRejected", txLargeResult},
	{"CompleteAndInsertTogether", txChain},
	{"ForeignTransactionIsRefused", txForeign},
	{"EndedTransactionIsRefused", txEnded},
	{"CommittedHintsPendingJobs", txCommitted},
}}

// transaction is an open transaction.
type transaction struct {
	*fixture
	store            store.Transactional
	tx               any
	commit, rollback func() // end it; if that fails, they end the test
}

// begin opens a transaction. It is rolled back after a test that has not ended it.
func (f *fixture) begin() *transaction {
	f.Helper()
	s, ok := f.store.(store.Transactional)
	if !ok || f.harness.Begin == nil {
		f.Fatal("the driver does not implement store.Transactional, or its harness has no Begin")
	}
	tx, commit, rollback := f.harness.Begin(f.T, f.store)
	over := false
	end := func(what string, by func() error) func() {
		return func() {
			f.Helper()
			over = true
			f.check(by(), what)
		}
	}
	f.Cleanup(func() {
		if !over {
			_ = rollback() // the test has failed already
		}
	})
	return &transaction{fixture: f, store: s, tx: tx, commit: end("commit", commit), rollback: end("rollback", rollback)}
}

// insert submits in the transaction.
func (t *transaction) insert(subs ...jobs.Submission) []jobs.Receipt {
	t.Helper()
	receipts, err := t.store.InsertTx(t.Context(), t.tx, subs)
	t.check(err, "insert in the transaction")
	if len(receipts) != len(subs) {
		t.Fatalf("insert in the transaction: %d receipts for %d submissions", len(receipts), len(subs))
	}
	return receipts
}

// complete ends a job in the transaction.
func (t *transaction) complete(o store.Outcome) error {
	return t.store.CompleteTx(t.Context(), t.tx, o)
}

// committed calls Committed.
func (t *transaction) committed(all ...string) []jobs.Hint {
	t.Helper()
	hints, err := t.store.Committed(t.Context(), all)
	t.check(err, "committed")
	return hints
}

// missing checks that jobs are not there.
func (f *fixture) missing(all ...string) {
	f.Helper()
	for _, id := range all {
		_, _, err := f.store.Get(f.Context(), id)
		f.wants(err, jobs.ErrNotFound, "get")
	}
}

func txInsert(f *fixture) {
	tx := f.begin()
	bulk := jobs.Submission{Jobs: []jobs.New{job(priority(2)), job(after(time.Hour))}}
	receipts := tx.insert(jobs.Submission{Jobs: []jobs.New{job()}}, bulk)
	var stored []jobs.Job
	for _, r := range receipts {
		f.check(r.Err, "receipt")
		is(f, "replayed", r.Replayed, false)
		stored = append(stored, r.Jobs...)
	}
	is(f, "jobs in the receipts", len(stored), 3)
	is(f, "order of the bulk", jsonOf(ids(receipts[1].Jobs)), jsonOf([]string{bulk.Jobs[0].ID, bulk.Jobs[1].ID}))
	f.missing(ids(stored)...)
	is(f, "announced before the commit", len(tx.committed(ids(stored)...)), 0)
	is(f, "total before the commit", f.stats().Total, 0)
	tx.commit()
	for _, j := range stored {
		is(f, "job as read", jsonOf(f.get(j.ID)), jsonOf(j))
	}
	hints := tx.committed(ids(stored)...)
	is(f, "announced", jsonOf(slices.Sorted(slices.Values(hintIDs(hints)))),
		jsonOf(slices.Sorted(slices.Values(ids(stored)))))
	for _, h := range hints {
		f.hinted(h)
		if h.ID == stored[2].ID {
			f.span("in", h.In, time.Hour)
		} else {
			is(f, "due", h.In <= 0, true)
		}
	}
	is(f, "total", f.stats().Total, 3)
}

func txInsertRollback(f *fixture) {
	tx := f.begin()
	j := tx.insert(jobs.Submission{Jobs: []jobs.New{job()}})[0].Jobs[0]
	tx.rollback()
	f.missing(j.ID)
	is(f, "announced", len(tx.committed(j.ID)), 0)
	is(f, "total", f.stats().Total, 0)
}

func txInsertClaim(f *fixture) {
	tx := f.begin()
	j := tx.insert(jobs.Submission{Jobs: []jobs.New{job()}})[0].Jobs[0]
	tx.commit()
	f.record(outcome(f.take(f.worker(), j.ID), store.VerbComplete))
	is(f, "completed", f.stats().Completed, 1)
}

func txInsertRejected(f *fixture) {
	taken := f.submit()
	before := f.picture(taken.ID)
	tx := f.begin()
	good, bad := job(), job(func(n *jobs.New) { n.ID = taken.ID })
	_, err := tx.store.InsertTx(f.Context(), tx.tx, []jobs.Submission{{Jobs: []jobs.New{good}}, {Jobs: []jobs.New{bad}}})
	f.wants(err, jobs.ErrRejected, "insert")
	tx.rollback()
	f.missing(good.ID)
	is(f, "job that had the id", f.picture(taken.ID), before)
}

func txKeySame(f *fixture) {
	tx := f.begin()
	first := tx.insert(keyed("k", 1))[0]
	f.check(first.Err, "first")
	is(f, "first replayed", first.Replayed, false)
	again := tx.insert(keyed("k", 1))[0]
	f.check(again.Err, "again")
	is(f, "again replayed", again.Replayed, true)
	is(f, "job", again.Jobs[0].ID, first.Jobs[0].ID)
	f.wants(tx.insert(keyed("k", 2))[0].Err, jobs.ErrKeyReused, "other request")
	tx.commit()
	is(f, "replayed after the commit", f.send(keyed("k", 1))[0].Replayed, true)
	is(f, "total", f.stats().Total, 1)
}

func txKeyRollback(f *fixture) {
	tx := f.begin()
	f.check(tx.insert(keyed("k", 1))[0].Err, "first")
	tx.rollback()
	other := f.send(keyed("k", 2))[0]
	f.check(other.Err, "after the rollback")
	is(f, "replayed", other.Replayed, false)
	is(f, "total", f.stats().Total, 1)
}

func txKeyCommitted(f *fixture) {
	first := f.send(keyed("k", 1))[0]
	tx := f.begin()
	receipts := tx.insert(keyed("k", 1), keyed("other", 1))
	f.check(receipts[0].Err, "again")
	is(f, "again replayed", receipts[0].Replayed, true)
	is(f, "job as it is now", jsonOf(receipts[0].Jobs), jsonOf([]jobs.Job{f.get(first.Jobs[0].ID)}))
	f.check(receipts[1].Err, "other key")
	is(f, "other key replayed", receipts[1].Replayed, false)
	// No statement has failed, so the transaction is still usable.
	f.wants(tx.insert(keyed("k", 2))[0].Err, jobs.ErrKeyReused, "other request")
	f.check(tx.insert(jobs.Submission{Jobs: []jobs.New{job()}})[0].Err, "without a key")
	tx.commit()
	is(f, "total", f.stats().Total, 3)
}

func txKeyOpen(f *fixture) {
	tx := f.begin()
	first := tx.insert(keyed("k", 1))[0]
	f.check(first.Err, "first")
	receipts, err := f.store.Insert(f.Context(), []jobs.Submission{keyed("k", 1)})
	if err == nil {
		err = receipts[0].Err
	}
	f.wants(err, jobs.ErrBusy, "same key while the transaction is open")
	tx.commit()
	again := f.send(keyed("k", 1))[0]
	f.check(again.Err, "same key after the commit")
	is(f, "replayed", again.Replayed, true)
	is(f, "job", again.Jobs[0].ID, first.Jobs[0].ID)
	is(f, "total", f.stats().Total, 1)
}

func txComplete(f *fixture) {
	session := f.worker()
	j := f.running(session)
	f.record(outcome(j, store.VerbRetry)) // leaves an error behind, which a completion empties
	j = f.take(session, j.ID)
	o := outcome(j, store.VerbComplete)
	o.Result = json.RawMessage(`{"sent":true}`)
	before, from := f.picture(j.ID), f.now()
	tx := f.begin()
	f.check(tx.complete(o), "complete")
	is(f, "job before the commit", f.picture(j.ID), before)
	is(f, "completed before the commit", f.stats().Completed, 0)
	tx.commit()
	got := f.get(j.ID)
	is(f, "status", got.Status, jobs.Completed)
	is(f, "result", string(got.Result), `{"sent":true}`)
	is(f, "error", got.Error, "")
	is(f, "worker", got.WorkerID, session)
	is(f, "fence", got.Fence, j.Fence)
	is(f, "deadline is zero", got.DeadlineAt.IsZero(), true)
	f.between("finished at", got.FinishedAt, from, f.now())
	is(f, "attempts in the history", len(f.history(j.ID)), 1)
	stats := f.stats()
	is(f, "completed", stats.Completed, 1)
	is(f, "completed in the last minute", stats.CompletedLastMinute, 1)
	is(f, "attempts in the last minute", stats.AttemptsLastMinute, 2) // the first one failed
	is(f, "processing", stats.Processing, 0)

	// Whatever the worker reports after the handler has returned, this attempt is recorded.
	after := f.picture(j.ID)
	for _, verb := range verbs {
		settled := f.settle(outcome(j, verb))[0]
		is(f, string(verb), settled.Result, store.Already)
		is(f, "status for "+string(verb), settled.Status, jobs.Completed)
		is(f, "has a hint", settled.Hint != nil, false)
	}
	is(f, "job after that", f.picture(j.ID), after)
	is(f, "completed after that", f.stats().Completed, 1)
	is(f, "announced", len(tx.committed(j.ID)), 0)
}

func txCompleteRollback(f *fixture) {
	j := f.running(f.worker())
	before := f.picture(j.ID)
	tx := f.begin()
	f.check(tx.complete(outcome(j, store.VerbComplete)), "complete")
	tx.rollback()
	is(f, "job", f.picture(j.ID), before)
	is(f, "completed", f.stats().Completed, 0)
	f.record(outcome(j, store.VerbRetry))
	is(f, "status", f.get(j.ID).Status, jobs.Pending)
}

func txCompleteCancelled(f *fixture) {
	j := f.running(f.worker())
	f.cancel(j.ID)
	tx := f.begin()
	f.check(tx.complete(outcome(j, store.VerbComplete)), "complete")
	tx.commit()
	is(f, "status", f.get(j.ID).Status, jobs.Completed)
}

// refused checks that a completion is stale, and changes nothing even if the transaction is committed.
func (f *fixture) refused(what string, j jobs.Job) {
	f.Helper()
	before := f.picture(j.ID)
	tx := f.begin()
	o := outcome(j, store.VerbComplete)
	o.Result = json.RawMessage(`{"by":"a zombie"}`)
	f.wants(tx.complete(o), jobs.ErrStale, what)
	tx.commit()
	is(f, what+": job", f.picture(j.ID), before)
}

func txStale(f *fixture) {
	session := f.worker()
	pending := f.submit()
	pending.WorkerID = session
	f.refused("never claimed", pending)

	j := f.running(session)
	for _, by := range []int64{-1, 1} {
		wrong := j
		wrong.Fence += by
		f.refused("another fence", wrong)
	}
	wrong := j
	wrong.WorkerID = f.worker()
	f.refused("another session", wrong)
	f.record(outcome(j, store.VerbComplete))
	f.refused("completed before", j)

	lost := f.running(f.worker())
	f.lose(lost)
	f.refused("reaped", lost)
	next := f.take(f.worker(), lost.ID)
	f.refused("claimed by another", lost)
	f.record(outcome(next, store.VerbComplete))
	f.refused("completed by another", lost)
	is(f, "completed", f.stats().Completed, 2)

	tx := f.begin()
	gone := outcome(jobs.Job{ID: newID(), Fence: 1, WorkerID: session}, store.VerbComplete)
	f.wants(tx.complete(gone), jobs.ErrStale, "unknown job")
	tx.rollback()
}

func txCompleteTwice(f *fixture) {
	j := f.running(f.worker())
	tx := f.begin()
	f.check(tx.complete(outcome(j, store.VerbComplete)), "complete")
	f.wants(tx.complete(outcome(j, store.VerbComplete)), jobs.ErrStale, "complete again")
	tx.commit()
	is(f, "completed", f.stats().Completed, 1)
}

func txOtherVerbs(f *fixture) {
	j := f.running(f.worker())
	tx := f.begin()
	for _, verb := range verbs {
		if verb != store.VerbComplete {
			f.wants(tx.complete(outcome(j, verb)), jobs.ErrRejected, string(verb))
		}
	}
	f.check(tx.complete(outcome(j, store.VerbComplete)), "complete") // the transaction is as usable as before
	tx.commit()
	is(f, "status", f.get(j.ID).Status, jobs.Completed)
}

func txLargeResult(f *fixture) {
	j := f.running(f.worker())
	before := f.picture(j.ID)
	tx := f.begin()
	o := outcome(j, store.VerbComplete)
	o.Result = json.RawMessage(`"` + strings.Repeat("x", jobs.MaxResultBytes-1) + `"`)
	f.wants(tx.complete(o), jobs.ErrRejected, "a byte too many")
	is(f, "job", f.picture(j.ID), before)
	o.Result = json.RawMessage(`"` + strings.Repeat("x", jobs.MaxResultBytes-2) + `"`)
	f.check(tx.complete(o), "just small enough") // the transaction is as usable as before
	tx.commit()
	is(f, "bytes of the result", len(f.get(j.ID).Result), jobs.MaxResultBytes)
}

func txChain(f *fixture) {
	j := f.running(f.worker())
	next := job()
	both := func() *transaction {
		f.Helper()
		tx := f.begin()
		f.check(tx.complete(outcome(j, store.VerbComplete)), "complete")
		f.check(tx.insert(jobs.Submission{Jobs: []jobs.New{next}})[0].Err, "insert")
		return tx
	}
	both().rollback()
	is(f, "status after the rollback", f.get(j.ID).Status, jobs.Processing)
	f.missing(next.ID)
	both().commit()
	is(f, "status after the commit", f.get(j.ID).Status, jobs.Completed)
	is(f, "status of the next", f.get(next.ID).Status, jobs.Pending)
}

func txForeign(f *fixture) {
	j := f.running(f.worker())
	before := f.picture(j.ID)
	open := f.begin()
	f.foreign("nil", nil, j)
	f.foreign("a number", 7, j)
	f.foreign("a nil *sql.Tx", (*sql.Tx)(nil), j)
	f.check(open.insert(jobs.Submission{Jobs: []jobs.New{job()}})[0].Err, "insert in the real one")
	open.commit()
	is(f, "job", f.picture(j.ID), before)
	is(f, "total", f.stats().Total, 2)
}

// foreign checks that the Store does not write in tx.
func (f *fixture) foreign(what string, tx any, running jobs.Job) {
	f.Helper()
	s := f.store.(store.Transactional)
	receipts, err := s.InsertTx(f.Context(), tx, []jobs.Submission{{Jobs: []jobs.New{job()}}})
	f.wants(err, store.ErrForeignTx, "insert by "+what)
	is(f, "receipts", len(receipts), 0)
	f.wants(s.CompleteTx(f.Context(), tx, outcome(running, store.VerbComplete)), store.ErrForeignTx, "complete by "+what)
}

func txEnded(f *fixture) {
	j := f.running(f.worker())
	before := f.picture(j.ID)
	tx := f.begin()
	tx.commit()
	f.foreign("one that is committed", tx.tx, j)
	tx = f.begin()
	tx.rollback()
	f.foreign("one that is rolled back", tx.tx, j)
	is(f, "job", f.picture(j.ID), before)
	is(f, "total", f.stats().Total, 1)
}

func txCommitted(f *fixture) {
	session := f.worker()
	tx := f.begin()
	tx.rollback()
	due, later := f.submit(priority(4)), f.submit(after(time.Hour))
	others := []string{f.running(session).ID, f.completed(session).ID, f.dead(session, "x").ID, f.cancelled().ID, newID()}
	hints := tx.committed(append(others, later.ID, due.ID)...)
	is(f, "hints", jsonOf(slices.Sorted(slices.Values(hintIDs(hints)))), jsonOf([]string{due.ID, later.ID}))
	for _, h := range hints {
		f.hinted(h)
	}
	is(f, "hints for none", len(tx.committed()), 0)
}
