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

// Report is what came out of one run, or of several.
type Report struct {
	Seed       uint64
	Duration   time.Duration
	Accepted   int // jobs
	Unknown    int // outcomes
	Faults     map[string]int
	Lost       int
	Twice      int // jobs with more than one successful execution
	Stale      int // results that were rejected
	StaleStart int // executions that began after their job's completion
	Phantoms   int
	LeasesLost int
	Took       time.Duration // the longest from the end of the faults to the last terminal state
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

// accepted counts the jobs that some client was told are stored.
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

// Add takes another run's figures in.
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

// FaultCount is how many faults there were of all kinds.
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
	line("executed more than once with success", r.Twice)
	line("executions begun after the completion", r.StaleStart)
	line("stale results rejected", r.Stale)
	line("phantoms released", r.Phantoms)
	line("leases lost", r.LeasesLost)
	line("violations", len(r.Violations))
	line("time to the last terminal state", r.Took.Round(100*time.Millisecond))
	line("duration", r.Duration.Round(time.Second))
	t.Flush()
	for _, v := range r.Violations {
		fmt.Fprintln(w, "VIOLATION", v)
	}
}

// Summary is the last line.
func (r *Report) Summary() string {
	return fmt.Sprintf("accepted=%d faults=%d lost=%d violations=%d seed=%d", r.Accepted, r.FaultCount(), r.Lost, len(r.Violations), r.Seed)
}

// outOfMemory is how the Go runtime ends where there is none left, the last with the race detector. The torture's own jobs bring that about.
var outOfMemory = regexp.MustCompile(`(?m)^fatal error: (runtime: )?(out of memory|cannot allocate|too many address space collisions).*$`)

// panics returns what a log says about a crash of the program's own, or "".
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
