package queuetest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
)

func ofType(name string) func(*jobs.Hint) { return func(h *jobs.Hint) { h.Type = name } }

// serving is a Pop that takes everything of some types from queue "a".
func serving(types ...string) queue.Pop {
	p := everything("a")
	p.Types = types
	return p
}

var typesTests = []test{
	{"TakesOnlyWhatIsServed", func(k *kit) {
		for _, queues := range [][]string{{"a"}, nil} {
			k.push(k.q, 6, slices.Concat(hints(0, 2, ofType("email")), hints(2, 2, ofType("image")),
				hints(4, 2, ofType("report")))...)
			p := everything(queues...)
			p.Types = []string{"report", "email"}
			k.wantPop(p, id(0), id(1), id(4), id(5))
			k.wantPop(p)
			k.wantDepth(queue.Depth{Ready: 2})
			p.Types = []string{"image"}
			k.wantPop(p, id(2), id(3))
		}
	}},
	{"KeepsTheOrderOfTheQueueAcrossTypes", func(k *kit) {
		var all []jobs.Hint
		for i := range 300 {
			all = append(all, hints(i, 1, ofType(fmt.Sprintf("t%d", i*7%23)), withPriority(i%3),
				runAfter(time.Duration(i*31%100)*time.Millisecond))...)
		}
		k.push(k.q, len(all), shuffled(all)...)
		var types []string
		for i := range 20 { // of 23
			types = append(types, fmt.Sprintf("t%d", i))
		}
		served := slices.DeleteFunc(slices.Clone(all), func(h jobs.Hint) bool { return !slices.Contains(types, h.Type) })
		var got []string
		for _, n := range []int{1, 1, 2, 5, 11, 40, 100, 300} {
			got = append(got, ids(k.pop(queue.Pop{Queues: []string{"a"}, Types: types, N: n}))...)
		}
		if diff := cmp.Diff(ids(inOrder(served)), got); diff != "" {
			k.Fatal(diff)
		}
		left := slices.DeleteFunc(all, func(h jobs.Hint) bool { return slices.Contains(types, h.Type) })
		k.wantPop(everything("a"), ids(inOrder(left))...)
	}},
	{"PutsInFrontAgainWhatGoesBack", func(k *kit) {
		first := slices.Concat(hints(9, 1, ofType("image"), withPriority(2)), hints(5, 1, ofType("email"),
			withPriority(1)), hints(7, 1, ofType("image")))
		rest := slices.Concat(hints(8, 1, ofType("email"), runAfter(time.Second)), hints(1, 1, ofType("image"),
			runAfter(time.Minute)))
		k.push(k.q, 5, slices.Concat(rest, first)...)
		got := k.pop(queue.Pop{Queues: []string{"a"}, N: 3})
		k.push(k.q, 3, got...)
		k.wantPop(serving("image", "email"), ids(slices.Concat(first, rest))...)
	}},
	{"AreInTheHints", func(k *kit) {
		want := slices.Concat(
			hints(0, 1, ofType("email")), hints(1, 1, ofType("image.v2_x-y"), inQueue("b")),
			hints(2, 1, ofType("report"), inQueue("c"), asSuspect), hints(3, 1, inQueue("d")),
		)
		k.push(k.q, 4, want...)
		if diff := cmp.Diff(want, k.pop(everything("a", "b", "c", "d"))); diff != "" {
			k.Fatal(diff)
		}
		later := slices.Clone(want)
		for i := range later {
			later[i].In = time.Hour
		}
		k.push(k.q, 0, later...)
		k.Age(k.T, k.q, 2*time.Hour)
		k.promote(4)
		if diff := cmp.Diff(want, k.pop(everything("a", "b", "c", "d"))); diff != "" {
			k.Fatal(diff)
		}
	}},
	{"ThatAreNotKnownAreForEverybody", func(k *kit) {
		for _, queues := range [][]string{{"a"}, nil} {
			k.push(k.q, 3, slices.Concat(hints(0, 1), hints(1, 1, ofType("email")), hints(2, 1, asSuspect))...)
			p := everything(queues...)
			p.Types = []string{"image"}
			k.wantPop(p, id(2), id(0))
			p.Types = nil
			k.wantPop(p, id(1))
		}
	}},
	{"HoldForSuspects", func(k *kit) {
		k.push(k.q, 5, slices.Concat(hints(0, 2, asSuspect, ofType("email")), hints(2, 2, asSuspect, ofType("image")),
			hints(4, 1, ofType("image")))...)
		p := queue.Pop{Queues: []string{"a"}, Types: []string{"image"}, N: 9, Suspects: 1}
		k.wantPop(p, id(2), id(4))
		p.Queues = nil
		k.wantPop(p, id(3))
		k.wantPop(p)
		k.wantPop(everything(), id(0), id(1))
	}},
	{"OfOthersDoNotHideAQueue", func(k *kit) {
		// Many queues and types that this Pop does not serve, and one of each that it does.
		var others []jobs.Hint
		for i := range 400 {
			others = append(others, hints(1000+i, 1, ofType(fmt.Sprintf("t%d", i)), inQueue(fmt.Sprintf("q%d", i%200)))...)
			others = append(others, hints(2000+i, 1, ofType(fmt.Sprintf("t%d", i)))...)
		}
		k.push(k.q, len(others), others...)
		for n := range 3 {
			k.push(k.q, 1, hints(n, 1, ofType("email"))...)
			k.wantPop(queue.Pop{N: 5, Suspects: 1, Types: []string{"email", "report"}}, id(n))
			k.push(k.q, 1, hints(n, 1, ofType("email"))...)
			k.wantPop(queue.Pop{Queues: []string{"b", "a"}, N: 5, Types: []string{"email", "report"}}, id(n))
		}
		many := queue.Pop{N: 1000}
		for i := range 400 {
			many.Types = append(many.Types, fmt.Sprintf("t%d", i))
		}
		got := 0
		eventually(k.T, "everything", func() bool { got += len(k.pop(many)); return got == len(others) })
	}},
	{"HaveACapEach", func(k *kit) {
		k.push(k.q, k.Cap, hints(1000, k.Cap+50, ofType("slow"), withPriority(5))...)
		k.push(k.q, 10, hints(0, 10, ofType("quick"))...)
		want := queue.Depth{Ready: k.Cap + 10, Types: map[string]int{"slow": k.Cap, "quick": 10}}
		if diff := cmp.Diff(want, k.depths().Queues["a"]); diff != "" {
			k.Fatal(diff)
		}
		k.wantPop(serving("quick"), ids(hints(0, 10))...)
	}},
	{"AreCounted", func(k *kit) {
		k.push(k.q, 6, slices.Concat(hints(0, 3, ofType("email")), hints(3, 2, ofType("image")), hints(5, 1, asSuspect,
			ofType("email")))...)
		want := queue.Depth{Ready: 5, Suspects: 1, Types: map[string]int{"email": 3, "image": 2}}
		if diff := cmp.Diff(want, k.depths().Queues["a"]); diff != "" {
			k.Fatal(diff)
		}
		k.wantPop(serving("image"), id(3), id(4))
		if got := slices.Collect(maps.Keys(k.depths().Queues["a"].Types)); !slices.Equal(got, []string{"email"}) {
			k.Fatalf("still counted: %v", got)
		}
	}},
	{"WakeTheOneWhoServesThem", func(k *kit) {
		// A Pop of another type must not take the wake-up, although it has waited longer.
		for _, queues := range [][]string{{"a"}, nil, {"b", "a"}} {
			k.soon(func() time.Duration {
				p := queue.Pop{Queues: queues, N: 1, Wait: longWait, Types: []string{"image"}}
				other := k.wait(k.other, p, 1)
				p.Types = []string{"report", "email"}
				answer := k.wait(k.q, p, 2)
				start := time.Now()
				k.push(k.other, 1, hints(0, 1, ofType("email"))...)
				if got := ids(k.woken(answer)); !slices.Equal(got, []string{id(0)}) {
					k.Fatalf("woken with %v", got)
				}
				took := time.Since(start)
				k.wantBlocked(1)
				k.push(k.other, 1, hints(1, 1, ofType("image"))...)
				if got := ids(k.woken(other)); !slices.Equal(got, []string{id(1)}) {
					k.Fatalf("the other was woken with %v", got)
				}
				return took
			})
		}
	}},
	{"WakeTheOneWhoServesThemByAPromotion", func(k *kit) {
		k.push(k.q, 0, hints(0, 1, dueIn(time.Hour), ofType("email"))...)
		other := k.wait(k.other, queue.Pop{N: 1, Wait: longWait, Types: []string{"image"}}, 1)
		answer := k.wait(k.q, queue.Pop{N: 1, Wait: longWait, Types: []string{"email"}}, 2)
		k.Age(k.T, k.q, 2*time.Hour)
		k.promote(1)
		k.woken(answer)
		k.push(k.q, 1, hints(1, 1, ofType("image"))...)
		k.woken(other)
	}},
	{"OfAnIDThatWakesAnybody", func(k *kit) {
		answer := k.wait(k.q, queue.Pop{N: 1, Wait: longWait, Types: []string{"image"}}, 1)
		k.push(k.other, 1, hints(0, 1)...)
		k.woken(answer)
	}},
}

var manyTests = []test{
	{"ShareWhatIsHeld", func(k *kit) {
		// A hundred queues that would fill their caps hold about 12 caps together, and a queue with little is not
		// turned away by that.
		pushed := 0
		for n := range 100 {
			name := fmt.Sprintf("q%d", n)
			for at := 0; at < k.Cap; at += 200 {
				got, err := k.q.Push(k.Context(), hints(10_000*n+at, 200, inQueue(name)))
				if err != nil {
					k.Fatal(err)
				}
				pushed += got
			}
		}
		if limit := 13 * k.Cap; pushed > limit {
			k.Fatalf("%d ids are held, want at most %d", pushed, limit)
		}
		k.push(k.q, 10, hints(0, 10)...)
		k.wantPop(everything("a"), ids(hints(0, 10))...)
	}},
}
