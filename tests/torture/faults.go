package torture

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/tests/torture/recording"
)

// lanes returns all faults that are possible in this world.
func (w *world) lanes() []lane {
	if w.embedded {
		return w.embeddedLanes()
	}
	full := fault{"files of postgres limited", 2, filesLimited}
	if w.postgresDisk != nil {
		full = fault{"disk of postgres full", 3, postgresDiskFull}
	}
	list := []lane{
		{"processes", 1200 * time.Millisecond, []fault{
			{"worker killed", 6, workerKilled}, {"worker frozen", 4, workerFrozen}, {"worker replaced", 3, workerReplaced},
			{"api killed", 4, apiKilled}, {"api frozen", 2, apiFrozen}, {"poison job", 1, poisonJob},
			{"job that takes all memory", 1, hogJob},
		}},
		{"postgres", 5 * time.Second, []fault{
			{"postgres crashed", 3, postgresCrashed}, {"postgres killed", 2, postgresKilled},
			{"postgres frozen", 3, postgresFrozen}, {"backends terminated", 5, backendsTerminated},
			{"table locked", 2, tableLocked}, {"connections exhausted", 2, connectionsExhausted},
			full,
		}},
		{"redis", 1500 * time.Millisecond, []fault{
			{"redis flushed", 5, redisFlushed}, {"redis killed", 3, redisKilled}, {"redis frozen", 3, redisFrozen},
			{"redis out of memory", 3, redisOutOfMemory}, {"scripts flushed", 2, scriptsFlushed},
			{"clients of redis cut off", 3, redisClientsKilled},
		}},
		{"links", 700 * time.Millisecond, []fault{
			{"latency", 3, slowLink}, {"blackhole", 3, blackhole}, {"reset", 4, resetLink}, {"answer cut off", 8, answerCut},
			{"request cut off", 3, requestCut}, {"sliced", 2, sliced}, {"worker cut off from everything", 2, workerCutOff},
		}},
	}
	if w.redisDisk != nil {
		list[2].faults = append(list[2].faults, fault{"disk of redis full", 3, redisDiskFull})
	}
	if w.Programs.Faults {
		list = append(list, lane{"points", 1500 * time.Millisecond, []fault{{"", 4, pointsArmed}, {"", 1, rerunMet}}})
	}
	if w.Programs.Clocks {
		list = append(list, lane{"clocks", 2 * time.Second, []fault{{"clock moved", 1, clockMoved}}})
	}
	return list
}

// Processes.

func workerKilled(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.workers)
	p.kill()
	return between(dice, 100*time.Millisecond, 1500*time.Millisecond), func() { n.revive(p) }
}

// workerFrozen lasts longer than the lease, so that other workers get its jobs and its own results are too late.
func workerFrozen(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.workers)
	p.freeze()
	return n.TTL + between(dice, 0, 2*n.TTL), p.thaw
}

// workerReplaced stops a worker in order. Half of the time it starts the same release again. Otherwise it starts an
// older release, which does not know the newest job type.
func workerReplaced(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.workers)
	if err := p.terminate(30 * time.Second); err != nil {
		n.problem("orderly stop: %v", err)
	}
	if dice.IntN(2) == 0 {
		n.revive(p)
		return 0, nil
	}
	var older []string
	for _, t := range recording.Types {
		if t != recording.Newest {
			older = append(older, t)
		}
	}
	n.revive(p, "TORTURE_TYPES="+strings.Join(older, ","))
	return between(dice, time.Second, 4*time.Second), func() {
		if err := p.terminate(30 * time.Second); err != nil {
			n.problem("orderly stop: %v", err)
		}
		n.revive(p)
	}
}

func apiKilled(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.apis)
	p.kill()
	return between(dice, 100*time.Millisecond, time.Second), func() { n.revive(p) }
}

func apiFrozen(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.apis)
	p.freeze()
	return between(dice, time.Second, 4*time.Second), p.thaw
}

func poisonJob(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.submits(dice, recording.Poison)
}

// hogJob ends the process that runs it like a process without memory.
func hogJob(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.submits(dice, recording.Hog)
}

func (n *nemesis) submits(dice *rand.Rand, kind string) (time.Duration, func()) {
	ctx, cancel := shortTimeout()
	defer cancel()
	if !n.client.submitLethal(ctx, dice, kind) {
		return notDone, nil
	}
	return 0, nil
}
