package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store/postgres"
	"github.com/windlass-jobs/windlass/tests/bench/child"
	"github.com/windlass-jobs/windlass/tests/bench/report"
)

// question is a request that people or Prometheus make. ask returns how long the answer takes.
type question struct {
	name string
	ask  func(ctx context.Context) (time.Duration, error)
}

// measureReads reads from the api over HTTP, with millions of rows in the table: first while nothing else happens, then
// while a worker drains a backlog as fast as it can.
func (b *bench) measureReads(ctx context.Context, g group, round int) error {
	began := time.Now()
	err := b.reads(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	b.progress(round, g.name, "Windlass", time.Since(began), err)
	if err != nil {
		b.table.Fail("Windlass", g.name, err.Error())
	}
	return nil
}

func (b *bench) reads(ctx context.Context) error {
	if err := b.build(ctx); err != nil {
		return err
	}
	database, err := b.host.fresh(ctx)
	if err != nil {
		return err
	}
	// The backlog must last longer than the questions.
	rows, backlog := b.size(5_000_000), b.size(400_000)
	args := []string{"-jobs=" + strconv.Itoa(backlog), "-history=" + strconv.Itoa(rows)}
	environ := []string{child.EnvDatabase + "=" + database, child.EnvRedis + "=" + b.host.redisURL, collector("windlass")}
	if _, err := b.follow(ctx, b.command("windlass", "load", args), environ, false); err != nil {
		return fmt.Errorf("insert %d rows: %w", rows, err)
	}
	api, err := b.startService(ctx, b.host, "api")
	if err != nil {
		return err
	}
	defer api.kill()
	store, err := postgres.Open(ctx, postgres.Options{URL: database})
	if err != nil {
		return err
	}
	defer store.Close()
	if err := b.host.settle(ctx); err != nil {
		return err
	}
	page := func(name, path string) question {
		return question{name, func(ctx context.Context) (time.Duration, error) { return get(ctx, api.url+path) }}
	}
	questions := []question{
		page("list, first page", "/jobs"),
		page("list, one type and state", "/jobs?type=noop&state=completed"),
		page("list, failed", "/jobs?status=failed"),
		page("metrics (counted every few seconds)", "/metrics"),
		{"counting everything", func(ctx context.Context) (time.Duration, error) {
			began := time.Now()
			_, err := store.Stats(ctx)
			return time.Since(began), err
		}},
	}
	settings := fmt.Sprintf("%s finished jobs and %s waiting ones in the table", count(rows), count(backlog))
	if err := b.ask(ctx, questions, "idle", settings, nil); err != nil {
		return err
	}

	worker, err := start(ctx, b.command("windlass", "drain", append(args, "-loaded=true")), environ)
	if err != nil {
		return err
	}
	defer worker.kill()
	begun, drained, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		for line := range worker.lines {
			switch line {
			case "begin":
				close(begun)
				worker.answer()
			case "end":
				close(drained)
				worker.answer()
			}
		}
		ended <- worker.wait()
	}()
	select {
	case <-begun:
	case err := <-ended:
		return fmt.Errorf("the worker did not begin: %w", err)
	}
	if err := b.ask(ctx, questions, "while a backlog drains", settings, drained); err != nil {
		return err
	}
	return <-ended // the child has checked that no job was lost
}

// ask asks all questions in turn, until there are enough samples or over is closed.
func (b *bench) ask(ctx context.Context, questions []question, when, settings string, over <-chan struct{}) error {
	samples := 200
	if b.quick {
		samples = 20
	}
	times := make([][]float64, len(questions))
asking:
	for range samples {
		for i, q := range questions {
			select {
			case <-over:
				break asking
			default:
			}
			took, err := q.ask(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			times[i] = append(times[i], float64(took.Microseconds())/1000)
		}
	}
	for i, q := range questions {
		if len(times[i]) < samples/10 {
			return fmt.Errorf("%s %s: only %d answers before the backlog was drained", q.name, when, len(times[i]))
		}
		for _, quantile := range []struct {
			name string
			at   float64
		}{{"p50", 0.5}, {"p99", 0.99}} {
			b.table.Add("Windlass", settings, report.Value{
				Row: fmt.Sprintf("%s, %s, %s", q.name, when, quantile.name), Unit: "ms", Lower: true,
				Number: report.Quantile(times[i], quantile.at), CPU: report.NoCPU(),
			})
		}
	}
	return nil
}
