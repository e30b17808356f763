// Package queue is the contract of what makes jobs start soon: ids that are due ([Queue]) and messages between processes
// ([Bus]). Redis fulfils it for many processes, memory for one.
//
// A queue holds no job. It may lose everything it holds at any moment, and no job is lost or run twice: the store decides. The
// conformance suite is in package queuetest.
package queue

import (
	"context"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// Queue hurries jobs along: it knows ids that are due, ids that are due later, and the newest dead ones.
// The Store decides everything, so a Queue may lose ids (they are pushed again) or hand one out twice (the second
// claim fails). It keeps ids only, and at most a fixed number for each queue.
//
// The order within a queue is (Priority descending, RunAt by the millisecond, ID). Implementations are safe for use by several
// goroutines. Any error means that the Queue is out of reach for now: the caller goes on without it.
type Queue interface {
	// Push adds hints: those due to the ready set of their queue, the others to its retry set. An id that is in its set
	// already stays where it is. Where a set is full, the best ids stay, old or new. It returns how many ids became ready
	// that were not before, and wakes that many waiting Pops.
	Push(ctx context.Context, hints []jobs.Hint) (added int, err error)

	// Pop takes up to p.N ready ids away, from the first queue of p.Queues that has any, then the next.
	// Where there are none it waits up to p.Wait for a Push or Promote to bring some, then returns an empty slice and no error; an
	// empty slice before that time is allowed (another may have been faster). It returns early with ctx's error when ctx ends.
	// An id that ends a wait may stay for a moment, for others to take as well.
	// In is zero in what it returns. Priority and RunAt, exact to the millisecond, are those of the id, or of the first one that was taken with it from
	// its queue, suspects and others apart: what is pushed back comes in front of all that it was in front of.
	Pop(ctx context.Context, p Pop) ([]jobs.Hint, error)

	// Promote moves ids whose time has come from the retry sets to the ready sets: at most 500 in one call, so that nothing else waits for
	// long. It returns how many it moved.
	Promote(ctx context.Context) (moved int, err error)

	// SetDead replaces the mirror of the newest dead jobs. It keeps the first 1,000. It is there for people who look into the Queue;
	// nothing of Windlass reads it but Depths.
	SetDead(ctx context.Context, dead []DeadID) error

	// Depths counts what is held, by queue. A queue without any id may be missing.
	Depths(ctx context.Context) (Depths, error)
}

// Local is a Queue that holds only what was pushed in this process. Other processes may have submitted jobs to the same Store that
// it does not know of: see store.Shared.
type Local interface{ Local() bool }

// Pop says what to take from a Queue.
type Pop struct {
	Queues   []string      // in this order; empty: every queue there is, in random order
	N        int           // at most so many ids, suspects included
	Suspects int           // at most so many of them suspects; suspects are looked for first
	Wait     time.Duration // for the first id, at most; 0: do not wait
}

// DeadID is an entry of the mirror of dead jobs.
type DeadID struct {
	ID         string
	FinishedAt time.Time
}

// Depths is what a Queue holds.
type Depths struct {
	Queues map[string]Depth
	Dead   int
	// Epoch names the Queue's present life. It changes when the Queue has lost its memory (a restart, a flush), and then everything has
	// to be pushed again. It is never empty.
	Epoch string
	// Cap is the most ready ids that a queue can hold.
	Cap int
}

// Depth is what a Queue holds of one queue.
type Depth struct {
	Ready    int // due, suspects not included
	Suspects int // due suspects
	Later    int // in the retry set
}

// Bus carries word between processes, to those who listen at that moment. Losing a message costs a moment, never a fact.
type Bus interface {
	// Publish sends to all present subscribers of all processes. An error means that some or all did not get it.
	Publish(ctx context.Context, events ...Event) error
	// Subscribe delivers what is published from now on, until ctx ends; then the channel is closed. A subscriber that does not keep up
	// loses messages. Where the connection breaks it is restored without a word.
	Subscribe(ctx context.Context) (<-chan Event, error)
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

// Event is a message on the Bus.
type Event struct {
	Kind  EventKind `json:"kind"`
	JobID string    `json:"job_id,omitempty"`
}

// EventKind tells what an Event is about.
type EventKind string

// EventCancel: somebody asked for a running job to be cancelled; its worker should look.
const EventCancel EventKind = "cancel"
