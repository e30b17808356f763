package torture

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/tests/torture/recording"
)

// While their file exists, crash points fire at random, drawn from the seed in the file. Without the file they do not
// fire.
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
	for all() == 0 { // a seed may arm no point that a worker reaches
		seed++
		if seed > 40 {
			t.Fatal("no crash point fires")
		}
		if err := put(p.faultPath(), fmt.Sprintf("seed=%d chance=1 rest=1ms delay=50ms", seed)); err != nil {
			t.Fatal(err)
		}
		before := submitted
		submit()
		s.until("the job has run, or a crash point has fired", 10*time.Second, func() bool {
			return !p.running() || s.number(`SELECT count(*) FROM windlass.jobs WHERE status = 'completed'`) > before ||
				all() > 0
		})
		if !p.running() {
			break
		}
	}
	if all() == 0 {
		t.Fatal("the worker ended, but no crash point has fired")
	}
	if err := os.Remove(p.faultPath()); err != nil {
		t.Fatal(err)
	}
	submit()
	s.until("everything is completed", scaled(32*time.Second)+backoff+hintDelay+slack, func() bool {
		if !p.running() { // a crash point may have fired just before the file was removed
			if err := p.start("TORTURE_MAINTENANCE=off"); err != nil {
				s.Fatal(err)
			}
		}
		return s.number(`SELECT count(*) FROM windlass.jobs WHERE status = 'completed'`) == submitted
	})
	before := all()
	for range 20 {
		submit()
	}
	s.until("all other jobs are completed", hintDelay+slack, func() bool {
		return s.number(`SELECT count(*) FROM windlass.jobs WHERE status = 'completed'`) == submitted
	})
	if after := all(); after != before || !p.running() {
		t.Errorf("crash points fired %d times without their file", after-before)
	}
}
