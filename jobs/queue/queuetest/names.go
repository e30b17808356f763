package queuetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
)

// Names measures the calls on the way of a lone job, and those of a process at rest, beside n queues that each hold one
// id due in a year. A driver's test compares few with many. The times are the medians of several calls.
func Names(t testing.TB, q queue.Queue, n int) map[string]time.Duration {
	t.Helper()
	var beside []jobs.Hint
	for i := range n {
		beside = append(beside, jobs.Hint{ID: id(i), Queue: fmt.Sprintf("tenant-%d", i), Type: "email", In: 8760 * time.Hour,
			RunAt: base})
	}
	for some := range slices.Chunk(beside, 1000) {
		if _, err := q.Push(t.Context(), some); err != nil {
			t.Fatal(err)
		}
	}
	types := []string{"email", "report"}
	next := n
	push := func(ctx context.Context) error {
		next++
		_, err := q.Push(ctx, hints(next, 1, ofType("email")))
		return err
	}
	pop := func(queues ...string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := q.Pop(ctx, queue.Pop{Queues: queues, Types: types, N: 5, Suspects: 1})
			return err
		}
	}
	depths := func(ctx context.Context) error {
		_, err := q.Depths(ctx, []string{"a", "tenant-0"})
		return err
	}
	promote := func(ctx context.Context) error {
		_, err := q.Promote(ctx)
		return err
	}
	took := map[string][]time.Duration{}
	const rounds = 201
	for range rounds {
		for _, call := range []struct {
			name string
			do   func(context.Context) error
		}{
			{"push", push}, {"pop", pop("a")}, {"pop of nothing", pop("a")}, {"push", push}, {"pop of any", pop()},
			{"pop of any, nothing", pop()}, {"promote", promote}, {"depths", depths},
		} {
			began := time.Now()
			if err := call.do(t.Context()); err != nil {
				t.Fatalf("%s: %v", call.name, err)
			}
			took[call.name] = append(took[call.name], time.Since(began))
		}
	}
	medians := map[string]time.Duration{}
	for name, all := range took {
		slices.Sort(all)
		medians[name] = all[len(all)/2]
	}
	return medians
}

// CompareNames fails where a call takes much longer beside 20,000 names than beside one.
func CompareNames(t *testing.T, open func() queue.Queue) {
	t.Helper()
	few, many := Names(t, open(), 1), Names(t, open(), 20_000)
	for name, took := range many {
		t.Logf("%-20s beside 1 name %8s, beside 20,000 %8s", name, few[name], took)
		// Generous: the calls take microseconds, and the machine may be busy. A walk over the names takes 100 times as
		// long.
		if limit := 4*few[name] + 300*time.Microsecond; took > limit {
			t.Errorf("%s takes %s beside 20,000 names, and %s beside one", name, took, few[name])
		}
	}
}
