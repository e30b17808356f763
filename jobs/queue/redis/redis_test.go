package redis_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/queue/queuetest"
	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// patiently widens the time limits of a URL, for tests of what is right and not of how quickly it fails: the machine
// may be busy.
func patiently(url string) string {
	sign := "?"
	if strings.Contains(url, "?") {
		sign = "&"
	}
	return url + sign + "read_timeout=10s&write_timeout=10s&dial_timeout=10s&pool_timeout=10s"
}

func TestMain(m *testing.M) {
	code := m.Run()
	servers.StopShared()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func TestConformance(t *testing.T) {
	const limit = 600
	queuetest.Run(t, queuetest.Harness{
		Open: func(t *testing.T) queuetest.Queue {
			return open(t, servers.Redis(t), "test-"+rand.Text(), limit)
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

// client is a Queue with what a test knows of it.
type client struct {
	*redis.Queue
	t           *testing.T
	url, prefix string
	raw         *goredis.Client
}

// open returns a client of the Queue with this prefix. The database is the test's own.
func open(t *testing.T, url, prefix string, limit int) client {
	t.Helper()
	q, err := redis.Open(t.Context(), redis.Options{URL: patiently(url), Prefix: prefix, Cap: limit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	return client{Queue: q, t: t, url: url, prefix: prefix, raw: raw(t, url)}
}

// raw returns a plain connection to a server.
func raw(t testing.TB, url string) *goredis.Client {
	t.Helper()
	o, err := goredis.ParseURL(patiently(strings.Split(url, "?")[0]))
	if err != nil {
		t.Fatal(err)
	}
	o.PoolSize, o.Protocol = 1, 2
	c := goredis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// do runs a command on the test's own connection.
func (c client) do(args ...any) any {
	c.t.Helper()
	answer, err := c.raw.Do(c.t.Context(), args...).Result()
	if err != nil {
		c.t.Fatalf("%v: %v", args, err)
	}
	return answer
}

func (c client) key(name string) string { return "{" + c.prefix + "}:" + name }

// age makes every id in a later set due sooner.
func (c client) age(d time.Duration) {
	c.t.Helper()
	ctx := c.t.Context()
	names := c.raw.ZRange(ctx, c.key("delayed"), 0, -1).Val()
	keys := []string{c.key("delayed")}
	for _, name := range names {
		keys = append(keys, c.key("delayed:"+name))
	}
	for _, key := range keys {
		members, err := c.raw.ZRangeWithScores(ctx, key, 0, -1).Result()
		if err != nil {
			c.t.Fatal(err)
		}
		for i := range members {
			members[i].Score -= float64(d.Milliseconds())
		}
		if len(members) > 0 {
			c.raw.ZAdd(ctx, key, members...)
		}
	}
}

// tokens returns what lies in the lists of all groups.
func (c client) tokens() []string {
	c.t.Helper()
	var all []string
	for _, key := range c.raw.Keys(c.t.Context(), c.key("tokens:*")).Val() {
		all = append(all, c.raw.LRange(c.t.Context(), key, 0, -1).Val()...)
	}
	return all
}

// wait makes a group of Pops known.
func (c client) wait(p queue.Pop) {
	c.t.Helper()
	p.N, p.Wait = 1, 100*time.Millisecond
	if got, err := c.Pop(c.t.Context(), p); err != nil || len(got) != 0 {
		c.t.Fatalf("%d ids in an empty queue, %v", len(got), err)
	}
}

// blocked counts the clients that wait in this test's database.
func (c client) blocked() int {
	c.t.Helper()
	list, err := c.raw.ClientList(c.t.Context()).Result()
	if err != nil {
		c.t.Fatal(err)
	}
	db, n := fmt.Sprintf("db=%d", c.raw.Options().DB), 0
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		blocked, ours := false, false
		for _, field := range fields {
			flags, isFlags := strings.CutPrefix(field, "flags=")
			blocked = blocked || isFlags && strings.Contains(flags, "b")
			ours = ours || field == db
		}
		if blocked && ours {
			n++
		}
	}
	return n
}
