package servers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// RedisServer is a Redis server of one test. Its methods may be called from any goroutine. A failure is reported to the
// test.
type RedisServer struct {
	URL  string // of database 0; port and password stay the same over restarts
	Addr string // host:port, for tests that put a proxy in between

	t testing.TB // nil for a shared server
	*process
}

// StartRedis starts a server for this test alone, and ends it with the test. args are arguments of redis-server, such
// as "--maxmemory", "10mb". Unless args say otherwise, the server loses all data at a restart.
func StartRedis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	s, err := newRedis(args)
	if err != nil {
		t.Fatalf("no Redis for the test: %v", err)
	}
	s.t = t
	t.Cleanup(s.destroy)
	return s
}

// Start starts a stopped or killed server again on the same port, and waits until it answers.
func (s *RedisServer) Start() { report(s.t, s.start()) }

// Stop ends the server in order. It does nothing if the server is not running.
func (s *RedisServer) Stop() { report(s.t, s.stop()) }

// Kill ends the server with SIGKILL.
func (s *RedisServer) Kill() { s.kill() }

// Restart is Stop and Start.
func (s *RedisServer) Restart() {
	s.Stop()
	s.Start()
}

// Pause freezes the server until Resume.
func (s *RedisServer) Pause() { report(s.t, s.pause()) }

// Resume ends a Pause.
func (s *RedisServer) Resume() { s.resume() }

// Log returns the end of the server's log, at most 4 KiB.
func (s *RedisServer) Log() string { return s.log(0) }

func newRedis(args []string) (*RedisServer, error) {
	bin, err := findRedis()
	if err != nil {
		return nil, err
	}
	dir, err := serverDir("redis-")
	if err != nil {
		return nil, err
	}
	password := rand.Text()
	s := &RedisServer{process: &process{name: "Redis", dir: dir, bin: bin, term: syscall.SIGTERM}}
	s.ready = func(pid int) bool { return redisReady(s.Addr, password, pid) }
	err = onFreePort(func(port int) error {
		s.Addr = "127.0.0.1:" + strconv.Itoa(port)
		s.URL = (&url.URL{Scheme: "redis", User: url.UserPassword("default", password), Host: s.Addr, Path: "/0"}).String()
		s.args = append([]string{
			"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--requirepass", password,
			"--dir", dir, "--save", "", "--appendonly", "no", "--daemonize", "no",
		}, args...)
		return s.start()
	})
	if err != nil {
		removeAll(dir)
		return nil, err
	}
	return s, nil
}

// redisReady reports whether the server answers, has loaded its data, and is the process we started. It writes the
// protocol by hand, because the client library would log each refused connection.
func redisReady(addr, password string, pid int) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprintf(conn, "AUTH %s\r\nINFO server\r\nINFO persistence\r\nQUIT\r\n", password); err != nil {
		return false
	}
	answer, _ := io.ReadAll(conn)
	return strings.Contains(string(answer), fmt.Sprintf("\r\nprocess_id:%d\r\n", pid)) &&
		strings.Contains(string(answer), "\r\nloading:0\r\n")
}

func redisClient(url string) (*redis.Client, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New(EnvRedis + " must be a URL like redis://user:password@host:6379")
	}
	options.MaxRetries, options.DialerRetries = -1, 1 // callers that wait for a server retry by themselves
	options.ContextTimeoutEnabled = true
	options.PoolSize = 1
	return redis.NewClient(options), nil
}

// leaseTTL is how long a database stays reserved for a test that was killed.
const leaseTTL = 20 * time.Minute

// Redis returns the URL of an empty database on a shared server. No other test gets that database until this test ends.
// Databases do not separate publish/subscribe: a test that must not receive the messages of others needs its own
// channels, or StartRedis. A test must not call FLUSHALL here.
func Redis(t testing.TB) string {
	t.Helper()
	server := os.Getenv(EnvRedis)
	if server == "" {
		r, err := sharedRedis()
		if err != nil {
			t.Fatalf("no Redis for the tests: %v", err)
		}
		server = r.URL
	}
	target, release, err := leaseRedis(server)
	if err != nil {
		t.Fatalf("find an empty Redis database for the test: %v", err)
	}
	t.Cleanup(func() {
		if err := release(); err != nil {
			t.Errorf("give back the test's Redis database: %v", err)
		}
	})
	return target
}

// leaseRedis reserves an empty database of a server. Keys in database 0 say which databases are reserved, for all
// processes. A database that is not empty is left alone, because it may hold real data.
func leaseRedis(server string) (target string, release func() error, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	admin, err := redisClient(server)
	if err != nil {
		return "", nil, err
	}
	defer admin.Close()
	databases := 16 // the default of Redis, for servers that refuse CONFIG GET
	if conf, err := admin.ConfigGet(ctx, "databases").Result(); err == nil {
		if n, err := strconv.Atoi(conf["databases"]); err == nil {
			databases = n
		}
	}
	u, err := url.Parse(server)
	if err != nil {
		return "", nil, err
	}
	u.Path = "/0"
	zero, err := redisClient(u.String())
	if err != nil {
		return "", nil, err
	}
	defer zero.Close()

	for ; ; time.Sleep(100 * time.Millisecond) {
		for _, n := range mathrand.Perm(max(databases-1, 0)) {
			key := fmt.Sprintf("windlass-test-database:%d", n+1)
			token := rand.Text()
			if err := zero.SetArgs(ctx, key, token, redis.SetArgs{Mode: "NX", TTL: leaseTTL}).Err(); errors.Is(err, redis.Nil) {
				continue // reserved by another test
			} else if err != nil {
				return "", nil, err
			}
			u.Path = "/" + strconv.Itoa(n+1)
			target = u.String()
			if empty, err := redisEmpty(ctx, target); err != nil {
				return "", nil, err
			} else if !empty {
				continue // it stays reserved, so that no test tries it again soon
			}
			zeroURL := *u
			zeroURL.Path = "/0"
			return target, func() error { return releaseRedis(zeroURL.String(), target, key) }, nil
		}
		if ctx.Err() != nil {
			return "", nil, fmt.Errorf("none of the %d databases is free and empty", databases)
		}
	}
}

func redisEmpty(ctx context.Context, target string) (bool, error) {
	client, err := redisClient(target)
	if err != nil {
		return false, err
	}
	defer client.Close()
	size, err := client.DBSize(ctx).Result()
	return size == 0, err
}

// releaseRedis empties a reserved database and ends its reservation.
func releaseRedis(zeroURL, target, key string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := redisClient(target)
	if err != nil {
		return err
	}
	defer client.Close()
	zero, err := redisClient(zeroURL)
	if err != nil {
		return err
	}
	defer zero.Close()
	return errors.Join(client.FlushDB(ctx).Err(), zero.Del(ctx, key).Err())
}
