package torture

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/windlass-jobs/windlass/tests/torture/recording"
)

// lanes are all faults.
func lanes() []lane {
	return []lane{
		{"processes", 1200 * time.Millisecond, []fault{
			{"worker killed", 6, workerKilled}, {"worker frozen", 4, workerFrozen}, {"worker replaced", 3, workerReplaced},
			{"api killed", 4, apiKilled}, {"api frozen", 2, apiFrozen}, {"poison job", 1, poisonJob},
		}},
		{"postgres", 5 * time.Second, []fault{
			{"postgres crashed", 3, postgresCrashed}, {"postgres killed", 2, postgresKilled}, {"postgres frozen", 3, postgresFrozen},
			{"backends terminated", 5, backendsTerminated}, {"table locked", 2, tableLocked}, {"connections exhausted", 2, connectionsExhausted},
			{"disk full", 2, diskFull},
		}},
		{"redis", 1500 * time.Millisecond, []fault{
			{"redis flushed", 5, redisFlushed}, {"redis killed", 3, redisKilled}, {"redis frozen", 3, redisFrozen},
			{"redis out of memory", 3, redisOutOfMemory}, {"scripts flushed", 2, scriptsFlushed}, {"clients of redis cut off", 3, redisClientsKilled},
		}},
		{"links", 700 * time.Millisecond, []fault{
			{"latency", 3, slowLink}, {"blackhole", 3, blackhole}, {"reset", 4, resetLink}, {"answer cut off", 8, answerCut},
			{"request cut off", 3, requestCut}, {"sliced", 2, sliced}, {"worker cut off from everything", 2, workerCutOff},
		}},
	}
}

// Processes.

func workerKilled(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.workers)
	p.kill()
	return between(dice, 100*time.Millisecond, 1500*time.Millisecond), func() { n.revive(p) }
}

// workerFrozen is longer than the lease, so that others get its jobs and its own results come too late.
func workerFrozen(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.workers)
	p.freeze()
	return n.TTL + between(dice, 0, 2*n.TTL), p.thaw
}

// workerReplaced stops a worker in order, and starts one of an older release that does not know the newest job type.
func workerReplaced(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.workers)
	if err := p.terminate(30 * time.Second); err != nil {
		n.problem("orderly stop: %v", err)
	}
	if dice.IntN(2) == 0 {
		n.revive(p)
		return 0, nil
	}
	var older []string
	for _, t := range recording.Types {
		if t != recording.Newest {
			older = append(older, t)
		}
	}
	n.revive(p, "TORTURE_TYPES="+strings.Join(older, ","))
	return between(dice, time.Second, 4*time.Second), func() {
		if err := p.terminate(30 * time.Second); err != nil {
			n.problem("orderly stop: %v", err)
		}
		n.revive(p)
	}
}

func apiKilled(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.apis)
	p.kill()
	return between(dice, 100*time.Millisecond, time.Second), func() { n.revive(p) }
}

func apiFrozen(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.apis)
	p.freeze()
	return between(dice, time.Second, 4*time.Second), p.thaw
}

func poisonJob(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	ctx, cancel := soon()
	defer cancel()
	n.client.poison(ctx, dice)
	return 0, nil
}

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
	ctx, cancel := soon()
	defer cancel()
	_ = n.sql(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'windlass-%'`)
	return 0, nil
}

// session opens a connection of the nemesis's own.
func (n *nemesis) session() *pgx.Conn {
	ctx, cancel := soon()
	defer cancel()
	conn, err := pgx.Connect(ctx, n.database)
	if err != nil {
		return nil
	}
	return conn
}

func hangUp(conns ...*pgx.Conn) {
	ctx, cancel := soon()
	defer cancel()
	for _, c := range conns {
		_ = c.Close(ctx)
	}
}

func tableLocked(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	conn := n.session()
	if conn == nil {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = conn.Exec(ctx, `BEGIN; LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE`)
	return between(dice, time.Second, 6*time.Second), func() { hangUp(conn) }
}

// connectionsExhausted cuts everybody off and takes all the connections there are.
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
	return between(dice, time.Second, 3*time.Second), func() { hangUp(conns...) }
}

// diskFull keeps files from growing past a limit: a write beyond it fails, as on a full disk. Tables can grow no further then, and where
// PostgreSQL's own log is hit the server ends itself, which is what it does when a disk is really full.
func diskFull(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	if err := limitFiles(n.postgres.Pids(), fullAt); err != nil {
		return 0, nil
	}
	return between(dice, time.Second, 4*time.Second), func() {
		_ = limitFiles(n.postgres.Pids(), unlimited)
		for range 10 { // it may be recovering
			if conn := n.session(); conn != nil {
				hangUp(conn)
				return
			}
			time.Sleep(200 * time.Millisecond)
		}
		n.postgres.Crash()
		n.postgres.Start()
	}
}

// Redis.

func (n *nemesis) tellRedis(do func(ctx context.Context, c *redis.Client) error) {
	ctx, cancel := soon()
	defer cancel()
	_ = n.redisDo(ctx, func(c *redis.Client) error { return do(ctx, c) })
}

func redisFlushed(n *nemesis, _ *rand.Rand) (time.Duration, func()) {
	n.tellRedis(func(ctx context.Context, c *redis.Client) error { return c.FlushAll(ctx).Err() })
	return 0, nil
}

func redisKilled(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	n.redis.Kill()
	return between(dice, 100*time.Millisecond, 4*time.Second), n.redis.Start
}

func redisFrozen(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	n.redis.Pause()
	return between(dice, 500*time.Millisecond, 4*time.Second), n.redis.Resume
}

func redisOutOfMemory(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	n.tellRedis(func(ctx context.Context, c *redis.Client) error { return c.ConfigSet(ctx, "maxmemory", "1000").Err() })
	return between(dice, time.Second, 4*time.Second), func() {
		n.tellRedis(func(ctx context.Context, c *redis.Client) error { return c.ConfigSet(ctx, "maxmemory", "0").Err() })
	}
}

func scriptsFlushed(n *nemesis, _ *rand.Rand) (time.Duration, func()) {
	n.tellRedis(func(ctx context.Context, c *redis.Client) error { return c.ScriptFlush(ctx).Err() })
	return 0, nil
}

func redisClientsKilled(n *nemesis, _ *rand.Rand) (time.Duration, func()) {
	n.tellRedis(func(ctx context.Context, c *redis.Client) error {
		return c.ClientKillByFilter(ctx, "TYPE", "normal", "SKIPME", "yes").Err()
	})
	return 0, nil
}

// Links.

// ail adds a toxic to a link for a while.
func (n *nemesis) ail(l *link, lasts time.Duration, t toxic) (time.Duration, func()) {
	heal, err := l.poison(t)
	if err != nil {
		n.problem("%v", err)
		return 0, nil
	}
	return lasts, heal
}

var streams = []string{"upstream", "downstream"}

func slowLink(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.ail(one(dice, n.links), between(dice, time.Second, 4*time.Second), toxic{"latency", one(dice, streams), map[string]int64{
		"latency": 20 + dice.Int64N(400), "jitter": dice.Int64N(200),
	}})
}

// blackhole swallows everything, and leaves the connections open.
func blackhole(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.ail(one(dice, n.links), between(dice, 500*time.Millisecond, 2*n.TTL), toxic{"timeout", one(dice, streams), map[string]int64{"timeout": 0}})
}

func resetLink(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.ail(one(dice, n.links), between(dice, 50*time.Millisecond, 500*time.Millisecond), toxic{"reset_peer", "upstream", map[string]int64{"timeout": dice.Int64N(50)}})
}

// answerCut cuts connections in the middle of what the server says: the request is carried out, and its answer lost.
func answerCut(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	l := one(dice, n.all()).postgres // it is there that answers matter
	return n.ail(l, between(dice, 100*time.Millisecond, time.Second), toxic{"limit_data", "downstream", map[string]int64{"bytes": 1 + dice.Int64N(6000)}})
}

func requestCut(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.ail(one(dice, n.links), between(dice, 100*time.Millisecond, time.Second), toxic{"limit_data", "upstream", map[string]int64{"bytes": 1 + dice.Int64N(6000)}})
}

// sliced delivers everything in small pieces.
func sliced(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	return n.ail(one(dice, n.links), between(dice, time.Second, 2*time.Second), toxic{"slicer", one(dice, streams), map[string]int64{
		"average_size": 40, "size_variation": 20, "delay": 200,
	}})
}

// workerCutOff makes a worker a zombie that knows nothing of it: it runs on, and its lease runs out.
func workerCutOff(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := one(dice, n.workers)
	lasts := n.TTL + between(dice, 0, 2*n.TTL)
	_, a := n.ail(p.postgres, lasts, toxic{"timeout", "upstream", map[string]int64{"timeout": 0}})
	_, b := n.ail(p.redis, lasts, toxic{"timeout", "upstream", map[string]int64{"timeout": 0}})
	return lasts, func() {
		if a != nil {
			a()
		}
		if b != nil {
			b()
		}
	}
}
