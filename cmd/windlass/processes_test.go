package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDev starts everything in one process, uses it, and stops it.
func TestDev(t *testing.T) {
	port := freePort(t)
	command := exec.Command(os.Args[0], "dev")
	command.Env = []string{envChild + "=1", "PATH=" + os.Getenv("PATH"), "PORT=" + port, "WEB_PORT=0",
		"DATA_DIR=" + t.TempDir(), "LOG_FORMAT=json"}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer command.Process.Kill()
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	await := func(message string) {
		t.Helper()
		timeout := time.After(30 * time.Second)
		for {
			select {
			case line, ok := <-lines:
				if !ok {
					t.Fatalf("it ended before it said %q", message)
				}
				if strings.Contains(line, fmt.Sprintf(`"msg":%q`, message)) {
					return
				}
			case <-timeout:
				t.Fatalf("it did not say %q", message)
			}
		}
	}
	await("worker started")

	s := &system{t: t, env: map[string]string{"WINDLASS_URL": "http://127.0.0.1:" + port}}
	s.run("submit", "report", `{"duration_ms":0,"fail_rate":0}`, "--wait").wants(exitDone, "completed")
	check := exec.Command(os.Args[0], "dev", "healthcheck")
	check.Env = command.Env
	if text, err := check.CombinedOutput(); err != nil || !strings.Contains(string(text), "embedded is ready") {
		t.Errorf("healthcheck: %v, %s", err, text)
	}

	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await("stopped")
	for range lines {
		// until it closes its output
	}
	if err := command.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if resp, err := http.Get("http://127.0.0.1:" + port + "/livez"); err == nil {
		resp.Body.Close()
		t.Error("it still answers")
	}
}

// freePort finds a port that nobody listens on.
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

// TestProcessesWithWrongSettings looks at exit codes and words.
func TestProcessesWithWrongSettings(t *testing.T) {
	for _, test := range []struct {
		args []string
		env  string
		code int
		want string
	}{
		{[]string{"api"}, "PORT=x", exitUsage, "PORT must be a whole number"},
		{[]string{"worker"}, "HEALTH_PORT=x", exitUsage, "REDIS_URL is needed"},
		{[]string{"dev"}, "PORT=x", exitUsage, "PORT must be a whole number"},
		{[]string{"dev", "now"}, "", exitUsage, "dev [healthcheck]"},
		{[]string{"api", "healthcheck", "now"}, "", exitUsage, "api [openapi | healthcheck]"},
		{[]string{"worker", "healthcheck"}, "", exitRefused, "worker is not ready"},
		{[]string{"migrate", "up"}, "", exitUsage, "DATABASE_URL is needed"},
		{[]string{"migrate", "status"}, "DATABASE_URL=postgres://app:hush@127.0.0.1:1/w", exitUnavailable, "refused"},
		{[]string{"migrate", "down"}, "", exitUsage, "windlass"},
		{[]string{"migrate"}, "", exitDone, "windlass migrate"},
	} {
		command := exec.Command(os.Args[0], test.args...)
		command.Env = []string{envChild + "=1", test.env}
		text, _ := command.CombinedOutput()
		if code := command.ProcessState.ExitCode(); code != test.code || !strings.Contains(string(text), test.want) {
			t.Errorf("%v with %q: exit code %d and\n%s\nwant %d and %q", test.args, test.env, code, text, test.code, test.want)
		}
		if strings.Contains(string(text), "hush") {
			t.Errorf("%v tells the password", test.args)
		}
	}
}

func TestAPIPrintsItsDocument(t *testing.T) {
	command := exec.Command(os.Args[0], "api", "openapi")
	command.Env = []string{envChild + "=1"}
	text, err := command.Output()
	var document map[string]any
	if err != nil || json.Unmarshal(text, &document) != nil || document["openapi"] == nil {
		t.Errorf("api openapi: %v, %.200s", err, text)
	}
}
