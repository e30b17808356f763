package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/windlass-jobs/windlass/tests/bench/child"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// result is the outcome of one run of a child, and what the servers used in that time.
type result struct {
	child.Outcome
	servers time.Duration // CPU time of PostgreSQL and Redis
	redis   float64       // growth of Redis' memory, in bytes
	tables  float64       // growth of the tables, in bytes
}

// cpu is the CPU time for a job, in microseconds.
func (r result) cpu() float64 {
	return (float64(r.CPU) + float64(r.servers.Microseconds())) / float64(r.Jobs)
}

// rate is the number of jobs for each second.
func (r result) rate() float64 { return float64(r.Jobs) / r.Seconds }

// runChild measures one system once, on empty servers.
func (b *bench) runChild(ctx context.Context, system, measure string, args []string) (result, error) {
	h := b.host
	database, err := h.fresh(ctx)
	if err != nil {
		return result{}, fmt.Errorf("empty the servers: %w", err)
	}
	dir, err := os.MkdirTemp(b.scratch, "run-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)

	environ := []string{
		child.EnvDatabase + "=" + database, child.EnvRedis + "=" + h.redisURL, child.EnvDir + "=" + dir,
		collector(system),
	}
	// A separate process prepares the backlog. The systems on SQLite keep a part of the queue in memory, so with them
	// the measured process does it.
	if measure == "drain" && !strings.HasSuffix(system, "sqlite") && system != "goqite" {
		if _, err := b.follow(ctx, b.command(system, "load", args), environ, false); err != nil {
			return result{}, fmt.Errorf("prepare the backlog: %w", err)
		}
		args = append(slices.Clone(args), "-loaded=true")
	}
	r, err := b.follow(ctx, b.command(system, measure, args), environ, measure == "queued")
	if err == nil && (r.Jobs == 0 || r.Seconds <= 0) {
		err = errors.New("the child ended without a result")
	}
	return r, err
}

// collector returns the setting of Go's garbage collector: GOGC of this process, or else that of our services. It suits
// all systems but asynq.
func collector(system string) string {
	switch {
	case os.Getenv("GOGC") != "":
		return "GOGC=" + os.Getenv("GOGC")
	case system == "asynq":
		return "GOGC=100"
	default:
		return "GOGC=400"
	}
}

// command is the command line of a child.
func (b *bench) command(system, measure string, args []string) []string {
	if system == "bullmq" {
		return append([]string{"node", "bullmq.mjs", measure}, args...)
	}
	return append([]string{b.self, "child", system, measure}, args...)
}

// follow runs a child to its end, and records what the servers use between its marks.
func (b *bench) follow(ctx context.Context, command, environ []string, sizes bool) (r result, err error) {
	h := b.host
	p, err := start(ctx, command, environ)
	if err != nil {
		return r, err
	}
	defer p.kill()
	var begin, end mark
	for line := range p.lines {
		switch line {
		case "begin":
			if err := h.settle(ctx); err != nil {
				return r, err
			}
			if begin, err = h.mark(ctx, sizes); err != nil {
				return r, err
			}
			err = p.answer()
		case "end":
			if end, err = h.mark(ctx, sizes); err != nil {
				return r, err
			}
			err = p.answer()
		default:
			if strings.HasPrefix(line, "{") {
				err = json.Unmarshal([]byte(line), &r.Outcome)
			} else {
				err = fmt.Errorf("unexpected output %q of the child", line)
			}
		}
		if err != nil {
			return r, err
		}
	}
	if err := p.wait(); err != nil {
		return r, err
	}
	r.servers, r.redis, r.tables = end.cpu-begin.cpu, end.redisMemory-begin.redisMemory, end.tables-begin.tables
	return r, nil
}

// process is a running program, with its output by lines.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	lines  chan string // of standard output; closed at the end of it
	errors *tail
	once   sync.Once
	result error
	stop   func() bool
}

// start starts a program in its own process group. The program is killed when ctx ends, or when this process ends.
func start(ctx context.Context, command, environ []string) (*process, error) {
	p := &process{cmd: exec.Command(command[0], command[1:]...), lines: make(chan string), errors: &tail{}}
	p.cmd.Env = append(os.Environ(), environ...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = p.errors
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if err := servers.Guard(p.cmd.Process.Pid); err != nil {
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		return nil, err
	}
	p.stop = context.AfterFunc(ctx, p.signal)
	go func() {
		defer close(p.lines)
		scanner := bufio.NewScanner(out)
		scanner.Buffer(nil, 16<<20)
		for scanner.Scan() {
			p.lines <- scanner.Text()
		}
	}()
	return p, nil
}

func (p *process) answer() error {
	_, err := io.WriteString(p.in, "go\n")
	return err
}

// wait waits for the end of the program. Its output must have been read.
func (p *process) wait() error {
	p.once.Do(func() {
		p.in.Close()
		p.result = p.cmd.Wait()
		p.stop()
		servers.Unguard(p.cmd.Process.Pid)
		if text := p.errors.String(); p.result != nil && text != "" {
			p.result = fmt.Errorf("%w: %s", p.result, text)
		}
	})
	return p.result
}

func (p *process) signal() { syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// kill ends the program if it runs.
func (p *process) kill() {
	p.signal()
	for range p.lines { // the goroutine that writes here must be able to end
	}
	p.wait()
}

// terminate asks a server program to end in order, and kills it after 30 s.
func (p *process) terminate() error {
	syscall.Kill(p.cmd.Process.Pid, syscall.SIGTERM)
	timeout := time.AfterFunc(30*time.Second, p.signal)
	defer timeout.Stop()
	for range p.lines {
	}
	var exit *exec.ExitError
	err := p.wait()
	if errors.As(err, &exit) && exit.ExitCode() == -1 {
		return fmt.Errorf("the program did not end in order and was killed: %w", err)
	}
	return err
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	t.buf = t.buf[max(0, len(t.buf)-4096):]
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.buf))
}
