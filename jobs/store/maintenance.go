package store

import (
	"context"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// Maintenance is the part of the Store for the chores. One process at a time does them: the one that holds the role,
// see Lead.
type Maintenance interface {
	// Heads returns hints, with In set, for the first due jobs of many queues. It walks over the places that have
	// pending jobs: queue by queue, the urgent priorities of a queue first. A place costs one look into an index,
	// however many jobs are there, so places without a due job cost nearly nothing. It does a bounded amount of work;
	// see HeadsPage.Next for how to go on.
	Heads(ctx context.Context, h Heads) (HeadsPage, error)

	// Due returns hints, with In set, for pending jobs of a queue, in the order of the queue. These are the jobs that
	// are due, or, if d.Ahead is not 0, those that are not due yet but will be within d.Ahead. With d.Types or
	// d.Without it looks at no more than DueLooks jobs, so a page may hold fewer hints than d.Limit, or none, and still
	// have a Next.
	Due(ctx context.Context, d Due) (DuePage, error)

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

	// TidyQueues brings the names of queues up to date, a bounded number in one call. It adds names that only pending
	// jobs have, whatever their number, and notes that queues with pending jobs are in use. At the end of the walk it
	// removes names that have had no pending job and no submission for t.Unused. See TidiedQueues.Next for how to go on.
	TidyQueues(ctx context.Context, t TidyQueues) (TidiedQueues, error)

	// Lead asks for a lease on a role for ttl, or renews it. Only one holder has a role at a time. A ttl of 0 gives it
	// back.
	Lead(ctx context.Context, role, holder string, ttl time.Duration) (Lead, error)

	// Sessions returns the sessions that are not dead, oldest first.
	Sessions(ctx context.Context) ([]Session, error)
}

// Place is where the pending jobs of one priority of a queue stand in the walk of Heads.
type Place struct {
	Queue    string
	Priority int
}

// Heads selects the first jobs of many queues.
type Heads struct {
	After Place         // only places behind this one, which may be empty; the zero Place: from the first
	Ahead time.Duration // 0: jobs that are due now; else also those that will be due within it
	Later bool          // with Ahead: only those that are not due yet
	Pairs int           // look at no more than so many places, 1..25,000
	Each  int           // at most so many hints of a place, 1..5,000
	Limit int           // at most so many hints in all, Each..5,000
}

// HeadsPage is a part of the walk of Heads.
type HeadsPage struct {
	Hints []jobs.Hint // in the order of the walk; those of one place in the order of the queue
	Next  Place       // the After of the next call; the zero Place at the end
}

// DueLooks is how many jobs Due looks at in one call to find those that d.Types and d.Without select.
const DueLooks = 50_000

// Due selects pending jobs of a queue.
type Due struct {
	Queue   string
	After   *jobs.Hint    // only jobs behind this place (Priority, RunAt, ID), which may be empty; nil: from the front
	Ahead   time.Duration // 0: jobs that are due now
	Types   []string      // only jobs of these types; empty: of every type
	Without []string      // no jobs of these types
	Limit   int           // 1..5,000
}

// DuePage is a part of what is due.
type DuePage struct {
	Hints []jobs.Hint
	Next  *jobs.Hint // the After of the next call; nil at the end
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
	Actions   time.Duration // entries of the audit log that are older than this; 0: none
	After     string        // Pruned.Next of the last call; empty: begin with the oldest job
	Limit     int           // rows looked at in one call
}

// Pruned is what was removed.
type Pruned struct {
	Jobs     int
	Keys     int // idempotency keys past jobs.KeyTTL
	Sessions int
	Actions  int
	Next     string // the After of the next call; empty: the end was reached
}

// TidyQueues says how to bring the names of queues up to date.
type TidyQueues struct {
	After  Place         // TidiedQueues.Next of the last call; the zero Place: begin with the first queue
	Unused time.Duration // names that were not used for so long are removed
	Limit  int           // places looked at in one call, 1..25,000
}

// TidiedQueues is what was done.
type TidiedQueues struct {
	Added   int
	Removed int   // at most 1,000
	Next    Place // the After of the next call; the zero Place: the end was reached
}

// Lead answers a request for a role.
type Lead struct {
	Held bool
	Now  time.Time     // the Store's clock
	Up   time.Duration // since the Store's server started; a large value for an embedded Store, which has no server
}
