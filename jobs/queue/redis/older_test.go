package redis_test

import (
	"crypto/rand"
	_ "embed"
	"fmt"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// The scripts of version 0.1, as its processes run them.
var (
	//go:embed testdata/push-0.1.lua
	olderPush string
	//go:embed testdata/pop-0.1.lua
	olderPop string
)

// TestOlderProcesses has processes of version 0.1 on the same Redis: each side finds what the other has pushed, and
// their keys go when they are gone.
func TestOlderProcesses(t *testing.T) {
	q := open(t, servers.StartRedis(t).URL, rand.Text(), 0)
	push := func(id string) {
		t.Helper()
		keys := []string{q.key("queues"), q.key("wake"), q.key("ready:a"), q.key("suspects:a"), q.key("later:a"),
			q.key("wake:a")}
		args := []any{100, 128, "a", 1, 7, id, 0, 0}
		if err := goredis.NewScript(olderPush).Run(t.Context(), q.raw, keys, args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	pop := func(queues ...any) string {
		t.Helper()
		args := append([]any{q.key(""), 10, 1, 42}, queues...)
		return fmt.Sprint(goredis.NewScript(olderPop).Run(t.Context(), q.raw, []string{q.key("queues"), q.key("wake")},
			args...).Val())
	}
	for n, p := range []queue.Pop{{N: 5, Types: []string{"email"}}, {N: 5, Queues: []string{"b", "a"}}} {
		id := fmt.Sprint("old-", n)
		push(id)
		if got, err := q.Pop(t.Context(), p); err != nil || len(got) != 1 || got[0].ID != id || got[0].Type != "" {
			t.Fatalf("popped %+v, %v; want %s", got, err, id)
		}
	}
	for n, queues := range [][]any{nil, {"a"}} {
		id := fmt.Sprint("new-", n)
		if _, err := q.Push(t.Context(), []jobs.Hint{{ID: id, Queue: "a", Type: "email"}}); err != nil {
			t.Fatal(err)
		}
		until(t, "an id for the older ones", func() bool {
			if _, err := q.Promote(t.Context()); err != nil {
				t.Fatal(err)
			}
			return strings.Contains(pop(queues...), id)
		})
	}
	push("left")
	until(t, "an end of all older keys", func() bool {
		if _, err := q.Promote(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"queues", "ready:a"} {
			if ttl := q.raw.TTL(t.Context(), q.key(name)).Val(); ttl <= 0 || ttl > 10*time.Minute {
				return false
			}
		}
		return true
	})
}
