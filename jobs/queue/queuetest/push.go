package queuetest

import (
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
)

var pushTests = []test{
	{"OfNothing", func(k *kit) {
		k.push(k.q, 0)
		if d := k.depths(); len(d.Queues) != 0 {
			k.Fatalf("an empty queue holds %+v", d.Queues)
		}
	}},
	{"CountsWhatBecameReady", func(k *kit) {
		k.push(k.q, 5, slices.Concat(hints(0, 3), hints(3, 4, dueIn(time.Hour)), hints(10, 2, inQueue("b"), asSuspect))...)
	}},
	{"CountsARepeatedIDOnce", func(k *kit) {
		k.push(k.q, 2, slices.Concat(hints(0, 2), hints(0, 2))...)
		k.wantDepth(queue.Depth{Ready: 2})
	}},
	{"IsIdempotent", func(k *kit) {
		k.push(k.q, 3, hints(0, 3)...)
		k.push(k.other, 0, hints(0, 3)...)
		k.push(k.q, 1, hints(2, 2)...)
		k.wantPop(everything("a"), id(0), id(1), id(2), id(3))
		k.wantPop(everything("a"))
	}},
	{"LeavesAnIDWhereItIs", func(k *kit) {
		k.push(k.q, 2, hints(0, 2)...)
		k.push(k.q, 0, hints(1, 1, withPriority(10), runAfter(-time.Hour))...)
		got := k.pop(everything("a"))
		if diff := cmp.Diff(hints(0, 2), got); diff != "" {
			k.Fatal(diff)
		}
	}},
	{"AcceptsAnIDAgainOncePopped", func(k *kit) {
		k.push(k.q, 1, hints(0, 1)...)
		k.wantPop(everything("a"), id(0))
		k.push(k.q, 1, hints(0, 1)...)
		k.wantPop(everything("a"), id(0))
	}},
	{"OfAScheduledIDThatIsDueNow", func(k *kit) {
		// An id that is in the retry set can be pushed as due, and the two never make it ready twice at once.
		k.push(k.q, 0, hints(0, 1, dueIn(time.Hour))...)
		k.push(k.q, 1, hints(0, 1)...)
		k.Age(k.T, k.q, 2*time.Hour)
		if _, err := k.q.Promote(k.Context()); err != nil {
			k.Fatal(err)
		}
		k.wantDepth(queue.Depth{Ready: 1})
		k.wantPop(everything("a"), id(0))
	}},
	{"OfAReadyIDThatIsDueLater", func(k *kit) {
		k.push(k.q, 1, hints(0, 1)...)
		k.push(k.q, 0, hints(0, 1, dueIn(time.Hour), runAfter(time.Hour))...)
		k.wantDepth(queue.Depth{Ready: 1, Later: 1})
		k.wantPop(everything("a"), id(0))
		k.wantDepth(queue.Depth{Later: 1})
	}},
	{"IsIdempotentForTheRetrySet", func(k *kit) {
		k.push(k.q, 0, hints(0, 3, dueIn(time.Hour), runAfter(time.Hour))...)
		k.push(k.other, 0, hints(0, 3, dueIn(time.Minute), runAfter(time.Hour))...)
		k.wantDepth(queue.Depth{Later: 3})
		k.Age(k.T, k.q, 30*time.Minute)
		k.promote(0) // it stayed where it was
	}},
	{"TreatsNegativeDelaysAsDue", func(k *kit) {
		k.push(k.q, 1, hints(0, 1, dueIn(-time.Hour))...)
		k.wantPop(everything("a"), id(0))
	}},
	{"CarriesHintsUnchanged", func(k *kit) {
		want := slices.Concat(
			hints(0, 1, withPriority(10), runAfter(123*time.Millisecond)),
			hints(1, 1, withPriority(-10), runAfter(5*time.Hour)),
			hints(2, 1, inQueue("a-longer_name0"), withPriority(-3), runAfter(-time.Millisecond)),
			hints(3, 1, inQueue("s"), withPriority(7), asSuspect),
		)
		k.push(k.q, 4, want...)
		var got []jobs.Hint
		for range want { // one by one: only the place of the first id is exact
			got = append(got, k.pop(queue.Pop{Queues: []string{"a", "a-longer_name0", "s"}, N: 1, Suspects: 1})...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			k.Fatal(diff)
		}
	}},
	{"CutsRunAtToTheMillisecond", func(k *kit) {
		k.push(k.q, 1, hints(0, 1, runAfter(1999*time.Microsecond), dueIn(-time.Second))...)
		got := k.pop(everything("a"))
		if diff := cmp.Diff(hints(0, 1, runAfter(time.Millisecond)), got); diff != "" {
			k.Fatal(diff)
		}
	}},
}

var capTests = []test{
	{"KeepsTheBestReadyIDs", func(k *kit) {
		k.push(k.q, k.Cap, hints(1000, k.Cap)...)
		k.push(k.q, 10, hints(100, 10, withPriority(1))...)
		k.wantDepth(queue.Depth{Ready: k.Cap})
		want := append(ids(hints(100, 10)), ids(hints(1000, k.Cap-10))...)
		k.wantPop(everything("a"), want...)
	}},
	{"TurnsWorseIDsAway", func(k *kit) {
		k.push(k.q, k.Cap, hints(1000, k.Cap)...)
		k.push(k.q, 0, hints(100, 10, withPriority(-1))...)
		k.push(k.q, 0, hints(0, 10, runAfter(time.Millisecond))...)
		k.wantPop(everything("a"), ids(hints(1000, k.Cap))...)
	}},
	{"CountsOnlyWhatStays", func(k *kit) {
		// Three places are free. Five better ids replace five others. Without them, three of the worse ids would have
		// stayed.
		k.push(k.q, k.Cap-3, hints(1000, k.Cap-3)...)
		k.push(k.q, 5, slices.Concat(hints(9000, 6, withPriority(-1)), hints(0, 5, withPriority(1)))...)
		k.wantDepth(queue.Depth{Ready: k.Cap})
		k.wantPop(everything("a"), append(ids(hints(0, 5)), ids(hints(1000, k.Cap-5))...)...)
	}},
	{"KeepsTheBestOfOnePush", func(k *kit) {
		k.push(k.q, k.Cap, shuffled(hints(0, k.Cap+50))...)
		k.wantPop(everything("a"), ids(hints(0, k.Cap))...)
	}},
	{"IsForEachQueue", func(k *kit) {
		k.push(k.q, 2*k.Cap, slices.Concat(hints(0, k.Cap), hints(5000, k.Cap, inQueue("b")))...)
		k.wantDepth(queue.Depth{Ready: k.Cap})
	}},
	{"HoldsForSuspects", func(k *kit) {
		k.push(k.q, k.Cap, hints(0, k.Cap+5, asSuspect)...)
		k.wantDepth(queue.Depth{Suspects: k.Cap})
	}},
	{"KeepsTheSoonestInTheRetrySet", func(k *kit) {
		k.push(k.q, 0, hints(1000, k.Cap, dueIn(2*time.Hour))...)
		k.push(k.q, 0, hints(0, 10, dueIn(time.Hour), withPriority(-5))...)
		k.push(k.q, 0, hints(500, 10, dueIn(3*time.Hour), withPriority(5))...)
		k.wantDepth(queue.Depth{Later: k.Cap})
		k.Age(k.T, k.q, 90*time.Minute)
		k.promote(10)
		k.wantPop(everything("a"), ids(hints(0, 10))...)
		k.wantDepth(queue.Depth{Later: k.Cap - 10})
	}},
	{"HoldsForWhatIsPromoted", func(k *kit) {
		k.push(k.q, 0, slices.Concat(hints(0, 5, dueIn(time.Hour), withPriority(1)), hints(5, 5, dueIn(time.Hour),
			withPriority(-1)))...)
		k.push(k.q, k.Cap, hints(1000, k.Cap)...)
		k.Age(k.T, k.q, 2*time.Hour)
		k.promote(10)
		k.wantDepth(queue.Depth{Ready: k.Cap})
		k.wantPop(everything("a"), append(ids(hints(0, 5)), ids(hints(1000, k.Cap-5))...)...)
	}},
	{"IsTold", func(k *kit) {
		if got := k.depths().Cap; got != k.Cap {
			k.Fatalf("cap is %d, want %d", got, k.Cap)
		}
	}},
}
