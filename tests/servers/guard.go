package servers

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The guard is a second process of the same program. The test process writes to a pipe which servers run. The pipe
// breaks when the test process ends, for any reason. Then the guard kills the servers and removes their files.
// A "parent death" signal is not enough: it exists on Linux only, leaves the files, and does not reach the backends of
// a frozen PostgreSQL.
const envGuard = "WINDLASS_TEST_GUARD" // its value is the folder to remove

func init() {
	if dir := os.Getenv(envGuard); dir != "" {
		runGuard(dir)
		os.Exit(0)
	}
}

// runGuard is the main function of the guard process.
func runGuard(dir string) {
	running := map[int]bool{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if pid, err := strconv.Atoi(strings.TrimLeft(lines.Text(), "+-")); err == nil && pid > 1 {
			running[pid] = strings.HasPrefix(lines.Text(), "+")
		}
	}
	for pid, runs := range running {
		if runs {
			killTree(pid)
		}
	}
	removeAll(dir)
}

// guard holds this process's end of the pipe.
var guard struct {
	sync.Mutex
	pipe *os.File
	base string
}

// baseDir returns the folder that holds all files of this process's servers.
func baseDir() (string, error) {
	guard.Lock()
	defer guard.Unlock()
	if guard.base != "" {
		return guard.base, nil
	}
	dir, err := os.MkdirTemp(tempRoot(), "windlass-servers-")
	if err != nil {
		return "", err
	}
	// When we are root, PostgreSQL runs as another user. That user must be able to reach its own folder.
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", err
	}
	guard.base = dir
	return dir, nil
}

// startGuard starts the guard, once.
func startGuard() error {
	base, err := baseDir()
	if err != nil {
		return err
	}
	guard.Lock()
	defer guard.Unlock()
	if guard.pipe != nil {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), envGuard+"="+base)
	cmd.Dir = "/"
	// The guard has no output: `go test` waits for every process that holds the test's output.
	// It has its own session, so that Ctrl-C does not reach it.
	cmd.Stdin = r
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		w.Close()
		return fmt.Errorf("start the guard of the test servers: %w", err)
	}
	_ = cmd.Process.Release()
	guard.pipe = w
	return nil
}

// Guard makes the guard kill a program that a test has started, and its children, when the test process ends for any
// reason. Call Unguard when the program has ended.
func Guard(pid int) error {
	if err := startGuard(); err != nil {
		return err
	}
	guardAdd(pid)
	return nil
}

// Unguard forgets a program that was given to Guard.
func Unguard(pid int) { guardRemove(pid) }

func guardAdd(pid int)    { sendGuard("+", pid) }
func guardRemove(pid int) { sendGuard("-", pid) }

func sendGuard(sign string, pid int) {
	guard.Lock()
	defer guard.Unlock()
	if guard.pipe != nil {
		fmt.Fprintf(guard.pipe, "%s%d\n", sign, pid)
	}
}

// removeBase removes the folder of this process's servers, which have ended, and ends the guard.
func removeBase() {
	guard.Lock()
	defer guard.Unlock()
	if guard.base != "" && strings.Contains(guard.base, "windlass-servers-") {
		removeAll(guard.base)
	}
	if guard.pipe != nil {
		guard.pipe.Close()
	}
	guard.pipe, guard.base = nil, ""
}

// removeAll removes a folder. It tries again for 2 s: processes that were just killed may still write to it.
func removeAll(dir string) {
	for range 100 {
		if os.RemoveAll(dir) == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
