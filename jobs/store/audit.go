package store

import (
	"context"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// Auditor is a Store that can prove its numbers by counting rows. `windlass doctor` asks it.
//
// No counter of accepted submissions is kept: it would cost every submit a write. What is proven instead: every row is
// in exactly one state, the states add up to the rows, and the numbers that the Store keeps for Stats are those of the
// rows.
type Auditor interface {
	// Audit looks at one moment of the Store, and may be called while everything runs. It reads every row: 2.3 s for
	// 5,000,000 jobs in PostgreSQL, and 4 s for 1,000,000 in SQLite, where it reads the whole file as well. It changes
	// nothing. jobs.ErrUnavailable.
	Audit(ctx context.Context) (Audit, error)

	// Repair sets the kept numbers to what the rows say, and deletes attempts without a job, and expired keys. It may
	// be called while everything runs: what is settled meanwhile is neither lost nor counted twice. It leaves orphans
	// to Maintenance.Reap, and keys that still hold although their jobs were deleted: without them a repeated
	// submission would run again. jobs.ErrUnavailable, jobs.ErrBusy; jobs.ErrOutcomeUnknown, and then it may be
	// repeated.
	Repair(ctx context.Context) (Repaired, error)
}

// Recounter is a Store that can set its kept numbers right in small steps, while everything runs. Maintenance has it
// done once a day, for somebody who deletes rows by hand.
type Recounter interface {
	// Recount goes on with a recount and returns how far it is now. One call looks at no more than r.Limit jobs, and
	// holds no lock and no snapshot longer than that takes. It may have to wait some seconds for the Store's clock; then
	// it returns RecountWaits, and is to be called again later.
	//
	// The result is exact, or there is none: jobs that end meanwhile are told apart, and a recount in whose time jobs
	// were deleted or imported is RecountDisturbed, and has changed nothing. So nothing should be pruned in that time.
	// A recount that is not continued leaves nothing behind. jobs.ErrUnavailable, jobs.ErrBusy, jobs.ErrOutcomeUnknown;
	// after an error it may be repeated with the same r.
	Recount(ctx context.Context, r Recount) (Recount, error)
}

// Recount is how far a recount is. One that has only a Limit begins.
type Recount struct {
	Limit     int // jobs looked at in one call, at least 1
	State     RecountState
	Recounted []Kept // at RecountDone: the numbers that were wrong; they are right now
	Place     any    // where it goes on; only the Store knows what it is
}

// RecountState says whether a recount goes on.
type RecountState string

// The states of a recount.
const (
	RecountGoesOn    RecountState = ""
	RecountWaits     RecountState = "waits"
	RecountDone      RecountState = "done"
	RecountDisturbed RecountState = "disturbed"
)

// Audit is what a Store can prove of one moment.
type Audit struct {
	At   time.Time // by the Store's clock
	Rows int64     // jobs, however they are
	// States counts the jobs in each state. Cancelling ones are among StateRunning. Rows is the sum of all, unless a
	// row is in no state.
	States map[jobs.State]int64
	Kept   []Kept

	// Deleted counts the completed jobs that were deleted since the installation began; -1 where the Store does not
	// keep that.
	Deleted int64

	Orphans      int64 // processing, but for no session that lives; Maintenance takes them back
	LostAttempts int64 // attempts of jobs that are gone
	SpentKeys    int64 // idempotency keys whose jobs were deleted, all or some; they hold until they expire
	ExpiredKeys  int64 // Maintenance deletes them
	Broken       []Broken

	Sessions []Session // that are not marked dead, oldest first
	Expired  int       // how many of them have not been renewed in time
	Roles    []Role    // by name

	// ClockAhead is how far the Store's clock is ahead of the caller's, or behind it if negative. Uncertain is how
	// wrong that may be.
	ClockAhead, Uncertain time.Duration
	Settings              []Setting
}

// Kept is a number that the Store keeps so that Stats need not count.
type Kept struct {
	State         jobs.State
	Kept, Counted int64
}

// Broken is a rule that rows break. Only somebody who changed rows by hand, or a fault of ours, can bring that about.
type Broken struct {
	Rule string   // a sentence
	Rows int64    // how many
	IDs  []string // of the first few
}

// Role is a lease that a process has, or had.
type Role struct {
	Name, Holder string
	ExpiresAt    time.Time
}

// Setting is one of the Store's server, or of its files.
type Setting struct {
	Name, Value string
	Grade       Grade
	Advice      string // what to do about it; empty where Grade is GradeOK
}

// Grade says whether something hurts.
type Grade string

// The grades.
const (
	GradeOK   Grade = "ok"
	GradeWarn Grade = "warn" // it works, but not as well or as safely as it could
	GradeFail Grade = "fail" // data may be lost, or numbers are wrong
)

// Repaired is what Repair has changed.
type Repaired struct {
	Recounted []Kept // what was kept and counted before, where they differed
	Attempts  int64  // that were deleted
	Keys      int64
}
