package torture

import (
	"math/rand/v2"
	"time"
)

// ail adds a toxic to a link for a while.
func (n *nemesis) ail(l *link, lasts time.Duration, t toxic) (time.Duration, func()) {
	heal, err := l.poison(t)
	if err != nil {
		n.problem("%v", err)
		return notDone, nil
	}
	return lasts, heal
}

var streams = []string{"upstream", "downstream"}

func slowLink(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.ail(one(dice, n.links), between(dice, time.Second, 4*time.Second), toxic{"latency", one(dice, streams), map[string]int64{
		"latency": 20 + dice.Int64N(400), "jitter": dice.Int64N(200),
	}})
}

// blackhole swallows everything, and leaves the connections open.
func blackhole(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.ail(one(dice, n.links), between(dice, 500*time.Millisecond, 2*n.TTL), toxic{"timeout", one(dice, streams), map[string]int64{"timeout": 0}})
}

func resetLink(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.ail(one(dice, n.links), between(dice, 50*time.Millisecond, 500*time.Millisecond), toxic{"reset_peer", "upstream", map[string]int64{"timeout": dice.Int64N(50)}})
}

// answerCut cuts connections in the middle of what the server says: the request is carried out, and its answer lost.
func answerCut(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	l := one(dice, n.all()).postgres // it is there that answers matter
	return n.ail(l, between(dice, 100*time.Millisecond, time.Second), toxic{"limit_data", "downstream", map[string]int64{"bytes": 1 + dice.Int64N(6000)}})
}

func requestCut(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.ail(one(dice, n.links), between(dice, 100*time.Millisecond, time.Second), toxic{"limit_data", "upstream", map[string]int64{"bytes": 1 + dice.Int64N(6000)}})
}

// sliced delivers everything in small pieces.
func sliced(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.ail(one(dice, n.links), between(dice, time.Second, 2*time.Second), toxic{"slicer", one(dice, streams), map[string]int64{
		"average_size": 40, "size_variation": 20, "delay": 200,
	}})
}

// workerCutOff makes a worker a zombie that knows nothing of it: it runs on, and its lease runs out.
func workerCutOff(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.workers)
	lasts := n.TTL + between(dice, 0, 2*n.TTL)
	_, a := n.ail(p.postgres, lasts, toxic{"timeout", "upstream", map[string]int64{"timeout": 0}})
	_, b := n.ail(p.redis, lasts, toxic{"timeout", "upstream", map[string]int64{"timeout": 0}})
	return lasts, func() {
		if a != nil {
			a()
		}
		if b != nil {
			b()
		}
	}
}
