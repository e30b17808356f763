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

// The clock of a Go program cannot be moved from outside: it asks the kernel past the C library, so that libfaketime, which moves
// PostgreSQL's, does not reach it. What can be done is to build the program with another time.Now.

// ErrClocks says that programs with clocks that can be moved cannot be built with this Go.
var ErrClocks = errors.New("clocks cannot be moved")

//go:embed clock.go.txt
var shiftedClock string

// clockOverlay writes what `go build -overlay` needs for a clock that can be moved, and returns its path.
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
		return "", fmt.Errorf("%w: time.Now of %s is not written as it was in Go 1.26", ErrClocks, runtime.Version())
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
