package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/windlass-jobs/windlass/tests/bench/usage"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// build builds the services api and worker into the scratch folder, once.
func (b *bench) build(ctx context.Context) error {
	if b.built {
		return nil
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.scratch, "./services/api", "./services/worker")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the services: %w\n%s", err, out)
	}
	b.built = true
	return nil
}

// service is a running api or worker.
type service struct {
	*process
	url string
}

// startService starts an api or a worker on a free port, and waits until it is ready.
func (b *bench) startService(ctx context.Context, h *host, name string) (*service, error) {
	port, err := servers.FreePort()
	if err != nil {
		return nil, err
	}
	environ := []string{
		"DATABASE_URL=" + h.url(), "REDIS_URL=" + h.redisURL, "LOG_LEVEL=warn", "LOG_FORMAT=json", "FAIL_RATE=0",
	}
	if name == "api" {
		environ = append(environ, "PORT="+strconv.Itoa(port))
	} else {
		environ = append(environ, "HEALTH_PORT="+strconv.Itoa(port))
	}
	return serve(ctx, []string{filepath.Join(b.scratch, name)}, environ, port)
}

// serve starts a program that listens on a port, and waits until /readyz answers 200.
func serve(ctx context.Context, command, environ []string, port int) (*service, error) {
	p, err := start(ctx, command, environ)
	if err != nil {
		return nil, err
	}
	go func() { // discards its log
		for range p.lines {
		}
	}()
	s := &service{process: p, url: "http://127.0.0.1:" + strconv.Itoa(port)}
	deadline := time.Now().Add(30 * time.Second)
	for {
		if _, err = get(ctx, s.url+"/readyz"); err == nil {
			return s, nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			s.kill()
			return nil, fmt.Errorf("%s did not become ready: %w; %s", filepath.Base(command[0]), err, p.errors)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// used returns the CPU time of the service so far.
func (s *service) used() (time.Duration, error) { return usage.Tree(s.cmd.Process.Pid) }

// get fetches a page and returns the time it took.
func get(ctx context.Context, url string) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	took := time.Since(began)
	if res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s", url, res.Status)
	}
	return took, errors.Join(err, res.Body.Close())
}
