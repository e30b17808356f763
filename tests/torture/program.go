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

// program is one of our processes: it can be killed, frozen and started again with the same settings.
type program struct {
	name string // of its place: worker1, api2
	bin  string
	dir  string // of logs and histories
	env  []string

	mu      sync.Mutex
	cmd     *exec.Cmd
	exited  chan struct{} // closed when the present process has ended
	starts  int
	frozen  bool
	wanted  bool // it should be running
	crashes int  // ends that nobody asked for
}

// start runs the program with settings besides its own, which last until its end.
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
	cmd.Env = append(cmd.Env, "TORTURE_HISTORY="+p.historyPath(), "TORTURE_CLOCK="+p.clockPath(), "WINDLASS_FAULT_FILE="+p.faultPath())
	cmd.Env = append(cmd.Env, extra...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the torture, which ends them itself
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

// alive is called with the lock held.
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

// signal sends a signal; wanted says whether the process should live on.
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

// kill is kill -9, also of a frozen process.
func (p *program) kill() {
	if exited := p.signal(syscall.SIGKILL, false); exited != nil {
		<-exited
	}
}

func (p *program) freeze() { p.signal(syscall.SIGSTOP, true) }
func (p *program) thaw()   { p.signal(syscall.SIGCONT, true) }

// terminate asks for an orderly end and returns an error where that takes too long or ends badly.
func (p *program) terminate(patience time.Duration) error {
	exited := p.signal(syscall.SIGTERM, false)
	if exited == nil {
		return nil
	}
	select {
	case <-exited:
	case <-time.After(patience):
		p.signal(syscall.SIGQUIT, false) // where it hangs is in its log then
		<-exited
		return fmt.Errorf("%s did not stop within %s", p.name, patience)
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		switch status.Signal() {
		case syscall.SIGTERM: // it had only just been started, and was not listening yet
			return nil
		case syscall.SIGKILL: // which only the torture sends: a job or a crash point was quicker
			return nil
		}
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		if outOfMemory.MatchString(p.tail(64 << 10)) {
			return nil // a job was quicker here, too
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

// historyPath is where the present process writes its history: a new file for each.
func (p *program) historyPath() string {
	return filepath.Join(p.dir, fmt.Sprintf("%s-%d.jsonl", p.name, p.starts))
}

// clockPath is the file that moves the program's clock, faultPath the one that arms its crash points.
func (p *program) clockPath() string { return filepath.Join(p.dir, p.name+".clock") }
func (p *program) faultPath() string { return filepath.Join(p.dir, p.name+".fault") }

// put writes one of those files at once, so that nobody ever reads half of it.
func put(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// historySize is how much it has written so far.
func (p *program) historySize() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	info, err := os.Stat(p.historyPath())
	if err != nil {
		return 0
	}
	return info.Size()
}

// pid of the running process, 0 where there is none.
func (p *program) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive() {
		return 0
	}
	return p.cmd.Process.Pid
}

// descriptors counts the open files of the process; 0 where the system does not tell.
func (p *program) descriptors() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive() {
		return 0
	}
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	return len(entries)
}
