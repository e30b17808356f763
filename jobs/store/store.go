// Package store is the contract of the record: what the engine asks of PostgreSQL or SQLite, split by who calls it.
//
//   - [Client] submits, reads, retries, cancels and deletes;
//   - [Worker] keeps a session alive, claims jobs and records how their attempts ended;
//   - [Maintenance] feeds the queue, takes jobs back from lost workers and removes what is past its retention.
//
// A driver fulfils all three ([Store]). The conformance suite in package storetest is the contract in executable form: every
// driver has to pass it.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// Store is the record and the only truth. Each state change is a conditional update that names the status and, for a worker's
// writes, the fence it expects; a change that finds something else changes nothing and says so. Transitions lists the moves.
//
// Implementations are safe for use by several goroutines and processes. Their errors wrap one of the sentinels of this package:
// jobs.ErrBusy, jobs.ErrRejected and jobs.ErrUnavailable promise that nothing was stored; any other error that is not documented at the
// method means that the outcome is unknown. Methods that take slices answer for each item at its index; unless said otherwise they are
// one atomic statement, so an error of the call is about all of its items. Slices hold at most 1,000 items.
//
// Every time stored or returned is by the Store's clock, exact to the microsecond, in UTC. Callers hand in durations.
type Store interface {
	Client
	Worker
	Maintenance
}

// Client is what a client needs.
type Client interface {
	// Insert stores submissions, each whole or not at all, pending. The answers are in the receipts: see there. Keys must be
	// unique within the call. jobs.ErrRejected and jobs.ErrBusy for the call say that one of the items is at fault and none was stored:
	// repeat them one by one to find which.
	Insert(ctx context.Context, subs []jobs.Submission) ([]jobs.Receipt, error)

	// Get returns one job with its unsuccessful attempts, oldest first (by fence). jobs.ErrNotFound.
	Get(ctx context.Context, id string) (jobs.Job, []jobs.Attempt, error)

	// List returns jobs that match, newest first by id, without payload and result. It does a bounded amount of work: a page may hold fewer than
	// q.Limit jobs, or none, and still have a Next.
	List(ctx context.Context, q ListQuery) (Page, error)

	// Stats counts. It is exact as of now and takes some 10 ms even with millions of finished jobs.
	Stats(ctx context.Context) (Stats, error)

	// Redrive sends failed jobs back to pending: attempts, releases and lease losses start again at 0, the fence grows, the history stays. It
	// returns a hint for each job that moved, with In set. Jobs that are not failed, or locked, are passed over.
	Redrive(ctx context.Context, r Redrive) ([]jobs.Hint, error)

	// Cancel ends a pending job as failed (jobs.KindCancelled, fence grows), or notes the request on a processing one for its worker or the
	// reaper to carry out. It returns the job as it is now. Repeating it is no error. jobs.ErrNotFound; jobs.ErrConflict, with the job, when it is
	// completed or dead.
	Cancel(ctx context.Context, id string) (jobs.Job, error)

	// Delete removes a completed or failed job and its history. jobs.ErrNotFound; jobs.ErrConflict otherwise.
	Delete(ctx context.Context, id string) error

	// Types returns what workers have announced, by name.
	Types(ctx context.Context) ([]jobs.Type, error)
}

// Worker is what a worker needs.
type Worker interface {
	// Register opens a session that lives for ttl, and announces the types it serves (a type announced before is overwritten).
	Register(ctx context.Context, s Session, types []jobs.Type, ttl time.Duration) error

	// Heartbeat renews a session, or ends it. A session that was marked dead never lives again: Alive is false, and its worker must open a
	// new one. One that has expired but has not been marked dead yet is renewed.
	Heartbeat(ctx context.Context, p Heartbeat) (HeartbeatReply, error)

	// Claim moves pending jobs to processing for a session: attempts+1, fence+1, started now, deadline = now + timeout + 30 s, progress
	// emptied. It takes those among c.IDs, or the next c.Next due ones, that are pending, due, of a type in c.Types
	// and have attempts left; an id that is not pending, unknown or locked by another is silently left out. Only one of two claims for a
	// job can have it.
	//
	// When it returns without an error the claims are committed; when it returns an error no handler may be started, whatever was stored.
	// A session that is not alive claims nothing.
	Claim(ctx context.Context, c Claim) (Claimed, error)

	// Settle records how attempts ended. Each takes effect only where the job is still processing with this fence and session (see
	// Settled). Outcomes are at most one for each job.
	Settle(ctx context.Context, outcomes []Outcome) ([]Settled, error)

	// Led reports whether somebody has the lease on a role now; see Maintenance.Lead. It changes nothing.
	Led(ctx context.Context, role string) (bool, error)

	// Progress notes how far jobs are, where they are still processing with this fence and session; the others are passed over.
	Progress(ctx context.Context, notes []ProgressNote) error
}

// Maintenance is what the chores need.
type Maintenance interface {
	// Queues names the queues that have pending jobs, sorted.
	Queues(ctx context.Context) ([]string, error)

	// Due returns hints for pending jobs of a queue, in the order of the queue, with In set: those that are due, or with d.Ahead those that are not yet
	// but will be by then.
	Due(ctx context.Context, d Due) ([]jobs.Hint, error)

	// Reap marks sessions dead that had expired at asOf, then takes up to limit processing jobs back from sessions that are dead or missing, or whose
	// deadline had passed more than 5 s before asOf: fence+1, lease_losses+1, and an attempt in the history (jobs.AttemptLeaseLost). Such a job becomes failed
	// (jobs.KindCancelled) where a cancel was requested, failed (jobs.KindWorkerLost) where attempts are used up or lease_losses reaches jobs.MaxLeaseLosses,
	// else pending after 2^attempts seconds (jobs.BackoffBase) plus up to 10 %. Jobs locked by another are left for the next time. It returns what it took back.
	//
	// asOf is what the Store's clock said (Lead.Now) when the caller had reason to trust it, so that a clock that jumps ahead takes no job from anybody.
	// A time that is yet to come means now; the zero time, that neither sessions nor deadlines are taken to have expired.
	Reap(ctx context.Context, asOf time.Time, limit int) ([]Reaped, error)

	// Prune removes what is past its retention, a bounded amount in a call.
	Prune(ctx context.Context, p Prune) (Pruned, error)

	// Lead asks for a lease on a role for ttl, or renews it; ttl 0 gives it back. One holder has it at a time.
	Lead(ctx context.Context, role, holder string, ttl time.Duration) (Lead, error)

	// Sessions returns the sessions that are not dead, oldest first.
	Sessions(ctx context.Context) ([]Session, error)
}

// Transactional is a Store that can write in a transaction of the caller's, which the caller commits or rolls back. The drivers say
// which types of transaction they take. For any other, for nil, for one that is over, and for one of a database without these tables
// the error is ErrForeignTx; nothing was written then, and the transaction is as usable as before.
//
// An error of a statement leaves a PostgreSQL transaction aborted, as any failed statement does; a savepoint helps.
type Transactional interface {
	// InsertTx is Client.Insert in tx: jobs and keys are there once tx is committed. The answers are those of Insert; a key that was
	// taken earlier in tx is replayed as well. Receipts with an error leave tx usable. Until tx is committed another submission with
	// one of the keys waits, for 2 s at most, and then gets jobs.ErrBusy.
	InsertTx(ctx context.Context, tx any, subs []jobs.Submission) ([]jobs.Receipt, error)

	// CompleteTx records an Outcome with VerbComplete in tx, under the guard of Settle: the job is processing, with this fence and
	// this session. jobs.ErrStale where it is not: another has the job by now, or it was completed before, and the caller must roll
	// back. jobs.ErrRejected for another verb, or a result of more than jobs.MaxResultBytes; tx is as usable as before then. Once
	// tx is committed, Settle answers Already, with the status completed, for any outcome of this attempt.
	CompleteTx(ctx context.Context, tx any, o Outcome) error

	// Committed returns hints, with In set, for those of the ids that are pending, in no particular order. Jobs of a transaction
	// that is not committed are not among them.
	Committed(ctx context.Context, ids []string) ([]jobs.Hint, error)
}

// Shared is a Store that several processes may use at once. Jobs that one of them has submitted are in no other's memory, so a worker
// whose Queue is local (queue.Local) looks into such a Store every second.
type Shared interface{ Shared() bool }

// Identified is a Store that can tell its data from that of other installations. A Store need not be one.
type Identified interface {
	// Installation returns a text that is the same for all Stores on the same data, and differs between installations. It stays
	// the same over restarts, and when a replica takes over. jobs.ErrUnavailable.
	Installation(ctx context.Context) (string, error)
}

// ErrForeignTx is the answer to a transaction that the Store cannot write in; nothing was written.
var ErrForeignTx = errors.New("not a transaction of this store's database")

// ListQuery selects jobs. Empty fields do not restrict.
type ListQuery struct {
	Status jobs.Status
	State  jobs.State
	Type   string
	Queue  string
	Before string // only ids smaller than this one
	Limit  int    // 1..200
}

// Page is a part of a list.
type Page struct {
	Jobs []jobs.Job
	Next string // pass as Before for what follows; empty at the end
}

// Stats is a count of everything.
type Stats struct {
	Total      int64 // rows
	Due        int64 // pending and due
	Scheduled  int64 // pending, due later, no attempt yet
	Retrying   int64 // pending after an unsuccessful attempt, due or not
	Processing int64
	Completed  int64
	Failed     int64 // dead and cancelled
	Dead       int64
	Cancelled  int64
	Orphans    int64 // processing, but for no session that lives

	OldestDue           time.Duration // how long the job that has been due longest is waiting; 0 where none is
	CompletedLastMinute int64         // may be off by what happened in 5 s at the minute's edge
	FailedLastMinute    int64

	Queues []QueueStats // by name; those with pending or processing jobs
}

// QueueStats counts one queue.
type QueueStats struct {
	Name       string
	Due        int64
	Later      int64 // pending, due later: scheduled, or waiting for a retry
	Processing int64
	OldestDue  time.Duration
}

// Redrive selects failed jobs to send back. With IDs, only those; else those that match the other fields.
type Redrive struct {
	IDs      []string
	DeadOnly bool // pass over cancelled ones
	Type     string
	Queue    string
	Error    string        // a part of the error message, compared without regard to case
	Limit    int           // at most so many, 1..1,000, newest first by finish time
	Spread   time.Duration // run times are spread at random from now over this span
}

// Session is one run of a worker process.
type Session struct {
	ID       string // UUID
	Hostname string
	PID      int
	Version  string
	Slots    int // jobs at once
	Types    []string
	Queues   []string // empty: all

	State            SessionState
	Running          int       // at the last beat
	StartedAt        time.Time // these four are filled in by the Store
	BeatAt           time.Time
	ExpiresAt        time.Time
	LastCompletionAt time.Time
}

// SessionState is what a worker is about.
type SessionState string

// The states of a session.
const (
	SessionAlive    SessionState = "alive"
	SessionDraining SessionState = "draining" // claims nothing more
	SessionDead     SessionState = "dead"     // for ever
)

// Heartbeat is a sign of life.
type Heartbeat struct {
	Session         string
	State           SessionState // SessionDead ends the session at once: its jobs are free to be reaped
	TTL             time.Duration
	Running         int
	SinceCompletion time.Duration // since the worker's last completed job; negative: none yet
}

// HeartbeatReply answers a Heartbeat.
type HeartbeatReply struct {
	Alive bool
	Held  []Held // what the Store says that this session is running
}

// Held is a job that a session holds.
type Held struct {
	ID              string
	Fence           int64
	CancelRequested bool
}

// Claim says which jobs a worker wants.
type Claim struct {
	Session  string
	Types    []string
	IDs      []string // popped from the Queue; where empty, Next applies
	Next     int      // take so many due ones, in the order of the queues
	Queues   []string // for Next, in this order; empty: every queue
	Suspects int      // at most so many suspects among them
}

// Claimed is what a worker got.
type Claimed struct {
	Jobs []jobs.Job // processing, in no particular order
	// Later holds the ids among Claim.IDs that are pending but could not be had now, with In set: not due yet (In tells how long); of a type that this
	// worker does not serve (1 s), where no live session serves it the Store has put it off by 30 s; a suspect too many (0).
	Later []jobs.Hint
}

// Outcome is how an attempt ended.
type Outcome struct {
	ID      string
	Fence   int64
	Session string
	Verb    Verb
	Attempt jobs.AttemptOutcome // for the history: of Retry and Fail (failed, timeout or cancelled)
	Kind    jobs.FailureKind    // of Fail
	Result  json.RawMessage     // of Complete: canonical, or nil
	Error   string              // of Retry, Fail and Release: valid UTF-8 without NUL, at most jobs.MaxErrorBytes
	Delay   time.Duration       // of Retry and Snooze
}

// Verb is what to do with a job whose attempt has ended.
type Verb string

// The verbs of an Outcome.
const (
	VerbComplete Verb = "complete" // stands even where a cancel was requested: the work is done
	VerbRetry    Verb = "retry"    // pending again after Delay; failed where no attempt is left
	VerbFail     Verb = "fail"     // failed with Kind
	VerbSnooze   Verb = "snooze"   // pending again after Delay, the attempt given back; leaves no history
	// VerbRelease: pending again at once, fence+1, with jobs.AttemptReleased in the history. The attempt is given back, but for a job that was released more
	// than jobs.MaxReleases times; where none is left then, it is failed as jobs.KindWorkerLost.
	VerbRelease Verb = "release"
)

// Settled answers an Outcome. All verbs but VerbComplete end in failed (jobs.KindCancelled, jobs.AttemptCancelled) where a cancel was requested. All but VerbRelease
// set lease_losses back to 0. VerbComplete empties the error; progress stays as it was.
type Settled struct {
	Result SettleResult
	Status jobs.Status // of the job as recorded, where Result is not Stale
	Kind   jobs.FailureKind
	Hint   *jobs.Hint // where the job is pending again by this call, with In set
}

// SettleResult tells whether an outcome counted.
type SettleResult string

// The answers to an Outcome.
const (
	Recorded SettleResult = "recorded" // by this call
	Already  SettleResult = "already"  // by an earlier call whose answer was lost
	Stale    SettleResult = "stale"    // another has the job by now, or had it: nothing changed
)

// ProgressNote is a Progress with the right to say it.
type ProgressNote struct {
	ID      string
	Fence   int64
	Session string
	Percent float64
	Message string
}

// Due selects pending jobs of a queue.
type Due struct {
	Queue string
	After *jobs.Hint    // only what follows this one in the order of the queue (Priority, RunAt, ID are read); nil: from the front
	Ahead time.Duration // 0: those that are due now
	Limit int           // 1..5,000
}

// Reaped is a job that was taken back from its worker.
type Reaped struct {
	Job  jobs.Job   // as it is now; without payload and result
	From string     // the session that had it
	Hint *jobs.Hint // where it is pending again, with In set
}

// Prune says what may go.
type Prune struct {
	Completed time.Duration // finished longer ago than this
	Failed    time.Duration
	Sessions  time.Duration // dead for longer than this
	After     string        // where the last call stopped looking at completed jobs; empty: at the oldest
	Limit     int           // rows looked at in this call
}

// Pruned is what went.
type Pruned struct {
	Jobs     int
	Keys     int // idempotency keys past jobs.KeyTTL
	Sessions int
	Next     string // pass as After; empty: the end was reached
}

// Lead answers a request for a role.
type Lead struct {
	Held bool
	Now  time.Time     // the Store's clock
	Up   time.Duration // since the Store's server started; with an embedded Store, which dies with its process, a large value
}
