package torture

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// event is something that must happen at least once in every run; otherwise the run proves nothing about it. causes are
// the faults that can cause it.
type event struct {
	name   string
	causes []fault
}

var distributedEvents = []event{
	{"stale result", []fault{
		{"", 3, handlerFrozen}, {"worker frozen", 1, workerFrozen}, {"worker cut off from everything", 1, workerCutOff},
	}},
	{"lost lease", []fault{{"worker killed", 1, workerKilled}}},
	{"phantom release", []fault{{"", 3, claimAnswerLost}, {"answer cut off", 1, answerCut}}},
	{"unknown outcome", []fault{{"", 3, insertAnswerLost}, {"answer cut off", 1, answerCut}}},
	{"rebuilt queue", []fault{{"redis flushed", 1, redisFlushed}}},
	{"refused claim", []fault{{"redis flushed", 1, redisFlushed}}},
	{"idempotent replay", []fault{{"api killed", 1, apiKilled}}},
}

// embeddedEvents are those of the one-process mode. There the answer to a claim cannot be lost, and the worker cannot
// be cut off from the Store.
var embeddedEvents = []event{
	{"lost lease", []fault{{"embedded killed", 1, embeddedKilled}}},
	{"unknown outcome", []fault{{"embedded killed", 1, embeddedKilled}}},
	{"idempotent replay", []fault{{"embedded killed", 1, embeddedKilled}}},
}

func (w *world) requiredEvents() []event {
	if w.embedded {
		return embeddedEvents
	}
	return distributedEvents
}

// forceLimit is the maximum duration of forceMissing.
const forceLimit = 60 * time.Second

// forceMissing repeats the faults that cause the required events which have not happened yet.
func (n *nemesis) forceMissing(log func(string, ...any)) {
	ctx, cancel := context.WithTimeout(context.Background(), forceLimit)
	defer cancel()
	dice := rand.New(rand.NewPCG(n.seed, 99))
	n.supervised(func() { n.forceEvents(ctx, dice, log) })
}

// forceEvents continues until no required event is missing, or until ctx ends.
func (n *nemesis) forceEvents(ctx context.Context, dice *rand.Rand, log func(string, ...any)) {
	for logged := false; ctx.Err() == nil; logged = true {
		events, err := history.Read(n.Dir)
		if err != nil {
			n.problem("%v", err)
			return
		}
		met := n.met(events)
		missing := ""
		for _, e := range n.requiredEvents() {
			if met[e.name] == 0 {
				missing = e.name
				n.runFault(ctx, lane{faults: e.causes}, dice)
			}
		}
		if missing == "" {
			return
		}
		if !logged {
			log("seed %d: there was no %s yet, continuing", n.seed, missing)
		}
		wait(ctx, n.TTL) // until the faults have shown their effect
	}
}

// met counts the required events.
func (w *world) met(events []history.Event) map[string]int {
	m := map[string]int{}
	for _, e := range w.requiredEvents() {
		m[e.name] = 0
	}
	count := func(name string, times int) {
		if _, required := m[name]; required {
			m[name] += times
		}
	}
	kinds := map[history.Kind]string{
		history.Stale: "stale result", history.Phantom: "phantom release", history.Rejected: "refused claim",
		history.Info: "unknown outcome",
	}
	for i := range events {
		count(kinds[events[i].Kind], 1)
		if events[i].Replayed {
			count("idempotent replay", 1)
		}
		if events[i].Kind == history.Reaped && w.embedded {
			count("lost lease", 1)
		}
	}
	if w.embedded {
		return m
	}
	ctx, cancel := shortTimeout()
	defer cancel()
	var lost int // read from the Store, because an api reaps too and writes no history
	if w.scalar(ctx, `SELECT count(*) FROM windlass.job_attempts WHERE outcome = 'lease_lost'`, &lost) == nil {
		count("lost lease", lost)
	}
	for _, p := range w.all() {
		count("rebuilt queue", occurrences(p.log(), "queue had lost its memory"))
	}
	return m
}
