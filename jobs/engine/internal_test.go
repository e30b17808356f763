package engine

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// While the Store was silent or its clock jumped, nobody's lease can be believed.
func TestGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = 30 * time.Second
		g := guard{ttl: ttl}
		skew := time.Hour // between the clocks; it does not matter
		answer := func() bool { return g.look(jobs.Lead{Now: time.Now().Add(skew), Up: 24 * time.Hour}) }
		expect := func(what string, want bool) {
			t.Helper()
			if got := answer(); got != want {
				t.Errorf("%s: reap %v, want %v", what, got, want)
			}
		}
		expect("first contact", true)
		time.Sleep(2 * time.Second)
		expect("steady", true)
		time.Sleep(16 * time.Second)
		expect("after a silence", false)
		for range 14 {
			time.Sleep(2 * time.Second)
			expect("within a TTL of it", false)
		}
		time.Sleep(2 * time.Second)
		expect("a TTL later", true)

		skew += time.Minute
		time.Sleep(2 * time.Second)
		expect("after a jump forward", false)
		for range 15 {
			time.Sleep(2 * time.Second)
			answer()
		}
		expect("a TTL after the jump", true)
		skew -= time.Minute
		time.Sleep(2 * time.Second)
		expect("after a jump back", false)

		g = guard{ttl: ttl}
		if g.look(jobs.Lead{Now: time.Now(), Up: 10 * time.Second}) {
			t.Error("reaps 10 s after the Store came up")
		}
		time.Sleep(10 * time.Second)
		if g.look(jobs.Lead{Now: time.Now(), Up: 20 * time.Second}) {
			t.Error("reaps 20 s after the Store came up")
		}
		time.Sleep(10 * time.Second)
		if !g.look(jobs.Lead{Now: time.Now(), Up: 30 * time.Second}) {
			t.Error("does not reap a TTL after the Store came up")
		}
	})
}

func TestOrderFollowsTheWeights(t *testing.T) {
	w := &Worker{opts: WorkerOptions{Queues: []QueueWeight{{"critical", 6}, {"default", 3}, {"low", 1}}}}
	first := map[string]int{}
	for range 10_000 {
		order := w.order()
		seen := map[string]bool{}
		for _, name := range order {
			seen[name] = true
		}
		if len(order) != 3 || len(seen) != 3 {
			t.Fatalf("order %v", order)
		}
		first[order[0]]++
	}
	for name, want := range map[string]int{"critical": 6000, "default": 3000, "low": 1000} {
		if got := first[name]; got < want-300 || got > want+300 {
			t.Errorf("%s was first %d times in 10,000, want about %d", name, got, want)
		}
	}
	if (&Worker{}).order() != nil {
		t.Error("no weights do not mean every queue")
	}
}

// A lone item never waits for company, and what comes while batches are under way goes together.
func TestBatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var sizes []int
		gate := make(chan struct{})
		answers := map[int]int{}
		b := batcher[int, int]{
			flush: func(_ context.Context, items []int) ([]int, error) {
				mu.Lock()
				sizes = append(sizes, len(items))
				mu.Unlock()
				<-gate
				return items, nil
			},
			answer: func(item, result int, err error) {
				mu.Lock()
				defer mu.Unlock()
				if answers[item] = result; err != nil {
					t.Errorf("item %d: %v", item, err)
				}
			},
			weight: func(int) int { return 1 }, weightMax: 10,
		}
		for i := range 24 {
			b.put(i)
			synctest.Wait()
		}
		close(gate)
		b.wait()
		for i := range 24 {
			if got, ok := answers[i]; !ok || got != i {
				t.Errorf("item %d got %d, %v", i, got, ok)
			}
		}
		// Those taken together may reach the Store in any order.
		slices.Sort(sizes)
		if want := []int{1, 1, 2, 10, 10}; !slices.Equal(sizes, want) {
			t.Errorf("batches of %v, want %v", sizes, want)
		}
	})
}
