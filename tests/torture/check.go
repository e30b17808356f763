package torture

import (
	"fmt"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// Violation is a broken guarantee.
type Violation struct {
	Rule   int
	Detail string
}

func (v Violation) String() string {
	return fmt.Sprintf("rule %d (%s): %s", v.Rule, rules[v.Rule-1].name, v.Detail)
}

// rules must hold for every run. They are in the order of their numbers.
var rules = [14]struct {
	name  string
	check func(c *checker)
}{
	{"no accepted job is lost", (*checker).lost},
	{"every job was submitted", (*checker).unexpected},
	{"every job is over in time", (*checker).over},
	{"every completion has a successful execution", (*checker).completions},
	{"every failure has a reason", (*checker).failures},
	{"every execution is recorded once", (*checker).executions},
	{"no execution starts after the completion", (*checker).starts},
	{"acknowledged changes stay", (*checker).acknowledged},
	{"one key is one job", (*checker).keys},
	{"the dead-letter queue has exactly the dead jobs", (*checker).dead},
	{"the metrics agree with the store", (*checker).metrics},
	{"no retry is early", (*checker).spacing},
	{"nothing leaks", (*checker).leaks},
	{"every required event happened", (*checker).sometimes},
}

// run identifies one execution.
type run struct {
	id    string
	fence int64
}

// checker holds the evidence with indexes.
type checker struct {
	*Evidence
	found []Violation
	rule  int

	rows     map[string]*Row
	attempts map[run]*Attempt
	history  map[string][]*Attempt // by job
	begun    map[run]int           // number of starts
	ended    map[run]history.Kind  // how the handler ended
	snoozed  map[run]bool
	byKey    map[string]*submissions
	requests map[string]map[history.Kind]int // by job
}

// submissions are the requests with one key.
type submissions struct {
	invoked, failed int
	ids             []string // in the first answer
}

// maxReported is the maximum number of reported violations for each rule.
const maxReported = 20

// Check checks the evidence against all rules.
func Check(e *Evidence) []Violation {
	c := &checker{
		Evidence: e, rows: map[string]*Row{}, attempts: map[run]*Attempt{}, history: map[string][]*Attempt{},
		begun: map[run]int{}, ended: map[run]history.Kind{}, snoozed: map[run]bool{}, byKey: map[string]*submissions{},
		requests: map[string]map[history.Kind]int{},
	}
	c.index()
	for i, r := range rules {
		c.rule = i + 1
		before := len(c.found)
		r.check(c)
		if more := len(c.found) - before - maxReported; more > 0 {
			c.found = append(c.found[:before+maxReported], Violation{c.rule, fmt.Sprintf("and %d more", more)})
		}
	}
	return c.found
}

func (c *checker) index() {
	for i := range c.Rows {
		c.rows[c.Rows[i].ID] = &c.Rows[i]
	}
	for i := range c.Attempts {
		a := &c.Attempts[i]
		c.attempts[run{a.Job, a.Fence}] = a
		c.history[a.Job] = append(c.history[a.Job], a)
	}
	for i := range c.Events {
		e := &c.Events[i]
		r := run{e.ID, e.Fence}
		switch e.Kind {
		case history.Start:
			c.begun[r]++
		case history.EndOK, history.EndErr:
			c.ended[r] = e.Kind
		case history.Acked:
			if e.Verb == string(store.VerbSnooze) {
				c.snoozed[r] = true
			}
		case history.Invoke, history.OK, history.Fail, history.Info:
			c.indexSubmission(e)
		case history.Cancel, history.Redrive, history.Cancelled, history.Redriven:
			if c.requests[e.ID] == nil {
				c.requests[e.ID] = map[history.Kind]int{}
			}
			c.requests[e.ID][e.Kind]++
		}
	}
}

func (c *checker) indexSubmission(e *history.Event) {
	s := c.byKey[e.Key]
	if s == nil {
		s = &submissions{}
		c.byKey[e.Key] = s
	}
	switch e.Kind {
	case history.Invoke:
		s.invoked++
	case history.Fail:
		s.failed++
	case history.OK:
		if s.ids == nil {
			s.ids = e.IDs
		}
	}
}

func (c *checker) violation(format string, args ...any) {
	c.found = append(c.found, Violation{c.rule, fmt.Sprintf(format, args...)})
}

func (c *checker) lost() {
	for key, s := range c.byKey {
		for _, id := range s.ids {
			if c.rows[id] == nil {
				c.violation("job %s of key %s was accepted, and is not in the store", id, key)
			}
		}
	}
}

func (c *checker) unexpected() {
	for i := range c.Rows {
		r := &c.Rows[i]
		key, _, _ := strings.Cut(r.Key, "#")
		switch s := c.byKey[key]; {
		case s == nil:
			c.violation("job %s has the key %q, which was never submitted", r.ID, r.Key)
		case s.ids == nil && s.failed >= s.invoked:
			c.violation("job %s of key %s is stored, but every answer said that nothing was stored", r.ID, key)
		}
	}
}

func (c *checker) over() {
	for i := range c.Rows {
		if r := &c.Rows[i]; !r.Terminal() {
			c.violation("job %s (%s) is still %s %s after the faults", r.ID, r.Type, r.Status, c.Took.Round(time.Second))
		}
	}
	if c.Took > c.Limit {
		c.violation("the last job was over %s after the faults; the limit is %s", c.Took, c.Limit)
	}
}

// keys: the same key is the same job, in the answers and in the Store, even if it was sent twice at the same moment.
func (c *checker) keys() {
	seen := map[string]string{}
	for i := range c.Rows {
		r := &c.Rows[i]
		if other, twice := seen[r.Key]; twice {
			c.violation("jobs %s and %s both have the key %s", other, r.ID, r.Key)
		}
		seen[r.Key] = r.ID
	}
	for i := range c.Events {
		e := &c.Events[i]
		if e.Kind != history.OK || !e.Keyed {
			continue
		}
		if s := c.byKey[e.Key]; strings.Join(e.IDs, " ") != strings.Join(s.ids, " ") {
			c.violation("key %s was answered with jobs %v and with %v", e.Key, s.ids, e.IDs)
		}
	}
}

func (c *checker) leaks() {
	for _, l := range c.Leaks {
		if l.Got > l.Limit {
			c.violation("%s: %d, the limit is %d", l.Name, l.Got, l.Limit)
		}
	}
	for _, p := range c.Problems {
		c.violation("%s", p)
	}
}

func (c *checker) sometimes() {
	for name, times := range c.Met {
		if times == 0 {
			c.violation("there was no %s, so the run proves nothing about it", name)
		}
	}
}
