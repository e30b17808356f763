package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// Worker is the part of the Store that runs jobs.
type Worker interface {
	// Register opens a session that lives for ttl, and announces job types. A type that was announced before is
	// overwritten. It may be repeated. jobs.ErrConflict: a session with this id is dead.
	Register(ctx context.Context, s Session, types []jobs.Type, ttl time.Duration) error

	// Heartbeat renews a session, or ends it. A dead session never lives again: then Alive is false, and the worker has
	// to open a new session. A session that has expired but is not marked dead yet is renewed.
	Heartbeat(ctx context.Context, p Heartbeat) (HeartbeatReply, error)

	// Claim moves pending jobs to processing for a session: attempts+1, fence+1, started now, deadline now + timeout +
	// 30 s, and no progress. It takes jobs among c.IDs, or the next c.Next due ones. A job can be claimed if it is
	// pending, due, of a type in c.Types, and has attempts left. An id that is unknown, not pending or locked is left
	// out without an error. Of two claims for one job only one gets it. A session that is not alive claims nothing.
	//
	// If it returns no error the claims are committed. If it returns an error, no handler may be started, whatever was
	// stored.
	Claim(ctx context.Context, c Claim) (Claimed, error)

	// Settle records how attempts ended. An outcome takes effect only if the job is still processing with the outcome's
	// fence and session; see Settled. One call holds at most one outcome for a job. It may be repeated: the second
	// answer is Already.
	Settle(ctx context.Context, outcomes []Outcome) ([]Settled, error)

	// Led reports whether somebody holds a role now; see Maintenance.Lead. It changes nothing.
	Led(ctx context.Context, role string) (bool, error)

	// Progress notes how far jobs are. A note for a job that is not processing with the note's fence and session is
	// ignored.
	Progress(ctx context.Context, notes []ProgressNote) error
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

	State   SessionState
	Running int // jobs at the last heartbeat

	// The Store fills these in.
	StartedAt        time.Time
	BeatAt           time.Time // of the last heartbeat
	ExpiresAt        time.Time
	LastCompletionAt time.Time // zero: none yet
	EndedAt          time.Time // when it was marked dead; zero: it is not dead
	Lost             bool      // it is dead because it expired: the process was killed, or cut off
}

// SessionState is the state of a session.
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
	State           SessionState // SessionDead ends the session at once, so that its jobs can be reaped
	TTL             time.Duration
	Running         int           // jobs
	SinceCompletion time.Duration // since the worker completed a job; negative: it has completed none
}

// HeartbeatReply answers a Heartbeat.
type HeartbeatReply struct {
	Alive bool
	Held  []Held // the jobs that the session holds, according to the Store
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
	Types    []string // that the worker serves
	IDs      []string // popped from the Queue; if empty, Next applies
	Next     int      // so many due jobs, queue by queue in the order of Queues
	Queues   []string // for Next; empty: every queue
	Suspects int      // at most so many suspects among them
}

// Claimed is what a worker got.
type Claimed struct {
	Jobs []jobs.Job // processing, in no particular order

	// Later holds those of Claim.IDs that are pending but cannot be claimed now. In says when to try again:
	//   - the job is not due yet: the time until it is;
	//   - the worker does not serve its type: 1 s, or 30 s if no live session does, and then the Store has moved run_at
	//     as well;
	//   - it is a suspect, and there would be more than Claim.Suspects: 0.
	Later []jobs.Hint

	// Refused reports that nothing was claimed because the session is not alive. The ids are as good as before.
	Refused bool
}

// Outcome is how an attempt ended.
type Outcome struct {
	ID      string
	Fence   int64
	Session string
	Verb    Verb
	Attempt jobs.AttemptOutcome // of Retry and Fail, for the history: failed, timeout or cancelled
	Kind    jobs.FailureKind    // of Fail, and of Retry for the case that no attempt is left
	Result  json.RawMessage     // of Complete: canonical JSON, or nil
	Error   string              // of Retry, Fail and Release: UTF-8 without NUL, at most jobs.MaxErrorBytes
	Delay   time.Duration       // of Retry and Snooze
}

// Verb says what to do with a job whose attempt has ended.
type Verb string

// The verbs of an Outcome.
const (
	// VerbComplete: completed, even if a cancel was requested, for the work is done.
	VerbComplete Verb = "complete"
	// VerbRetry: pending again after Delay; failed if no attempt is left.
	VerbRetry Verb = "retry"
	// VerbFail: failed with Kind.
	VerbFail Verb = "fail"
	// VerbSnooze: pending again after Delay. The attempt is given back and leaves no history.
	VerbSnooze Verb = "snooze"
	// VerbRelease: pending again at once, fence+1, with jobs.AttemptReleased in the history. The attempt is given back,
	// unless the job has been released more than jobs.MaxReleases times; if no attempt is left then, the job fails with
	// jobs.KindWorkerLost.
	VerbRelease Verb = "release"
)

// Settled answers an Outcome. If a cancel was requested, all verbs but VerbComplete end in failed with
// jobs.KindCancelled, and jobs.AttemptCancelled in the history. All verbs but VerbRelease set lease_losses back to 0.
// VerbComplete empties the error. The progress stays as it was.
type Settled struct {
	Result SettleResult
	Status jobs.Status // of the job as recorded; empty if Result is Stale
	Kind   jobs.FailureKind
	Hint   *jobs.Hint // if this call made the job pending again, with In set
}

// SettleResult says whether an outcome counted.
type SettleResult string

// The answers to an Outcome.
const (
	Recorded SettleResult = "recorded" // by this call
	Already  SettleResult = "already"  // by an earlier call for this attempt, or by CompleteTx; nothing was changed now
	Stale    SettleResult = "stale"    // another worker has the job, or had it; nothing was changed
)

// ProgressNote says how far a job is.
type ProgressNote struct {
	ID      string
	Fence   int64
	Session string
	Percent float64 // 0..100
	Message string  // at most 200 bytes
}
