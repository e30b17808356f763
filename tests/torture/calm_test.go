package torture

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// TestCountersAreExact has faults of servers and links, but kills no process of ours. Then the workers' counters, which
// are also their metrics, must agree exactly with the Store.
func TestCountersAreExact(t *testing.T) {
	bin, dir := startSlowTest(t)
	seed := rand.Uint64N(1_000_000)
	r, err := Run(t, Options{
		Setup: Setup{Bin: bin, Dir: dir, Workers: 2, APIs: 1},
		Seed:  seed, Faults: 10 * time.Second, Rate: 40, Lanes: []string{"postgres", "redis", "links"},
		Calm: true, Log: t.Logf,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r.Summary())
	for _, v := range r.Violations {
		t.Errorf("seed %d: %s", seed, v)
	}
	// The run proves nothing if there was little to count.
	events, err := history.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	ends := map[history.Kind]int{}
	for _, e := range events {
		ends[e.Kind] += e.N + e.Failed
	}
	if r.Accepted < 100 || r.FaultCount() < 5 || ends[history.Down] < r.Accepted/2 {
		t.Errorf("seed %d: only %d jobs, %d faults, and %d attempts in the workers' last counters",
			seed, r.Accepted, r.FaultCount(), ends[history.Down])
	}
}
