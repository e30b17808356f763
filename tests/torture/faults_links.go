package torture

import (
	"math/rand/v2"
	"time"
)

// breakLink adds a toxic to a link for some time.
func (n *nemesis) breakLink(l *link, lasts time.Duration, t toxic) (time.Duration, func()) {
	heal, err := l.addToxic(t)
	if err != nil {
		n.problem("%v", err)
		return notDone, nil
	}
	return lasts, heal
}

var streams = []string{"upstream", "downstream"}

func slowLink(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.breakLink(one(dice, n.links), between(dice, time.Second, 4*time.Second),
		toxic{"latency", one(dice, streams), map[string]int64{
			"latency": 20 + dice.Int64N(400), "jitter": dice.Int64N(200),
		}})
}

// blackhole drops all data in one direction and leaves the connections open.
func blackhole(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.breakLink(one(dice, n.links), between(dice, 500*time.Millisecond, 2*n.TTL),
		toxic{"timeout", one(dice, streams), map[string]int64{"timeout": 0}})
}

func resetLink(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.breakLink(one(dice, n.links), between(dice, 50*time.Millisecond, 500*time.Millisecond),
		toxic{"reset_peer", "upstream", map[string]int64{"timeout": dice.Int64N(50)}})
}

// answerCut closes connections in the middle of a server's answer: the request is carried out, but its answer is lost.
func answerCut(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	l := one(dice, n.all()).postgres // lost answers matter most with PostgreSQL
	return n.breakLink(l, between(dice, 100*time.Millisecond, time.Second),
		toxic{"limit_data", "downstream", map[string]int64{"bytes": 1 + dice.Int64N(6000)}})
}

func requestCut(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.breakLink(one(dice, n.links), between(dice, 100*time.Millisecond, time.Second),
		toxic{"limit_data", "upstream", map[string]int64{"bytes": 1 + dice.Int64N(6000)}})
}

// sliced delivers all data in small pieces.
func sliced(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.breakLink(one(dice, n.links), between(dice, time.Second, 2*time.Second),
		toxic{"slicer", one(dice, streams), map[string]int64{
			"average_size": 40, "size_variation": 20, "delay": 200,
		}})
}

// workerCutOff makes a worker a zombie: it continues to run jobs, but its lease expires.
func workerCutOff(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.workers)
	lasts := n.TTL + between(dice, 0, 2*n.TTL)
	_, a := n.breakLink(p.postgres, lasts, toxic{"timeout", "upstream", map[string]int64{"timeout": 0}})
	_, b := n.breakLink(p.redis, lasts, toxic{"timeout", "upstream", map[string]int64{"timeout": 0}})
	return lasts, func() {
		if a != nil {
			a()
		}
		if b != nil {
			b()
		}
	}
}
