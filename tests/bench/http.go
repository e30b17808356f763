package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/windlass-jobs/windlass/tests/bench/report"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// measureHTTP posts jobs to the api over many connections, and to a bare net/http server that only reads the request
// and answers. The difference is the cost of Windlass, including its commits. wrk makes the load; its own CPU time is
// not counted.
func (b *bench) measureHTTP(ctx context.Context, g group, round int) error {
	targets := []struct {
		label string
		post  func(context.Context, int) (load, error)
	}{{"Windlass", b.postWindlass}, {"bare net/http", b.postBare}}
	for _, connections := range []int{64, 256} {
		name := fmt.Sprintf("%s, %d connections", g.name, connections)
		for i := range targets {
			t := targets[(i+round)%len(targets)]
			began := time.Now()
			l, err := t.post(ctx, connections)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			b.progress(round, name, t.label, time.Since(began), err)
			if err != nil {
				b.table.Fail(t.label, name, err.Error())
				continue
			}
			settings := fmt.Sprintf("wrk, 2 threads, %s; CPU without wrk's", l.took.Round(time.Second))
			b.table.Add(t.label, settings, report.Value{
				Row: name, Unit: "requests/s", Number: l.rate, CPU: float64(l.cpu.Microseconds()) / float64(l.requests),
			})
			b.table.Add(t.label, settings, report.Value{
				Row: name + ", p99", Unit: "ms", Lower: true, Number: l.p99, CPU: report.NoCPU(),
			})
		}
	}
	return nil
}

// load is the output of wrk, and the CPU time of the servers.
type load struct {
	requests int
	rate     float64 // requests/s
	p99      float64 // ms
	took     time.Duration
	cpu      time.Duration // of the server under load, PostgreSQL and Redis
}

func (b *bench) postWindlass(ctx context.Context, connections int) (l load, err error) {
	if err := b.build(ctx); err != nil {
		return l, err
	}
	if _, err := b.host.fresh(ctx); err != nil {
		return l, err
	}
	api, err := b.startService(ctx, b.host, "api")
	if err != nil {
		return l, err
	}
	defer api.kill()
	warm, err := wrk(ctx, api.url, connections, time.Second)
	if err != nil {
		return l, err
	}
	if err := b.host.settle(ctx); err != nil {
		return l, err
	}
	if l, err = b.loadService(ctx, api, connections); err != nil {
		return l, err
	}
	if err := api.terminate(); err != nil {
		return l, fmt.Errorf("end the api: %w", err)
	}
	// wrk closes its connections without waiting for answers. So the last request of each connection may have been stored
	// but not counted.
	var stored int
	conn, err := pgx.Connect(ctx, b.host.url())
	if err != nil {
		return l, err
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM windlass.jobs WHERE status = 'pending'").Scan(&stored); err != nil {
		return l, err
	}
	if least := warm.requests + l.requests; stored < least || stored > least+2*connections {
		return l, fmt.Errorf("%d requests were answered, but %d jobs are stored", least, stored)
	}
	return l, nil
}

func (b *bench) postBare(ctx context.Context, connections int) (l load, err error) {
	port, err := servers.FreePort()
	if err != nil {
		return l, err
	}
	s, err := serve(ctx, []string{b.self, "bare", strconv.Itoa(port)}, []string{collector("")}, port)
	if err != nil {
		return l, err
	}
	defer s.kill()
	if _, err := wrk(ctx, s.url, connections, time.Second); err != nil {
		return l, err
	}
	return b.loadService(ctx, s, connections)
}

// loadService runs wrk against a service, and adds up the CPU time of the service and the servers.
func (b *bench) loadService(ctx context.Context, s *service, connections int) (l load, err error) {
	used := func() (time.Duration, error) {
		m, err := b.host.mark(ctx, false)
		own, ownErr := s.used()
		return m.cpu + own, errors.Join(err, ownErr)
	}
	before, err := used()
	if err != nil {
		return l, err
	}
	window := 8 * time.Second
	if b.quick {
		window = 2 * time.Second
	}
	if l, err = wrk(ctx, s.url, connections, window); err != nil {
		return l, err
	}
	after, err := used()
	l.cpu = after - before
	return l, err
}

func wrk(ctx context.Context, url string, connections int, window time.Duration) (load, error) {
	cmd := exec.CommandContext(ctx, "wrk", "-t2", "-c"+strconv.Itoa(connections),
		"-d"+strconv.Itoa(int(window.Seconds()))+"s", "--latency", "-s", "post.lua", url+"/jobs")
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return load{}, errors.New("wrk is not installed (apt-get install wrk)")
	}
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	return parseWrk(string(out))
}

var (
	wrkTotal = regexp.MustCompile(`(\d+) requests in ([0-9.]+)(ms|s|m),`)
	wrkP99   = regexp.MustCompile(`(?m)^\s+99%\s+([0-9.]+)(us|ms|s|m)$`)
)

// parseWrk parses the output of wrk. A response that is not a success, or an error of a connection, makes the figure
// invalid and is an error.
func parseWrk(out string) (l load, err error) {
	for _, bad := range []string{"Non-2xx or 3xx responses", "Socket errors"} {
		if i := strings.Index(out, bad); i >= 0 {
			line, _, _ := strings.Cut(out[i:], "\n")
			return l, fmt.Errorf("wrk: %s", line)
		}
	}
	total, p99 := wrkTotal.FindStringSubmatch(out), wrkP99.FindStringSubmatch(out)
	if total == nil || p99 == nil {
		return l, fmt.Errorf("cannot parse the output of wrk:\n%s", out)
	}
	if l.requests, err = strconv.Atoi(total[1]); err != nil {
		return l, err
	}
	if l.took, err = time.ParseDuration(total[2] + total[3]); err != nil {
		return l, err
	}
	slow, err := time.ParseDuration(p99[1] + p99[2])
	l.rate, l.p99 = float64(l.requests)/l.took.Seconds(), float64(slow.Microseconds())/1000
	return l, err
}

// bare runs a server that does the minimum: it decodes a job and answers, but stores nothing.
func bare(port string) int {
	type submission struct {
		Type    string `json:"type"`
		Payload struct {
			To         string `json:"to"`
			Subject    string `json:"subject"`
			Body       string `json:"body"`
			DurationMS int    `json:"duration_ms"`
		} `json:"payload"`
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /jobs", func(w http.ResponseWriter, r *http.Request) {
		var in submission
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		json.NewEncoder(w).Encode(map[string]string{
			"id": "00000000-0000-7000-8000-000000000000", "type": in.Type, "status": "pending",
		})
	})
	err := http.ListenAndServe(net.JoinHostPort("127.0.0.1", port), mux)
	fmt.Fprintln(os.Stderr, err)
	return 1
}
