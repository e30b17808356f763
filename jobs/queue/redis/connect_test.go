package redis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/windlass-jobs/windlass/jobs"
)

func TestConnect(t *testing.T) {
	for _, c := range []struct {
		url, addr, user, password string
		db                        int
		tls                       bool
	}{
		{url: "redis://localhost", addr: "localhost:6379"},
		{url: "redis://10.1.2.3:7000/4", addr: "10.1.2.3:7000", db: 4},
		{url: "redis://:s%40crt@[::1]:6380/0", addr: "[::1]:6380", password: "s@crt"},
		{url: "rediss://app:secret@cache.example.com:6379", addr: "cache.example.com:6379", user: "app",
			password: "secret", tls: true},
		{url: "valkey://cache:6379/1", addr: "cache:6379", db: 1},
		{url: "valkeys://app:secret@cache", addr: "cache:6379", user: "app", password: "secret", tls: true},
		{url: " \"redis://:secret@cache:6379/0\"\n", addr: "cache:6379", password: "secret"},
		{url: "redis://cache?cluster=false", addr: "cache:6379"},
		{url: "unix:///run/redis.sock?db=2", addr: "/run/redis.sock", db: 2},
		{
			url:  "redis://s1:26379/3?master_name=main&addr=s2:26379&username=app&password=secret",
			addr: "FailoverClient", db: 3, user: "app", password: "secret",
		},
		{url: "rediss://s1:26379?master_name=main", addr: "FailoverClient", tls: true},
	} {
		t.Run(c.url, func(t *testing.T) {
			client, waiter := clients(t, Options{URL: c.url})
			for _, o := range []any{client.Options().Addr, waiter.Options().Addr} {
				if o != c.addr {
					t.Errorf("address %v, want %s", o, c.addr)
				}
			}
			o, w := client.Options(), waiter.Options()
			if o.Username != c.user || o.Password != c.password || o.DB != c.db || (o.TLSConfig != nil) != c.tls {
				t.Errorf("user %q, password %q, database %d, TLS %v", o.Username, o.Password, o.DB, o.TLSConfig != nil)
			}
			if o.DialTimeout != time.Second || o.ReadTimeout != callTimeout || o.WriteTimeout != callTimeout ||
				o.MaxRetries != 0 {
				t.Errorf("limits: dial %s, read %s, write %s, %d retries", o.DialTimeout, o.ReadTimeout, o.WriteTimeout,
					o.MaxRetries)
			}
			if w.ReadTimeout <= slice || w.Password != c.password || w.DB != c.db {
				t.Errorf("waiter: read %s, password %q, database %d", w.ReadTimeout, w.Password, w.DB)
			}
		})
	}
	t.Run("limits from the URL", func(t *testing.T) {
		client, waiter := clients(t, Options{URL: "redis://localhost?read_timeout=2s&dial_timeout=3s&pool_size=5"})
		if o := client.Options(); o.ReadTimeout != 2*time.Second || o.DialTimeout != 3*time.Second || o.PoolSize != 5 {
			t.Errorf("read %s, dial %s, %d connections", o.ReadTimeout, o.DialTimeout, o.PoolSize)
		}
		if o := waiter.Options(); o.ReadTimeout != 3*time.Second {
			t.Errorf("waiter: read %s", o.ReadTimeout)
		}
	})
}

// clients connects to a single server, or through Sentinel.
func clients(t *testing.T, o Options) (client, waiter *goredis.Client) {
	t.Helper()
	c, err := connect(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.close() })
	return c.client.(*goredis.Client), c.waiter.(*goredis.Client)
}

func TestConnectCluster(t *testing.T) {
	for _, url := range []string{
		"rediss://app:s%40crt@a.example.com?cluster=true&addr=b.example.com:7000&dial_timeout=3s",
		"valkeys://app:s%40crt@a.example.com:6379/0?addr=b.example.com:7000&dial_timeout=3s&cluster=true",
	} {
		c, err := connect(Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		o, w := c.client.(*goredis.ClusterClient).Options(), c.waiter.(*goredis.ClusterClient).Options()
		if !slices.Equal(o.Addrs, []string{"a.example.com:6379", "b.example.com:7000"}) || o.Username != "app" ||
			o.Password != "s@crt" ||
			o.TLSConfig == nil || o.DialTimeout != 3*time.Second || o.ReadTimeout != callTimeout || o.MaxRedirects != 0 {
			t.Errorf("%s is read as %+v", url, o)
		}
		if w.ReadTimeout <= slice || w.PoolSize != waiterPool {
			t.Errorf("waiter: read %s, %d connections", w.ReadTimeout, w.PoolSize)
		}
	}
}

func TestConnectRefuses(t *testing.T) {
	for _, url := range []string{
		"", "localhost:6379", "http://hunter2@localhost", "redis://:hunter2@local host:6379",
		"redis://:hunter2@localhost:port",
		"redis://:hunter2@localhost/zero", "redis://:hunter2@localhost/0/1", "redis://:hunter2@localhost?colour=red",
		"redis://:%zzhunter2@localhost", "redis://:hunter2@a:1,b:2/0", "redis://:hunter2@s1?master_name=m&addr=nonsense",
		"http://:hunter2@s1?master_name=m", "redis://:hunter2@s1?master_name=m&replica_only=true",
		"redis://:hunter2@s1?master_name=m&route_by_latency=true",
		"redis://:hunter2/@localhost", "redis://:hunter2?@localhost", "redis://:hunter2#@localhost",
		"redis://:/hunter2@localhost",
		"redis://:1234?hunter2@localhost", "redis://:1234#hunter2@localhost",
		"redis://:hunter2@a?addr=b:6379", "redis://:hunter2@a?cluster=maybe", "redis://:hunter2@a/1?cluster=true",
		"redis://:hunter2@a?cluster=true&read_only=true", "redis://:hunter2@a?cluster=true&master_name=m",
		"redis://:hunter2@a?cluster=true&colour=red", "unix://:hunter2@/run/redis.sock?cluster=true",
	} {
		c, err := connect(Options{URL: url})
		if err == nil {
			_ = c.close()
			t.Errorf("%q is accepted", url)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

func TestScore(t *testing.T) {
	var last int64 = -1
	for p := jobs.MaxPriority; p >= jobs.MinPriority; p-- {
		for _, ms := range []int64{0, 1, 1_772_600_767_890, band - 1} {
			h := jobs.Hint{Queue: "a", Type: "email", Priority: p, RunAt: time.UnixMilli(ms).UTC()}
			s := score(h)
			if s <= last || s >= 1<<53 {
				t.Fatalf("score %d of priority %d at %d comes after %d", s, p, ms, last)
			}
			last = s
			// As versions of Redis write it: always in full, or the shortest that is exact.
			for _, text := range []string{fmt.Sprintf("%.17g", float64(s)), strconv.FormatFloat(float64(s), 'e', -1, 64)} {
				if got, err := scored(text, "a", "email", false); err != nil || got != h {
					t.Fatalf("%s is read as %+v, %v; want %+v", text, got, err, h)
				}
			}
		}
	}
	for _, text := range []string{"", "nan", "-1", "1.5", "inf", "abc"} {
		if _, err := scored(text, "a", "email", false); err == nil {
			t.Errorf("%q is read as a score", text)
		}
	}
	// Times that a score has no room for come first, or last.
	for year, want := range map[int]int64{1960: 0, 2400: band - 1} {
		at := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		if got := score(jobs.Hint{Priority: jobs.MaxPriority, RunAt: at}); got != want {
			t.Errorf("score %d in %d, want %d", got, year, want)
		}
	}
}

func TestLaterMembersSortAsTheirQueue(t *testing.T) {
	var members []string
	for p := jobs.MaxPriority; p >= jobs.MinPriority; p-- {
		for _, ms := range []int64{0, 5, 1_772_600_767_890} {
			for _, id := range []string{"a", "b"} {
				members = append(members, laterMember(jobs.Hint{ID: id, Priority: p, RunAt: time.UnixMilli(ms)}))
			}
		}
	}
	if !slices.IsSorted(members) {
		t.Errorf("out of order: %v", members)
	}
	h := jobs.Hint{ID: "x", RunAt: time.UnixMilli(7)}
	again := h
	again.In = time.Hour
	if laterMember(h) != laterMember(again) {
		t.Error("the same id and run_at make two members")
	}
	got := []int64{milliseconds(1), milliseconds(time.Millisecond), milliseconds(time.Millisecond + 1)}
	if !slices.Equal(got, []int64{1, 1, 2}) {
		t.Errorf("delays are rounded to %v", got)
	}
}
