package queuetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/windlass-jobs/windlass/jobs/queue"
)

var popTests = []test{
	{"FindsNothingInAnEmptyQueue", func(k *kit) {
		k.wantPop(everything("a", "b"))
		k.wantPop(everything())
	}},
	{"TakesAtMostN", func(k *kit) {
		k.push(k.q, 10, hints(0, 10)...)
		k.wantPop(queue.Pop{Queues: []string{"a"}, N: 3}, id(0), id(1), id(2))
		k.wantPop(queue.Pop{Queues: []string{"a"}, N: 0})
		k.wantPop(queue.Pop{N: 2}, id(3), id(4))
		k.wantDepth(queue.Depth{Ready: 5})
	}},
	{"TakesFromTheFirstQueueThenTheNext", func(k *kit) {
		k.push(k.q, 6, slices.Concat(hints(0, 2, inQueue("c")), hints(10, 2, inQueue("b"), withPriority(-10)), hints(20,
			2, withPriority(10)))...)
		k.wantPop(queue.Pop{Queues: []string{"b", "none", "c", "a"}, N: 3}, id(10), id(11), id(0))
		k.wantPop(queue.Pop{Queues: []string{"b", "none", "c", "a"}, N: 9}, id(1), id(20), id(21))
	}},
	{"LeavesOtherQueuesAlone", func(k *kit) {
		k.push(k.q, 4, slices.Concat(hints(0, 2), hints(10, 2, inQueue("b")))...)
		k.wantPop(everything("b"), id(10), id(11))
		k.wantPop(everything("b"))
		k.wantDepth(queue.Depth{Ready: 2})
	}},
	{"TakesFromAnyQueueWhereNoneIsNamed", func(k *kit) {
		k.push(k.q, 4, slices.Concat(hints(0, 2), hints(10, 1, inQueue("b")), hints(20, 1, inQueue("c"), asSuspect))...)
		got := ids(k.pop(everything()))
		slices.Sort(got)
		if want := []string{id(0), id(1), id(10), id(20)}; !slices.Equal(got, want) {
			k.Fatalf("got %v, want %v", got, want)
		}
	}},
	{"TakesQueuesInRandomOrderWhereNoneIsNamed", func(k *kit) {
		// Each of three queues comes first at some time. The chance that one never does in 200 tries is 1 in 10^35.
		first := map[string]bool{}
		for range 200 {
			for n, queue := range []string{"a", "b", "c"} {
				if _, err := k.q.Push(k.Context(), hints(n, 1, inQueue(queue))); err != nil {
					k.Fatal(err)
				}
			}
			first[k.pop(queue.Pop{N: 1})[0].Queue] = true
			if len(first) == 3 {
				return
			}
		}
		k.Fatalf("only %v ever came first", first)
	}},
	{"LooksForSuspectsFirst", func(k *kit) {
		k.push(k.q, 6, slices.Concat(hints(0, 3, withPriority(5)), hints(10, 3, asSuspect, withPriority(-5)))...)
		k.wantPop(queue.Pop{Queues: []string{"a"}, N: 3, Suspects: 1}, id(10), id(0), id(1))
		k.wantPop(queue.Pop{Queues: []string{"a"}, N: 9, Suspects: 9}, id(11), id(12), id(2))
	}},
	{"LimitsSuspects", func(k *kit) {
		k.push(k.q, 5, slices.Concat(hints(0, 2), hints(10, 2, asSuspect), hints(20, 1, asSuspect, inQueue("b")))...)
		k.wantPop(queue.Pop{Queues: []string{"b", "a"}, N: 9, Suspects: 0}, id(0), id(1))
		k.wantPop(queue.Pop{Queues: []string{"b", "a"}, N: 9, Suspects: 2}, id(20), id(10))
		k.wantPop(queue.Pop{N: 9, Suspects: 0})
		k.wantPop(queue.Pop{N: 9, Suspects: 1}, id(11))
	}},
	{"CountsSuspectsInN", func(k *kit) {
		k.push(k.q, 6, slices.Concat(hints(0, 3), hints(10, 3, asSuspect))...)
		k.wantPop(queue.Pop{Queues: []string{"a"}, N: 2, Suspects: 5}, id(10), id(11))
	}},
	{"TakesNothingOnceItsContextEnded", func(k *kit) {
		k.push(k.q, 1, hints(0, 1)...)
		ctx, cancel := context.WithCancel(k.Context())
		cancel()
		if _, err := k.q.Pop(ctx, everything("a")); !errors.Is(err, context.Canceled) {
			k.Fatalf("error %v, want context.Canceled", err)
		}
		k.wantDepth(queue.Depth{Ready: 1})
	}},
	{"NeverGivesOneIDTwice", func(k *kit) {
		const total, pushers, poppers = 3000, 3, 6
		ctx, cancel := context.WithTimeout(k.Context(), patience) // otherwise a lost id would be waited for without end
		defer cancel()
		var (
			wg   sync.WaitGroup
			left atomic.Int64
			mu   sync.Mutex
			seen = map[string]int{}
		)
		left.Store(total)
		for p := range pushers {
			wg.Go(func() {
				// Never more at once than the set can hold: what a full set drops would be missing here.
				batch := min(50, k.Cap/pushers/2)
				for n := p * total / pushers; n < (p+1)*total/pushers && left.Load() > 0; n += batch {
					for {
						d, err := k.other.Depths(ctx, []string{"a"})
						if err != nil {
							k.Error(err)
							return
						}
						if d.Queues["a"].Ready < k.Cap/2 {
							break
						}
					}
					if _, err := k.other.Push(ctx, hints(n, min(batch, (p+1)*total/pushers-n))); err != nil {
						k.Error(err)
						return
					}
				}
			})
		}
		for p := range poppers {
			wg.Go(func() {
				q := k.q
				if p%2 == 0 {
					q = k.other
				}
				for left.Load() > 0 && !k.Failed() {
					got, err := q.Pop(ctx, queue.Pop{Queues: []string{"a"}, N: 7})
					if err != nil {
						k.Error(err)
						return
					}
					left.Add(-int64(len(got)))
					mu.Lock()
					for _, h := range got {
						seen[h.ID]++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(seen) != total || left.Load() != 0 {
			k.Fatalf("%d ids came out of %d, the rest is %d", len(seen), total, left.Load())
		}
	}},
}
