package torture

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// Report is the result of one run, or of several.
type Report struct {
	Seed       uint64
	Duration   time.Duration
	Accepted   int // jobs
	Unknown    int // submissions with an unknown outcome
	Faults     map[string]int
	Lost       int           // jobs
	Twice      int           // jobs with more than one successful execution
	Stale      int           // results that were rejected
	StaleStart int           // executions that began after their job's completion
	Phantoms   int           // jobs that were handed back because the answer to their claim was lost
	LeasesLost int           // attempts
	Took       time.Duration // longest time from the end of the faults to the last terminal state
	Violations []Violation
}

func report(e *Evidence, n *nemesis) *Report {
	r := &Report{
		Accepted: accepted(e), Unknown: e.count(history.Info), Faults: n.faults, Took: e.Took,
		Stale: e.count(history.Stale), Phantoms: e.count(history.Phantom), Violations: Check(e),
	}
	ends := map[string]int{}
	for i := range e.Events {
		if e.Events[i].Kind == history.EndOK {
			ends[e.Events[i].ID]++
		}
	}
	for _, times := range ends {
		if times > 1 {
			r.Twice++
		}
	}
	for i := range e.Attempts {
		if e.Attempts[i].Outcome == string(jobs.AttemptLeaseLost) {
			r.LeasesLost++
		}
	}
	for _, v := range r.Violations {
		if v.Rule == 1 {
			r.Lost++
		}
	}
	k := &checker{Evidence: e, rows: map[string]*Row{}}
	for i := range e.Rows {
		k.rows[e.Rows[i].ID] = &e.Rows[i]
	}
	r.StaleStart = k.staleStarts()
	return r
}

// accepted counts the jobs that were acknowledged to a client.
func accepted(e *Evidence) int {
	ids := map[string]bool{}
	for i := range e.Events {
		if e.Events[i].Kind == history.OK {
			for _, id := range e.Events[i].IDs {
				ids[id] = true
			}
		}
	}
	return len(ids)
}

// Add adds the figures of another run.
func (r *Report) Add(o *Report) {
	if r.Faults == nil {
		r.Faults = map[string]int{}
	}
	r.Duration += o.Duration
	r.Accepted += o.Accepted
	r.Unknown += o.Unknown
	for name, times := range o.Faults {
		r.Faults[name] += times
	}
	r.Lost += o.Lost
	r.Twice += o.Twice
	r.Stale += o.Stale
	r.StaleStart += o.StaleStart
	r.Phantoms += o.Phantoms
	r.LeasesLost += o.LeasesLost
	r.Took = max(r.Took, o.Took)
	r.Violations = append(r.Violations, o.Violations...)
}

// FaultCount returns the number of faults of all kinds.
func (r *Report) FaultCount() int {
	total := 0
	for _, n := range r.Faults {
		total += n
	}
	return total
}

// Write prints the table.
func (r *Report) Write(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name string, value any) { fmt.Fprintf(t, "%s\t%v\n", name, value) }
	line("jobs accepted", r.Accepted)
	line("unknown outcomes of submissions", r.Unknown)
	line("faults", r.FaultCount())
	for _, name := range slices.Sorted(maps.Keys(r.Faults)) {
		line("  "+name, r.Faults[name])
	}
	line("lost", r.Lost)
	line("jobs with more than one successful execution", r.Twice)
	line("executions begun after the completion", r.StaleStart)
	line("stale results rejected", r.Stale)
	line("claims with a lost answer, handed back", r.Phantoms)
	line("leases lost", r.LeasesLost)
	line("violations", len(r.Violations))
	line("time to the last terminal state", r.Took.Round(100*time.Millisecond))
	line("duration", r.Duration.Round(time.Second))
	t.Flush()
	for _, v := range r.Violations {
		fmt.Fprintln(w, "VIOLATION", v)
	}
}

// Summary is the last line of the output.
func (r *Report) Summary() string {
	return fmt.Sprintf("accepted=%d faults=%d lost=%d violations=%d seed=%d", r.Accepted, r.FaultCount(), r.Lost,
		len(r.Violations), r.Seed)
}

// outOfMemory matches the last words of the Go runtime when there is no memory left; the last alternative is that of
// the race detector. Jobs of the torture cause this on purpose.
var outOfMemory = regexp.MustCompile(
	`(?m)^fatal error: (runtime: )?(out of memory|cannot allocate|too many address space collisions).*$`)

// panics returns the part of a log that shows a crash or a data race of the program, or "".
func panics(log []byte) string {
	log = outOfMemory.ReplaceAll(log, nil)
	for _, sign := range []string{"WARNING: DATA RACE", "\npanic: ", "fatal error: ", "SIGQUIT: quit"} {
		if at := bytes.Index(log, []byte(sign)); at >= 0 {
			return strings.TrimSpace(string(log[at:min(len(log), at+2000)]))
		}
	}
	return ""
}

func occurrences(log []byte, text string) int { return bytes.Count(log, []byte(text)) }
