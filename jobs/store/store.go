// Package store is the contract of the record: what the engine asks of PostgreSQL or SQLite, split by who calls it.
//
//   - [Client] submits, reads, retries, cancels and deletes jobs.
//   - [Worker] keeps a session alive, claims jobs and records how their attempts ended.
//   - [Maintenance] feeds the queue, takes jobs back from lost workers and removes what is past its retention.
//
// A driver implements all three as a [Store]. It may also be a [Transactional], a [Migrator], [Shared], [Identified]
// and [Access].
//
// The package holds next to no code. The conformance suite in package storetest is the contract in executable form:
// every driver has to pass it.
package store

import (
	"context"
	"errors"

	"github.com/windlass-jobs/windlass/jobs"
)

// Store is the record of all jobs, and the only truth about them.
//
// Each state change is a conditional update: it names the status that it expects and, for a worker's writes, the fence.
// If the job is in another state, nothing is changed and the answer says so. jobs.Transitions lists the moves.
//
// A Store is safe for use by several goroutines at once, and one that is Shared by several processes.
//
// Errors. Besides the errors that a method names, every method may return one that wraps
//
//   - jobs.ErrBusy: a lock was not free in time. Try again.
//   - jobs.ErrRejected: the Store cannot hold a value. Trying again does not help.
//   - jobs.ErrUnavailable: the Store cannot be reached, or is closed. Try again later.
//
// With these three nothing was stored. With any other error that the method does not name, and with
// jobs.ErrOutcomeUnknown, the change may or may not be stored.
//
// Slices. A method that takes a slice answers for each item at the item's index. Unless its comment says otherwise the
// call is one atomic change, so an error of the call is about all of its items. A slice holds at most 1,000 items.
//
// Time. Every time that is stored or returned is by the Store's clock, exact to the microsecond, in UTC. Callers pass
// durations.
type Store interface {
	Client
	Worker
	Maintenance
}

// Transactional is a Store that can write in a transaction of the caller's, which the caller commits or rolls back.
// Each driver says which types of transaction it takes. ErrForeignTx is the answer to any other type, to nil, to a
// transaction that is over, and to one on a database without the Store's tables. In these cases nothing was written,
// and the transaction is as usable as before.
//
// If a statement fails, PostgreSQL aborts the whole transaction; a savepoint before the call prevents that.
type Transactional interface {
	// InsertTx is Client.Insert in tx. Jobs and keys become visible when tx is committed. A key that was taken earlier
	// in tx is replayed too. A receipt with an error leaves tx usable.
	//
	// Until tx is committed, another submission with one of the keys waits, for 2 s at most, and then gets
	// jobs.ErrBusy.
	InsertTx(ctx context.Context, tx any, subs []jobs.Submission) ([]jobs.Receipt, error)

	// UseQueuesTx is Client.UseQueues before an InsertTx in tx. It also returns the names that are known whatever
	// becomes of tx: a driver may write new names in a transaction of its own, or in tx.
	UseQueuesTx(ctx context.Context, tx any, names []string, most int) (known, refused []string, err error)

	// CompleteTx records an Outcome with VerbComplete in tx, if the job is still processing with the Outcome's fence
	// and session. Once tx is committed, Settle answers Already, with the status completed, to every outcome of this
	// attempt.
	//
	// jobs.ErrStale: the job is not processing with this fence and session. Another worker has it by now, or it was
	// completed before; the caller must roll back. jobs.ErrRejected: the verb is another one, or the result has more
	// than jobs.MaxResultBytes; tx is as usable as before.
	CompleteTx(ctx context.Context, tx any, o Outcome) error

	// Committed returns hints for those of the ids that are pending, in no particular order, with In set. It does not
	// see jobs of a transaction that is not committed.
	Committed(ctx context.Context, ids []string) ([]jobs.Hint, error)
}

// ErrForeignTx says that the Store cannot write in a transaction. Nothing was written.
var ErrForeignTx = errors.New("not a transaction of this store's database")

// Shared is a Store that several processes may use at once. Jobs that one of them has submitted are not in the memory
// of the others, so a worker whose Queue is local (queue.Local) looks into such a Store every second.
type Shared interface{ Shared() bool }

// Identified is a Store that can tell its data from that of other installations. A Store need not be one.
type Identified interface {
	// Installation returns a text that is the same for all Stores on the same data, and differs between installations.
	// It stays the same over restarts, and when a replica takes over. jobs.ErrUnavailable.
	Installation(ctx context.Context) (string, error)
}
