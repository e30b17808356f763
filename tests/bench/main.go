// Command bench compares Windlass with its peers on this machine: River, asynq and BullMQ on PostgreSQL and Redis, River and goqite on SQLite.
//
//	npm ci && go run . [-measure drain,latency] [-systems windlass,river] [-rounds 5] [-long] [-markdown FILE]
//
// It starts servers of its own, durable as they come, and throws them away. Each run is a process of its own on empty servers; the systems take
// turns, in another order in each round. What a run has done is checked in the system's own store. The result is one table of medians.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/windlass-jobs/windlass/tests/bench/child"
	"github.com/windlass-jobs/windlass/tests/bench/report"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// bench is one run of the program.
type bench struct {
	measures []string // empty: all but the long ones
	systems  []string // empty: all
	rounds   int
	window   time.Duration
	quick    bool
	long     bool
	aof      bool
	extra    []string // arguments for every child
	built    bool     // the services are

	self    string // this program
	scratch string
	host    *host
	table   *report.Table
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		os.Exit(child.Main(os.Args[2:]))
	}
	if len(os.Args) == 3 && os.Args[1] == "bare" {
		os.Exit(bare(os.Args[2]))
	}
	b := &bench{}
	measures := flag.String("measure", "", "what to measure, with commas: "+strings.Join(measureNames(), ", ")+" (all but the long ones)")
	systems := flag.String("systems", "", "whom to measure, with commas: windlass, river, asynq, bullmq, goqite (all)")
	markdown := flag.String("markdown", "", "write a page with the table to this file")
	flag.IntVar(&b.rounds, "rounds", 5, "how often each is measured")
	flag.DurationVar(&b.window, "window", 30*time.Second, "how long jobs are submitted and run in \"sustained\"")
	flag.BoolVar(&b.quick, "quick", false, "small counts, to see that it works; the figures mean nothing")
	flag.BoolVar(&b.long, "long", false, "the measures with millions of rows as well (an hour)")
	flag.BoolVar(&b.aof, "aof", false, "let Redis write its append-only file (a fsync each second), for those who keep jobs there")
	extra := flag.String("args", "", "further arguments for those that are measured, to try other settings, such as \"-slots=200 -conns=32\"")
	flag.Parse()
	b.extra = strings.Fields(*extra)
	b.measures, b.systems = list(*measures), list(*systems)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx, *markdown); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func list(text string) []string {
	return slices.DeleteFunc(strings.Split(text, ","), func(s string) bool { return s == "" })
}

// measureNames lists what -measure knows.
func measureNames() (names []string) {
	for _, g := range (&bench{long: true}).plan() {
		if !slices.Contains(names, g.measure) {
			names = append(names, g.measure)
		}
	}
	return names
}

func (b *bench) run(ctx context.Context, markdown string) (err error) {
	for _, m := range b.measures {
		if !slices.Contains(measureNames(), m) {
			return fmt.Errorf("there is no measure %q", m)
		}
	}
	for _, s := range b.systems {
		if labels[s] == "" {
			return fmt.Errorf("there is no system %q", s)
		}
	}
	if b.quick {
		b.window = min(b.window, 2*time.Second)
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.scratch, err = os.MkdirTemp("", "windlass-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.scratch)
	var redisArgs []string
	if b.aof {
		redisArgs = []string{"--appendonly", "yes"}
	}
	if b.host, err = startHost(ctx, redisArgs); err != nil {
		return err
	}
	defer servers.StopShared() // removes the folder that all servers wrote to
	defer b.host.close()
	b.table = &report.Table{Reference: "Windlass", Order: []string{
		"Windlass", "River", "River (1,000 a call)", "River (5,000 a call)", "asynq", "BullMQ", "BullMQ (removed)", "BullMQ (kept)",
	}}

	begun := time.Now()
	plan := b.plan()
	for round := range b.rounds {
		for _, g := range plan {
			if err := b.measure(ctx, g, round); err != nil {
				return err
			}
		}
	}
	fmt.Println()
	if err := b.table.Write(os.Stdout); err != nil {
		return err
	}
	if markdown != "" {
		if err := b.page(ctx, markdown, begun); err != nil {
			return err
		}
	}
	if b.table.Failed() {
		return errors.New("not everything could be measured")
	}
	return nil
}

// measure runs a group once for each of its systems, beginning with another one in each round.
func (b *bench) measure(ctx context.Context, g group, round int) error {
	if g.alone != nil {
		if !b.has("windlass") {
			return nil
		}
		return g.alone(ctx, g, round)
	}
	entries := slices.DeleteFunc(slices.Clone(g.entries), func(e entry) bool { return !b.has(e.system) })
	for i := range entries {
		e := entries[(i+round)%len(entries)]
		patient, cancel := context.WithTimeout(ctx, g.patience())
		began := time.Now()
		r, err := b.runChild(patient, e.system, g.child, slices.Concat(e.args, b.extra))
		cancel()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b.progress(round, g.name, e.label, time.Since(began), err)
		if err != nil {
			b.table.Fail(e.label, g.name, err.Error())
			continue
		}
		for _, v := range g.values(e.system, r) {
			b.table.Add(e.label, r.Settings, v)
		}
	}
	return nil
}

// values are the figures of a run.
func (g group) values(system string, r result) []report.Value {
	switch g.child {
	case "latency":
		return []report.Value{
			{Row: g.name + ", p50", Unit: "ms", Lower: true, Number: report.Quantile(r.Latencies, 0.5), CPU: report.NoCPU()},
			{Row: g.name + ", p99", Unit: "ms", Lower: true, Number: report.Quantile(r.Latencies, 0.99), CPU: report.NoCPU()},
		}
	case "queued":
		each := 100_000 / float64(r.Jobs)
		var values []report.Value
		add := func(name string, bytes float64) {
			values = append(values, report.Value{
				Row: name + " for 100,000 queued jobs", Unit: "MB", Lower: true, Number: bytes / 1e6 * each, CPU: report.NoCPU(),
			})
		}
		if system != "river" { // it has nothing there
			add("Redis", r.redis)
		}
		if r.tables > 0 {
			add("tables and indexes", r.tables)
		}
		return values
	case "drain":
		return []report.Value{
			{Row: g.name, Unit: "jobs/s", Number: r.rate(), CPU: r.cpu()},
			{Row: g.name + ": worker's memory", Unit: "MB", Lower: true, Number: r.RSS, CPU: report.NoCPU()},
		}
	}
	return []report.Value{{Row: g.name, Unit: "jobs/s", Number: r.rate(), CPU: r.cpu()}}
}

// progress tells that something goes on.
func (b *bench) progress(round int, row, label string, took time.Duration, err error) {
	outcome := "done"
	if err != nil {
		outcome = "FAILED: " + err.Error()
	}
	fmt.Fprintf(os.Stderr, "round %d of %d  %s  %s: %s in %s\n", round+1, b.rounds, row, label, outcome, took.Round(100*time.Millisecond))
}

// page writes the report.
func (b *bench) page(ctx context.Context, file string, begun time.Time) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(b.table.Markdown(f, "What was measured", b.facts(ctx, begun)), f.Close())
}
