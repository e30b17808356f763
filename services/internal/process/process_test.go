package process

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/windlass-jobs/windlass/services/internal/settings"
)

// envChild makes this test binary one of the processes that the tests look at from outside.
const envChild = "WINDLASS_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(envChild) {
	case "settings":
		os.Exit(Main(settings.API, os.Args[1:], "usage: api", func(_ context.Context, config settings.Config,
			_ *slog.Logger) error {
			fmt.Println("port", config.Port)
			if config.Port == 82 {
				return errors.New("taken")
			}
			return nil
		}))
	case "stubborn":
		ctx, stop := Signals(context.Background(), slog.New(slog.DiscardHandler))
		defer stop()
		fmt.Println("ready")
		<-ctx.Done()
		fmt.Println("ending:", context.Cause(ctx))
		select {} // does not end by itself
	}
	os.Exit(m.Run())
}

func child(t *testing.T, kind string, environ ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append([]string{envChild + "=" + kind}, environ...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	return cmd, &stderr
}

func TestMainExitCodes(t *testing.T) {
	for _, test := range []struct {
		name   string
		args   []string
		port   string
		code   int
		stdout string // part of it
		stderr string
	}{
		{"wrong settings", nil, "eighty", 2, "", "api: cannot start, the settings are wrong:\nPORT must be a whole number\n"},
		{"good settings", nil, "81", 0, "port 81\n", ""},
		{"failure", nil, "82", 1, `"msg":"stopped","error":"taken"`, ""},
		{"wrong arguments", []string{"now"}, "81", 2, "", "usage: api\n"},
		{"health check", []string{"healthcheck"}, "0", 1, "api is not ready", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd, stderr := child(t, "settings", append(minimal[settings.API], "PORT="+test.port)...)
			cmd.Args = append(cmd.Args, test.args...)
			out, _ := cmd.Output()
			if code := cmd.ProcessState.ExitCode(); code != test.code || !strings.Contains(string(out), test.stdout) ||
				stderr.String() != test.stderr {
				t.Errorf("exit code %d, stdout %q, stderr %q", code, out, stderr)
			}
			if strings.Contains(string(out), "hush") {
				t.Errorf("it told a password: %s", out)
			}
		})
	}
}

func TestSignalsFirstEndsTheContextSecondTheProcess(t *testing.T) {
	for sig, code := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130} {
		t.Run(sig.String(), func(t *testing.T) {
			cmd, _ := child(t, "stubborn")
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill()
			lines := bufio.NewScanner(stdout)
			if !lines.Scan() || lines.Text() != "ready" {
				t.Fatalf("it said %q", lines.Text())
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if !lines.Scan() || lines.Text() != "ending: received "+sig.String() {
				t.Fatalf("after the first signal it said %q", lines.Text())
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, stdout)
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != code {
				t.Errorf("after the second signal it ended with %v, want exit code %d", err, code)
			}
		})
	}
}

func TestSignalsStop(t *testing.T) {
	ctx, stop := Signals(t.Context(), slog.New(slog.DiscardHandler))
	if ctx.Err() != nil {
		t.Fatal("the context has ended before any signal")
	}
	stop()
	stop() // may be called again
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("after stop the context's error is %v", ctx.Err())
	}
}

func TestLogger(t *testing.T) {
	tests := []struct {
		name   string
		config settings.Config
		json   bool
	}{
		{"json where nothing is said", settings.Config{Service: settings.API}, true},
		{"json where embedded does not write to a terminal", settings.Config{Service: settings.Embedded}, true},
		{"text where it is asked for", settings.Config{Service: settings.API, LogFormat: "text"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			log := Logger(test.config, &out)
			log.Debug("not this")
			log.Info("job started", "job_id", "x", "attempt", 1)
			line := strings.TrimSpace(out.String())
			var fields map[string]any
			err := json.Unmarshal([]byte(line), &fields)
			if (err == nil) != test.json {
				t.Fatalf("wrote %q, json: want %v", line, test.json)
			}
			if test.json && (fields["msg"] != "job started" || fields["job_id"] != "x" || fields["level"] != "INFO") {
				t.Errorf("wrote %v", fields)
			}
			if !test.json && (!strings.Contains(line, "job started job_id=x attempt=1") || strings.Contains(line, "\x1b")) {
				t.Errorf("wrote %q, want plain text without colours", line)
			}
		})
	}
}

func TestLoggerLevel(t *testing.T) {
	var out bytes.Buffer
	log := Logger(settings.Config{Service: settings.API, LogLevel: slog.LevelDebug}, &out)
	log.Debug("this")
	if !strings.Contains(out.String(), `"msg":"this"`) {
		t.Errorf("LOG_LEVEL=debug wrote %q", out.String())
	}
}
