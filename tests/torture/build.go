package torture

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Programs says how the programs under torture are built.
type Programs struct {
	Race   bool // with the race detector
	Faults bool // with crash points and removable guards
	Clocks bool // with movable clocks; this compiles the standard library again, which takes a minute the first time
}

// Build compiles the programs into a folder.
func Build(dir string, p Programs) error {
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	if p.Race {
		args = append(args, "-race")
	}
	if p.Faults {
		args = append(args, "-tags", "faults")
	}
	if p.Clocks {
		overlay, err := clockOverlay(filepath.Join(dir, "clock"))
		if err != nil {
			return err
		}
		args = append(args, "-overlay", overlay)
	}
	const module = "github.com/windlass-jobs/windlass"
	args = append(args, module+"/services/api", module+"/tests/torture/worker", module+"/tests/torture/embedded")
	build := exec.Command("go", args...)
	_, here, _, _ := runtime.Caller(0)
	build.Dir = filepath.Dir(here) // inside the module, for any working directory
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}
