package torture

import (
	"fmt"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// Violation is a broken promise.
type Violation struct {
	Rule   int
	Detail string
}

func (v Violation) String() string {
	return fmt.Sprintf("rule %d (%s): %s", v.Rule, rules[v.Rule-1].name, v.Detail)
}

// rules are what must hold of every run, in the order of their numbers.
var rules = [14]struct {
	name  string
	check func(c *checker)
}{
	{"nothing accepted is lost", (*checker).lost},
	{"nothing is there that nobody submitted", (*checker).unexpected},
	{"every job is over in time", (*checker).over},
	{"a completion has its execution", (*checker).completions},
	{"a failure has its reason", (*checker).failures},
	{"every execution is accounted for, once", (*checker).executions},
	{"nothing starts past its completion", (*checker).starts},
	{"what was acknowledged stays", (*checker).acknowledged},
	{"one key, one job", (*checker).keys},
	{"the dead-letter queue is the failed jobs", (*checker).dead},
	{"the metrics tell the truth", (*checker).metrics},
	{"no retry comes early", (*checker).spacing},
	{"nothing leaks", (*checker).leaks},
	{"what has to happen sometimes did", (*checker).sometimes},
}

// run names one execution.
type run struct {
	id    string
	fence int64
}

// checker holds the evidence, sorted.
type checker struct {
	*Evidence
	found []Violation
	rule  int

	rows     map[string]*Row
	attempts map[run]*Attempt
	history  map[string][]*Attempt // by job
	begun    map[run]int
	ended    map[run]history.Kind // how the handler ended
	snoozed  map[run]bool
	asks     map[string]*asks
	requests map[string]map[history.Kind]int // by job
}

// asks is what became of a key's submissions.
type asks struct {
	invoked, failed int
	ids             []string // as they were answered first
}

// maxTold bounds how many violations of one rule are told.
const maxTold = 20

// Check holds the evidence against the rules.
func Check(e *Evidence) []Violation {
	c := &checker{
		Evidence: e, rows: map[string]*Row{}, attempts: map[run]*Attempt{}, history: map[string][]*Attempt{},
		begun: map[run]int{}, ended: map[run]history.Kind{}, snoozed: map[run]bool{}, asks: map[string]*asks{},
		requests: map[string]map[history.Kind]int{},
	}
	c.sort()
	for i, r := range rules {
		c.rule = i + 1
		before := len(c.found)
		r.check(c)
		if more := len(c.found) - before - maxTold; more > 0 {
			c.found = append(c.found[:before+maxTold], Violation{c.rule, fmt.Sprintf("and %d more", more)})
		}
	}
	return c.found
}

func (c *checker) sort() {
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
			c.sortAsk(e)
		case history.Cancel, history.Redrive, history.Cancelled, history.Redriven:
			if c.requests[e.ID] == nil {
				c.requests[e.ID] = map[history.Kind]int{}
			}
			c.requests[e.ID][e.Kind]++
		}
	}
}

func (c *checker) sortAsk(e *history.Event) {
	a := c.asks[e.Key]
	if a == nil {
		a = &asks{}
		c.asks[e.Key] = a
	}
	switch e.Kind {
	case history.Invoke:
		a.invoked++
	case history.Fail:
		a.failed++
	case history.OK:
		if a.ids == nil {
			a.ids = e.IDs
		}
	}
}

func (c *checker) violation(format string, args ...any) {
	c.found = append(c.found, Violation{c.rule, fmt.Sprintf(format, args...)})
}

func (c *checker) lost() {
	for key, a := range c.asks {
		for _, id := range a.ids {
			if c.rows[id] == nil {
				c.violation("job %s of %s was accepted and is gone", id, key)
			}
		}
	}
}

func (c *checker) unexpected() {
	for i := range c.Rows {
		r := &c.Rows[i]
		submission, _, _ := strings.Cut(r.Key, "#")
		switch a := c.asks[submission]; {
		case a == nil:
			c.violation("job %s has the key %q, which nobody submitted", r.ID, r.Key)
		case a.ids == nil && a.failed >= a.invoked:
			c.violation("job %s of %s is there, though each answer said that nothing was stored", r.ID, submission)
		}
	}
}

func (c *checker) over() {
	for i := range c.Rows {
		if r := &c.Rows[i]; !r.Terminal() {
			c.violation("job %s (%s) is still %s, %s after the faults", r.ID, r.Type, r.Status, c.Took.Round(time.Second))
		}
	}
	if c.Took > c.Limit {
		c.violation("the last job was over %s after the faults, later than %s", c.Took, c.Limit)
	}
}

// keys: the same key, also one that was sent twice at once, is the same job; and the row tells so too.
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
		if a := c.asks[e.Key]; strings.Join(e.IDs, " ") != strings.Join(a.ids, " ") {
			c.violation("key %s was answered with jobs %v, and with %v", e.Key, a.ids, e.IDs)
		}
	}
}

func (c *checker) leaks() {
	for _, l := range c.Leaks {
		if l.Got > l.Limit {
			c.violation("%s: %d, at most %d are expected", l.Name, l.Got, l.Limit)
		}
	}
	for _, p := range c.Problems {
		c.violation("%s", p)
	}
}

func (c *checker) sometimes() {
	for name, times := range c.Met {
		if times == 0 {
			c.violation("there was no %s: the run proves nothing about it", name)
		}
	}
}
