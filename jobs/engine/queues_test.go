package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// namedStore counts the questions about names of queues.
type namedStore struct {
	*faultyStore
	asked atomic.Int64
}

func (s *namedStore) UseQueues(ctx context.Context, names []string, most int) ([]string, error) {
	s.asked.Add(1)
	return s.faultyStore.UseQueues(ctx, names, most)
}

// A submission that would make a queue beyond the limit is refused with the pointer of the field, whole, and others are
// not. The Store is asked about each name once.
func TestSubmitRefusesNewQueuesBeyondTheLimit(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	st := &namedStore{faultyStore: s.store}
	s.client.Close()
	s.client = must(engine.NewClient(engine.ClientOptions{Store: st, Queue: s.queue, Bus: s.queue,
		Registry: &s.registry, Log: s.opts.Log, MaxQueues: 3}))
	nothing := func(context.Context, *jobs.Run, map[string]any) (any, error) { return nil, nil }
	s.handle("work", nothing)
	s.handle("far", nothing, jobs.WithQueue("far"))
	refused := func(want string, list ...jobs.New) {
		t.Helper()
		_, err := s.client.Submit(t.Context(), jobs.Submission{Jobs: list})
		var invalid *jobs.InvalidError
		if !errors.As(err, &invalid) {
			t.Fatalf("error %v, want one about a field", err)
		}
		got := ""
		for _, f := range invalid.Fields {
			got += f.Pointer + " "
		}
		if got != want {
			t.Errorf("pointers %q, want %q (%v)", got, want, err)
		}
	}

	s.submit(jobs.New{Type: "work", Queue: "a"}, jobs.New{Type: "work"}, jobs.New{Type: "work", Queue: "b"})
	refused("/0/queue ", jobs.New{Type: "work", Queue: "c"})
	refused("/1/queue /3/type /4/queue ", jobs.New{Type: "work"}, jobs.New{Type: "work", Queue: "c"},
		jobs.New{Type: "work", Queue: "a"}, jobs.New{Type: "far"}, jobs.New{Type: "work", Queue: "c"})
	if stats := must(s.client.Stats(t.Context())); stats.Total != 3 {
		t.Errorf("%d jobs were stored, want 3", stats.Total)
	}
	asked := st.asked.Load()
	for range 10 {
		s.submit(jobs.New{Type: "work", Queue: "a"}, jobs.New{Type: "work"}, jobs.New{Type: "work", Queue: "b"})
	}
	if n := st.asked.Load() - asked; n != 0 {
		t.Errorf("the store was asked %d times about known queues", n)
	}

	tx := s.withTx()
	s.client.Close()
	s.client = must(engine.NewClient(engine.ClientOptions{Store: tx, Queue: s.queue, Bus: s.queue,
		Registry: &s.registry, Log: s.opts.Log, MaxQueues: 3}))
	open := tx.begin()
	submission := jobs.Submission{Jobs: []jobs.New{{Type: "work", Queue: "c"}}}
	var invalid *jobs.InvalidError
	if _, err := s.client.SubmitTx(t.Context(), open, submission); !errors.As(err, &invalid) {
		t.Errorf("in a transaction: error %v, want one about a field", err)
	}
	submission.Jobs[0].Queue = "a"
	if _, err := s.client.SubmitTx(t.Context(), open, submission); err != nil {
		t.Errorf("in a transaction, to a known queue: %v", err)
	}
	open.commit(t)
}

func TestQueuesArePagedByWork(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("work", func(context.Context, *jobs.Run, map[string]any) (any, error) { return nil, nil })
	for i := range 7 {
		s.submit(jobs.New{Type: "work", Queue: fmt.Sprintf("tenant-%d", i), Delay: time.Hour})
	}
	s.submit(jobs.New{Type: "work"}, jobs.New{Type: "work", Queue: "tenant-5"}, jobs.New{Type: "work", Queue: "tenant-5"})
	all := func(q store.QueueQuery) (names string) {
		for {
			page, err := s.client.Queues(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, queue := range page.Queues {
				names += queue.Name + " "
			}
			if q.After = page.Next; q.After == "" {
				return fmt.Sprint(names, page.Total)
			}
		}
	}
	for _, limit := range []int{1, 3, 100} {
		want := "tenant-5 default tenant-0 tenant-1 tenant-2 tenant-3 tenant-4 tenant-6 8"
		if got := all(store.QueueQuery{Limit: limit}); got != want {
			t.Errorf("pages of %d: %s, want %s", limit, got, want)
		}
		want = "tenant-5 tenant-0 tenant-1 tenant-2 tenant-3 tenant-4 tenant-6 7"
		if got := all(store.QueueQuery{Limit: limit, Prefix: "tenant"}); got != want {
			t.Errorf("pages of %d with a prefix: %s, want %s", limit, got, want)
		}
	}
	// The queue of a cursor may have vanished.
	page, err := s.client.Queues(t.Context(), store.QueueQuery{After: "0.0.tenant-3x", Limit: 5})
	if err != nil || len(page.Queues) != 2 || page.Queues[0].Name != "tenant-4" {
		t.Errorf("behind a queue that is gone: %+v, %v", page, err)
	}
	if _, err := s.client.Queues(t.Context(), store.QueueQuery{After: "x", Limit: 5}); !errors.Is(err, jobs.ErrRejected) {
		t.Errorf("after nonsense: %v", err)
	}
}
