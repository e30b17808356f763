// Package pipeline tests Windlass as it is deployed: real processes, called over HTTP, on real PostgreSQL and Redis,
// with faults that happen in production.
package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// bin is the folder of the programs under test.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "windlass-pipeline-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		bin = dir
		build := exec.Command("go", "build", "-race", "-o", dir, "../../services/api", "../../services/worker",
			"../../services/embedded")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// testTimeout limits each wait. It is far more than any step takes, so only a broken test reaches it.
const testTimeout = 90 * time.Second

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(testTimeout)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// process is a running program.
type process struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	env    []string
	log    *logFile
	exited chan struct{}
	code   int
}

// launch starts a program with the given settings. Of the test's own environment it passes on PATH and HOME only.
func launch(t *testing.T, program string, env ...string) *process {
	t.Helper()
	p := &process{t: t, name: program, env: env, log: &logFile{}}
	p.start()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", program, p.log.tail(8<<10))
		}
		if strings.Contains(p.log.String(), "DATA RACE") {
			t.Errorf("%s has a data race:\n%s", program, p.log.tail(16<<10))
		}
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(filepath.Join(bin, p.name))
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LOG_FORMAT=json"}, p.env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.exited = make(chan struct{})
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, exited chan struct{}) {
		cmd.Wait()
		p.code = cmd.ProcessState.ExitCode()
		close(exited)
	}(p.cmd, p.exited)
}

// kill sends SIGKILL and waits for the end.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.exited
}

// terminate sends SIGTERM and returns the exit code.
func (p *process) terminate() int {
	p.t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	return p.terminated()
}

// terminated waits for the end of a process and returns its exit code.
func (p *process) terminated() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(testTimeout):
		p.t.Fatalf("%s did not stop", p.name)
	}
	return p.code
}

// logFile collects the output of a process.
type logFile struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logFile) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logFile) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logFile) tail(n int) string {
	s := l.String()
	return s[max(0, len(s)-n):]
}

// freePort returns a port that is free now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// api is a client of one api process.
type api struct {
	t    *testing.T
	base string
}

// answer is a response to a request.
type answer struct {
	code   int
	header http.Header
	body   map[string]any
	err    error // set if there was no response
}

func (a *api) call(method, path, body string, header ...string) answer {
	a.t.Helper()
	req, err := http.NewRequest(method, a.base+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{err: err}
	}
	out := answer{code: resp.StatusCode, header: resp.Header, body: map[string]any{}}
	if err := json.Unmarshal(raw, &out.body); err != nil && len(raw) > 0 {
		out.body["text"] = string(raw)
	}
	return out
}

// submit creates a job and returns its id.
func (a *api) submit(body string, header ...string) string {
	a.t.Helper()
	r := a.call("POST", "/jobs", body, header...)
	if r.err != nil || r.code != http.StatusCreated {
		a.t.Fatalf("POST /jobs %s: %d %v %v", body, r.code, r.body, r.err)
	}
	return r.body["id"].(string)
}

func (a *api) get(path string) map[string]any {
	a.t.Helper()
	r := a.call("GET", path, "")
	if r.err != nil || r.code != http.StatusOK {
		a.t.Fatalf("GET %s: %d %v %v", path, r.code, r.body, r.err)
	}
	return r.body
}

// await waits until a job has the state.
func (a *api) await(id, state string) (job map[string]any) {
	a.t.Helper()
	eventually(a.t, fmt.Sprintf("job %s to be %s", id, state), func() bool {
		r := a.call("GET", "/jobs/"+id, "")
		job = r.body
		return r.code == http.StatusOK && job["state"] == state
	})
	return job
}

// awaitReady waits until GET /readyz answers with the code.
func (a *api) awaitReady(code int) {
	a.t.Helper()
	eventually(a.t, fmt.Sprintf("/readyz to answer %d", code),
		func() bool { return a.call("GET", "/readyz", "").code == code })
}

// outcomes returns the outcomes of a job's unsuccessful attempts.
func outcomes(job map[string]any) (list []string) {
	history, _ := job["history"].([]any)
	for _, h := range history {
		list = append(list, h.(map[string]any)["outcome"].(string))
	}
	return list
}

func number(t *testing.T, v any) int {
	t.Helper()
	f, ok := v.(float64)
	if !ok {
		t.Fatalf("%v is not a number", v)
	}
	return int(f)
}

// flush deletes everything in Redis.
func flush(t *testing.T, url string) {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(options)
	defer c.Close()
	if err := c.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}
