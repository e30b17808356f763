// Package child is the process that is measured: one system, one measure, once. Its parent keeps the servers and reads what they use.
//
// The two speak over the child's standard input and output, a line each. The child says "begin" when all is prepared and "end" when what is to
// be measured is over, and goes on when the parent has answered; its last line is an Outcome. bullmq.mjs speaks the same.
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

// The environment that tells a child of its place. URLs hold passwords, which have no business among the arguments.
const (
	EnvDatabase = "BENCH_DATABASE_URL"
	EnvRedis    = "BENCH_REDIS_URL"
	EnvDir      = "BENCH_DIR"
)

// Outcome is what one run has come to.
type Outcome struct {
	Jobs      int       `json:"jobs"`
	Seconds   float64   `json:"seconds"`
	CPU       int64     `json:"cpu_us"` // of this process and its children between the marks
	RSS       float64   `json:"rss_mb"` // the most it has held
	Latencies []float64 `json:"latencies_ms,omitempty"`
	Settings  string    `json:"settings"`
}

// run is a measure under way.
type run struct {
	systems.System
	Params
	tally   *tally
	in      *bufio.Reader
	out     io.Writer
	began   time.Time
	cpu     time.Duration
	outcome Outcome
}

// Params are what the parent asks for.
type Params struct {
	Jobs    int           // to submit
	Take    int           // to work off before the clock stops; Jobs if 0
	History int           // finished jobs that are in the table besides
	Loaded  bool          // jobs and history are there already
	Callers int           // at once
	Batch   int           // jobs in one call; the system's best if 0
	Samples int           // of latency
	Gap     time.Duration // between two samples, at least; at most two and a half times that
	Window  time.Duration // of the sustained measure
	Backlog int           // at which producers pause
}

// Main runs what the arguments say (system, measure, flags) and returns the exit code.
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
		"load": load, "drain": drain, "submit": submit, "bulk": bulk, "queued": queued, "sustained": sustained, "latency": latency,
	}
	m, ok := measures[name]
	if !ok {
		return fmt.Errorf("there is no measure %q", name)
	}
	r := &run{in: bufio.NewReader(in), out: out, tally: newTally()}
	o := systems.Options{
		Database: os.Getenv(EnvDatabase), Redis: os.Getenv(EnvRedis), Dir: os.Getenv(EnvDir), Handler: r.tally.handle,
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

// begin waits for the servers to be quiet, then starts the clock.
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

// verify compares the store's own counts with what should be there.
func (r *run) verify(ctx context.Context, waiting, completed int) error {
	c, err := r.Count(ctx)
	if err != nil {
		return fmt.Errorf("count: %w", err)
	}
	if c.Waiting != waiting || c.Completed != completed || c.Running != 0 || c.Failed != 0 {
		return fmt.Errorf("the store holds %+v, and there should be %d waiting and %d completed", c, waiting, completed)
	}
	return nil
}

// patience bounds every wait: what takes longer is broken.
const patience = 10 * time.Minute

// await asks every interval until ok, or an error.
func await(what string, every time.Duration, ok func() (bool, error)) error {
	deadline := time.Now().Add(patience)
	for {
		done, err := ok()
		if done || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited in vain for %s", what)
		}
		time.Sleep(every)
	}
}
