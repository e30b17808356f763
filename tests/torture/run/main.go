// Command run is `make torture`. It does runs with one seed after the other until DURATION is over, prints the results,
// and ends with code 1 if a guarantee was broken. With the argument ablation it switches off one guard of the system
// after the other; each time, a violation must be found. The environment sets DURATION (default 3m) and SEED (default
// random). KEEP=1 keeps logs and histories even if there was no violation.
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
	context.AfterFunc(ctx, stop) // the first signal ends the faults, the second one ends the program
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
		fmt.Printf("torture: runs without one guard each, from seed %d; logs and histories are in %s\n", seed, dir)
		return ablate(ctx, dir, seed)
	}
	fmt.Printf("torture: %s from seed %d; logs and histories are in %s\n", duration, seed, dir)
	programs, err := build(filepath.Join(dir, "bin"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		return 2
	}
	total := &torture.Report{Seed: seed}
	end := time.Now().Add(duration - embedded - settling)
	for round := uint64(0); ctx.Err() == nil; round++ {
		left := time.Until(end) - settling
		if left < shortest {
			if round > 0 {
				break
			}
			left = shortest
		}
		if !addRun(ctx, total, dir, programs, seed+round, torture.Run, min(longest, left)) {
			return 2
		}
	}
	if ctx.Err() == nil && !addRun(ctx, total, dir, programs, seed, torture.RunEmbedded, embedded) {
		return 2
	}
	fmt.Println()
	total.Write(os.Stdout)
	code := 0
	if len(total.Violations) > 0 {
		code = 1
	} else if os.Getenv("KEEP") == "" {
		_ = os.RemoveAll(dir)
	}
	fmt.Println(total.Summary())
	return code
}

// build builds the programs with crash points, and with movable clocks if possible.
func build(bin string) (torture.Programs, error) {
	p := torture.Programs{Faults: true, Clocks: true}
	err := torture.Build(bin, p)
	if errors.Is(err, torture.ErrClocks) {
		fmt.Println("torture: the clocks of our processes are not moved:", err)
		p.Clocks = false
		err = torture.Build(bin, p)
	}
	return p, err
}

// addRun does a run and adds its report to total. It returns false if the torture itself failed.
func addRun(
	ctx context.Context, total *torture.Report, dir string, programs torture.Programs, seed uint64,
	run func(testing.TB, torture.Options) (*torture.Report, error), faults time.Duration,
) bool {
	t := &testStub{ctx: ctx}
	begun := time.Now().Format("150405")
	r, err := run(t, torture.Options{
		Setup: torture.Setup{
			Bin: filepath.Join(dir, "bin"), Programs: programs,
			Dir:   filepath.Join(dir, strconv.FormatUint(seed, 10)+"-"+begun),
			Disks: seed%2 == 0, // the other seeds write to a real disk, which is slower
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
	total.Add(r)
	return true
}

// ablate switches off one guard after the other, and prints the time until a violation is found.
func ablate(ctx context.Context, dir string, seed uint64) int {
	if err := torture.Build(filepath.Join(dir, "bin"), torture.Programs{Faults: true}); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		return 2
	}
	code := 0
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "without\tfound\tafter\tby")
	for _, guard := range guards() {
		t := &testStub{ctx: ctx}
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

// guards returns the guard in GUARD, or Control and all guards. A violation in the run of Control means that the
// torture or the system is broken.
func guards() []string {
	if g := os.Getenv("GUARD"); g != "" {
		return []string{g}
	}
	return append([]string{torture.Control}, torture.Guards...)
}

const (
	longest  = 60 * time.Second // maximum time of faults with one seed
	shortest = 15 * time.Second // minimum of it
	embedded = 15 * time.Second // time of faults in the one-process mode, which comes last
	settling = 20 * time.Second // estimated time until all jobs are over and everything is checked
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

// testStub takes the place of a test, so that this program can use the package servers.
type testStub struct {
	testing.TB
	ctx      context.Context
	failed   string
	cleanups []func()
}

func (s *testStub) Helper()                  {}
func (s *testStub) Context() context.Context { return s.ctx }
func (s *testStub) Cleanup(f func())         { s.cleanups = append(s.cleanups, f) }
func (s *testStub) Error(args ...any)        { s.failed = fmt.Sprint(args...) }

// Fatalf ends the program. The package servers calls it before anything runs.
func (s *testStub) Fatalf(format string, args ...any) {
	s.end()
	fmt.Fprintf(os.Stderr, "torture: "+format+"\n", args...)
	servers.StopShared()
	os.Exit(2)
}

func (s *testStub) end() {
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		s.cleanups[i]()
	}
	s.cleanups = nil
}
