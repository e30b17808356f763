// Package jobs holds the nouns of Windlass: a job, its states, its retry curve, its attempts ([Run]), and the registry
// of handlers.
//
// It does nothing by itself: no I/O, no goroutine, no dependency outside the standard library. Package engine does the
// work. Packages store and queue are the contracts that the engine uses and the drivers fulfil.
package jobs

import (
	"encoding/json"
	"time"
)

// Limits and defaults of a job. All are inclusive.
const (
	DefaultQueue       = "default"
	DefaultMaxAttempts = 5
	DefaultTimeout     = 300 * time.Second

	MinPriority      = -10
	MaxPriority      = 10 // the most urgent
	MaxMaxAttempts   = 100
	MaxTimeout       = 24 * time.Hour
	MaxDelay         = 366 * 24 * time.Hour // how far ahead a job may be scheduled
	MaxPayloadBytes  = 256 << 10            // of the payload's canonical form; a setting may lower or raise it
	MaxMetadataBytes = 1 << 10              // of the names and values of metadata together
	MaxResultBytes   = 256 << 10            // of a result's canonical form; a larger one is not stored
	MaxErrorBytes    = 4 << 10              // of an error's text, stack included; the rest is cut
	MaxBulk          = 1000                 // jobs in one submission
	DefaultMaxQueues = 10_000               // queues that there may be; a setting may lower or raise it
	MaxLeaseLosses   = 3                    // lost leases in a row before a job is given up as worker_lost
	MaxReleases      = 5                    // times that a job is handed back without using up an attempt
)

// Job is one piece of work and everything that is known of it. A zero time, an empty string and a nil
// message mean that the field has no value yet.
//
// Every time is by the Store's clock; no other clock is ever written into a job.
type Job struct {
	ID       string // UUIDv7, lower case with dashes: sorts by creation
	Type     string // names the handler
	Queue    string
	Payload  json.RawMessage // a JSON object in canonical form
	Status   Status
	Priority int // MinPriority..MaxPriority, the higher is served first

	Attempts    int           // begun so far; grows at the claim, so that a crash counts too
	MaxAttempts int           // 1..MaxMaxAttempts
	Timeout     time.Duration // of one attempt, whole seconds

	RunAt       time.Time         // not to be started before
	Error       string            // of the newest unsuccessful attempt; empty once completed
	FailureKind FailureKind       // why it failed; empty unless Status is Failed
	Metadata    map[string]string // what the submitter noted for people and filters; nil: nothing
	Result      json.RawMessage   // what the handler returned, canonical; nil unless completed with one
	Progress    *Progress

	WorkerID          string // session that runs it, or that ran it last
	CancelRequestedAt time.Time
	StartedAt         time.Time // of the newest attempt
	DeadlineAt        time.Time // the reaper takes the job from its worker after this; zero unless processing
	FinishedAt        time.Time // zero unless completed or failed
	CreatedAt         time.Time
	UpdatedAt         time.Time

	Fence       int64 // grows at every claim, release, reclaim and redrive, and never goes back
	LeaseLosses int   // attempts in a row that ended with a lost worker; 1 or more makes a suspect
}

// Suspect reports whether the job's last attempt took its worker down, or was lost with it.
// A worker runs at most one suspect at a time.
func (j *Job) Suspect() bool { return j.LeaseLosses > 0 }

// Hint returns the job's place in its queue, for jobs that are pending. In is left at zero.
func (j *Job) Hint() Hint {
	return Hint{
		ID: j.ID, Queue: j.Queue, Type: j.Type, Priority: j.Priority, RunAt: j.RunAt, Suspect: j.Suspect(),
	}
}

// Progress is the newest report of a running handler; see Run.Progress.
type Progress struct {
	Percent float64 // 0..100
	Message string  // at most 200 bytes
	At      time.Time
}

// FailureKind says why a job is failed.
type FailureKind string

// The kinds of failure. All but KindCancelled are in the dead-letter queue.
const (
	KindError      FailureKind = "error"       // the last attempt returned an error or panicked
	KindTimeout    FailureKind = "timeout"     // the last attempt took longer than the job's timeout
	KindWorkerLost FailureKind = "worker_lost" // the worker of the last attempt vanished
	KindPermanent  FailureKind = "permanent"   // the handler said that no retry can help
	KindCancelled  FailureKind = "cancelled"   // a person asked for it
)

// Attempt is one unsuccessful attempt of a job's history. A success is in the job itself.
type Attempt struct {
	Attempt    int   // counted from 1; the same number may occur again after a release or a redrive
	Fence      int64 // unique within the job
	WorkerID   string
	StartedAt  time.Time
	FinishedAt time.Time
	Outcome    AttemptOutcome
	Error      string
}

// AttemptOutcome is how an unsuccessful attempt ended.
type AttemptOutcome string

// The outcomes of an unsuccessful attempt.
const (
	AttemptFailed    AttemptOutcome = "failed"
	AttemptTimeout   AttemptOutcome = "timeout"
	AttemptCancelled AttemptOutcome = "cancelled"
	AttemptLeaseLost AttemptOutcome = "lease_lost" // the worker vanished or was cut off
	AttemptReleased  AttemptOutcome = "released"   // the worker handed the job back
)

// Type describes a job type to those who submit jobs. A worker writes what it serves when it starts.
type Type struct {
	Name        string
	Description string
	Queue       string
	MaxAttempts int
	Timeout     time.Duration
	Schema      json.RawMessage // JSON Schema (2020-12) of the payload
	Example     json.RawMessage // a payload that the schema accepts
	SeenAt      time.Time       // when a worker last announced it; zero for a type of this process
}
