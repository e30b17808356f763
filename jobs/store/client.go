package store

import (
	"cmp"
	"context"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// Client is the part of the Store that submits jobs, reads them and decides about them.
type Client interface {
	// Insert stores submissions as pending jobs, each submission whole or not at all. See jobs.Receipt for the answers.
	// A call with an idempotency key may be repeated. The keys of one call must differ.
	//
	// If the call fails with jobs.ErrRejected or jobs.ErrBusy, one of the submissions is at fault and none was stored.
	// Insert them one by one to find out which.
	Insert(ctx context.Context, subs []jobs.Submission) ([]jobs.Receipt, error)

	// Get returns one job and its unsuccessful attempts, oldest first (by fence). jobs.ErrNotFound: there is no such
	// job.
	Get(ctx context.Context, id string) (jobs.Job, []jobs.Attempt, error)

	// List returns jobs that match, newest first by id, without payload and result. It does a bounded amount of work,
	// so a page may hold fewer than q.Limit jobs, or none, and still have a Next.
	List(ctx context.Context, q ListQuery) (Page, error)

	// Stats counts all jobs, exactly and as of now. It takes about 10 ms even with millions of finished jobs.
	Stats(ctx context.Context) (Stats, error)

	// Redrive sends failed jobs back to pending. Attempts, releases and lease losses start again at 0, the fence grows,
	// and the history stays. It returns a hint, with In set, for each job that it moved. It leaves out jobs that are
	// not failed and jobs that are locked, so it may be repeated.
	Redrive(ctx context.Context, r Redrive) ([]jobs.Hint, error)

	// Cancel ends a pending job as failed with jobs.KindCancelled; its fence grows. On a processing job it notes the
	// request, and the worker or Reap carries it out. It returns the job as it is now. It may be repeated.
	//
	// jobs.ErrNotFound: there is no such job. jobs.ErrConflict: the job is completed or dead; the job is returned as
	// well.
	Cancel(ctx context.Context, id string) (jobs.Job, error)

	// Delete removes a completed or failed job and its history. jobs.ErrNotFound: there is no such job.
	// jobs.ErrConflict: it is pending or processing.
	Delete(ctx context.Context, id string) error

	// UseQueues notes that jobs are about to be submitted to queues, so that their names are known. It adds the names
	// that are new, as long as there are fewer than most, and returns those that it has refused for that reason. Names
	// that are known are never refused. Calls at the same time do not exceed most together. The time of the last use is
	// written again after half an hour at the earliest.
	UseQueues(ctx context.Context, names []string, most int) (refused []string, err error)

	// Queues counts the jobs of each queue that has a name known by UseQueues, or a pending or processing job, by name.
	// Names are known until they have been empty and unused for the time that Maintenance.TidyQueues gets.
	Queues(ctx context.Context) ([]QueueStats, error)

	// Types returns the job types that workers have announced, sorted by name.
	Types(ctx context.Context) ([]jobs.Type, error)

	// EndedSessions returns sessions that are dead, the last that ended first, at most limit (1..1,000). Prune removes
	// them after a while.
	EndedSessions(ctx context.Context, limit int) ([]Session, error)

	// Session returns one session, dead or not, and the jobs that it holds, without payload and result: at most limit
	// (1..1,000), the longest running first. jobs.ErrNotFound: there is no such session.
	Session(ctx context.Context, id string, limit int) (Session, []jobs.Job, error)
}

// ListQuery selects jobs. A field that is empty does not restrict.
type ListQuery struct {
	Status jobs.Status
	State  jobs.State
	Type   string
	Queue  string

	// Due selects the jobs that are pending and whose run time has come, as Stats.Due counts them: those in StateWaiting,
	// and those in StateRetrying that no longer wait for their retry.
	Due bool

	// Metadata selects the jobs that have all of these pairs, compared byte by byte. A map that no job can have, because
	// it has too many pairs or an empty name, matches none.
	Metadata map[string]string

	Before string // only ids smaller than this one
	Limit  int    // 1..200
}

// Page is a part of a list.
type Page struct {
	Jobs []jobs.Job
	Next string // the Before of the next page; empty at the end of the list
}

// Stats counts all jobs.
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
	Orphans    int64 // processing, but the session is dead, missing or expired

	OldestDue time.Duration // for how long the oldest due job has been due; 0 where none is

	// What has ended in the last minute. Each may be off by what ended in 5 s.
	CompletedLastMinute int64 // jobs
	FailedLastMinute    int64 // jobs that became dead; cancelled ones are no failures
	CancelledLastMinute int64 // jobs that became cancelled
	// AttemptsLastMinute are the attempts that completed, failed, timed out or lost their lease. One that ended because
	// its job was cancelled, was handed back or asked to be called later is not among them. FailedAttemptsLastMinute
	// are those without success, also where another attempt follows.
	AttemptsLastMinute       int64
	FailedAttemptsLastMinute int64

	// Ended is what has ended since the installation began to count it. It only grows: neither a redrive nor a deletion
	// lowers it. Jobs that were imported are not in it.
	Ended Ended

	// Recounted is by how many jobs the numbers that the Store keeps were wrong whenever they were recounted, in sum.
	Recounted int64

	Queues    []QueueStats // the TopQueues queues with most work, in the order of QueueStats.Compare
	QueueDue  int64        // due jobs in the other queues
	QueueRest int          // how many other queues have pending or processing jobs
}

// Ended counts attempts and jobs that have ended. A job is completed by one attempt, so Completed counts both.
type Ended struct {
	Completed int64 // attempts, and jobs
	Failed    int64 // attempts
	TimedOut  int64 // attempts
	LeaseLost int64 // attempts
	Dead      int64 // jobs that failed; one that was redriven may do so again
	Cancelled int64 // jobs
}

// Attempts are all that have ended.
func (e Ended) Attempts() int64 { return e.Completed + e.FailedAttempts() }

// FailedAttempts are those without success.
func (e Ended) FailedAttempts() int64 { return e.Failed + e.TimedOut + e.LeaseLost }

// LastMinute sets the fields of the last minute.
func (s *Stats) LastMinute(e Ended) {
	s.CompletedLastMinute, s.FailedLastMinute, s.CancelledLastMinute = e.Completed, e.Dead, e.Cancelled
	s.AttemptsLastMinute, s.FailedAttemptsLastMinute = e.Attempts(), e.FailedAttempts()
}

// TopQueues is how many queues Stats lists. Client.Queues lists all.
const TopQueues = 100

// QueueStats counts the jobs of one queue.
type QueueStats struct {
	Name       string
	Due        int64
	Later      int64 // pending and due later: scheduled, or waiting for a retry
	Processing int64
	OldestDue  time.Duration // as in Stats
}

// Compare orders queues by work: those with most due jobs come first, then those with most jobs under way, then by
// name.
func (q *QueueStats) Compare(other *QueueStats) int {
	return cmp.Or(cmp.Compare(other.Due, q.Due), cmp.Compare(other.Processing, q.Processing),
		cmp.Compare(q.Name, other.Name))
}

// QueueQuery selects queues of a list that is ordered by QueueStats.Compare.
type QueueQuery struct {
	Prefix string // of the name; empty: any
	After  string // QueuePage.Next of the page before; empty: from the first
	Limit  int    // 1..1,000
}

// QueuePage is a part of the list of queues.
type QueuePage struct {
	Queues []QueueStats
	Total  int    // how many queues match, on all pages
	Next   string // the After of the next page; empty at the end of the list
}

// Redrive selects failed jobs to send back. If IDs is not empty only these are taken; else those that match Type, Queue
// and Error. Types and Queues restrict both.
type Redrive struct {
	IDs      []string
	DeadOnly bool // leave out cancelled jobs
	Type     string
	Queue    string
	Types    []string      // only jobs of these types; empty: of any
	Queues   []string      // only jobs of these queues; empty: of any
	Error    string        // a part of the error message; upper and lower case are the same
	Limit    int           // at most so many, 1..1,000; the newest by finish time come first
	Spread   time.Duration // run times are spread at random over this time from now
}
