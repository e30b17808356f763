package queuetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
)

const (
	patience = 20 * time.Second // for what must happen at all
	longWait = 30 * time.Second // of a Pop that has to be woken long before
)

// base is a time by the Store's clock, with a fraction of a second.
var base = time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.UTC)

// id makes ids that sort by n.
func id(n int) string { return fmt.Sprintf("019cb6a0-0000-7000-8000-%012x", n) }

// hints returns n due hints of queue "a", from id(first) on, each changed by all of the changes.
func hints(first, n int, changes ...func(*jobs.Hint)) []jobs.Hint {
	out := make([]jobs.Hint, n)
	for i := range out {
		out[i] = jobs.Hint{ID: id(first + i), Queue: "a", RunAt: base}
		for _, change := range changes {
			change(&out[i])
		}
	}
	return out
}

func inQueue(name string) func(*jobs.Hint)      { return func(h *jobs.Hint) { h.Queue = name } }
func withPriority(p int) func(*jobs.Hint)       { return func(h *jobs.Hint) { h.Priority = p } }
func dueIn(d time.Duration) func(*jobs.Hint)    { return func(h *jobs.Hint) { h.In = d } }
func runAfter(d time.Duration) func(*jobs.Hint) { return func(h *jobs.Hint) { h.RunAt = base.Add(d) } }
func asSuspect(h *jobs.Hint)                    { h.Suspect = true }

// everything is a Pop that empties the queues named, or all.
func everything(queues ...string) queue.Pop {
	return queue.Pop{Queues: queues, N: 100_000, Suspects: 100_000}
}

// inOrder sorts a copy by the order of a queue.
func inOrder(hints []jobs.Hint) []jobs.Hint {
	return slices.SortedFunc(slices.Values(hints), func(a, b jobs.Hint) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.RunAt.UnixMilli(), b.RunAt.UnixMilli()),
			cmp.Compare(a.ID, b.ID))
	})
}

func shuffled(hints []jobs.Hint) []jobs.Hint {
	out := slices.Clone(hints)
	rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func ids(hints []jobs.Hint) []string {
	out := make([]string, len(hints))
	for i, h := range hints {
		out[i] = h.ID
	}
	return out
}

// push adds hints and wants to hear that so many became ready.
func (k *kit) push(q Queue, added int, hints ...jobs.Hint) {
	k.Helper()
	got, err := q.Push(k.Context(), hints)
	if err != nil {
		k.Fatalf("push: %v", err)
	}
	if got != added {
		k.Fatalf("push of %d said that %d became ready, want %d", len(hints), got, added)
	}
}

func (k *kit) pop(p queue.Pop) []jobs.Hint {
	k.Helper()
	got, err := k.q.Pop(k.Context(), p)
	if err != nil {
		k.Fatalf("pop %+v: %v", p, err)
	}
	return got
}

// wantPop pops and wants these ids in this order.
func (k *kit) wantPop(p queue.Pop, want ...string) {
	k.Helper()
	if got := ids(k.pop(p)); !slices.Equal(got, want) {
		k.Fatalf("pop %+v: %s", p, gocmp.Diff(want, got))
	}
}

func (k *kit) promote(moved int) {
	k.Helper()
	got, err := k.q.Promote(k.Context())
	if err != nil {
		k.Fatalf("promote: %v", err)
	}
	if got != moved {
		k.Fatalf("promote moved %d, want %d", got, moved)
	}
}

// depths asks for the queues that the tests use.
func (k *kit) depths() queue.Depths {
	k.Helper()
	d, err := k.q.Depths(k.Context(), []string{"a", "b", "c"})
	if err != nil {
		k.Fatalf("depths: %v", err)
	}
	return d
}

// byType leaves the numbers by type out of a comparison.
var byType = cmpopts.IgnoreFields(queue.Depth{}, "Types")

// wantDepth checks what is held of queue "a", of all types.
func (k *kit) wantDepth(want queue.Depth) {
	k.Helper()
	if diff := gocmp.Diff(want, k.depths().Queues["a"], byType); diff != "" {
		k.Fatalf("queue a: %s", diff)
	}
}

// popped is the answer of a Pop that runs by itself.
type popped struct {
	hints []jobs.Hint
	err   error
	took  time.Duration
}

// wait starts a Pop and returns once it is blocked, so that there are now so many.
func (k *kit) wait(q Queue, p queue.Pop, blocked int) <-chan popped {
	k.Helper()
	answer := make(chan popped, 1)
	ctx := k.Context()
	go func() {
		start := time.Now()
		hints, err := q.Pop(ctx, p)
		answer <- popped{hints, err, time.Since(start)}
	}()
	k.wantBlocked(blocked)
	return answer
}

func (k *kit) wantBlocked(blocked int) {
	k.Helper()
	eventually(k.T, fmt.Sprintf("%d blocked pops", blocked), func() bool { return k.Waiting(k.T, k.q) == blocked })
}

// woken returns the ids of a waiting Pop, and fails where it seems to have waited to the end, or has none.
func (k *kit) woken(answer <-chan popped) []jobs.Hint {
	k.Helper()
	got := receive(k.T, answer, "the answer of a waiting pop")
	if got.err != nil || len(got.hints) == 0 {
		k.Fatalf("a waiting pop brought %d ids after %s, error: %v", len(got.hints), got.took, got.err)
	}
	// The id that ended a wait may stay in its set for a moment.
	eventually(k.T, "the ready set to be empty", func() bool { return k.depths().Queues[got.hints[0].Queue].Ready == 0 })
	return got.hints
}

// soon fails where the quickest of three rounds is slow: it is for a driver that polls, however idle the machine is.
func (k *kit) soon(round func() time.Duration) {
	k.Helper()
	const limit = 300 * time.Millisecond
	best := patience
	for range 3 {
		if best = min(best, round()); best < limit {
			return
		}
	}
	k.Fatalf("the quickest wake-up of three took %s, want less than %s", best, limit)
}

// receive waits for a value with patience.
func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v, open := <-from:
		if !open {
			t.Fatalf("waited for %s: the channel was closed", what)
		}
		return v
	case <-time.After(patience):
		t.Fatalf("waited for %s: nothing came in %s", what, patience)
		panic("unreachable")
	}
}

// eventually waits until a condition holds that nothing signals.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited for %s: not so after %s", what, patience)
		}
	}
}
