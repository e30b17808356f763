package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"time"
)

// pointsArmed arms a quarter of the crash points of a process for some time; the seed draws which ones. At an armed
// point the process ends, fails, stops or is delayed. These faults are counted at the end, from the log of the process.
// The arming itself is not counted.
func pointsArmed(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.arm(one(dice, n.all()), between(dice, time.Second, 4*time.Second), "seed=%d chance=0.25 rest=%s delay=%s",
		dice.Uint32(), between(dice, 100*time.Millisecond, 500*time.Millisecond), n.TTL*3/2)
}

// handlerFrozen stops a worker when it begins a job, until its lease has been taken from it.
func handlerFrozen(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.workers)
	lasts, disarm := n.arm(p, 3*n.TTL/2, "only=in-handler:stop rest=100ms")
	if disarm == nil {
		return lasts, nil
	}
	return lasts, func() {
		// The maintenance marks the session dead. But the process with the maintenance may have ended too, and then another
		// process has to take over first.
		ctx, cancel := context.WithTimeout(context.Background(), takeOver+n.TTL)
		defer cancel()
		for expired := -1; expired != 0 && wait(ctx, 100*time.Millisecond); {
			if n.scalar(ctx, `SELECT count(*) FROM windlass.worker_sessions WHERE state <> 'dead' AND expires_at < now()`,
				&expired) != nil {
				expired = -1
			}
		}
		disarm()
		p.thaw()
	}
}

// rerunMet is handlerFrozen until another worker runs one of the jobs again. Results of the frozen worker then arrive
// while their jobs are processing, where nothing but the fence keeps them out. Mostly they arrive earlier, during the
// backoff, or later.
func rerunMet(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.workers)
	lasts, disarm := n.arm(p, n.TTL, "only=in-handler:stop rest=300ms")
	if disarm == nil {
		return lasts, nil
	}
	return lasts, func() {
		disarm()
		ctx, cancel := context.WithTimeout(context.Background(), takeOver+n.TTL)
		defer cancel()
		for rerun := false; !rerun && wait(ctx, 20*time.Millisecond); {
			if n.scalar(ctx, `SELECT EXISTS (SELECT FROM windlass.jobs j
				JOIN windlass.job_attempts a ON a.job_id = j.id AND a.fence = j.fence - 2 AND a.outcome = 'lease_lost'
				JOIN windlass.worker_sessions w ON w.id = a.worker_id AND w.pid = $1
				WHERE j.status = 'processing' AND j.worker_id <> a.worker_id)`, &rerun, p.pid()) != nil {
				rerun = false
			}
		}
		p.thaw()
	}
}

// takeOver is the maximum time until another process does the maintenance: the lease plus the interval of the attempts.
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

// fired matches the line that a process logs when a crash point fires.
var fired = regexp.MustCompile(`(?m)^fault: (exit|error|delay|stop) at ([a-z-]+)$`)

// countPoints adds the events at crash points to the faults, and returns how often each point fired.
func (n *nemesis) countPoints() map[string]int {
	names := map[string]string{
		"exit": "killed at a crash point", "error": "error at a crash point",
		"delay": "delayed at a crash point", "stop": "frozen at a crash point",
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
