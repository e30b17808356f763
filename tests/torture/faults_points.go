package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"time"
)

// pointsArmed lets a process end, fail or be held up at named moments of its code for a while: a quarter of them, which the seed draws. What
// happened is counted in the end, from the process's own words; the arming itself is no fault.
func pointsArmed(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.arm(one(dice, n.all()), between(dice, time.Second, 4*time.Second), "seed=%d chance=0.25 rest=%s delay=%s",
		dice.Uint32(), between(dice, 100*time.Millisecond, 500*time.Millisecond), n.TTL*3/2)
}

// handlerFrozen stops a worker in the moment in which it begins a job, until its lease is taken from it.
func handlerFrozen(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.workers)
	lasts, disarm := n.arm(p, 3*n.TTL/2, "only=in-handler:stop rest=100ms")
	if disarm == nil {
		return lasts, nil
	}
	return lasts, func() {
		// Others see that the session has ended, but whoever does the maintenance may have ended as well, and has to be replaced first.
		ctx, cancel := context.WithTimeout(context.Background(), takeOver+n.TTL)
		defer cancel()
		for expired := -1; expired != 0 && wait(ctx, 100*time.Millisecond); {
			if n.scalar(ctx, `SELECT count(*) FROM windlass.worker_sessions WHERE state <> 'dead' AND expires_at < now()`, &expired) != nil {
				expired = -1
			}
		}
		disarm()
		p.thaw()
	}
}

// takeOver is how long it takes until another process does the maintenance: its lease, and how often they ask.
const takeOver = 16 * time.Second

// claimAnswerLost and insertAnswerLost make a process believe that a commit has failed.
func claimAnswerLost(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.arm(one(dice, n.workers), time.Second, "only=after-claim-commit:error rest=300ms")
}

func insertAnswerLost(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.arm(one(dice, n.apis), time.Second, "only=after-insert-commit:error rest=300ms")
}

func (n *nemesis) arm(p *place, lasts time.Duration, format string, args ...any) (time.Duration, func()) {
	if err := put(p.faultPath(), fmt.Sprintf(format, args...)); err != nil {
		n.problem("%v", err)
		return notDone, nil
	}
	return lasts, func() { _ = os.Remove(p.faultPath()) }
}

// fired is what a process says before it does what chance has in store for a point.
var fired = regexp.MustCompile(`(?m)^fault: (exit|error|delay|stop) at ([a-z-]+)$`)

// countPoints adds what happened at crash points to the faults, and returns how often each point was met.
func (n *nemesis) countPoints() map[string]int {
	names := map[string]string{
		"exit": "killed at a crash point", "error": "error at a crash point", "delay": "held up at a crash point", "stop": "frozen at a crash point",
	}
	points := map[string]int{}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.all() {
		for _, hit := range fired.FindAllSubmatch(p.log(), -1) {
			n.faults[names[string(hit[1])]]++
			points[string(hit[2])+" "+string(hit[1])]++
		}
	}
	return points
}
