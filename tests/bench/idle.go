package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/tests/bench/report"
)

// measureIdle measures one api and three workers that have nothing to do, with their default settings.
func (b *bench) measureIdle(ctx context.Context, _ group, round int) error {
	began := time.Now()
	values, err := b.idle(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	b.progress(round, "idle", "Windlass", time.Since(began), err)
	if err != nil {
		b.table.Fail("Windlass", "idle", err.Error())
		return nil
	}
	for _, v := range values {
		b.table.Add("Windlass", "one api, three workers, default settings", v)
	}
	return nil
}

func (b *bench) idle(ctx context.Context) ([]report.Value, error) {
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	// This measure has its own servers: counting statements costs CPU time, which must not affect the other measures.
	h, err := startHost(ctx, nil, "shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track=all")
	if err != nil {
		return nil, err
	}
	defer h.close()
	if _, err := h.admin.Exec(ctx, "CREATE EXTENSION pg_stat_statements"); err != nil {
		return nil, fmt.Errorf("create the extension pg_stat_statements, which is part of the server's package: %w", err)
	}
	if _, err := h.fresh(ctx); err != nil {
		return nil, err
	}
	var services []*service
	for _, name := range []string{"api", "worker", "worker", "worker"} {
		s, err := b.startService(ctx, h, name)
		if err != nil {
			return nil, err
		}
		defer s.kill()
		services = append(services, s)
	}
	rest, window := 5*time.Second, 20*time.Second
	if b.quick {
		window = 4 * time.Second
	}
	// After the start the processes register and elect the one that does the maintenance. That is not idle.
	if err := pause(ctx, rest); err != nil {
		return nil, err
	}
	before, err := h.activity(ctx, services)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, window); err != nil {
		return nil, err
	}
	after, err := h.activity(ctx, services)
	if err != nil {
		return nil, err
	}
	seconds := after.at.Sub(before.at).Seconds()
	var values []report.Value
	add := func(name, unit string, amount float64) {
		values = append(values, report.Value{
			Row: "idle: " + name, Unit: unit, Lower: true, Number: amount / seconds, CPU: report.NoCPU(),
		})
	}
	add("SQL statements", "/s", after.statements-before.statements)
	add("commits", "/s", after.commits-before.commits)
	add("Redis commands", "/s", after.commands-before.commands)
	add("CPU of one api and three workers", "% of a core", 100*(after.services-before.services).Seconds())
	add("CPU of PostgreSQL and Redis", "% of a core", 100*(after.servers-before.servers).Seconds())
	return values, nil
}

// activity is what the servers and services have done so far.
type activity struct {
	at                            time.Time
	statements, commits, commands float64
	services, servers             time.Duration // CPU
}

// activity reads the counters. Its own statements and commands are left out where they would be counted.
func (h *host) activity(ctx context.Context, services []*service) (a activity, err error) {
	a.at = time.Now()
	err = h.admin.QueryRow(ctx, `SELECT
		(SELECT coalesce(sum(s.calls), 0)::float8 FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
			WHERE d.datname = $1),
		(SELECT xact_commit::float8 FROM pg_stat_database WHERE datname = $1)`, h.database).Scan(&a.statements, &a.commits)
	if err != nil {
		return a, err
	}
	stats, err := h.redis.Info(ctx, "commandstats").Result()
	if err != nil {
		return a, err
	}
	a.commands = redisCalls(stats)
	m, err := h.mark(ctx, false)
	if err != nil {
		return a, err
	}
	a.servers = m.cpu
	for _, s := range services {
		used, e := s.used()
		a.services += used
		err = errors.Join(err, e)
	}
	return a, err
}

// redisCalls adds up the calls in INFO commandstats, including calls from scripts, but without INFO itself. A line is
// like "cmdstat_get:calls=21,usec=175,…".
func redisCalls(stats string) (calls float64) {
	for line := range strings.Lines(stats) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), ":calls=")
		if !ok || name == "cmdstat_info" {
			continue
		}
		digits, _, _ := strings.Cut(rest, ",")
		if n, err := strconv.ParseFloat(digits, 64); err == nil {
			calls += n
		}
	}
	return calls
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
