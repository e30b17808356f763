// Package queue is the contract of what makes jobs start soon: ids that are due ([Queue]) and messages between
// processes ([Bus]). Redis fulfils it for many processes, memory for one.
//
// A queue holds no job. It may lose everything it holds at any moment, and no job is lost or run twice: the store
// decides. The conformance suite is in package queuetest.
package queue

import (
	"context"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// Queue makes jobs start soon. It knows ids that are due (the ready sets of each queue, one for each type), ids that
// are due later (the retry set of each queue), and the newest dead ones. The Store decides everything, so a Queue may
// lose ids, which are pushed again, or give one out twice, because the second claim fails. It keeps ids only, at most a
// fixed number in each set, and about twelve times that number in all.
//
// The order within a queue is (Priority descending, RunAt by the millisecond, ID). Several goroutines may use a
// Queue. Any error means that the Queue cannot be reached at this time: the caller goes on without it.
type Queue interface {
	// Push adds hints: those that are due to the ready set of their queue and type, the others to the retry set of their
	// queue. An id that is already in its set keeps its place. Where a set is full, the best ids stay, old or new. It
	// returns how many ids became ready that were not ready before, and wakes that many waiting Pops that may take them.
	Push(ctx context.Context, hints []jobs.Hint) (added int, err error)

	// Pop removes up to p.N ready ids of the types in p.Types and returns them: from the first queue of p.Queues that has
	// any, then from the next; of each in the order of the queue, whatever their types. Ids of other types neither delay
	// it nor wake it, and stay. Its work does not grow with the number of queues and types that hold something.
	//
	// Where there are none it waits up to p.Wait until a Push or Promote brings some, then returns an empty slice and
	// no error. It may return an empty slice earlier, because another Pop was faster. It returns the error of ctx as
	// soon as ctx ends. An id that ended a wait may stay in its set for a moment, so that another Pop returns it as
	// well.
	//
	// In is zero in the hints that it returns. Priority and RunAt, exact to the millisecond, are those of the id, or
	// those of an earlier id of the same queue and type in the answer; suspects and others are apart. So an id that is
	// pushed back comes before every id that it was before.
	Pop(ctx context.Context, p Pop) ([]jobs.Hint, error)

	// Promote moves ids that have become due from the retry sets to the ready sets: at most 500 in one call, so that
	// other calls do not wait for long, and a share of them from each queue that has some. It returns how many it moved.
	// Queues with nothing due cost nothing.
	Promote(ctx context.Context) (moved int, err error)

	// SetDead replaces the list of the newest dead jobs. It keeps the first 1,000. The list is for people who look
	// into the Queue; Windlass itself only counts it, in Depths.
	SetDead(ctx context.Context, dead []DeadID) error

	// Depths tells how the Queue is, and how many ids it holds of the queues that are named. A queue without any id is
	// missing in the answer. The work is in proportion to the names given, however many queues there are.
	Depths(ctx context.Context, queues []string) (Depths, error)
}

// Local is a Queue that holds only what was pushed in this process. Other processes may have submitted jobs to the
// same Store that it does not know of: see store.Shared.
type Local interface{ Local() bool }

// Pop says what to take from a Queue.
type Pop struct {
	Queues   []string      // in this order; empty: every queue that there is, in random order
	Types    []string      // take ids of these types only, and those of no known type; empty: of every type
	N        int           // at most so many ids, suspects included
	Suspects int           // at most so many suspects among them; suspects are looked for first
	Wait     time.Duration // for the first id, at most; 0: do not wait
}

// DeadID is an entry of the list of dead jobs.
type DeadID struct {
	ID         string
	FinishedAt time.Time
}

// Depths is what a Queue holds.
type Depths struct {
	Queues map[string]Depth // those that were asked for
	Dead   int              // ids in the list of dead jobs
	// Epoch changes when the Queue has lost everything, by a restart or a flush: then everything has to be pushed
	// again. It is never empty.
	Epoch string
	// Cap is how many ready ids of one type a queue can hold now. It is smaller where there are many queues and types.
	Cap int
}

// Depth is what a Queue holds of one queue.
type Depth struct {
	Ready    int // due, suspects not included
	Suspects int // due suspects
	Later    int // in the retry set
	// Types has the Ready ids by type; types without any are missing. It is nil where the Queue does not tell them
	// apart.
	Types map[string]int
}

// Bus sends messages between processes, to those that listen at that moment. A lost message costs a moment, and never
// a fact. A Bus and a Queue on the same server fail independently: a role may lack the right to one of them.
type Bus interface {
	// Publish sends any number of events to all present subscribers of all processes. An error means that some or all
	// of them did not get all of it.
	Publish(ctx context.Context, events ...Event) error
	// Subscribe delivers what is published from now on, until ctx ends; then the channel is closed. Backlog events wait
	// for a subscriber; while there are so many, further ones are lost. A connection that breaks is restored, and what
	// was sent meanwhile is lost. In the place of what was lost, or may have been, comes one event of the kind EventLost.
	Subscribe(ctx context.Context) (<-chan Event, error)
}

// Backlog is how many events wait for a subscriber of a Bus.
const Backlog = 4096

// Losses is a Bus that counts. A Bus need not be one.
type Losses interface {
	// Lost is how many events this process has dropped because subscribers were too slow.
	Lost() int64
}

// Driver is a Queue and a Bus on one connection, as the drivers are.
type Driver interface {
	Queue
	Bus
}

// Registrar is a Queue on a server that several installations of Windlass may use by mistake. A Queue need not be one.
type Registrar interface {
	// Register notes that an installation uses this Queue. It is called every few seconds by the process that does the
	// maintenance. The warning is "", or a sentence for people where another installation has registered meanwhile.
	Register(ctx context.Context, installation string) (warning string, err error)
}

// Lister is a Queue that can show what it holds, for people who look for faults. A Queue need not be one.
type Lister interface {
	// List returns some of the hints that are held, chosen at random, at most n, of at most 100 queues. In is zero in
	// what it returns. It changes nothing, and does work for n hints however many there are.
	List(ctx context.Context, n int) ([]jobs.Hint, error)
}

// Event is a message on the Bus.
type Event struct {
	Kind  EventKind `json:"kind"`
	JobID string    `json:"job_id,omitempty"`
}

// EventKind tells what an Event is about.
type EventKind string

const (
	// EventCancel: somebody asked for a running job to be cancelled; its worker should look.
	EventCancel EventKind = "cancel"
	// EventAccess: an access token was revoked; who remembers tokens should look again.
	EventAccess EventKind = "access"
	// EventLost: this subscriber may have missed events. It should look for what they would have told.
	EventLost EventKind = "lost"
)

// Offer hands an event to a subscriber whose channel has room for Backlog events and one more, the EventLost. It
// reports false where the event is lost. Drivers use it; only one goroutine at a time may offer to a channel.
func Offer(to chan<- Event, e Event) bool {
	switch n := len(to); {
	case n < Backlog:
		to <- e
		return true
	case n == Backlog:
		to <- Event{Kind: EventLost}
	}
	return false
}
