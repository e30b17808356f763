package torture

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// PostgreSQL.

func postgresCrashed(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	n.postgres.Crash()
	return between(dice, 100*time.Millisecond, 2*time.Second), n.postgres.Start
}

func postgresKilled(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	n.postgres.Kill()
	return between(dice, 100*time.Millisecond, 2*time.Second), n.postgres.Start
}

func postgresFrozen(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	n.postgres.Pause()
	return between(dice, 500*time.Millisecond, 4*time.Second), n.postgres.Resume
}

func backendsTerminated(n *nemesis, _ *rand.Rand) (time.Duration, func()) {
	ctx, cancel := shortTimeout()
	defer cancel()
	_ = n.sql(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'windlass-%'`)
	return 0, nil
}

// session opens a connection for the nemesis, or returns nil.
func (n *nemesis) session() *pgx.Conn {
	ctx, cancel := shortTimeout()
	defer cancel()
	conn, err := pgx.Connect(ctx, n.database)
	if err != nil {
		return nil
	}
	return conn
}

func closeConns(conns ...*pgx.Conn) {
	ctx, cancel := shortTimeout()
	defer cancel()
	for _, c := range conns {
		_ = c.Close(ctx)
	}
}

func tableLocked(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	conn := n.session()
	if conn == nil {
		return notDone, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = conn.Exec(ctx, `BEGIN; LOCK TABLE windlass.jobs IN ACCESS EXCLUSIVE MODE`)
	return between(dice, time.Second, 6*time.Second), func() { closeConns(conn) }
}

// connectionsExhausted closes all connections and takes every free connection.
func connectionsExhausted(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	var conns []*pgx.Conn
	for range 120 {
		c := n.session()
		if c == nil {
			break
		}
		conns = append(conns, c)
	}
	backendsTerminated(n, dice)
	for range 60 {
		c := n.session()
		if c == nil {
			break
		}
		conns = append(conns, c)
	}
	return between(dice, time.Second, 3*time.Second), func() { closeConns(conns...) }
}

// postgresDiskFull leaves no room on PostgreSQL's disk. Tables cannot grow then. When the write-ahead log needs a new
// file, the server ends, and cannot recover before there is room again. Half of the time we make it need one at once.
func postgresDiskFull(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	if err := n.postgresDisk.fill(); err != nil {
		n.problem("fill the disk of postgres: %v", err)
		return notDone, nil
	}
	if dice.IntN(2) == 0 {
		ctx, cancel := shortTimeout()
		defer cancel()
		_ = n.sql(ctx, `SELECT pg_switch_wal()`)
	}
	return between(dice, time.Second, 4*time.Second), func() {
		if err := n.postgresDisk.clear(); err != nil {
			n.problem("clear the disk of postgres: %v", err)
		}
		n.recovered()
	}
}

// filesLimited limits the size of PostgreSQL's files, if there is no disk that can be filled. A write beyond the limit
// fails in a similar way.
func filesLimited(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	if err := limitFiles(n.postgres.Pids(), fullAt); err != nil {
		if !errors.Is(err, errors.ErrUnsupported) {
			n.problem("limit the files of postgres: %v", err)
		}
		return notDone, nil
	}
	return between(dice, time.Second, 4*time.Second), func() {
		_ = limitFiles(n.postgres.Pids(), unlimited)
		n.recovered()
	}
}

// recovered waits until PostgreSQL has recovered. If it has ended, it is started again.
func (n *nemesis) recovered() {
	for range 10 {
		if conn := n.session(); conn != nil {
			closeConns(conn)
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	n.postgres.Crash()
	n.postgres.Start()
}

// Redis.

func (n *nemesis) onRedis(do func(ctx context.Context, c *redis.Client) error) {
	ctx, cancel := shortTimeout()
	defer cancel()
	_ = n.redisDo(ctx, func(c *redis.Client) error { return do(ctx, c) })
}

func redisFlushed(n *nemesis, _ *rand.Rand) (time.Duration, func()) {
	n.onRedis(func(ctx context.Context, c *redis.Client) error { return c.FlushAll(ctx).Err() })
	return 0, nil
}

func redisKilled(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	n.redis.Kill()
	// It restarts without data. If it keeps a file, it restarts half of the time with old hints.
	if n.redisDisk != nil && dice.IntN(2) == 0 {
		files, _ := filepath.Glob(filepath.Join(n.redisDisk.dir, "*"))
		for _, f := range files {
			_ = os.RemoveAll(f)
		}
	}
	return between(dice, 100*time.Millisecond, 4*time.Second), n.redis.Start
}

// redisDiskFull leaves no room on Redis' disk. Redis then refuses every write until there is room.
func redisDiskFull(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	if err := n.redisDisk.fill(); err != nil {
		n.problem("fill the disk of redis: %v", err)
		return notDone, nil
	}
	return between(dice, time.Second, 4*time.Second), func() {
		if err := n.redisDisk.clear(); err != nil {
			n.problem("clear the disk of redis: %v", err)
		}
	}
}

func redisFrozen(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	n.redis.Pause()
	return between(dice, 500*time.Millisecond, 4*time.Second), n.redis.Resume
}

func redisOutOfMemory(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	n.onRedis(func(ctx context.Context, c *redis.Client) error { return c.ConfigSet(ctx, "maxmemory", "1000").Err() })
	return between(dice, time.Second, 4*time.Second), func() {
		n.onRedis(func(ctx context.Context, c *redis.Client) error { return c.ConfigSet(ctx, "maxmemory", "0").Err() })
	}
}

func scriptsFlushed(n *nemesis, _ *rand.Rand) (time.Duration, func()) {
	n.onRedis(func(ctx context.Context, c *redis.Client) error { return c.ScriptFlush(ctx).Err() })
	return 0, nil
}

func redisClientsKilled(n *nemesis, _ *rand.Rand) (time.Duration, func()) {
	n.onRedis(func(ctx context.Context, c *redis.Client) error {
		return c.ClientKillByFilter(ctx, "TYPE", "normal", "SKIPME", "yes").Err()
	})
	return 0, nil
}
