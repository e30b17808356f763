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

// A job that takes all memory ends its process with a fatal error of the runtime, in the midst of others' work. It is dead after so many
// processes, each restarted by a supervisor, and whoever was beside it completes all the same.
func TestOutOfMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the memory of a process can be limited on Linux only")
	}
	s := newScene(t)
	s.worker("first", "TORTURE_UPKEEP=off")
	s.worker("second", "TORTURE_UPKEEP=off")
	const innocents = 60
	hog := ""
	for i := range innocents {
		if i == innocents/3 {
			hog = s.accepted(recording.Hog, "hog", nil)
		}
		s.accepted(recording.Slow, fmt.Sprint("innocent-", i), map[string]any{"millis": 300})
	}
	supervised := func(ok func() bool) func() bool {
		return func() bool {
			for _, p := range s.workers {
				if p.name != "herald" && !p.running() {
					if err := p.start("TORTURE_UPKEEP=off"); err != nil {
						s.Fatal(err)
					}
				}
			}
			return ok()
		}
	}
	const losses = jobs.MaxLeaseLosses
	// Each loss shows when the lease runs out; between them are the first two backoffs.
	s.until("the hog is dead", losses*(scaled(32*time.Second)+head)+3*backoff+slack, supervised(func() bool { return s.job(hog).status == "failed" }))
	if j := s.job(hog); j.kind != string(jobs.KindWorkerLost) || j.attempts != losses {
		s.Errorf("the hog ended with %s after %d attempts", j.kind, j.attempts)
	}
	s.until("all innocents are completed", 30*time.Second, supervised(func() bool {
		return s.number(`SELECT count(*) FROM windlass.jobs WHERE status = 'completed'`) == innocents
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
