package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// soon is how quickly a call has to fail, with room for a busy machine: the driver's own limit is 250 ms.
const soon = time.Second

// strict opens a Queue with the time limits of production.
func strict(t *testing.T, url string) *redis.Queue {
	t.Helper()
	q, err := redis.Open(t.Context(), redis.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func hints(n int, change ...func(*jobs.Hint)) []jobs.Hint {
	out := make([]jobs.Hint, n)
	for i := range out {
		out[i] = jobs.Hint{ID: fmt.Sprintf("019cb6a0-0000-7000-8000-%012x", i), Queue: "a",
			RunAt: time.UnixMilli(1_772_600_767_890)}
		for _, c := range change {
			c(&out[i])
		}
	}
	return out
}

func dueIn(d time.Duration) func(*jobs.Hint) { return func(h *jobs.Hint) { h.In = d } }

// calls are all of a Queue's methods that talk to Redis.
func calls(q *redis.Queue) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"push":      func(ctx context.Context) error { _, err := q.Push(ctx, hints(1)); return err },
		"pop":       func(ctx context.Context) error { _, err := q.Pop(ctx, queue.Pop{N: 1}); return err },
		"wait":      func(ctx context.Context) error { _, err := q.Pop(ctx, queue.Pop{N: 1, Wait: time.Minute}); return err },
		"promote":   func(ctx context.Context) error { _, err := q.Promote(ctx); return err },
		"dead":      func(ctx context.Context) error { return q.SetDead(ctx, nil) },
		"depths":    func(ctx context.Context) error { _, err := q.Depths(ctx, []string{"a"}); return err },
		"publish":   func(ctx context.Context) error { return q.Publish(ctx, queue.Event{Kind: queue.EventCancel}) },
		"subscribe": func(ctx context.Context) error { _, err := q.Subscribe(ctx); return err },
		"ping":      q.Ping,
		"check":     func(ctx context.Context) error { _, err := q.Check(ctx); return err },
	}
}

// wantFailures calls every method and wants each to fail soon.
func wantFailures(t *testing.T, q *redis.Queue) {
	t.Helper()
	for name, call := range calls(q) {
		start := time.Now()
		err := call(t.Context())
		if took := time.Since(start); err == nil || took > soon {
			t.Errorf("%s without Redis: error %v after %s", name, err, took)
		}
	}
}

// until repeats what fails while Redis comes back.
func until(t *testing.T, what string, try func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !try(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func TestKilledServer(t *testing.T) {
	server := servers.StartRedis(t)
	q := strict(t, server.URL)
	events, err := q.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before, err := q.Depths(t.Context(), []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := q.Pop(context.Background(), queue.Pop{N: 1, Wait: time.Minute})
		waiting <- err
	}()
	blocked := client{t: t, raw: raw(t, server.URL)}
	until(t, "a blocked pop", func() bool { return blocked.blocked() == 1 })

	server.Kill()
	start := time.Now()
	if err := <-waiting; err == nil || time.Since(start) > soon {
		t.Errorf("a waiting pop ended with %v, %s after the server", err, time.Since(start))
	}
	wantFailures(t, q)

	server.Start()
	for name, call := range calls(q) {
		if name == "wait" {
			continue // nothing would end it
		}
		until(t, name, func() bool { return call(t.Context()) == nil })
	}
	after, err := q.Depths(t.Context(), []string{"a"})
	if err != nil || after.Epoch == before.Epoch {
		t.Errorf("epoch %q after a restart that lost everything, %q before, error %v", after.Epoch, before.Epoch, err)
	}
	want := queue.Event{Kind: queue.EventCancel, JobID: "after"}
	until(t, "the old subscription", func() bool {
		if err := q.Publish(t.Context(), want); err != nil {
			return false
		}
		for {
			select {
			case e := <-events:
				if e == want {
					return true
				}
			default:
				return false
			}
		}
	})
}

func TestHangingServer(t *testing.T) {
	server := servers.StartRedis(t)
	q := strict(t, server.URL)
	if _, err := q.Push(t.Context(), hints(3)); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := q.Pop(context.Background(), queue.Pop{Queues: []string{"b"}, N: 1, Wait: time.Minute})
		waiting <- err
	}()
	blocked := client{t: t, raw: raw(t, server.URL)}
	until(t, "a blocked pop", func() bool { return blocked.blocked() == 1 })
	server.Pause()
	wantFailures(t, q)
	select {
	case err := <-waiting:
		if err == nil {
			t.Error("a waiting pop saw nothing of it")
		}
	case <-time.After(10 * time.Second):
		t.Error("a waiting pop hangs with its server")
	}
	server.Resume()
	until(t, "a ping", func() bool { return q.Ping(t.Context()) == nil })
}

func TestOpenWithoutServer(t *testing.T) {
	server := servers.StartRedis(t)
	server.Stop()
	q := strict(t, server.URL)
	wantFailures(t, q)
	server.Start()
	until(t, "a push", func() bool { _, err := q.Push(t.Context(), hints(1)); return err == nil })
}

func TestEpoch(t *testing.T) {
	server := servers.StartRedis(t, "--save", "3600 1", "--appendonly", "no")
	q, admin := strict(t, server.URL), raw(t, server.URL)
	seen := map[string]string{}
	check := func(what string) {
		t.Helper()
		var d queue.Depths
		until(t, "depths", func() (ok bool) {
			var err error
			d, err = q.Depths(t.Context(), []string{"a"})
			return err == nil
		})
		if earlier, there := seen[d.Epoch]; there || d.Epoch == "" {
			t.Errorf("after %s the epoch is %q, as it was after %s", what, d.Epoch, earlier)
		}
		seen[d.Epoch] = what
	}
	check("the start")
	if err := admin.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	check("a FLUSHALL")
	if _, err := q.Push(t.Context(), hints(3)); err != nil {
		t.Fatal(err)
	}
	server.Restart() // saves and loads its data, which may be older than what was pushed last
	check("a restart with data")
	d, err := q.Depths(t.Context(), []string{"a"})
	if err != nil || d.Queues["a"].Ready != 3 {
		t.Fatalf("the server was to keep its data: %+v, %v", d, err)
	}
	server.Kill()
	server.Start()
	check("a crash")
}

func TestFullServer(t *testing.T) {
	server := servers.StartRedis(t)
	q, admin := strict(t, server.URL), raw(t, server.URL)
	ctx := t.Context()
	later := hints(400, func(h *jobs.Hint) { h.Queue = "b" }, dueIn(time.Millisecond))
	if _, err := q.Push(ctx, append(hints(200), later...)); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Depths(ctx, []string{"a"}); err != nil {
		t.Fatal(err)
	}
	if err := admin.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	for _, flush := range []bool{false, true} { // a script that has to be sent in full first must get through as well
		if flush {
			if err := admin.ScriptFlush(ctx).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := q.Push(ctx, hints(1)); err == nil || !strings.Contains(err.Error(), "OOM") {
			t.Fatalf("a push into a full Redis: %v", err)
		}
		got, err := q.Pop(ctx, queue.Pop{Queues: []string{"a"}, N: 100})
		if err != nil || len(got) != 100 {
			t.Fatalf("a pop from a full Redis: %d ids, %v", len(got), err)
		}
	}
	moved := 0
	until(t, "promotion in a full Redis", func() bool {
		n, err := q.Promote(ctx)
		if err != nil {
			t.Fatal(err)
		}
		moved += n
		return moved == 400
	})
	d, err := q.Depths(ctx, []string{"b"})
	if err != nil || d.Queues["b"].Ready != 400 || d.Queues["b"].Later != 0 {
		t.Fatalf("a full Redis holds %+v, %v", d, err)
	}
	if got, err := q.Pop(ctx, queue.Pop{N: 1000, Wait: time.Minute}); err != nil || len(got) != 400 {
		t.Fatalf("%d of 400 promoted ids came out, %v", len(got), err)
	}
}

func TestClose(t *testing.T) {
	q := strict(t, servers.Redis(t))
	events, err := q.Subscribe(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := q.Pop(context.Background(), queue.Pop{N: 1, Wait: time.Minute})
		waiting <- err
	}()
	for range 2 {
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-waiting; err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("a waiting pop ended with %v", err)
	}
	if _, open := <-events; open {
		t.Error("a subscription outlived its queue")
	}
	for name, call := range calls(q) {
		if call(t.Context()) == nil {
			t.Errorf("%s works on a closed queue", name)
		}
	}
}
