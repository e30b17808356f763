package torture

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/tests/torture/history"
	"github.com/windlass-jobs/windlass/tests/torture/recording"
)

// A job that takes all memory ends its process with a fatal error of the Go runtime, while other jobs run. After three
// lost processes the job is dead. A supervisor restarts the processes, and all other jobs complete.
func TestOutOfMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the memory of a process can be limited on Linux only")
	}
	s := newScene(t)
	s.worker("first", "TORTURE_MAINTENANCE=off")
	s.worker("second", "TORTURE_MAINTENANCE=off")
	const others = 60
	hog := ""
	for i := range others {
		if i == others/3 {
			hog = s.accepted(recording.Hog, "hog", nil)
		}
		s.accepted(recording.Slow, fmt.Sprint("other-", i), map[string]any{"millis": 300})
	}
	supervised := func(ok func() bool) func() bool {
		return func() bool {
			for _, p := range s.workers {
				if p.name != "announcer" && !p.running() {
					if err := p.start("TORTURE_MAINTENANCE=off"); err != nil {
						s.Fatal(err)
					}
				}
			}
			return ok()
		}
	}
	const losses = jobs.MaxLeaseLosses
	// Each loss is detected when the lease expires. Between the losses are the first two backoffs.
	s.until("the hog is dead", losses*(scaled(32*time.Second)+hintDelay)+3*backoff+slack,
		supervised(func() bool { return s.job(hog).status == "failed" }))
	if j := s.job(hog); j.kind != string(jobs.KindWorkerLost) || j.attempts != losses {
		s.Errorf("the hog ended with %s after %d attempts", j.kind, j.attempts)
	}
	s.until("all other jobs are completed", 30*time.Second, supervised(func() bool {
		return s.number(`SELECT count(*) FROM windlass.jobs WHERE status = 'completed'`) == others
	}))
	if n := s.happened(history.Start, hog); n != losses {
		s.Errorf("the hog was started %d times, want %d", n, losses)
	}
	ends := 0
	for _, p := range s.workers {
		ends += len(outOfMemory.FindAll(p.log(), -1))
		if bad := panics(p.log()); bad != "" {
			s.Errorf("%s: %s", p.name, bad)
		}
	}
	if ends != losses {
		s.Errorf("%d processes ran out of memory, want %d", ends, losses)
	}
}
