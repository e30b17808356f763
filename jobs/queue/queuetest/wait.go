package queuetest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/windlass-jobs/windlass/jobs/queue"
)

var waitTests = []test{
	{"EndsEmptyWhenItIsOver", func(k *kit) {
		const wait = 150 * time.Millisecond
		start := time.Now()
		k.wantPop(queue.Pop{Queues: []string{"a"}, N: 1, Wait: wait})
		if took := time.Since(start); took < wait-10*time.Millisecond || took > patience {
			k.Fatalf("waited %s, want %s", took, wait)
		}
	}},
	{"IsNotForIDsThatAreThere", func(k *kit) {
		k.push(k.q, 1, hints(0, 1)...)
		start := time.Now()
		k.wantPop(queue.Pop{Queues: []string{"a"}, N: 5, Wait: longWait}, id(0))
		if took := time.Since(start); took > patience {
			k.Fatalf("waited %s for company", took)
		}
	}},
	{"IsNotForNothing", func(k *kit) {
		k.wantPop(queue.Pop{Queues: []string{"a"}, N: 0, Wait: longWait})
	}},
	{"EndsWithAPushOfAnother", func(k *kit) {
		for _, queues := range [][]string{{"b", "a"}, nil} { // by name, and any queue: one that is new as well
			k.soon(func() time.Duration {
				answer := k.wait(k.q, queue.Pop{Queues: queues, N: 5, Wait: longWait}, 1)
				start := time.Now()
				k.push(k.other, 1, hints(7, 1)...)
				if got := ids(k.woken(answer)); !slices.Equal(got, []string{id(7)}) {
					k.Fatalf("woken with %v", got)
				}
				return time.Since(start)
			})
		}
	}},
	{"EndsWithASuspect", func(k *kit) {
		k.soon(func() time.Duration {
			answer := k.wait(k.q, queue.Pop{N: 1, Suspects: 1, Wait: longWait}, 1)
			start := time.Now()
			k.push(k.other, 1, hints(0, 1, asSuspect)...)
			k.woken(answer)
			return time.Since(start)
		})
	}},
	{"EndsWithAPromotion", func(k *kit) {
		for _, queues := range [][]string{{"a"}, nil} {
			k.soon(func() time.Duration {
				k.push(k.q, 0, hints(0, 1, dueIn(time.Hour))...)
				answer := k.wait(k.other, queue.Pop{Queues: queues, N: 1, Wait: longWait}, 1)
				k.Age(k.T, k.q, 2*time.Hour)
				start := time.Now()
				k.promote(1)
				k.woken(answer)
				return time.Since(start)
			})
		}
	}},
	{"OutlastsWhatIsNotForIt", func(k *kit) {
		answer := k.wait(k.q, queue.Pop{Queues: []string{"b"}, N: 1, Wait: longWait}, 1)
		k.push(k.other, 2, slices.Concat(hints(0, 1), hints(1, 1, inQueue("b"), asSuspect))...)
		k.wantBlocked(1)
		k.push(k.other, 1, hints(2, 1, inQueue("b"))...)
		if got := ids(k.woken(answer)); !slices.Equal(got, []string{id(2)}) {
			k.Fatalf("woken with %v", got)
		}
	}},
	{"EndsForEachOfSeveral", func(k *kit) {
		const waiters = 6
		k.soon(func() time.Duration {
			var answers []<-chan popped
			for n := range waiters {
				q, queues := k.q, []string{"a"}
				if n%2 == 1 {
					q = k.other
				}
				if n < waiters/2 {
					queues = nil
				}
				answers = append(answers, k.wait(q, queue.Pop{Queues: queues, N: 1, Wait: longWait}, n+1))
			}
			start := time.Now()
			k.push(k.other, waiters, hints(0, waiters)...)
			var got []string
			for _, answer := range answers {
				got = append(got, ids(k.woken(answer))...)
			}
			took := time.Since(start)
			slices.Sort(got)
			if want := ids(hints(0, waiters)); !slices.Equal(got, want) {
				k.Fatalf("got %v, want %v", got, want)
			}
			return took
		})
	}},
	{"EndsForTheOneWhoServesTheQueue", func(k *kit) {
		// A Pop that waits for another queue must not take the wake-up, although it has waited longer.
		k.soon(func() time.Duration {
			other := k.wait(k.other, queue.Pop{Queues: []string{"b"}, N: 1, Wait: longWait}, 1)
			answer := k.wait(k.q, queue.Pop{Queues: []string{"a"}, N: 1, Wait: longWait}, 2)
			start := time.Now()
			k.push(k.other, 1, hints(0, 1)...)
			k.woken(answer)
			took := time.Since(start)
			k.push(k.other, 1, hints(1, 1, inQueue("b"))...)
			k.woken(other)
			return took
		})
	}},
	{"FindsNoStaleWakeUps", func(k *kit) {
		// Ids that came and went while no Pop waited must not end a later wait early.
		k.push(k.q, 200, hints(0, 200)...)
		k.wantPop(everything("a"), ids(hints(0, 200))...)
		const wait = 100 * time.Millisecond
		start := time.Now()
		k.wantPop(queue.Pop{Queues: []string{"a"}, N: 1, Wait: wait})
		k.wantPop(queue.Pop{N: 1, Wait: wait})
		if took := time.Since(start); took < 2*wait-20*time.Millisecond {
			k.Fatalf("waited %s of %s", took, 2*wait)
		}
	}},
	{"EndsWithItsContext", func(k *kit) {
		ctx, cancel := context.WithCancel(k.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := k.q.Pop(ctx, queue.Pop{N: 1, Wait: longWait})
			failed <- err
		}()
		k.wantBlocked(1)
		start := time.Now()
		cancel()
		if err := receive(k.T, failed, "the end of a cancelled pop"); !errors.Is(err, context.Canceled) {
			k.Fatalf("error %v, want context.Canceled", err)
		}
		if took := time.Since(start); took > 5*time.Second {
			k.Fatalf("took %s to notice", took)
		}
		// What comes now is not for the Pop that has ended.
		k.push(k.other, 1, hints(0, 1)...)
		k.wantPop(queue.Pop{N: 1, Wait: longWait}, id(0))
	}},
	{"EndsWithItsContextsDeadline", func(k *kit) {
		ctx, cancel := context.WithTimeout(k.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := k.q.Pop(ctx, queue.Pop{N: 1, Wait: longWait}); !errors.Is(err, context.DeadlineExceeded) {
			k.Fatalf("error %v, want context.DeadlineExceeded", err)
		}
	}},
}
