package torture

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Build compiles the programs into a folder. race adds the race detector, faults the crash points and removable guards.
func Build(dir string, race, faults bool) error {
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	if race {
		args = append(args, "-race")
	}
	if faults {
		args = append(args, "-tags", "faults")
	}
	const module = "github.com/windlass-jobs/windlass"
	args = append(args, module+"/services/api", module+"/tests/torture/worker", module+"/tests/torture/embedded")
	build := exec.Command("go", args...)
	_, here, _, _ := runtime.Caller(0)
	build.Dir = filepath.Dir(here) // within the module, wherever the torture runs
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}
