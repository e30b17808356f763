package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/windlass-jobs/windlass/tests/bench/usage"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// host holds the PostgreSQL and the Redis that everything is measured on. Both are removed at the end.
type host struct {
	postgres *servers.PostgresServer
	admin    *pgx.Conn // to the maintenance database
	redis    *redis.Client
	redisURL string
	redisPID int
	keeper   *keeper

	database string // of the current run
	made     int    // number of databases so far
}

// postgresSettings make checkpoints rare, so that no run pays for the checkpoint of another. All settings of durability
// have their defaults: fsync, synchronous_commit and full_page_writes are on.
var postgresSettings = []string{
	"max_connections=200", "shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=30min",
}

// startHost starts both servers. redisArgs are arguments of redis-server, conf are settings of PostgreSQL.
func startHost(ctx context.Context, redisArgs []string, conf ...string) (h *host, err error) {
	h = &host{keeper: &keeper{}}
	defer func() {
		if r := recover(); r != nil {
			failure, ours := r.(startFailure)
			if !ours {
				panic(r)
			}
			h.keeper.clean()
			err = failure
		}
	}()
	h.postgres = servers.StartPostgres(h.keeper, append(postgresSettings, conf...)...)
	r := servers.StartRedis(h.keeper, redisArgs...)
	h.redisURL = r.URL
	if h.admin, err = pgx.Connect(ctx, h.postgres.URL); err != nil {
		return nil, err
	}
	options, err := redis.ParseURL(r.URL)
	if err != nil {
		return nil, err
	}
	h.redis = redis.NewClient(options)
	h.redisPID, err = strconv.Atoi(h.info(ctx, "process_id"))
	return h, err
}

func (h *host) close() {
	if h.admin != nil {
		h.admin.Close(context.Background())
	}
	if h.redis != nil {
		h.redis.Close()
	}
	h.keeper.clean()
}

// info returns one value from Redis' INFO.
func (h *host) info(ctx context.Context, name string) string {
	text, _ := h.redis.Info(ctx, "everything").Result()
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && key == name {
			return value
		}
	}
	return ""
}

// fresh removes the data of the previous run. It creates an empty database, empties Redis, and returns the database's
// URL.
func (h *host) fresh(ctx context.Context) (string, error) {
	if err := h.drop(ctx); err != nil {
		return "", err
	}
	if err := h.redis.FlushAll(ctx).Err(); err != nil {
		return "", err
	}
	// The allocator must give back the memory of the previous run, else the memory of two runs cannot be compared.
	if err := h.redis.Do(ctx, "MEMORY", "PURGE").Err(); err != nil {
		return "", err
	}
	h.made++
	h.database = fmt.Sprintf("bench_%d", h.made)
	if _, err := h.admin.Exec(ctx, "CREATE DATABASE "+h.database+" TEMPLATE template0"); err != nil {
		return "", err
	}
	return h.url(), nil
}

func (h *host) drop(ctx context.Context) error {
	if h.database == "" {
		return nil
	}
	_, err := h.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+h.database+" WITH (FORCE)")
	h.database = ""
	return err
}

// url is the URL of the current run's database.
func (h *host) url() string {
	u, err := url.Parse(h.postgres.URL)
	if err != nil {
		panic(err) // we have just connected to it
	}
	u.Path = "/" + h.database
	return u.String()
}

// settle prepares PostgreSQL for a measure: it vacuums and analyses all tables, writes a checkpoint, and waits until no
// other backend is active.
func (h *host) settle(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, h.url())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "VACUUM (ANALYZE)"); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "CHECKPOINT"); err != nil {
		return err
	}
	deadline := time.Now().Add(time.Minute)
	for {
		var busy int
		err := conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND
			(backend_type = 'autovacuum worker' OR backend_type = 'client backend' AND state = 'active')`).Scan(&busy)
		if err != nil || busy == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d backends of PostgreSQL are still active after a minute", busy)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// mark is what the servers have used so far.
type mark struct {
	cpu         time.Duration // of both
	redisMemory float64       // bytes
	tables      float64       // bytes, including indexes
}

func (h *host) mark(ctx context.Context, sizes bool) (m mark, err error) {
	for _, pid := range []int{h.postgres.Pids()[0], h.redisPID} {
		used, err := usage.Tree(pid)
		if err != nil {
			return m, err
		}
		m.cpu += used
	}
	if !sizes { // asking costs CPU time
		return m, nil
	}
	if m.redisMemory, err = strconv.ParseFloat(h.info(ctx, "used_memory"), 64); err != nil {
		return m, err
	}
	conn, err := pgx.Connect(ctx, h.url())
	if err != nil {
		return m, err
	}
	defer conn.Close(ctx)
	return m, conn.QueryRow(ctx, `SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::float8 FROM pg_class
		WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`).Scan(&m.tables)
}

// keeper takes the place of a test, so that this program can use the package servers. It ends the servers in clean.
type keeper struct {
	testing.TB // nil: the methods that are not overridden below are never called
	cleanups   []func()
}

// startFailure is the panic of Fatalf: a server could not be started.
type startFailure string

func (f startFailure) Error() string { return string(f) }

func (k *keeper) Helper()                      {}
func (k *keeper) Cleanup(f func())             { k.cleanups = append(k.cleanups, f) }
func (k *keeper) Fatalf(text string, a ...any) { panic(startFailure(fmt.Sprintf(text, a...))) }
func (k *keeper) Error(a ...any)               { fmt.Fprintln(os.Stderr, a...) }

func (k *keeper) clean() {
	for i := len(k.cleanups) - 1; i >= 0; i-- {
		k.cleanups[i]()
	}
	k.cleanups = nil
}
