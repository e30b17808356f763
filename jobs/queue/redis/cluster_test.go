package redis_test

import (
	"crypto/rand"

	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/queue/queuetest"
	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// slots is how many a Cluster has.
const slots = 16384

// startNode starts a server that can be part of a Cluster.
func startNode(t *testing.T) (*servers.RedisServer, *goredis.Client) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	bus := l.Addr().(*net.TCPAddr).Port // that of the server plus 10000 otherwise, which may be more than there are
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	server := servers.StartRedis(t, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus))
	return server, raw(t, server.URL)
}

// startCluster starts a Cluster of one node.
func startCluster(t *testing.T) *servers.RedisServer {
	t.Helper()
	server, admin := startNode(t)
	if err := admin.ClusterAddSlotsRange(t.Context(), 0, slots-1).Err(); err != nil {
		t.Fatal(err)
	}
	awaitCluster(t, admin)
	return server
}

func awaitCluster(t *testing.T, admin *goredis.Client) {
	t.Helper()
	until(t, "the Cluster", func() bool {
		info, err := admin.ClusterInfo(t.Context()).Result()
		return err == nil && strings.Contains(info, "cluster_state:ok")
	})
}

func TestConformanceInACluster(t *testing.T) {
	const limit = 600
	url := startCluster(t).URL + "?cluster=true" // takes two seconds, so all tests share it, one after the other
	queuetest.Run(t, queuetest.Harness{
		Open: func(t *testing.T) queuetest.Queue {
			return open(t, url, "test-"+rand.Text(), limit)
		},
		Age: func(t *testing.T, q queuetest.Queue, d time.Duration) { q.(client).age(d) },
		Second: func(t *testing.T, q queuetest.Queue) queuetest.Queue {
			first := q.(client)
			return open(t, first.url, first.prefix, limit)
		},
		Forget:  func(t *testing.T, q queuetest.Queue) { q.(client).do("FLUSHDB") },
		Waiting: func(t *testing.T, q queuetest.Queue) int { return q.(client).blocked() },
		Cap:     limit,
	})
}

// TestClusterSlotMoves moves the slot of all keys to another node, as happens when a Cluster grows.
func TestClusterSlotMoves(t *testing.T) {
	ctx := t.Context()
	one := startCluster(t)
	two, target := startNode(t)
	source := raw(t, one.URL)
	id := func(c *goredis.Client) string { return c.Do(ctx, "CLUSTER", "MYID").Val().(string) }
	password := func(c *goredis.Client) string { return c.Options().Password }
	host, port, _ := net.SplitHostPort(one.Addr)
	info := source.Do(ctx, "CLUSTER", "NODES").Val().(string)
	_, bus, _ := strings.Cut(strings.Fields(info)[1], "@")
	bus, _, _ = strings.Cut(bus, ",")
	if err := target.Do(ctx, "CLUSTER", "MEET", host, port, bus).Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*goredis.Client{source, target} {
		until(t, "two nodes", func() bool { return strings.Contains(c.ClusterInfo(ctx).Val(), "cluster_known_nodes:2") })
		awaitCluster(t, c)
	}

	q, err := redis.Open(ctx, redis.Options{URL: patiently(one.URL + "?cluster=true")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	if added, err := q.Push(ctx, hints(3)); err != nil || added != 3 {
		t.Fatalf("push: %d, %v", added, err)
	}
	events, err := q.Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}

	slot := int(source.ClusterKeySlot(ctx, "{windlass}:queues").Val())
	for _, step := range []struct {
		on   *goredis.Client
		args []any
	}{
		{target, []any{"CLUSTER", "SETSLOT", slot, "IMPORTING", id(source)}},
		{source, []any{"CLUSTER", "SETSLOT", slot, "MIGRATING", id(target)}},
	} {
		if err := step.on.Do(ctx, step.args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	newHost, newPort, _ := net.SplitHostPort(two.Addr)
	for _, key := range source.Keys(ctx, "{windlass}:*").Val() {
		if err := source.Do(ctx, "MIGRATE", newHost, newPort, key, 0, 5000, "AUTH", password(target)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	// From now on both nodes ask the user's password of the other, as in any Cluster.
	if err := target.Do(ctx, "CONFIG", "SET", "requirepass", password(source)).Err(); err != nil {
		t.Fatal(err)
	}
	owner := id(target)
	for _, c := range []*goredis.Client{target, source} {
		if err := c.Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", owner).Err(); err != nil {
			t.Fatal(err)
		}
	}

	popped := 0
	until(t, "a pop from the new node", func() bool {
		got, err := q.Pop(ctx, queue.Pop{N: 3})
		popped += len(got)
		return err == nil && popped == 3
	})
	want := queue.Event{Kind: queue.EventCancel, JobID: "x"}
	if err := q.Publish(ctx, want); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-events:
		if got != want {
			t.Errorf("got %+v", got)
		}
	case <-time.After(20 * time.Second):
		t.Error("the subscription heard nothing after the slot had moved")
	}
}

// TestCheckCluster connects to a node of a Cluster as if it were alone.
func TestCheckCluster(t *testing.T) {
	server := startCluster(t)
	if warning, err := strict(t, server.URL).Check(t.Context()); err != nil || !strings.Contains(warning, "cluster=true") {
		t.Errorf("check says %q, %v", warning, err)
	}
	q := strict(t, server.URL+"?cluster=true")
	if warning, err := q.Check(t.Context()); err != nil || warning != "" {
		t.Errorf("check says %q, %v", warning, err)
	}
	for name, call := range calls(q) {
		if name == "wait" {
			continue
		}
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	server.Kill()
	wantFailures(t, q)
	server.Start()
	until(t, "the node is back", func() bool { _, err := q.Push(t.Context(), hints(1)); return err == nil })
}
