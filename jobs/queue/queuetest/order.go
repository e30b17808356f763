package queuetest

import (
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
)

var orderTests = []test{
	{"IsPriorityThenRunAtThenID", func(k *kit) {
		var want []jobs.Hint
		for p := jobs.MinPriority; p <= jobs.MaxPriority; p++ {
			for i, d := range []time.Duration{-8760 * time.Hour, -time.Millisecond, 0, time.Millisecond, time.Hour} {
				want = append(want, hints((p+20)*100+i*10, 3, withPriority(p), runAfter(d))...)
			}
		}
		want = inOrder(want)
		k.push(k.q, len(want), shuffled(want)...)
		k.wantPop(everything("a"), ids(want)...)
	}},
	{"ReadsRunAtByTheMillisecond", func(k *kit) {
		// The smaller id comes first although its time is later by less than a millisecond.
		early, late := hints(2, 1), hints(1, 1, runAfter(999*time.Microsecond))
		next := hints(0, 1, runAfter(time.Millisecond))
		k.push(k.q, 3, slices.Concat(early, late, next)...)
		k.wantPop(everything("a"), id(1), id(2), id(0))
	}},
	{"HoldsOverManyPops", func(k *kit) {
		var want []jobs.Hint
		for i := range 40 {
			want = append(want, hints(i, 1, withPriority(i%5-2), runAfter(time.Duration(i%3)*time.Second))...)
		}
		k.push(k.q, 20, want[:20]...)
		k.push(k.other, 20, want[20:]...)
		var got []string
		for range want {
			got = append(got, ids(k.pop(queue.Pop{Queues: []string{"a"}, N: 1}))...)
		}
		if want := ids(inOrder(want)); !slices.Equal(got, want) {
			k.Fatal(cmp.Diff(want, got))
		}
	}},
	{"PutsInFrontAgainWhatGoesBack", func(k *kit) {
		taken := slices.Concat(hints(5, 1, withPriority(3)), hints(3, 1, withPriority(2)), hints(9, 1,
			runAfter(-time.Second)))
		suspects := slices.Concat(hints(25, 1, asSuspect, withPriority(1)), hints(21, 1, asSuspect))
		left := slices.Concat(hints(0, 2), hints(10, 1, withPriority(-3)))
		k.push(k.q, 8, shuffled(slices.Concat(taken, suspects, left))...)
		got := k.pop(queue.Pop{Queues: []string{"a"}, N: 5, Suspects: 2})
		if want := ids(slices.Concat(suspects, taken)); !slices.Equal(ids(got), want) {
			k.Fatal(cmp.Diff(want, ids(got)))
		}
		k.push(k.other, 2, slices.Concat(hints(11, 1, withPriority(4)), hints(12, 1, withPriority(-4)))...)
		k.push(k.q, 5, got...)
		k.wantPop(queue.Pop{Queues: []string{"a"}, N: 1}, id(11))
		// Their order among themselves may have changed.
		got = k.pop(queue.Pop{Queues: []string{"a"}, N: 5, Suspects: 2})
		if got, want := slices.Sorted(slices.Values(ids(got))), []string{id(3), id(5), id(9), id(21),
			id(25)}; !slices.Equal(got, want) {
			k.Fatal(cmp.Diff(want, got))
		}
		k.wantPop(everything("a"), id(0), id(1), id(10), id(12))
	}},
	{"HoldsForSuspects", func(k *kit) {
		want := slices.Concat(hints(5, 1, withPriority(3), asSuspect), hints(4, 1, runAfter(-time.Second), asSuspect),
			hints(1, 2, asSuspect))
		k.push(k.q, 4, shuffled(want)...)
		k.wantPop(everything("a"), ids(want)...)
	}},
}
