package redis_test

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/queue/queuetest"
	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// TestMemory holds a full ready set to its budget, as Redis itself counts it.
func TestMemory(t *testing.T) {
	const limit = 12_000_000 // what the server needs besides, its buffers above all, is up to 2 MB
	server := servers.StartRedis(t)
	q := open(t, server.URL, redis.DefaultPrefix, 0)
	for n := range redis.DefaultCap / 1000 {
		batch := make([]jobs.Hint, 1000)
		for i := range batch {
			batch[i] = jobs.Hint{ID: fmt.Sprintf("019cb6a0-%04x-7000-8000-%012x", n, i), Queue: "a",
				RunAt: time.UnixMilli(1_772_600_767_890)}
		}
		if added, err := q.Push(t.Context(), batch); err != nil || added != 1000 {
			t.Fatal(added, err)
		}
	}
	if d, err := q.Depths(t.Context(), []string{"a"}); err != nil || d.Queues["a"].Ready != redis.DefaultCap {
		t.Fatalf("%+v, %v", d, err)
	}
	used := q.do("MEMORY", "USAGE", q.key("ready:a:"), "SAMPLES", 0).(int64)
	t.Logf("%d ready ids take %d bytes", redis.DefaultCap, used)
	if used > limit {
		t.Errorf("%d ready ids take %d bytes, want at most %d", redis.DefaultCap, used, limit)
	}
}

// BenchmarkPush1000 pushes 1,000 new ids at a time, and takes them away while the clock stands.
func BenchmarkPush1000(b *testing.B) {
	q := bench(b)
	batch := hints(1000)
	for b.Loop() {
		if added, err := q.Push(b.Context(), batch); err != nil || added != 1000 {
			b.Fatal(added, err)
		}
		b.StopTimer()
		if _, err := q.Pop(b.Context(), queue.Pop{N: 1000}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkRepair pushes 1,000 ids that are all there, as the feeder does each second.
func BenchmarkRepair(b *testing.B) {
	q := bench(b)
	batch := hints(1000)
	for b.Loop() {
		if _, err := q.Push(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPop1000 takes 1,000 ids at a time, pushed while the clock stands.
func BenchmarkPop1000(b *testing.B) {
	q := bench(b)
	batch := hints(1000)
	for b.Loop() {
		b.StopTimer()
		if _, err := q.Push(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if got, err := q.Pop(b.Context(), queue.Pop{N: 1000}); err != nil || len(got) != 1000 {
			b.Fatal(len(got), err)
		}
	}
}

// BenchmarkWake measures from a Push to the answer of a Pop that waits in another client.
func BenchmarkWake(b *testing.B) {
	url, prefix := servers.Redis(b), rand.Text()
	pusher, popper := benchOn(b, url, prefix), benchOn(b, url, prefix)
	popped := make(chan error)
	batch := hints(1)
	for n := 0; b.Loop(); n++ {
		batch[0].ID = fmt.Sprintf("019cb6a0-0000-7000-8000-%012x", n) // the one before may be there for a moment longer
		go func() {
			_, err := popper.Pop(b.Context(), queue.Pop{N: 1, Wait: time.Minute})
			popped <- err
		}()
		if _, err := pusher.Push(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		if err := <-popped; err != nil {
			b.Fatal(err)
		}
	}
}

func bench(b *testing.B) *redis.Queue { return benchOn(b, servers.Redis(b), rand.Text()) }

func benchOn(b *testing.B, url, prefix string) *redis.Queue {
	q, err := redis.Open(b.Context(), redis.Options{URL: patiently(url), Prefix: prefix})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = q.Close() })
	return q
}

func TestManyNamesCostNothing(t *testing.T) {
	server := servers.StartRedis(t)
	queuetest.CompareNames(t, func() queue.Queue { return open(t, server.URL, rand.Text(), 0).Queue })
}
