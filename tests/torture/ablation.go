package torture

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Guards are what the torture can do without, to see that it notices: each is left out of programs that were built for it.
var Guards = []string{"claim guard", "fence in the result", "guard in the reaper", "reconciler", "phantom check"}

// Ablation is what became of a run without a guard.
type Ablation struct {
	Guard string
	Found bool
	After time.Duration // from the first fault to the verdict
	First Violation
}

// Control is a run without a guard of that name, that is with all of them: whatever is found then is no proof of anything.
const Control = "nothing"

// Ablate tortures without a guard, with new seeds until a violation is found or tries are used up. bin holds programs built with faults.
func Ablate(t testing.TB, bin, dir, guard string, seed uint64, tries int, log func(string, ...any)) (Ablation, error) {
	a := Ablation{Guard: guard}
	for try := range tries {
		faults := 15 * time.Second << min(try, 2)
		r, err := Run(t, Options{
			Setup: Setup{
				Bin: bin, Programs: Programs{Faults: true}, Dir: filepath.Join(dir, fmt.Sprintf("%s-%d", strings.ReplaceAll(guard, " ", "-"), try)),
				Env: []string{"WINDLASS_REMOVED=" + guard},
			},
			// The last retries come 2, 4, 8 seconds after a loss. What is not over by then is stuck: the deadlines of the jobs come later.
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
