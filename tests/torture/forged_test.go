package torture

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/tests/torture/history"
	"github.com/windlass-jobs/windlass/tests/torture/recording"
)

// zero is the start of the forged histories.
var zero = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return zero.Add(time.Duration(seconds * float64(time.Second))) }

// validEvidence is the evidence of a run without a violation. It has four jobs:
//
//	done   completed at once                      flaky  lost its lease, completed in its second attempt
//	dead   failed twice, redriven, failed twice   gone   cancelled while it was pending
func validEvidence() *Evidence {
	accept := func(key, id string) []history.Event {
		return []history.Event{
			{Kind: history.Invoke, Key: key, Keyed: true, N: 1},
			{Kind: history.OK, Key: key, Keyed: true, N: 1, IDs: []string{id}},
		}
	}
	attempt := func(id, key string, fence int64, end history.Kind, verb, status string) []history.Event {
		list := []history.Event{{Kind: history.Start, ID: id, Key: key, Fence: fence, At: at(1)}}
		if end != "" {
			list = append(list, history.Event{Kind: end, ID: id, Fence: fence})
		}
		if verb != "" {
			list = append(list, history.Event{Kind: history.Acked, ID: id, Fence: fence, Verb: verb, Status: status})
		}
		return list
	}
	return &Evidence{
		Events: slices.Concat(
			accept("a", "done"), accept("b", "flaky"), accept("c", "dead"), accept("d", "gone"),
			[]history.Event{
				{Kind: history.OK, Key: "a", Keyed: true, Replayed: true, IDs: []string{"done"}},
				{Kind: history.Invoke, Key: "e", N: 1}, {Kind: history.Fail, Key: "e", N: 1},
			},
			attempt("done", "a#0", 1, history.EndOK, "complete", "completed"),
			attempt("flaky", "b#0", 1, "", "", ""),
			attempt("flaky", "b#0", 3, history.EndOK, "complete", "completed"),
			attempt("dead", "c#0", 1, history.EndErr, "retry", "pending"),
			attempt("dead", "c#0", 2, history.EndErr, "fail", "failed"),
			[]history.Event{{Kind: history.Redrive, ID: "dead"}, {Kind: history.Redriven, ID: "dead"}},
			attempt("dead", "c#0", 4, history.EndErr, "retry", "pending"),
			attempt("dead", "c#0", 5, history.EndErr, "fail", "failed"),
			[]history.Event{{Kind: history.Cancel, ID: "gone"}, {Kind: history.Cancelled, ID: "gone"}},
			[]history.Event{
				{Kind: history.Counts, Worker: "w1", N: 1, Failed: 3},
				{Kind: history.Down, Worker: "w1", N: 2, Failed: 4},
			},
		),
		Rows: []Row{
			{ID: "done", Type: recording.Quick, Key: "a#0", Status: "completed", Attempts: 1, MaxAttempts: 6, Fence: 1,
				ResultFence: 1, ResultKey: "a#0", FinishedAt: at(2)},
			{ID: "flaky", Type: recording.Quick, Key: "b#0", Status: "completed", Attempts: 2, MaxAttempts: 6, Fence: 3,
				ResultFence: 3, ResultKey: "b#0", FinishedAt: at(8), Timeout: 20 * time.Second},
			{ID: "dead", Type: recording.Doomed, Key: "c#0", Status: "failed", Kind: "error", Attempts: 2, MaxAttempts: 2,
				Fence: 5, Redrives: 1, FinishedAt: at(9)},
			{ID: "gone", Type: recording.Quick, Key: "d#0", Status: "failed", Kind: "cancelled", MaxAttempts: 6, Fence: 1,
				FinishedAt: at(1)},
		},
		Attempts: []Attempt{
			{Job: "dead", Fence: 1, Attempt: 1, Outcome: "failed", StartedAt: at(1), FinishedAt: at(1.5)},
			{Job: "dead", Fence: 2, Attempt: 2, Outcome: "failed", StartedAt: at(3.6), FinishedAt: at(3.7)},
			{Job: "dead", Fence: 4, Attempt: 1, Outcome: "failed", StartedAt: at(4), FinishedAt: at(4.1)},
			{Job: "dead", Fence: 5, Attempt: 2, Outcome: "failed", StartedAt: at(6.2), FinishedAt: at(6.3)},
			{Job: "flaky", Fence: 1, Attempt: 1, Outcome: "lease_lost", Worker: "s1", StartedAt: at(1), FinishedAt: at(4)},
		},
		Started:  map[string]time.Time{"done": at(1), "flaky": at(7), "dead": at(6.2)},
		Ended:    map[string]time.Time{"s1": at(4)},
		DeadAPI:  []string{"dead"},
		DeadList: []string{"dead"},
		Metrics:  map[string]int64{"total_jobs": 4, "completed_jobs": 2, "failed_jobs": 2, "dead": 1, "cancelled": 1},
		Leaks:    []Leak{{"connections", 3, 8}},
		Met:      map[string]int{"stale result": 1},
		Took:     10 * time.Second, Limit: 120 * time.Second,
	}
}

func TestCheckAcceptsAValidHistory(t *testing.T) {
	for _, v := range Check(validEvidence()) {
		t.Error(v)
	}
}

// Each forgery breaks one guarantee, and its rule must find it.
func TestForgedHistoriesAreFound(t *testing.T) {
	event := func(e *Evidence, kind history.Kind, id string, fence int64) *history.Event {
		i := slices.IndexFunc(e.Events, func(x history.Event) bool {
			return x.Kind == kind && x.ID == id && x.Fence == fence
		})
		return &e.Events[i]
	}
	drop := func(e *Evidence, kind history.Kind, id string, fence int64) {
		event(e, kind, id, fence).Kind = "dropped"
	}
	add := func(e *Evidence, events ...history.Event) { e.Events = append(e.Events, events...) }
	forgeries := []struct {
		rule  int
		name  string
		forge func(e *Evidence)
	}{
		{1, "an accepted job is gone", func(e *Evidence) { e.Rows = e.Rows[1:] }},
		{1, "one job of a bulk submission is gone", func(e *Evidence) {
			add(e, history.Event{Kind: history.Invoke, Key: "z"},
				history.Event{Kind: history.OK, Key: "z", IDs: []string{"done", "other"}})
		}},
		{2, "a job that was never submitted", func(e *Evidence) {
			e.Rows = append(e.Rows, Row{ID: "x", Key: "x#0", Status: "failed", Kind: "cancelled"})
		}},
		{2, "a job whose submission was refused", func(e *Evidence) {
			e.Rows = append(e.Rows, Row{ID: "x", Key: "e#0", Status: "failed", Kind: "cancelled"})
		}},
		{3, "a job that is never over", func(e *Evidence) { e.Rows[0].Status = "pending" }},
		{3, "a job that takes too long", func(e *Evidence) { e.Took = 121 * time.Second }},
		{4, "a completion without an execution", func(e *Evidence) { drop(e, history.EndOK, "done", 1) }},
		{4, "the result of a zombie", func(e *Evidence) { e.Rows[1].ResultFence = 1 }},
		{4, "the result of another job", func(e *Evidence) { e.Rows[1].ResultKey = "a#0" }},
		{4, "a success of a type that never succeeds", func(e *Evidence) { e.Rows[0].Type = recording.Doomed }},
		{5, "dead with attempts left", func(e *Evidence) { e.Rows[2].MaxAttempts = 3 }},
		{5, "failed after a recorded success", func(e *Evidence) {
			add(e, history.Event{Kind: history.Acked, ID: "dead", Fence: 4, Verb: "complete"})
		}},
		{5, "an error of a type that never fails", func(e *Evidence) { e.Rows[2].Type = recording.Quick }},
		{5, "cancelled without a request", func(e *Evidence) { drop(e, history.Cancel, "gone", 0) }},
		{5, "worker_lost, but no worker was lost", func(e *Evidence) {
			e.Rows[2].Kind, e.Rows[2].MaxAttempts = "worker_lost", 3
		}},
		{5, "permanent, but of another type", func(e *Evidence) { e.Rows[2].Kind = "permanent" }},
		{5, "timed out with attempts left", func(e *Evidence) { e.Rows[2].Kind, e.Rows[2].MaxAttempts = "timeout", 3 }},
		{5, "taken from a live session", func(e *Evidence) { delete(e.Ended, "s1") }},
		{5, "taken from a session before its end", func(e *Evidence) { e.Ended["s1"] = at(5) }},
		{6, "one fence, two executions", func(e *Evidence) {
			add(e, history.Event{Kind: history.Start, ID: "done", Fence: 1, At: at(1)})
		}},
		{6, "an execution that is not in the store", func(e *Evidence) {
			add(e, history.Event{Kind: history.Start, ID: "flaky", Fence: 2, At: at(1)})
		}},
		{6, "more executions than attempts", func(e *Evidence) { e.Rows[1].Attempts = 1 }},
		{7, "an execution with a fence above the completion's", func(e *Evidence) {
			add(e, history.Event{Kind: history.Start, ID: "done", Fence: 2, At: at(1)})
		}},
		{7, "a late start, but no process was delayed", func(e *Evidence) {
			event(e, history.Start, "flaky", 1).At = at(9)
		}},
		{8, "a recorded success is overwritten", func(e *Evidence) {
			e.Rows[0].Status, e.Rows[0].Kind = "failed", "cancelled"
		}},
		{8, "a recorded success of another fence", func(e *Evidence) { e.Rows[0].Fence = 2 }},
		{8, "a recorded failure is not in the history", func(e *Evidence) { e.Attempts = e.Attempts[1:] }},
		{8, "a recorded release is not in the history", func(e *Evidence) {
			add(e, history.Event{Kind: history.Phantom, ID: "flaky", Fence: 1, Verb: "release"})
		}},
		{8, "a cancelled job is completed", func(e *Evidence) { e.Rows[3].Status, e.Rows[3].Kind = "completed", "" }},
		{8, "a redrive is lost", func(e *Evidence) { e.Rows[2].Redrives = 0 }},
		{8, "a redrive without a request", func(e *Evidence) { e.Rows[2].Redrives = 2 }},
		{9, "two jobs with one key", func(e *Evidence) {
			e.Rows = append(e.Rows, Row{ID: "twin", Key: "a#0", Status: "failed", Kind: "cancelled"})
		}},
		{9, "two answers for one key", func(e *Evidence) {
			add(e, history.Event{Kind: history.OK, Key: "a", Keyed: true, IDs: []string{"flaky"}})
		}},
		{10, "a dead job is not listed", func(e *Evidence) { e.DeadAPI = nil }},
		{10, "a cancelled job is listed as dead", func(e *Evidence) { e.DeadAPI = append(e.DeadAPI, "gone") }},
		{10, "the mirror is stale", func(e *Evidence) { e.DeadList = []string{"done"} }},
		{11, "a wrong count", func(e *Evidence) { e.Metrics["completed_jobs"] = 3 }},
		{11, "a worker counts too many completions", func(e *Evidence) {
			add(e, history.Event{Kind: history.Down, Worker: "w2", N: 1})
		}},
		{11, "a worker counts too few completions, but none was killed", func(e *Evidence) {
			for i := range e.Events {
				if e.Events[i].Kind == history.Down {
					e.Events[i].N = 1
				}
			}
		}},
		{11, "a worker counts too few failures, but none was killed", func(e *Evidence) {
			for i := range e.Events {
				e.Events[i].Failed = min(e.Events[i].Failed, 3)
			}
		}},
		{11, "a worker counts too many failures", func(e *Evidence) {
			add(e, history.Event{Kind: history.Down, Worker: "w2", Failed: 1})
		}},
		{12, "an early retry", func(e *Evidence) { e.Attempts[1].StartedAt = at(3.4) }},
		{12, "an early retry after a lost lease", func(e *Evidence) { e.Started["flaky"] = at(5) }},
		{13, "connections stay open", func(e *Evidence) { e.Leaks[0].Got = 9 }},
		{13, "a process had an error by itself", func(e *Evidence) { e.Problems = []string{"worker1: panic"} }},
		{14, "no result was stale", func(e *Evidence) { e.Met["stale result"] = 0 }},
	}
	met := map[int]bool{}
	for _, f := range forgeries {
		met[f.rule] = true
		t.Run(fmt.Sprintf("rule %d: %s", f.rule, f.name), func(t *testing.T) {
			e := validEvidence()
			f.forge(e)
			found := Check(e)
			if !slices.ContainsFunc(found, func(v Violation) bool { return v.Rule == f.rule }) {
				t.Errorf("rule %d found nothing; all violations: %v", f.rule, found)
			}
		})
	}
	for i := range rules {
		if !met[i+1] {
			t.Errorf("no forgery for rule %d (%s)", i+1, rules[i].name)
		}
	}
}

func TestCheckLimitsTheReportedViolations(t *testing.T) {
	e := validEvidence()
	for i := range 100 {
		e.Rows = append(e.Rows, Row{ID: fmt.Sprint("x", i), Key: fmt.Sprint("x", i), Status: "failed", Kind: "cancelled"})
	}
	reported := 0
	for _, v := range Check(e) {
		if v.Rule == 2 {
			reported++
		}
	}
	if reported != maxReported+1 {
		t.Errorf("%d violations of rule 2 are reported, want %d", reported, maxReported+1)
	}
}

func TestReport(t *testing.T) {
	r := report(validEvidence(), &nemesis{faults: map[string]int{"worker killed": 2, "reset": 1}})
	r.Seed = 7
	sum := &Report{Seed: 7}
	sum.Add(r)
	var b strings.Builder
	sum.Write(&b)
	if want := "accepted=4 faults=3 lost=0 violations=0 seed=7"; sum.Summary() != want {
		t.Errorf("the last line is %q, want %q", sum.Summary(), want)
	}
	for _, want := range []string{"jobs accepted", "worker killed", "lost", "stale results rejected", "violations"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
}
