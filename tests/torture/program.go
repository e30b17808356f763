package torture

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/windlass-jobs/windlass/tests/servers"
)

// program is one of our processes. It can be killed, frozen, and started again with the same settings.
type program struct {
	name string // such as worker1 or api2
	bin  string
	dir  string // for logs and histories
	env  []string

	mu      sync.Mutex
	cmd     *exec.Cmd
	exited  chan struct{} // closed when the current process has ended
	starts  int
	frozen  bool
	wanted  bool // whether it should be running
	crashes int  // number of unexpected ends
}

// start runs the program. extra is more environment for this start only.
func (p *program) start(extra ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alive() {
		return nil
	}
	p.starts++
	log, err := os.OpenFile(filepath.Join(p.dir, p.name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.bin)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, p.env...)
	cmd.Env = append(cmd.Env, "TORTURE_HISTORY="+p.historyPath(), "TORTURE_CLOCK="+p.clockPath(),
		"WINDLASS_FAULT_FILE="+p.faultPath())
	cmd.Env = append(cmd.Env, extra...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches only the torture, which then ends its programs
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := servers.Guard(cmd.Process.Pid); err != nil {
		return err
	}
	p.cmd, p.exited, p.frozen, p.wanted = cmd, make(chan struct{}), false, true
	go p.await(cmd, p.exited)
	return nil
}

func (p *program) await(cmd *exec.Cmd, exited chan struct{}) {
	_ = cmd.Wait()
	servers.Unguard(cmd.Process.Pid)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted && p.cmd == cmd {
		p.crashes++
	}
	close(exited)
}

// alive reports whether the process runs. The caller holds the lock.
func (p *program) alive() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

func (p *program) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.alive()
}

// signal sends a signal. wanted says whether the process should be running afterwards.
func (p *program) signal(s syscall.Signal, wanted bool) (exited chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive() {
		return nil
	}
	p.wanted = wanted
	_ = p.cmd.Process.Signal(s)
	return p.exited
}

// kill sends SIGKILL and waits for the end. It works for a frozen process too.
func (p *program) kill() {
	if exited := p.signal(syscall.SIGKILL, false); exited != nil {
		<-exited
	}
}

func (p *program) freeze() { p.signal(syscall.SIGSTOP, true) }
func (p *program) thaw()   { p.signal(syscall.SIGCONT, true) }

// terminate asks the process to end in order. It is an error if that takes too long or fails.
func (p *program) terminate(timeout time.Duration) error {
	exited := p.signal(syscall.SIGTERM, false)
	if exited == nil {
		return nil
	}
	select {
	case <-exited:
	case <-time.After(timeout):
		p.signal(syscall.SIGQUIT, false) // writes its goroutines to the log
		<-exited
		return fmt.Errorf("%s did not stop within %s", p.name, timeout)
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		switch status.Signal() {
		case syscall.SIGTERM: // it was just started, and did not handle signals yet
			return nil
		case syscall.SIGKILL: // a job or a crash point of the torture killed it before it could end
			return nil
		}
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		if outOfMemory.MatchString(p.tail(64 << 10)) {
			return nil // a job of the torture ended it first
		}
		return fmt.Errorf("%s ended with code %d\n%s", p.name, code, p.tail(2<<10))
	}
	return nil
}

// log returns everything that the program has printed in its place.
func (p *program) log() []byte {
	raw, err := os.ReadFile(filepath.Join(p.dir, p.name+".log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return []byte(err.Error())
	}
	return raw
}

func (p *program) tail(n int) string {
	raw := bytes.TrimSpace(p.log())
	return string(raw[max(0, len(raw)-n):])
}

// historyPath is the file for the history of the current process. Each start has a new file.
func (p *program) historyPath() string {
	return filepath.Join(p.dir, fmt.Sprintf("%s-%d.jsonl", p.name, p.starts))
}

// clockPath is the file that moves the program's clock. faultPath is the file that arms its crash points.
func (p *program) clockPath() string { return filepath.Join(p.dir, p.name+".clock") }
func (p *program) faultPath() string { return filepath.Join(p.dir, p.name+".fault") }

// put writes one of these files by a rename, so that no process reads an incomplete file.
func put(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// historySize is the size of the current history in bytes.
func (p *program) historySize() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	info, err := os.Stat(p.historyPath())
	if err != nil {
		return 0
	}
	return info.Size()
}

// pid returns the pid of the running process, or 0.
func (p *program) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive() {
		return 0
	}
	return p.cmd.Process.Pid
}

// descriptors counts the open files of the process. It is 0 on systems without /proc.
func (p *program) descriptors() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive() {
		return 0
	}
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	return len(entries)
}
