package queuetest

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windlass-jobs/windlass/jobs/queue"
)

func dead(first, n int) []queue.DeadID {
	out := make([]queue.DeadID, n)
	for i := range out {
		out[i] = queue.DeadID{ID: id(first + i), FinishedAt: base.Add(-time.Duration(i) * time.Second)}
	}
	return out
}

func (k *kit) setDead(want int, ids ...queue.DeadID) {
	k.Helper()
	if err := k.q.SetDead(k.Context(), ids); err != nil {
		k.Fatalf("set dead: %v", err)
	}
	if got := k.depths().Dead; got != want {
		k.Fatalf("the mirror holds %d, want %d", got, want)
	}
}

var deadTests = []test{
	{"IsReplaced", func(k *kit) {
		k.setDead(5, dead(0, 5)...)
		k.setDead(3, dead(2, 3)...)
		k.setDead(0)
	}},
	{"KeepsTheFirst1000", func(k *kit) {
		k.setDead(deadLimit, dead(0, deadLimit+100)...)
	}},
	{"IsNeverPopped", func(k *kit) {
		k.setDead(5, dead(0, 5)...)
		k.wantPop(everything())
	}},
}

var depthsTests = []test{
	{"CountByQueue", func(k *kit) {
		k.push(k.q, 6, slices.Concat(
			hints(0, 3), hints(10, 1, asSuspect), hints(20, 2, dueIn(time.Hour)),
			hints(30, 2, inQueue("b")), hints(40, 4, inQueue("c"), dueIn(time.Hour)),
		)...)
		want := map[string]queue.Depth{"a": {Ready: 3, Suspects: 1, Later: 2}, "b": {Ready: 2}, "c": {Later: 4}}
		for _, q := range []Queue{k.q, k.other} {
			d, err := q.Depths(k.Context(), []string{"a", "b", "c", "none"})
			if err != nil {
				k.Fatal(err)
			}
			if diff := cmp.Diff(want, d.Queues, byType); diff != "" {
				k.Fatal(diff)
			}
		}
	}},
	{"CountOnlyTheQueuesAskedFor", func(k *kit) {
		k.push(k.q, 2, slices.Concat(hints(0, 1), hints(1, 1, inQueue("b")))...)
		k.setDead(1, dead(0, 1)...)
		for want, names := range map[string][]string{"": nil, "b": {"b"}} {
			d, err := k.q.Depths(k.Context(), names)
			if err != nil {
				k.Fatal(err)
			}
			if got := slices.Collect(maps.Keys(d.Queues)); strings.Join(got, " ") != want {
				k.Fatalf("asked for %v, told of %v", names, got)
			}
			if d.Dead != 1 || d.Epoch == "" || d.Cap == 0 {
				k.Fatalf("asked for %v, the state is %+v", names, d)
			}
		}
	}},
	{"FollowAPop", func(k *kit) {
		k.push(k.q, 4, slices.Concat(hints(0, 3), hints(5, 1, inQueue("b")))...)
		k.wantPop(everything("a"), id(0), id(1), id(2))
		want := map[string]queue.Depth{"b": {Ready: 1}}
		if diff := cmp.Diff(want, k.depths().Queues, byType); diff != "" {
			k.Fatal(diff)
		}
		k.push(k.q, 1, hints(0, 1)...) // a queue that was empty is found again
		k.wantDepth(queue.Depth{Ready: 1})
		k.wantPop(queue.Pop{Queues: []string{"a"}, N: 1}, id(0))
	}},
	{"NameOneEpochForAll", func(k *kit) {
		epoch := k.depths().Epoch
		if epoch == "" {
			k.Fatal("the epoch is empty")
		}
		k.push(k.q, 3, hints(0, 3)...)
		k.wantPop(everything("a"), id(0), id(1), id(2))
		k.setDead(1, dead(0, 1)...)
		k.promote(0)
		d, err := k.other.Depths(k.Context(), nil)
		if err != nil {
			k.Fatal(err)
		}
		if again := k.depths().Epoch; again != epoch || d.Epoch != epoch {
			k.Fatalf("the epoch was %q, is %q, and %q for another", epoch, again, d.Epoch)
		}
	}},
	{"NameAnotherEpochOnceMemoryIsLost", func(k *kit) {
		k.push(k.q, 2, slices.Concat(hints(0, 2), hints(5, 2, dueIn(time.Hour)))...)
		k.setDead(2, dead(0, 2)...)
		seen := []string{k.depths().Epoch}
		for range 3 {
			k.Forget(k.T, k.q)
			d := k.depths()
			if len(d.Queues) != 0 || d.Dead != 0 {
				k.Fatalf("still held: %+v", d)
			}
			if d.Epoch == "" || slices.Contains(seen, d.Epoch) {
				k.Fatalf("epoch %q after %v", d.Epoch, seen)
			}
			seen = append(seen, d.Epoch)
		}
		k.push(k.q, 2, hints(0, 2)...)
		k.wantPop(everything(), id(0), id(1))
	}},
	{"NameAnotherEpochThoughPushesCameFirst", func(k *kit) {
		before := k.depths().Epoch
		k.Forget(k.T, k.q)
		k.push(k.q, 1, hints(0, 1)...)
		if after := k.depths().Epoch; after == before {
			k.Fatal("a push after the loss hides it")
		}
	}},
}
