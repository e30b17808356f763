package torture

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// event is something that every run has to meet at least once, for else it proves nothing about it, and the faults that bring it about.
type event struct {
	name   string
	brings []fault
}

var events = []event{
	{"stale result", []fault{{"worker frozen", 1, workerFrozen}, {"worker cut off from everything", 1, workerCutOff}}},
	{"lost lease", []fault{{"worker killed", 1, workerKilled}}},
	{"phantom release", []fault{{"answer cut off", 1, answerCut}}},
	{"unknown outcome", []fault{{"answer cut off", 1, answerCut}}},
	{"rebuilt queue", []fault{{"redis flushed", 1, redisFlushed}}},
	{"refused claim", []fault{{"redis flushed", 1, redisFlushed}}},
	{"idempotent replay", []fault{{"api killed", 1, apiKilled}}},
}

// insistFor bounds how long insist goes on.
const insistFor = 60 * time.Second

// insist goes on breaking what brings about the events that have not been met yet.
func (n *nemesis) insist(log func(string, ...any)) {
	ctx, cancel := context.WithTimeout(context.Background(), insistFor)
	defer cancel()
	dice := rand.New(rand.NewPCG(n.seed, 99))
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { n.superviseAll(watching) })
	defer watch.Wait()
	defer stop()
	for told := false; ctx.Err() == nil; told = true {
		so, err := history.Read(n.Dir)
		if err != nil {
			n.problem("%v", err)
			return
		}
		met := n.met(so)
		missing := ""
		for _, e := range events {
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
	for _, e := range events {
		m[e.name] = 0
	}
	kinds := map[history.Kind]string{
		history.Stale: "stale result", history.Phantom: "phantom release", history.Rejected: "refused claim", history.Info: "unknown outcome",
	}
	for i := range so {
		if name := kinds[so[i].Kind]; name != "" {
			m[name]++
		}
		if so[i].Replayed {
			m["idempotent replay"]++
		}
	}
	ctx, cancel := soon()
	defer cancel()
	var lost int
	if w.scalar(ctx, `SELECT count(*) FROM job_attempts WHERE outcome = 'lease_lost'`, &lost) == nil {
		m["lost lease"] = lost
	}
	for _, p := range w.all() {
		m["rebuilt queue"] += occurrences(p.log(), "queue had lost its memory")
	}
	return m
}
