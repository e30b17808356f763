package servers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second // includes crash recovery on a busy machine
	stopTimeout  = 30 * time.Second
)

// errPortTaken means that the server could not listen on its port.
var errPortTaken = errors.New("the port is taken")

// process is a server program that can be stopped, killed, frozen and started again on the same files and port.
// It runs no goroutine, so that packages which check for leaked goroutines can use it.
type process struct {
	name string
	dir  string // holds all files of this server; removed at the end
	bin  string
	args []string
	cred *syscall.Credential // nil: the current user
	term syscall.Signal      // the signal for an orderly stop

	// ready reports whether the process with this pid answers requests.
	ready func(pid int) bool

	mu     sync.Mutex
	pid    int // 0: not running
	paused bool
}

// start runs the program and waits until it answers.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid != 0 && !reap(p.pid, 0) {
		return fmt.Errorf("%s is running already", p.name)
	}
	p.forget()
	deadline := time.Now().Add(startTimeout)
	for {
		err := p.launch(deadline)
		// A server that was just killed may hold its shared memory for a moment longer.
		if err == nil || !strings.Contains(err.Error(), "still in use") || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (p *process) launch(deadline time.Time) error {
	logFile, err := os.OpenFile(p.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()
	from, err := logFile.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if err := startGuard(); err != nil {
		return err
	}
	cmd := exec.Command(p.bin, p.args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "LANG=C") // in English, because its messages are parsed below
	cmd.Stdout, cmd.Stderr = logFile, logFile
	// Its own process group: Ctrl-C at a terminal reaches only the tests, which then stop their servers.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.cred}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	pid := cmd.Process.Pid
	_ = cmd.Process.Release() // from here on we use the pid: Wait would need a goroutine
	guardAdd(pid)
	p.pid = pid

	for !p.ready(pid) {
		if reap(pid, 0) {
			p.forget()
			text := p.log(from)
			if strings.Contains(strings.ToLower(text), "address already in use") {
				return fmt.Errorf("%s: %w", p.name, errPortTaken)
			}
			return fmt.Errorf("%s ended at its start:\n%s", p.name, text)
		}
		if time.Now().After(deadline) {
			text := p.log(from)
			p.killLocked()
			return fmt.Errorf("%s did not answer within %s:\n%s", p.name, startTimeout, text)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

// stop asks the server to end in order, and waits for that. It is no error if the server is not running.
func (p *process) stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 {
		return nil
	}
	p.resumeLocked()
	_ = syscall.Kill(p.pid, p.term)
	if !reap(p.pid, stopTimeout) {
		p.killLocked()
		return fmt.Errorf("%s did not stop within %s and was killed", p.name, stopTimeout)
	}
	p.forget()
	return nil
}

// end sends a signal that ends the server, and waits for that. After stopTimeout it kills the server.
func (p *process) end(signal syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 {
		return
	}
	p.resumeLocked()
	_ = syscall.Kill(p.pid, signal)
	if !reap(p.pid, stopTimeout) {
		p.killLocked()
		return
	}
	p.forget()
}

// pids lists the server's process and its children.
func (p *process) pids() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 {
		return nil
	}
	return append([]int{p.pid}, children(p.pid)...)
}

// kill ends the server and all its children at once, like a power cut. Unlike in a power cut, the kernel still writes
// what it has buffered.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killLocked()
}

func (p *process) killLocked() {
	if p.pid == 0 {
		return
	}
	killTree(p.pid)
	reap(p.pid, stopTimeout)
	p.forget()
}

// pause freezes the server and its children. Connections stay open, and requests get no answer.
func (p *process) pause() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 {
		return fmt.Errorf("%s is not running", p.name)
	}
	freeze(p.pid)
	p.paused = true
	return nil
}

func (p *process) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resumeLocked()
}

func (p *process) resumeLocked() {
	if p.pid == 0 || !p.paused {
		return
	}
	for _, child := range children(p.pid) {
		_ = syscall.Kill(child, syscall.SIGCONT)
	}
	_ = syscall.Kill(p.pid, syscall.SIGCONT)
	p.paused = false
}

// destroy kills the server and removes its files.
func (p *process) destroy() {
	p.kill()
	removeAll(p.dir)
}

// forget notes that the process is gone.
func (p *process) forget() {
	if p.pid != 0 {
		guardRemove(p.pid)
	}
	p.pid, p.paused = 0, false
}

func (p *process) logPath() string { return filepath.Join(p.dir, "log") }

// log returns what the server has logged from an offset on, at most the last 4 KiB.
func (p *process) log(from int64) string {
	raw, err := os.ReadFile(p.logPath())
	if err != nil {
		return err.Error()
	}
	raw = raw[min(from, int64(len(raw))):]
	return string(bytes.TrimSpace(raw[max(0, len(raw)-4096):]))
}

// reap waits for a child process to end, for at most the given time, and reports whether it has ended.
func reap(pid int, wait time.Duration) bool {
	deadline := time.Now().Add(wait)
	for {
		got, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		if got == pid || errors.Is(err, syscall.ECHILD) {
			return true
		}
		if !errors.Is(err, syscall.EINTR) && !time.Now().Before(deadline) {
			return false
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// freeze stops a process and its children. It stops the parent first, so that no more children start.
// A signal to the process group is not enough: each backend of PostgreSQL has its own group and session.
func freeze(pid int) {
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	var stopped []int
	for quiet := 0; quiet < 2; {
		quiet++
		for _, child := range children(pid) {
			if !slices.Contains(stopped, child) {
				_ = syscall.Kill(child, syscall.SIGSTOP)
				stopped = append(stopped, child)
				quiet = 0
			}
		}
	}
}

// killTree kills a process and its children. The parent is frozen first, so it cannot notice and cannot clean up.
func killTree(pid int) {
	freeze(pid)
	for _, child := range children(pid) {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// children lists the pids of a process's children.
func children(parent int) []int {
	var pids []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // the process has ended in the meantime
		}
		// The format is "pid (name) state ppid …". The name may contain any character, brackets too.
		_, rest, _ := strings.Cut(string(raw[bytes.LastIndexByte(raw, ')')+1:]), " ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(parent) {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	if len(stats) > 0 {
		return pids
	}
	out, _ := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output() // no /proc: macOS, BSD
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 2 && f[1] == strconv.Itoa(parent) {
			if pid, err := strconv.Atoi(f[0]); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
