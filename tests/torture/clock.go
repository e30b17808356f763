package torture

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// libfaketime moves the clock of PostgreSQL, but not that of a Go program, which asks the kernel without the C library.
// So our programs are built with a changed time.Now.

// ErrClocks means that programs with movable clocks cannot be built with this version of Go.
var ErrClocks = errors.New("clocks cannot be moved")

//go:embed clock.go.txt
var shiftedClock string

// clockOverlay writes the files for `go build -overlay` that make the clock movable, and returns the path of the list.
func clockOverlay(dir string) (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	lib := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	original, err := os.ReadFile(filepath.Join(lib, "time.go"))
	if err != nil {
		return "", err
	}
	const before = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	moved := strings.Replace(string(original), before, before+"\tsec += shifted.Load()\n", 1)
	if moved == string(original) {
		return "", fmt.Errorf("%w: the source of time.Now in %s differs from Go 1.26", ErrClocks, runtime.Version())
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	timeGo, shiftedGo := filepath.Join(dir, "time.go.txt"), filepath.Join(dir, "shifted.go.txt")
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(lib, "time.go"): timeGo, filepath.Join(lib, "shifted.go"): shiftedGo,
	}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	for path, text := range map[string]string{timeGo: moved, shiftedGo: shiftedClock, overlay: string(list)} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	return overlay, nil
}
