package queuetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
)

var promoteTests = []test{
	{"FindsNothing", func(k *kit) {
		k.promote(0)
		k.push(k.q, 1, slices.Concat(hints(0, 1), hints(1, 3, dueIn(time.Hour)))...)
		k.promote(0)
	}},
	{"MovesWhatIsDue", func(k *kit) {
		k.push(k.q, 0, slices.Concat(
			hints(0, 3, dueIn(time.Hour)), hints(10, 2, dueIn(3*time.Hour)), hints(20, 2, dueIn(time.Hour), inQueue("b")),
		)...)
		k.wantPop(everything())
		k.Age(k.T, k.q, 2*time.Hour)
		k.promote(5)
		k.promote(0)
		k.wantDepth(queue.Depth{Ready: 3, Later: 2})
		k.wantPop(everything("a", "b"), id(0), id(1), id(2), id(20), id(21))
	}},
	{"BecomesDueByItself", func(k *kit) {
		k.push(k.q, 0, hints(0, 1, dueIn(30*time.Millisecond))...)
		eventually(k.T, "a promotion", func() bool {
			moved, err := k.q.Promote(k.Context())
			if err != nil {
				k.Fatal(err)
			}
			return moved == 1
		})
		k.wantPop(everything("a"), id(0))
	}},
	{"IsNeverEarly", func(k *kit) {
		const delay = 80 * time.Millisecond
		start := time.Now()
		k.push(k.q, 0, hints(0, 1, dueIn(delay))...)
		eventually(k.T, "a promotion", func() bool {
			moved, err := k.q.Promote(k.Context())
			if err != nil {
				k.Fatal(err)
			}
			return moved == 1
		})
		// The two clocks are read by the millisecond.
		if took := time.Since(start); took < delay-2*time.Millisecond {
			k.Fatalf("due after %s, want %s", took, delay)
		}
	}},
	{"MovesAtMost500OfAQueueTheSoonestFirst", func(k *kit) {
		var later []jobs.Hint
		for n := range promoteLimit + 20 { // the later the due time, the smaller the id and the higher the priority
			later = append(later, hints(1000-n, 1, dueIn(time.Hour+time.Duration(n)*time.Second), withPriority(n/60))...)
		}
		k.push(k.q, 0, shuffled(later)...)
		k.Age(k.T, k.q, 3*time.Hour)
		k.promote(promoteLimit)
		k.wantPop(everything("a"), ids(inOrder(later[:promoteLimit]))...)
		k.promote(20)
		k.wantPop(everything("a"), ids(inOrder(later[promoteLimit:]))...)
	}},
	{"MovesAtMost500OfAllQueues", func(k *kit) {
		for n := range 6 {
			k.push(k.q, 0, hints(n*1000, 100, dueIn(time.Hour), inQueue(fmt.Sprintf("q%d", n)))...)
		}
		k.Age(k.T, k.q, 2*time.Hour)
		k.promote(promoteLimit)
		k.promote(100)
		k.promote(0)
		if got := len(k.pop(everything())); got != 600 {
			k.Fatalf("%d ids came out of 600", got)
		}
	}},
	{"MovesSuspectsToTheSuspects", func(k *kit) {
		k.push(k.q, 0, slices.Concat(hints(0, 2, dueIn(time.Hour), asSuspect), hints(2, 3, dueIn(time.Hour)))...)
		k.Age(k.T, k.q, 2*time.Hour)
		k.promote(5)
		k.wantDepth(queue.Depth{Ready: 3, Suspects: 2})
		k.wantPop(queue.Pop{Queues: []string{"a"}, N: 9, Suspects: 1}, id(0), id(2), id(3), id(4))
	}},
	{"CarriesHintsUnchanged", func(k *kit) {
		want := slices.Concat(
			hints(0, 1, withPriority(-10), runAfter(time.Hour+7*time.Millisecond)),
			hints(1, 1, inQueue("b"), withPriority(10), runAfter(time.Hour)),
			hints(2, 1, inQueue("c"), withPriority(-1), runAfter(time.Hour), asSuspect),
		)
		later := slices.Clone(want)
		for i := range later {
			later[i].In = time.Hour
		}
		k.push(k.q, 0, later...)
		k.Age(k.T, k.q, 2*time.Hour)
		k.promote(3)
		got := k.pop(everything("a", "b", "c"))
		if diff := cmp.Diff(want, got); diff != "" {
			k.Fatal(diff)
		}
	}},
	{"OfAnIDThatIsReadyAlready", func(k *kit) {
		k.push(k.q, 0, hints(0, 1, dueIn(time.Hour), withPriority(5))...)
		k.push(k.q, 1, hints(0, 1)...)
		k.Age(k.T, k.q, 2*time.Hour)
		k.promote(1)
		got := k.pop(everything("a"))
		if diff := cmp.Diff(hints(0, 1), got); diff != "" { // it stayed where it was
			k.Fatal(diff)
		}
	}},
}
