// Command bench compares Windlass with other job systems on this machine: River, asynq and BullMQ on PostgreSQL and
// Redis, River and goqite on SQLite.
//
//	npm ci && go run . [-measure drain,latency] [-systems windlass,river] [-rounds 5] [-long] [-markdown FILE]
//
// It starts its own servers, with their default durability, and removes them at the end. Each run is a new process on
// empty servers. The systems take turns, in a different order in each round. The result of each run is checked against
// the system's own store. The output is one table of medians.
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
	built    bool     // whether the services have been built

	self    string // path of this program
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
	measures := flag.String("measure", "",
		"measures, separated by commas: "+strings.Join(measureNames(), ", ")+" (default: all but the long ones)")
	systems := flag.String("systems", "",
		"systems, separated by commas: windlass, river, asynq, bullmq, goqite (default: all)")
	markdown := flag.String("markdown", "", "write a page with the table to this file")
	flag.IntVar(&b.rounds, "rounds", 5, "number of rounds; each round measures everything once")
	flag.DurationVar(&b.window, "window", 30*time.Second, "length of the measure \"sustained\"")
	flag.BoolVar(&b.quick, "quick", false, "small counts, to check that the program works; the figures mean nothing")
	flag.BoolVar(&b.long, "long", false, "also the measures with millions of rows (an hour)")
	flag.BoolVar(&b.aof, "aof", false,
		"let Redis write its append-only file (a fsync each second), for systems that keep jobs in Redis")
	extra := flag.String("args", "",
		"further arguments for the measured programs, to try other settings, such as \"-slots=200 -conns=32\"")
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

// measureNames lists the values of -measure.
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
	defer servers.StopShared() // removes the folder of all servers
	defer b.host.close()
	b.table = &report.Table{Reference: "Windlass", Order: []string{
		"Windlass", "River", "River (1,000 a call)", "River (5,000 a call)", "asynq", "BullMQ", "BullMQ (removed)",
		"BullMQ (kept)",
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
		return errors.New("some measures failed")
	}
	return nil
}

// measure runs a group once for each of its systems. Each round begins with a different system.
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
		limited, cancel := context.WithTimeout(ctx, g.timeout())
		began := time.Now()
		r, err := b.runChild(limited, e.system, g.child, slices.Concat(e.args, b.extra))
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

// values returns the figures of a run.
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
		if system != "river" { // River does not use Redis
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

// progress prints the outcome of a run.
func (b *bench) progress(round int, row, label string, took time.Duration, err error) {
	outcome := "done"
	if err != nil {
		outcome = "FAILED: " + err.Error()
	}
	fmt.Fprintf(os.Stderr, "round %d of %d  %s  %s: %s in %s\n", round+1, b.rounds, row, label, outcome,
		took.Round(100*time.Millisecond))
}

// page writes the report to a file.
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
