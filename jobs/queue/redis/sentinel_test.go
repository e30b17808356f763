package redis_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// TestSentinelFailover goes through a real Sentinel to a master, and to the replica that takes over.
func TestSentinelFailover(t *testing.T) {
	ctx := t.Context()
	master, replica := servers.StartRedis(t, "--repl-diskless-sync-delay", "0"), servers.StartRedis(t)
	u, err := url.Parse(master.URL)
	if err != nil {
		t.Fatal(err)
	}
	// Whoever is the master, its password is the same.
	password, _ := u.User.Password()
	copied := client{t: t, raw: raw(t, replica.URL)}
	copied.do("CONFIG", "SET", "masterauth", password, "requirepass", password)
	copied.do("REPLICAOF", u.Hostname(), u.Port())
	sentinel := startSentinel(t, u.Hostname(), u.Port(), password)
	admin := goredis.NewSentinelClient(&goredis.Options{Addr: sentinel, Protocol: 2, DisableIdentity: true})
	defer admin.Close()
	until(t, "a replica that Sentinel knows", func() bool {
		known, err := admin.Replicas(ctx, "main").Result()
		return err == nil && len(known) == 1 && known[0]["master-link-status"] == "ok"
	})

	q, err := redis.Open(ctx, redis.Options{URL: fmt.Sprintf("redis://%s/0?master_name=main&password=%s", sentinel,
		password)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	if added, err := q.Push(ctx, hints(3)); err != nil || added != 3 {
		t.Fatalf("push through Sentinel: %d, %v", added, err)
	}
	before, err := q.Depths(ctx, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the replica's copy", func() bool { return copied.do("EXISTS", "{windlass}:epoch") == int64(1) })

	if err := admin.Failover(ctx, "main").Err(); err != nil {
		t.Fatal(err)
	}
	until(t, "a new master", func() bool {
		addr, err := admin.GetMasterAddrByName(ctx, "main").Result()
		return err == nil && net.JoinHostPort(addr[0], addr[1]) == replica.Addr
	})
	master.Kill()
	until(t, "a pop from the new master", func() bool {
		got, err := q.Pop(ctx, queue.Pop{N: 3})
		return err == nil && len(got) == 3
	})
	after, err := q.Depths(ctx, []string{"a"})
	if err != nil || after.Epoch == before.Epoch {
		t.Fatalf("the epoch is %q on another server, %q before, %v", after.Epoch, before.Epoch, err)
	}
}

// startSentinel watches a master as "main" and returns the Sentinel's address.
func startSentinel(t *testing.T, host, port, password string) string {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "sentinel.conf") // Sentinel keeps its state in it
	text := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %s\nsentinel monitor main %s %s 1\nsentinel auth-pass main %s\n"+
		"sentinel down-after-milliseconds main 2000\n", addr.Port, dir, host, port, password)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, conf, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	c := goredis.NewSentinelClient(&goredis.Options{Addr: addr.String(), Protocol: 2, DisableIdentity: true,
		MaxRetries: -1})
	defer c.Close()
	until(t, "an answer of Sentinel", func() bool { return c.Ping(t.Context()).Err() == nil })
	return addr.String()
}
