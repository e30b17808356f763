package torture

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// fault is one way to break something. begin starts the fault. It returns how long the fault lasts and how to end it
// (nil: it ends by itself), or notDone. All its choices come from dice, so that a seed repeats them.
type fault struct {
	name  string // the name in the counts; "": it is counted elsewhere
	parts int    // relative frequency in its lane
	begin func(n *nemesis, dice *rand.Rand) (lasts time.Duration, heal func())
}

// notDone is the duration of a fault that could not be started. It is not counted.
const notDone = time.Duration(-1)

// lane is a list of faults that happen one after the other. Lanes run in parallel, so that faults of different lanes
// overlap.
type lane struct {
	name   string
	rest   time.Duration // mean time between two faults
	faults []fault
}

// nemesis draws faults from a seed and carries them out.
type nemesis struct {
	*world
	client *client
	seed   uint64

	mu     sync.Mutex
	faults map[string]int
}

// run carries out faults until ctx ends, and ends all of them before it returns.
func (n *nemesis) run(ctx context.Context, lanes []lane) {
	var all sync.WaitGroup
	for i, l := range lanes {
		dice := rand.New(rand.NewPCG(n.seed, uint64(i)+77))
		all.Go(func() {
			for wait(ctx, l.rest/2+time.Duration(dice.Int64N(int64(l.rest)))) {
				n.runFault(ctx, l, dice)
			}
		})
	}
	n.supervised(all.Wait)
}

// supervised calls do while a supervisor restarts processes that have ended.
func (n *nemesis) supervised(do func()) {
	watching, stop := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() { n.superviseAll(watching) })
	do()
	stop()
	watch.Wait()
}

// runFault draws a fault of a lane, starts it, waits and ends it.
func (n *nemesis) runFault(ctx context.Context, l lane, dice *rand.Rand) {
	total := 0
	for _, f := range l.faults {
		total += f.parts
	}
	pick := dice.IntN(total)
	for _, f := range l.faults {
		if pick -= f.parts; pick >= 0 {
			continue
		}
		lasts, heal := f.begin(n, dice)
		if lasts != notDone && f.name != "" {
			n.events.Write(history.Event{Kind: history.Fault, Key: f.name})
			n.mu.Lock()
			n.faults[f.name]++
			n.mu.Unlock()
		}
		wait(ctx, lasts)
		if heal != nil {
			heal()
		}
		return
	}
}

// superviseAll does the work of a supervisor: it starts processes again that have ended by themselves.
func (n *nemesis) superviseAll(ctx context.Context) {
	for wait(ctx, 250*time.Millisecond) {
		for _, p := range n.all() {
			p.mu.Lock()
			ended := p.wanted && !p.alive()
			p.mu.Unlock()
			if ended {
				n.revive(p)
			}
		}
	}
}

// revive starts a process that has ended. extra is more environment for this start.
func (n *nemesis) revive(p *place, extra ...string) {
	if err := p.start(extra...); err != nil {
		n.problem("start %s: %v", p.name, err)
	}
}

// wait waits for d, or until ctx ends. It reports whether ctx has not ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// between draws a duration from a range.
func between(dice *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(dice.Int64N(int64(to-from)))
}

// one draws an element.
func one[T any](dice *rand.Rand, list []T) T { return list[dice.IntN(len(list))] }

// shortTimeout limits requests of the nemesis itself to a server.
func shortTimeout() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 2*time.Second)
}
