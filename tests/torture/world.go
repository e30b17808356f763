package torture

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/windlass-jobs/windlass/tests/servers"
	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// Setup describes the system under torture.
type Setup struct {
	Bin     string        // folder of the programs, see Build
	Dir     string        // folder for logs and histories
	Workers int           // number of worker processes
	APIs    int           // number of api processes
	Slots   int           // WORKER_CONCURRENCY of each worker
	TTL     time.Duration // LEASE_TTL
	Env     []string      // more environment for every process, for the removable guards

	Programs Programs // how the programs in Bin were built
	Disks    bool     // give each server its own disk that can be filled, where the machine allows it

	postgresEnv map[string]string // environment of PostgreSQL only
}

// world is the system under torture: servers, links, processes.
type world struct {
	Setup
	postgres *servers.PostgresServer
	redis    *servers.RedisServer
	database string // URL, not through a link
	// The servers' own disks; nil without them.
	postgresDisk, redisDisk, dataDisk *disk
	diskless                          error // why there are no disks
	embedded                          bool  // one process in the one-process mode, no servers
	links                             []*link
	workers                           []*place
	apis                              []*place
	events                            *history.Log // written by client and nemesis

	adminMu sync.Mutex
	admin   *pgx.Conn

	mu       sync.Mutex
	problems []string // errors of the torture itself, and errors of processes that no fault explains
}

// place is a process with its links to the servers. The program in it can end and start again.
type place struct {
	*program
	postgres, redis *link
	url             string // set for an api
}

// newWorld starts the system. Everything ends with the test.
func newWorld(t testing.TB, set Setup) (*world, error) {
	w := &world{Setup: set}
	for name, value := range set.postgresEnv { // a server inherits our environment
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	conf := []string{"max_connections=90", "log_min_messages=fatal"}
	if set.Disks {
		// With these settings PostgreSQL soon needs a new log file, for which a full disk has no room. A disk in memory has
		// no delay, so commits would hardly ever share a write. commit_delay makes one backend write for several others, and
		// we want to see what happens to them when that backend fails.
		conf = append(conf, "min_wal_size=32MB", "max_wal_size=256MB", "wal_recycle=off", "commit_delay=2000",
			"commit_siblings=1")
	}
	w.postgres = servers.StartPostgres(t, conf...)
	for name := range set.postgresEnv {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(set.Dir, 0o755); err != nil {
		return nil, err
	}
	if set.Disks {
		if err := w.mountDisks(t); err != nil {
			w.diskless = err
		}
	}
	if w.redisDisk != nil {
		w.redis = servers.StartRedis(t, "--dir", w.redisDisk.dir, "--appendonly", "yes", "--appendfsync", "everysec")
	} else {
		w.redis = servers.StartRedis(t)
	}
	w.database = w.postgres.Database(t)
	var err error
	if w.events, err = history.Open(filepath.Join(set.Dir, "client.jsonl")); err != nil {
		return nil, err
	}
	t.Cleanup(w.end)
	for i := range set.APIs {
		p, err := w.place(fmt.Sprintf("api%d", i+1), "api")
		if err != nil {
			return nil, err
		}
		if err := p.listen(); err != nil {
			return nil, err
		}
		w.apis = append(w.apis, p)
	}
	for i := range set.Workers {
		p, err := w.place(fmt.Sprintf("worker%d", i+1), "worker")
		if err != nil {
			return nil, err
		}
		p.env = append(p.env, fmt.Sprintf("WORKER_CONCURRENCY=%d", set.Slots), "SHUTDOWN_TIMEOUT=1s")
		w.workers = append(w.workers, p)
	}
	for _, p := range w.all() {
		if err := p.start(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// place creates a process and its links, without starting the process.
func (w *world) place(name, program string) (*place, error) {
	p := &place{}
	var err error
	if p.postgres, err = newLink(name+"-postgres", w.postgres.Addr); err != nil {
		return nil, err
	}
	w.links = append(w.links, p.postgres)
	if p.redis, err = newLink(name+"-redis", w.redis.Addr); err != nil {
		return nil, err
	}
	w.links = append(w.links, p.redis)
	database, err := p.postgres.through(w.database)
	if err != nil {
		return nil, err
	}
	queue, err := p.redis.through(w.redis.URL)
	if err != nil {
		return nil, err
	}
	p.program = startable(w.Setup, name, program)
	p.env = append(p.env, "DATABASE_URL="+database, "REDIS_URL="+queue)
	return p, nil
}

// listen gives an api a port. It keeps this port over restarts.
func (p *place) listen() error {
	port, err := servers.FreePort()
	if err != nil {
		return err
	}
	p.url = "http://127.0.0.1:" + strconv.Itoa(port)
	p.env = append(p.env, "PORT="+strconv.Itoa(port), "LOG_LEVEL=warn", "LOG_FORMAT=json", "SHUTDOWN_TIMEOUT=3s")
	return nil
}

func startable(set Setup, name, bin string) *program {
	return &program{
		name: name, bin: filepath.Join(set.Bin, bin), dir: set.Dir,
		env: append([]string{"LEASE_TTL=" + set.TTL.String()}, set.Env...),
	}
}

func (w *world) all() []*place { return append(append([]*place(nil), w.apis...), w.workers...) }

// end kills all processes and closes all links.
func (w *world) end() {
	for _, p := range w.all() {
		p.kill()
	}
	for _, l := range w.links {
		l.close()
	}
	w.adminMu.Lock()
	defer w.adminMu.Unlock()
	if w.admin != nil {
		_ = w.admin.Close(context.Background())
	}
	_ = w.events.Close()
}

// sql runs a statement as the administrator, not through a link.
func (w *world) sql(ctx context.Context, sql string, args ...any) error {
	return w.asAdmin(ctx, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, sql, args...)
		return err
	})
}

// scalar reads one value, not through a link.
func (w *world) scalar(ctx context.Context, sql string, into any, args ...any) error {
	return w.asAdmin(ctx, func(c *pgx.Conn) error { return c.QueryRow(ctx, sql, args...).Scan(into) })
}

func (w *world) asAdmin(ctx context.Context, do func(*pgx.Conn) error) error {
	w.adminMu.Lock()
	defer w.adminMu.Unlock()
	if w.admin == nil || w.admin.IsClosed() {
		conn, err := pgx.Connect(ctx, w.database)
		if err != nil {
			return err
		}
		w.admin = conn
	}
	return do(w.admin)
}

// redisDo runs commands in Redis, not through a link.
func (w *world) redisDo(ctx context.Context, do func(c *redis.Client) error) error {
	options, err := redis.ParseURL(w.redis.URL)
	if err != nil {
		return err
	}
	options.MaxRetries, options.DialTimeout, options.ReadTimeout = -1, 500*time.Millisecond, time.Second
	c := redis.NewClient(options)
	defer c.Close()
	return do(c)
}

// problem records an error that no fault explains.
func (w *world) problem(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}
