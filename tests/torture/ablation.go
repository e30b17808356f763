package torture

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Guards are the parts of the system that can be switched off, to check that the torture then finds a violation. This
// needs programs that were built with Programs.Faults.
var Guards = []string{"claim guard", "fence in the result", "guard in the reaper", "reconciler", "phantom check"}

// Ablation is the result of runs without one guard.
type Ablation struct {
	Guard string
	Found bool
	After time.Duration // from the first fault to the verdict
	First Violation
}

// Control is no guard's name, so such a run has all guards. A violation in it makes the results of the others
// worthless.
const Control = "nothing"

// Ablate does runs without a guard. It tries one seed after the other until it finds a violation, at most tries. The
// programs in bin must be built with Programs.Faults.
func Ablate(t testing.TB, bin, dir, guard string, seed uint64, tries int, log func(string, ...any)) (Ablation, error) {
	a := Ablation{Guard: guard}
	for try := range tries {
		faults := 15 * time.Second << min(try, 2)
		r, err := Run(t, Options{
			Setup: Setup{
				Bin: bin, Programs: Programs{Faults: true}, Env: []string{"WINDLASS_REMOVED=" + guard},
				Dir: filepath.Join(dir, fmt.Sprintf("%s-%d", strings.ReplaceAll(guard, " ", "-"), try)),
			},
			// The last retries come 2, 4 and 8 seconds after a loss. A job that is not over after Limit is stuck. Limit is
			// shorter than the deadlines of the jobs, which would end it.
			Seed: seed + uint64(try), Faults: faults, Limit: 70 * time.Second, Rate: 150, Bare: true, Log: log,
		})
		if err != nil {
			return a, err
		}
		a.After += r.Duration
		if len(r.Violations) > 0 {
			a.Found, a.First = true, r.Violations[0]
			return a, nil
		}
	}
	return a, nil
}
