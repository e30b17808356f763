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

// measureIdle watches one api and three workers with nothing to do, at their default settings.
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
	// Servers of its own: counting statements costs CPU time, which the other measures should not pay.
	h, err := startHost(ctx, nil, "shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track=all")
	if err != nil {
		return nil, err
	}
	defer h.close()
	if _, err := h.admin.Exec(ctx, "CREATE EXTENSION pg_stat_statements"); err != nil {
		return nil, fmt.Errorf("pg_stat_statements, which comes with the server's package: %w", err)
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
	// After their start they still announce themselves and elect who does the chores.
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
		values = append(values, report.Value{Row: "idle: " + name, Unit: unit, Lower: true, Number: amount / seconds, CPU: report.NoCPU()})
	}
	add("SQL statements", "/s", after.statements-before.statements)
	add("commits", "/s", after.commits-before.commits)
	add("Redis commands", "/s", after.commands-before.commands)
	add("CPU of one api and three workers", "% of a core", 100*(after.services-before.services).Seconds())
	add("CPU of PostgreSQL and Redis", "% of a core", 100*(after.servers-before.servers).Seconds())
	return values, nil
}

// activity is what has been done up to a moment.
type activity struct {
	at                            time.Time
	statements, commits, commands float64
	services, servers             time.Duration // CPU
}

// activity leaves out what it does itself, as far as that is counted.
func (h *host) activity(ctx context.Context, services []*service) (a activity, err error) {
	a.at = time.Now()
	err = h.admin.QueryRow(ctx, `SELECT
		(SELECT coalesce(sum(s.calls), 0)::float8 FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = $1),
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

// redisCalls adds up INFO commandstats, those from scripts included, but for INFO itself: lines like "cmdstat_get:calls=21,usec=175,…".
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

// pause waits, unless all is to end.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
