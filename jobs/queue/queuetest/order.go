package queuetest

import (
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windlass-jobs/windlass/jobs"
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
			got = append(got, ids(k.pop(jobs.Pop{Queues: []string{"a"}, N: 1}))...)
		}
		if want := ids(inOrder(want)); !slices.Equal(got, want) {
			k.Fatal(cmp.Diff(want, got))
		}
	}},
	{"HoldsForSuspects", func(k *kit) {
		want := slices.Concat(hints(5, 1, withPriority(3), asSuspect), hints(4, 1, runAfter(-time.Second), asSuspect), hints(1, 2, asSuspect))
		k.push(k.q, 4, shuffled(want)...)
		k.wantPop(everything("a"), ids(want)...)
	}},
}
