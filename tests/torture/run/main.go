// Command run is `make torture`: it tortures with one seed after the other until DURATION is over, prints what came out, and ends with code 1
// where a promise was broken. With the argument ablation it takes away one guard of the system after the other instead, each of which has
// to be noticed. DURATION (default 3m) and SEED (default: drawn) come from the environment; KEEP=1 keeps
// logs and histories also where all went well.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/windlass-jobs/windlass/tests/servers"
	"github.com/windlass-jobs/windlass/tests/torture"
)

func main() { os.Exit(run()) }

func run() int {
	defer servers.StopShared()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal ends the faults, a second one the program
	duration, seed, err := settings()
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		return 2
	}
	dir, err := os.MkdirTemp("", "windlass-torture-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		return 2
	}
	if len(os.Args) > 1 && os.Args[1] == "ablation" {
		fmt.Printf("torture: one guard after the other is left out, from seed %d; logs and histories are in %s\n", seed, dir)
		return ablate(ctx, dir, seed)
	}
	fmt.Printf("torture: %s from seed %d; logs and histories are in %s\n", duration, seed, dir)
	programs, err := build(filepath.Join(dir, "bin"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		return 2
	}
	whole := &torture.Report{Seed: seed}
	end := time.Now().Add(duration - embedded - settling)
	for round := uint64(0); ctx.Err() == nil; round++ {
		left := time.Until(end) - settling
		if left < shortest {
			if round > 0 {
				break
			}
			left = shortest
		}
		if !tortured(ctx, whole, dir, programs, seed+round, torture.Run, min(longest, left)) {
			return 2
		}
	}
	if ctx.Err() == nil && !tortured(ctx, whole, dir, programs, seed, torture.RunEmbedded, embedded) {
		return 2
	}
	fmt.Println()
	whole.Write(os.Stdout)
	code := 0
	if len(whole.Violations) > 0 {
		code = 1
	} else if os.Getenv("KEEP") == "" {
		_ = os.RemoveAll(dir)
	}
	fmt.Println(whole.Summary())
	return code
}

// build compiles the programs with everything that can be tortured.
func build(bin string) (torture.Programs, error) {
	p := torture.Programs{Faults: true, Clocks: true}
	err := torture.Build(bin, p)
	if errors.Is(err, torture.ErrClocks) {
		fmt.Println("torture: the clocks of our processes stay as they are:", err)
		p.Clocks = false
		err = torture.Build(bin, p)
	}
	return p, err
}

// tortured adds a run to the whole; it reports whether the torture itself went well.
func tortured(
	ctx context.Context, whole *torture.Report, dir string, programs torture.Programs, seed uint64,
	run func(testing.TB, torture.Options) (*torture.Report, error), faults time.Duration,
) bool {
	t := &stage{ctx: ctx}
	begun := time.Now().Format("150405")
	r, err := run(t, torture.Options{
		Setup: torture.Setup{
			Bin: filepath.Join(dir, "bin"), Programs: programs, Dir: filepath.Join(dir, strconv.FormatUint(seed, 10)+"-"+begun),
			Disks: seed%2 == 0, // every other seed writes to a real disk, which takes its time
		},
		Seed: seed, Faults: faults, Lanes: lanes(),
		Log: func(format string, args ...any) { fmt.Printf("torture: "+format+"\n", args...) },
	})
	t.end()
	if err == nil && t.failed != "" {
		err = errors.New(t.failed)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		return false
	}
	fmt.Println("torture:", r.Summary())
	whole.Add(r)
	return true
}

// ablate takes away one guard after the other and prints how long it takes to find out.
func ablate(ctx context.Context, dir string, seed uint64) int {
	if err := torture.Build(filepath.Join(dir, "bin"), torture.Programs{Faults: true}); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		return 2
	}
	code := 0
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "without\tfound\tafter\tby")
	for _, guard := range guards() {
		t := &stage{ctx: ctx}
		tries := 3
		if guard == torture.Control {
			tries = 1
		}
		a, err := torture.Ablate(t, filepath.Join(dir, "bin"), dir, guard, seed, tries, func(string, ...any) {})
		t.end()
		if err != nil {
			fmt.Fprintln(os.Stderr, "torture:", err)
			return 2
		}
		by := "nothing"
		if a.Found {
			by = a.First.String()
		}
		if a.Found == (guard == torture.Control) {
			code = 1
		}
		fmt.Printf("torture: without %s: %s\n", guard, by)
		fmt.Fprintf(table, "%s\t%t\t%s\t%s\n", guard, a.Found, a.After.Round(time.Second), strings.SplitAfter(by, ")")[0])
	}
	table.Flush()
	if code == 0 && os.Getenv("KEEP") == "" {
		_ = os.RemoveAll(dir)
	}
	return code
}

// guards are those that the environment names, or all, and before them none: what is found then is found without cause.
func guards() []string {
	if g := os.Getenv("GUARD"); g != "" {
		return []string{g}
	}
	return append([]string{torture.Control}, torture.Guards...)
}

const (
	longest  = 60 * time.Second // of faults with one seed
	shortest = 15 * time.Second // likewise
	embedded = 15 * time.Second // of faults, for the one-process mode at the end
	settling = 20 * time.Second // about what it takes until all jobs are over and all is checked
)

func lanes() []string {
	return strings.FieldsFunc(os.Getenv("LANES"), func(r rune) bool { return r == ',' })
}

func settings() (duration time.Duration, seed uint64, err error) {
	duration, seed = 3*time.Minute, rand.Uint64N(1_000_000)
	if text := os.Getenv("DURATION"); text != "" {
		if duration, err = time.ParseDuration(text); err != nil {
			return 0, 0, fmt.Errorf("DURATION must be like 3m or 2h: %w", err)
		}
	}
	if text := os.Getenv("SEED"); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 63); err != nil {
			return 0, 0, fmt.Errorf("SEED must be a number: %w", err)
		}
	}
	return duration, seed, nil
}

// stage is what the servers need of a test.
type stage struct {
	testing.TB
	ctx      context.Context
	failed   string
	cleanups []func()
}

func (s *stage) Helper()                  {}
func (s *stage) Context() context.Context { return s.ctx }
func (s *stage) Cleanup(f func())         { s.cleanups = append(s.cleanups, f) }
func (s *stage) Error(args ...any)        { s.failed = fmt.Sprint(args...) }

// Fatalf ends the program: the servers call it before anything runs.
func (s *stage) Fatalf(format string, args ...any) {
	s.end()
	fmt.Fprintf(os.Stderr, "torture: "+format+"\n", args...)
	servers.StopShared()
	os.Exit(2)
}

func (s *stage) end() {
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		s.cleanups[i]()
	}
	s.cleanups = nil
}
