package torture

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/tests/torture/recording"
)

// Crash points fire at random while their file is there, as its seed says, and leave a running process alone once it is gone.
func TestPointsAtRandom(t *testing.T) {
	s := newScene(t)
	p := s.healthy()
	n := &nemesis{world: s.world, faults: map[string]int{}}
	all := func() (times int) {
		n.faults = map[string]int{}
		for _, hits := range n.countPoints() {
			times += hits
		}
		return times
	}
	submitted := 0
	submit := func() {
		submitted++
		s.accepted(recording.Quick, fmt.Sprint("job-", submitted), nil)
	}
	seed := 0
	for all() == 0 { // a seed may draw none of the points that a worker reaches
		seed++
		if seed > 40 {
			t.Fatal("nothing fires")
		}
		if err := put(p.faultPath(), fmt.Sprintf("seed=%d chance=1 rest=1ms delay=50ms", seed)); err != nil {
			t.Fatal(err)
		}
		before := submitted
		submit()
		s.until("the job has run, or the worker has not", 10*time.Second, func() bool {
			return !p.running() || s.number(`SELECT count(*) FROM windlass.jobs WHERE status = 'completed'`) > before || all() > 0
		})
		if !p.running() {
			break
		}
	}
	if all() == 0 {
		t.Fatal("the worker ended, and no point has fired")
	}
	if err := os.Remove(p.faultPath()); err != nil {
		t.Fatal(err)
	}
	submit()
	s.until("everything is completed", scaled(32*time.Second)+backoff+head+slack, func() bool {
		if !p.running() { // it may have been about to end
			if err := p.start("TORTURE_UPKEEP=off"); err != nil {
				s.Fatal(err)
			}
		}
		return s.number(`SELECT count(*) FROM windlass.jobs WHERE status = 'completed'`) == submitted
	})
	quiet := all()
	for range 20 {
		submit()
	}
	s.until("all others are completed", head+slack, func() bool {
		return s.number(`SELECT count(*) FROM windlass.jobs WHERE status = 'completed'`) == submitted
	})
	if again := all(); again != quiet || !p.running() {
		t.Errorf("crash points fired %d times though their file was gone", again-quiet)
	}
}
