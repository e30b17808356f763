package jobs

import (
	"encoding/json"
	"time"
)

// New is a job to be stored. The engine fills in the id and the defaults, and checks everything else.
type New struct {
	ID          string
	Type        string
	Queue       string
	Payload     json.RawMessage // a JSON object; Store.Insert gets it in canonical form
	Priority    int
	MaxAttempts int
	Timeout     time.Duration
	RunAt       time.Time         // absolute, as the submitter wrote it; in the past: now. Zero: now + Delay
	Delay       time.Duration     // from now by the Store's clock
	Metadata    map[string]string // for people and filters: 16 pairs, MaxMetadataBytes in all; nil: none
}

// Submission is one or more jobs that are stored together or not at all.
type Submission struct {
	Jobs []New // 1 to MaxBulk
	Key  *Key  // nil: always new
}

// Key makes a submission idempotent: for KeyTTL the same key in the same scope stands for the same jobs.
type Key struct {
	Scope       string
	Key         string
	Fingerprint [32]byte // of the request: another one is ErrKeyReused. Zero: the engine makes it from the jobs as given
}

// KeyTTL is how long an idempotency key is remembered after its submission.
const KeyTTL = 24 * time.Hour

// Receipt answers a submission. With Err nil the jobs are stored: by this call, or, with Replayed, by an earlier one
// with the same key and fingerprint. Replayed jobs are as they are now, in the order in which they were submitted, but
// without their results: those of a thousand jobs may be 250 MB, for a request of 60 KB. Err is ErrKeyReused,
// ErrKeyGone, or ErrBusy where another submission with the same key is under way.
type Receipt struct {
	Jobs     []Job
	Replayed bool
	Err      error
}
