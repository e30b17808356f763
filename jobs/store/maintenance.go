package store

import (
	"context"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// Maintenance is the part of the Store for the chores. One process at a time does them: the one that holds the role,
// see Lead.
type Maintenance interface {
	// Queues returns the names of the queues that have pending jobs, sorted.
	Queues(ctx context.Context) ([]string, error)

	// Due returns hints, with In set, for pending jobs of a queue, in the order of the queue. These are the jobs that
	// are due, or, if d.Ahead is not 0, those that are not due yet but will be within d.Ahead.
	Due(ctx context.Context, d Due) ([]jobs.Hint, error)

	// Reap takes jobs back from lost workers. First it marks sessions dead that had expired at asOf. Then it takes back
	// at most limit processing jobs: those whose session is dead or missing, and those whose deadline had passed more
	// than 5 s before asOf. Locked jobs are left for the next call. It returns what it took back.
	//
	// A job that is taken back gets fence+1, lease_losses+1 and jobs.AttemptLeaseLost in the history. It becomes
	//   - failed with jobs.KindCancelled, if a cancel was requested;
	//   - failed with jobs.KindWorkerLost, if no attempt is left or lease_losses reaches jobs.MaxLeaseLosses;
	//   - else pending, due after jobs.BackoffBase of its attempts plus up to 10 %.
	//
	// asOf is an earlier Lead.Now that the caller has reason to trust: if the Store's clock jumps ahead, no job is
	// taken from a worker that is alive. A time in the future means now. At the zero time no session has expired and no
	// deadline has passed.
	Reap(ctx context.Context, asOf time.Time, limit int) ([]Reaped, error)

	// Prune removes what is past its retention, a bounded amount in one call. See Pruned.Next for how to go on.
	Prune(ctx context.Context, p Prune) (Pruned, error)

	// Lead asks for a lease on a role for ttl, or renews it. Only one holder has a role at a time. A ttl of 0 gives it
	// back.
	Lead(ctx context.Context, role, holder string, ttl time.Duration) (Lead, error)

	// Sessions returns the sessions that are not dead, oldest first.
	Sessions(ctx context.Context) ([]Session, error)
}

// Due selects pending jobs of a queue.
type Due struct {
	Queue string
	After *jobs.Hint    // only jobs behind this place (Priority, RunAt, ID), which may be empty; nil: from the front
	Ahead time.Duration // 0: jobs that are due now
	Limit int           // 1..5,000
}

// Reaped is a job that was taken back from its worker.
type Reaped struct {
	Job  jobs.Job   // as it is now, without payload and result
	From string     // the session that had it
	Hint *jobs.Hint // if it is pending again, with In set
}

// Prune says what may be removed.
type Prune struct {
	Completed time.Duration // jobs that were completed longer ago than this
	Failed    time.Duration // jobs that failed longer ago than this
	Sessions  time.Duration // sessions that have been dead for longer than this
	After     string        // Pruned.Next of the last call; empty: begin with the oldest job
	Limit     int           // rows looked at in one call
}

// Pruned is what was removed.
type Pruned struct {
	Jobs     int
	Keys     int // idempotency keys past jobs.KeyTTL
	Sessions int
	Next     string // the After of the next call; empty: the end was reached
}

// Lead answers a request for a role.
type Lead struct {
	Held bool
	Now  time.Time     // the Store's clock
	Up   time.Duration // since the Store's server started; a large value for an embedded Store, which has no server
}
