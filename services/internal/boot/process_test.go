package boot

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
)

// envChild makes this test binary one of the processes that the tests look at from outside.
const envChild = "WINDLASS_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(envChild) {
	case "settings":
		config := MustLoad(API)
		fmt.Println("port", config.Port)
		os.Exit(0)
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

func TestMustLoadEndsTheProcessWithCode2(t *testing.T) {
	cmd, stderr := child(t, "settings", append(minimal[API], "PORT=eighty")...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || len(out) > 0 {
		t.Errorf("it ended with %v and printed %q, want exit code 2 and nothing", err, out)
	}
	if want := "api: cannot start, the settings are wrong:\nPORT must be a whole number\n"; stderr.String() != want {
		t.Errorf("stderr %q, want %q", stderr, want)
	}
	cmd, _ = child(t, "settings", append(minimal[API], "PORT=81")...)
	if out, err := cmd.Output(); err != nil || string(out) != "port 81\n" {
		t.Errorf("with good settings it printed %q and ended with %v", out, err)
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
		config Config
		json   bool
	}{
		{"json where nothing is said", Config{Service: API}, true},
		{"json where embedded does not write to a terminal", Config{Service: Embedded}, true},
		{"text where it is asked for", Config{Service: API, LogFormat: "text"}, false},
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
	log := Logger(Config{Service: API, LogLevel: slog.LevelDebug}, &out)
	log.Debug("this")
	if !strings.Contains(out.String(), `"msg":"this"`) {
		t.Errorf("LOG_LEVEL=debug wrote %q", out.String())
	}
}

func TestVersion(t *testing.T) {
	defer func(v string) { version = v }(version)
	version = "v1.2.3"
	if got := Version(); got != "v1.2.3" {
		t.Errorf("Version() = %q, want what the linker stamped", got)
	}
	version = ""
	if got := Version(); got == "" {
		t.Error("Version() is empty without a stamp")
	}
}
