// Package child is the measured process: it runs one measure of one system once. Its parent runs the servers and reads
// what they use.
//
// Parent and child exchange lines over the child's standard input and output. The child writes "begin" when everything
// is prepared, and "end" when the measured part is over. After each it waits for the parent's answer. Its last line is
// an Outcome as JSON. bullmq.mjs uses the same protocol.
package child

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/windlass-jobs/windlass/tests/bench/systems"
	"github.com/windlass-jobs/windlass/tests/bench/usage"
)

// The environment of a child names the servers. URLs hold passwords, and other users can read arguments.
const (
	EnvDatabase = "BENCH_DATABASE_URL"
	EnvRedis    = "BENCH_REDIS_URL"
	EnvDir      = "BENCH_DIR"
)

// Outcome is the result of one run.
type Outcome struct {
	Jobs      int       `json:"jobs"`
	Seconds   float64   `json:"seconds"`
	CPU       int64     `json:"cpu_us"` // of this process and its children between the marks
	RSS       float64   `json:"rss_mb"` // maximum of this process
	Latencies []float64 `json:"latencies_ms,omitempty"`
	Settings  string    `json:"settings"`
}

// run is one measure of one system.
type run struct {
	systems.System
	Params
	counter *counter
	in      *bufio.Reader
	out     io.Writer
	began   time.Time
	cpu     time.Duration
	outcome Outcome
}

// Params are the flags that the parent sets.
type Params struct {
	Jobs    int           // number of jobs to submit
	Take    int           // number of jobs to complete before the clock stops; 0 means Jobs
	History int           // number of finished jobs in the table
	Loaded  bool          // jobs and history are already in the store
	Callers int           // number of concurrent callers
	Batch   int           // jobs in one call; 0 means the best number for the system
	Samples int           // number of latencies
	Gap     time.Duration // shortest time between two samples; the longest is two and a half times that
	Window  time.Duration // length of the measure "sustained"
	Backlog int           // number of waiting jobs at which producers pause
}

// Main runs a measure and returns the exit code. The arguments are: system, measure, flags.
func Main(args []string) int {
	if err := measure(args, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func measure(args []string, in io.Reader, out io.Writer) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: child system measure [flags]")
	}
	system, name := args[0], args[1]
	measures := map[string]func(context.Context, *run) error{
		"load": load, "drain": drain, "submit": submit, "bulk": bulk, "queued": queued, "sustained": sustained,
		"latency": latency,
	}
	m, ok := measures[name]
	if !ok {
		return fmt.Errorf("there is no measure %q", name)
	}
	r := &run{in: bufio.NewReader(in), out: out, counter: &counter{}}
	o := systems.Options{
		Database: os.Getenv(EnvDatabase), Redis: os.Getenv(EnvRedis), Dir: os.Getenv(EnvDir), Handler: r.counter.handle,
	}
	flags := flag.NewFlagSet("child", flag.ContinueOnError)
	flags.IntVar(&r.Jobs, "jobs", 10_000, "")
	flags.IntVar(&r.Take, "take", 0, "")
	flags.IntVar(&r.History, "history", 0, "")
	flags.BoolVar(&r.Loaded, "loaded", false, "")
	flags.IntVar(&r.Callers, "callers", 1, "")
	flags.IntVar(&r.Batch, "batch", 0, "")
	flags.IntVar(&r.Samples, "samples", 300, "")
	flags.DurationVar(&r.Gap, "gap", 10*time.Millisecond, "")
	flags.DurationVar(&r.Window, "window", 30*time.Second, "")
	flags.IntVar(&r.Backlog, "backlog", 20_000, "")
	flags.IntVar(&o.Slots, "slots", 0, "")
	flags.IntVar(&o.Conns, "conns", 0, "")
	flags.StringVar(&o.Latency, "settings", "", "")
	if err := flags.Parse(args[2:]); err != nil {
		return err
	}
	if r.Batch == 0 {
		r.Batch = systems.Batch[system]
	}
	if r.Take == 0 {
		r.Take = r.Jobs
	}
	o.Callers = r.Callers
	ctx := context.Background()
	var err error
	if r.System, err = systems.Open(ctx, system, o); err != nil {
		return err
	}
	if err := m(ctx, r); err != nil {
		return fmt.Errorf("%s %s: %w", system, name, err)
	}
	r.outcome.Settings = r.Settings()
	if err := r.Close(ctx); err != nil {
		return fmt.Errorf("close %s: %w", system, err)
	}
	if name == "load" {
		return nil // nothing was measured
	}
	return json.NewEncoder(out).Encode(r.outcome)
}

// begin waits until the servers are idle, then starts the clock.
func (r *run) begin() error {
	if err := r.mark("begin"); err != nil {
		return err
	}
	r.cpu, r.began = usage.Own(), time.Now()
	return nil
}

// end stops the clock.
func (r *run) end(jobs int) error {
	r.outcome.Jobs = jobs
	r.outcome.Seconds = time.Since(r.began).Seconds()
	r.outcome.CPU = (usage.Own() - r.cpu).Microseconds()
	r.outcome.RSS = usage.Memory()
	return r.mark("end")
}

func (r *run) mark(word string) error {
	if _, err := fmt.Fprintln(r.out, word); err != nil {
		return err
	}
	if _, err := r.in.ReadString('\n'); err != nil {
		return fmt.Errorf("the parent did not answer %q: %w", word, err)
	}
	return nil
}

// verify compares the counts of the system's own store with the expected ones.
func (r *run) verify(ctx context.Context, waiting, completed int) error {
	c, err := r.Count(ctx)
	if err != nil {
		return fmt.Errorf("count: %w", err)
	}
	if c.Waiting != waiting || c.Completed != completed || c.Running != 0 || c.Failed != 0 {
		return fmt.Errorf("the store has %+v, want %d waiting and %d completed", c, waiting, completed)
	}
	return nil
}

// waitTimeout limits every wait. Only a broken run takes longer.
const waitTimeout = 10 * time.Minute

// await calls ok at an interval until it returns true or an error.
func await(what string, every time.Duration, ok func() (bool, error)) error {
	deadline := time.Now().Add(waitTimeout)
	for {
		done, err := ok()
		if done || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("timed out waiting for %s", what)
		}
		time.Sleep(every)
	}
}
