package memory_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is the real one, which a test may put forward.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

// aged is a Queue with its clock.
type aged struct {
	*memory.Queue
	clock *clock
}

func TestConformance(t *testing.T) {
	const limit = 600
	queuetest.Run(t, queuetest.Harness{
		Open: func(t *testing.T) queuetest.Queue {
			c := &clock{}
			q := memory.New(memory.Options{Cap: limit, Now: c.now})
			t.Cleanup(func() { _ = q.Close() })
			return aged{q, c}
		},
		Age: func(_ *testing.T, q queuetest.Queue, d time.Duration) {
			c := q.(aged).clock
			c.mu.Lock()
			defer c.mu.Unlock()
			c.ahead += d
		},
		Forget:  func(_ *testing.T, q queuetest.Queue) { q.(aged).Forget() },
		Waiting: func(_ *testing.T, q queuetest.Queue) int { return q.(aged).Waiting() },
		Cap:     limit,
	})
}

func TestClose(t *testing.T) {
	q := memory.New(memory.Options{})
	events, err := q.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := q.Pop(context.Background(), queue.Pop{N: 1, Wait: time.Minute})
		failed <- err
	}()
	for q.Waiting() == 0 {
		runtime.Gosched()
	}
	for range 2 {
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-failed; err == nil {
		t.Error("a waiting pop outlived its queue")
	}
	if _, open := <-events; open {
		t.Error("a subscription outlived its queue")
	}
	if q.Ping(t.Context()) == nil {
		t.Error("a closed queue says that it is well")
	}
	if _, err := q.Push(t.Context(), hints(1, 1, 0)); err == nil {
		t.Error("a closed queue accepts ids")
	}
}

func hints(n, every int, in time.Duration) []jobs.Hint {
	out := make([]jobs.Hint, n)
	for i := range out {
		// Backwards, so that every id goes through the whole heap.
		out[i] = jobs.Hint{ID: fmt.Sprintf("019cb6a0-0000-7000-8000-%012x", (n-i)*every), Queue: "a",
			RunAt: time.UnixMilli(int64(n - i)), In: in}
	}
	return out
}

// BenchmarkPushPop1000 pushes and pops 1,000 ids at a time, with 90,000 in the queue.
func BenchmarkPushPop1000(b *testing.B) {
	q := memory.New(memory.Options{})
	defer func() { _ = q.Close() }()
	if _, err := q.Push(b.Context(), hints(90_000, 2, 0)); err != nil {
		b.Fatal(err)
	}
	batch := hints(1000, 180, 0)
	for b.Loop() {
		if _, err := q.Push(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		if got, err := q.Pop(b.Context(), queue.Pop{N: 1000}); err != nil || len(got) != 1000 {
			b.Fatal(len(got), err)
		}
	}
}

// BenchmarkPushFull pushes 1,000 ids to a set that is full of better ones.
func BenchmarkPushFull(b *testing.B) {
	q := memory.New(memory.Options{})
	defer func() { _ = q.Close() }()
	if _, err := q.Push(b.Context(), hints(memory.DefaultCap, 1, 0)); err != nil {
		b.Fatal(err)
	}
	batch := hints(1000, 200_000, 0)
	for i := range batch {
		batch[i].Priority = -1
	}
	for b.Loop() {
		if added, err := q.Push(b.Context(), batch); err != nil || added != 0 {
			b.Fatal(added, err)
		}
	}
}

func TestManyNamesCostNothing(t *testing.T) {
	queuetest.CompareNames(t, func() queue.Queue {
		q := memory.New(memory.Options{})
		t.Cleanup(func() { _ = q.Close() })
		return q
	})
}
