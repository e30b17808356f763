package jobs

import (
	"fmt"
	"strings"
	"time"
)

// Status is where a job stands, as stored. There are four and no others.
type Status string

// The statuses of a job.
const (
	Pending    Status = "pending"
	Processing Status = "processing"
	Completed  Status = "completed"
	Failed     Status = "failed"
)

// Statuses lists them all, in the order of a job's life.
var Statuses = []Status{Pending, Processing, Completed, Failed}

// Terminal reports whether nothing but a person's redrive or deletion moves a job on.
func (s Status) Terminal() bool { return s == Completed || s == Failed }

// State is the status as people see it: derived, never stored.
type State string

// The states of a job.
const (
	StateScheduled  State = "scheduled"  // pending, due later, not attempted yet
	StateWaiting    State = "waiting"    // pending, due now, not attempted yet
	StateRetrying   State = "retrying"   // pending again after an unsuccessful attempt
	StateRunning    State = "running"    // processing
	StateCancelling State = "cancelling" // processing, asked to stop
	StateCompleted  State = "completed"
	StateCancelled  State = "cancelled" // failed by a person's request
	StateDead       State = "dead"      // failed otherwise: in the dead-letter queue
)

// States lists them all, in the order of a job's life.
var States = []State{
	StateScheduled, StateWaiting, StateRetrying, StateRunning, StateCancelling, StateCompleted, StateCancelled, StateDead,
}

// State derives what people see. The time now only tells scheduled from waiting; a job whose RunAt is not after
// its creation is never scheduled, whatever the caller's clock says.
func (j *Job) State(now time.Time) State {
	switch {
	case j.Status == Completed:
		return StateCompleted
	case j.Status == Failed && j.FailureKind == KindCancelled:
		return StateCancelled
	case j.Status == Failed:
		return StateDead
	case j.Status == Processing && !j.CancelRequestedAt.IsZero():
		return StateCancelling
	case j.Status == Processing:
		return StateRunning
	case j.Attempts > 0:
		return StateRetrying
	case j.RunAt.After(now) && j.RunAt.After(j.CreatedAt):
		return StateScheduled
	default:
		return StateWaiting
	}
}

// Transition is one legal move of a job. The empty Status stands for "no such row".
type Transition struct {
	From, To Status
	Name     string // what happens
	Actor    string // who does it: client, worker or maintenance
	Guard    string // what must hold, besides From; otherwise nothing is changed
}

// owner is the guard of every change that a worker makes to a job it runs.
const owner = "same worker and fence"

// Transitions is the one table of legal moves. The drivers make no other moves; docs/architecture.md shows a diagram.
var Transitions = []Transition{
	{"", Pending, "submit", "client", "idempotency key unused"},
	{Pending, Processing, "claim", "worker", "due, type served, attempts left"},
	{Processing, Completed, "complete", "worker", owner},
	{Processing, Pending, "retry", "worker", owner + ", attempts left, no cancel"},
	{Processing, Pending, "snooze", "worker", owner + ", no cancel"},
	{Processing, Pending, "release", "worker", owner + ", no cancel"},
	{Processing, Failed, "fail", "worker", owner},
	{Processing, Pending, "reclaim", "maintenance", "worker dead or deadline passed, attempts left, no cancel"},
	{Processing, Failed, "give up", "maintenance", "worker dead or deadline passed, nothing left or cancel"},
	{Pending, Failed, "cancel", "client", "none"},
	{Failed, Pending, "redrive", "client", "none"},
	{Completed, "", "delete", "client or maintenance", "asked for, or past retention"},
	{Failed, "", "delete", "client or maintenance", "asked for, or past retention"},
}

// CanMove reports whether any transition leads from one status to the other.
func CanMove(from, to Status) bool {
	for _, t := range Transitions {
		if t.From == from && t.To == to {
			return true
		}
	}
	return false
}

// Diagram draws Transitions as a Mermaid state diagram.
func Diagram() string {
	node := func(s Status) string {
		if s == "" {
			return "[*]"
		}
		return string(s)
	}
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	for _, t := range Transitions {
		fmt.Fprintf(&b, "    %s --> %s: %s (%s)\n", node(t.From), node(t.To), t.Name, t.Actor)
	}
	return b.String()
}
