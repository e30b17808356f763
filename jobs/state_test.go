package jobs_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// The diagram in the documentation is the table in the code.
func TestDiagramIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	want := "```mermaid\n" + jobs.Diagram() + "```\n"
	if !strings.Contains(string(doc), want) {
		t.Errorf("docs/architecture.md does not hold this diagram; put it there:\n%s", want)
	}
}

func TestTransitions(t *testing.T) {
	type move struct{ from, to jobs.Status }
	legal := map[move]bool{}
	for _, tr := range jobs.Transitions {
		legal[move{tr.From, tr.To}] = true
	}
	all := append([]jobs.Status{""}, jobs.Statuses...)
	for _, from := range all {
		for _, to := range all {
			if got := jobs.CanMove(from, to); got != legal[move{from, to}] {
				t.Errorf("CanMove(%q, %q) = %v", from, to, got)
			}
		}
	}
	for _, to := range jobs.Statuses {
		if jobs.CanMove(jobs.Completed, to) {
			t.Errorf("a completed job can become %s", to)
		}
	}
	if jobs.CanMove(jobs.Pending, jobs.Completed) || jobs.CanMove(jobs.Processing, "") {
		t.Error("a job can be completed without a claim, or deleted while it runs")
	}
}

func TestState(t *testing.T) {
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	later, earlier := now.Add(time.Minute), now.Add(-time.Minute)
	for want, job := range map[jobs.State]jobs.Job{
		jobs.StateScheduled:  {Status: jobs.Pending, RunAt: later, CreatedAt: now},
		jobs.StateWaiting:    {Status: jobs.Pending, RunAt: now, CreatedAt: now},
		jobs.StateRetrying:   {Status: jobs.Pending, RunAt: later, CreatedAt: now, Attempts: 1},
		jobs.StateRunning:    {Status: jobs.Processing, Attempts: 1},
		jobs.StateCancelling: {Status: jobs.Processing, Attempts: 1, CancelRequestedAt: now},
		jobs.StateCompleted:  {Status: jobs.Completed, CancelRequestedAt: now},
		jobs.StateCancelled:  {Status: jobs.Failed, FailureKind: jobs.KindCancelled},
		jobs.StateDead:       {Status: jobs.Failed, FailureKind: jobs.KindWorkerLost},
	} {
		if got := job.State(now); got != want {
			t.Errorf("%+v: state %s, want %s", job, got, want)
		}
	}
	// A reader whose clock is behind the Store's does not see a job that is due as scheduled.
	if got := (&jobs.Job{Status: jobs.Pending, RunAt: now, CreatedAt: now}).State(earlier); got != jobs.StateWaiting {
		t.Errorf("seen by a slow clock: %s", got)
	}
}
