package torture

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// fault is one way to break something. begin breaks it and returns how long that lasts and how it is mended (nil: it mends itself), or notDone.
// What it picks comes from the dice alone.
type fault struct {
	name  string // as it is counted; "": somebody else counts
	parts int    // how often it is drawn, beside the others of its lane
	begin func(n *nemesis, dice *rand.Rand) (lasts time.Duration, heal func())
}

// notDone is for faults that could not be brought about. They do not count.
const notDone = time.Duration(-1)

// lane is a row of faults, one after the other. Lanes run side by side, so that faults of different kinds meet.
type lane struct {
	name   string
	rest   time.Duration // between two faults, on average
	faults []fault
}

// nemesis breaks things at random, from a seed.
type nemesis struct {
	*world
	client *client
	seed   uint64

	mu     sync.Mutex
	faults map[string]int
}

// run breaks things until ctx ends, and mends everything before it returns.
func (n *nemesis) run(ctx context.Context, lanes []lane) {
	var all sync.WaitGroup
	for i, l := range lanes {
		dice := rand.New(rand.NewPCG(n.seed, uint64(i)+77))
		all.Go(func() {
			for wait(ctx, l.rest/2+time.Duration(dice.Int64N(int64(l.rest)))) {
				n.strike(ctx, l, dice)
			}
		})
	}
	n.supervised(all.Wait)
}

// supervised does something while a supervisor looks after the processes.
func (n *nemesis) supervised(do func()) {
	watching, stop := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() { n.superviseAll(watching) })
	do()
	stop()
	watch.Wait()
}

func (n *nemesis) strike(ctx context.Context, l lane, dice *rand.Rand) {
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

// superviseAll does what a supervisor would: a process that has ended by itself is started again.
func (n *nemesis) superviseAll(ctx context.Context) {
	for wait(ctx, 250*time.Millisecond) {
		for _, p := range n.all() {
			p.mu.Lock()
			fallen := p.wanted && !p.alive()
			p.mu.Unlock()
			if fallen {
				n.revive(p)
			}
		}
	}
}

// revive starts a process of the newest release.
func (n *nemesis) revive(p *place, extra ...string) {
	if err := p.start(extra...); err != nil {
		n.problem("start %s: %v", p.name, err)
	}
}

// wait lets d pass, or less where ctx ends; it reports whether ctx goes on.
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

// between draws a duration.
func between(dice *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(dice.Int64N(int64(to-from)))
}

// one picks an element.
func one[T any](dice *rand.Rand, list []T) T { return list[dice.IntN(len(list))] }

// soon bounds what the nemesis itself asks of a server.
func soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 2*time.Second)
}
