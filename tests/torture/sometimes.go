package torture

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// event is something that every run has to meet at least once, for else it proves nothing about it, and the faults that bring it about.
type event struct {
	name   string
	brings []fault
}

var distributed = []event{
	{"stale result", []fault{{"", 3, handlerFrozen}, {"worker frozen", 1, workerFrozen}, {"worker cut off from everything", 1, workerCutOff}}},
	{"lost lease", []fault{{"worker killed", 1, workerKilled}}},
	{"phantom release", []fault{{"", 3, claimAnswerLost}, {"answer cut off", 1, answerCut}}},
	{"unknown outcome", []fault{{"", 3, insertAnswerLost}, {"answer cut off", 1, answerCut}}},
	{"rebuilt queue", []fault{{"redis flushed", 1, redisFlushed}}},
	{"refused claim", []fault{{"redis flushed", 1, redisFlushed}}},
	{"idempotent replay", []fault{{"api killed", 1, apiKilled}}},
}

// alone are those of the one-process mode. It cannot lose the answer to a claim, nor be cut off from a Store that lives on.
var alone = []event{
	{"lost lease", []fault{{"embedded killed", 1, embeddedKilled}}},
	{"unknown outcome", []fault{{"embedded killed", 1, embeddedKilled}}},
	{"idempotent replay", []fault{{"embedded killed", 1, embeddedKilled}}},
}

func (w *world) musts() []event {
	if w.embedded {
		return alone
	}
	return distributed
}

// insistFor bounds how long insist goes on.
const insistFor = 60 * time.Second

// insist goes on breaking what brings about the events that have not been met yet.
func (n *nemesis) insist(log func(string, ...any)) {
	ctx, cancel := context.WithTimeout(context.Background(), insistFor)
	defer cancel()
	dice := rand.New(rand.NewPCG(n.seed, 99))
	n.supervised(func() { n.bringAbout(ctx, dice, log) })
}

// bringAbout goes on until nothing is missing, or ctx ends.
func (n *nemesis) bringAbout(ctx context.Context, dice *rand.Rand, log func(string, ...any)) {
	for told := false; ctx.Err() == nil; told = true {
		so, err := history.Read(n.Dir)
		if err != nil {
			n.problem("%v", err)
			return
		}
		met := n.met(so)
		missing := ""
		for _, e := range n.musts() {
			if met[e.name] == 0 {
				missing = e.name
				n.strike(ctx, lane{faults: e.brings}, dice)
			}
		}
		if missing == "" {
			return
		}
		if !told {
			log("seed %d: there was no %s yet, going on", n.seed, missing)
		}
		wait(ctx, n.TTL) // until what was done shows
	}
}

// met counts what has to happen sometimes.
func (w *world) met(so []history.Event) map[string]int {
	m := map[string]int{}
	for _, e := range w.musts() {
		m[e.name] = 0
	}
	count := func(name string, times int) {
		if _, must := m[name]; must {
			m[name] += times
		}
	}
	kinds := map[history.Kind]string{
		history.Stale: "stale result", history.Phantom: "phantom release", history.Rejected: "refused claim", history.Info: "unknown outcome",
	}
	for i := range so {
		count(kinds[so[i].Kind], 1)
		if so[i].Replayed {
			count("idempotent replay", 1)
		}
		if so[i].Kind == history.Reaped && w.embedded {
			count("lost lease", 1)
		}
	}
	if w.embedded {
		return m
	}
	ctx, cancel := soon()
	defer cancel()
	var lost int // the apis reap too, and write no history
	if w.scalar(ctx, `SELECT count(*) FROM windlass.job_attempts WHERE outcome = 'lease_lost'`, &lost) == nil {
		count("lost lease", lost)
	}
	for _, p := range w.all() {
		count("rebuilt queue", occurrences(p.log(), "queue had lost its memory"))
	}
	return m
}
