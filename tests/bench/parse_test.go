package main

import (
	"strings"
	"testing"
	"time"
)

const wrkOutput = `Running 2s test @ http://127.0.0.1:8000/jobs
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.10ms    1.91ms  35.45ms   88.37%
    Req/Sec    10.63k     1.08k   12.92k    67.50%
  Latency Distribution
     50%    2.76ms
     75%    3.62ms
     90%    4.92ms
     99%  980.00us
  42338 requests in 2.00s, 14.98MB read
Requests/sec:  21155.53
Transfer/sec:      7.48MB
`

func TestParseWrk(t *testing.T) {
	l, err := parseWrk(wrkOutput)
	if err != nil || l.requests != 42338 || l.took != 2*time.Second || l.rate != 21169 || l.p99 != 0.98 {
		t.Errorf("parseWrk = %+v (%v)", l, err)
	}
	for name, out := range map[string]string{
		"an error response": strings.Replace(wrkOutput, "Requests/sec", "  Non-2xx or 3xx responses: 7\nRequests/sec", 1),
		"a lost connection": strings.Replace(wrkOutput, "Requests/sec",
			"  Socket errors: connect 0, read 1, write 0, timeout 0\nRequests/sec", 1),
		"another output":  "wrk: no such host",
		"no 99% quantile": strings.Replace(wrkOutput, "99%", "98%", 1),
	} {
		if l, err := parseWrk(out); err == nil {
			t.Errorf("%s: %+v, want an error", name, l)
		}
	}
}

func TestRedisCallsLeaveOutINFO(t *testing.T) {
	stats := "# Commandstats\r\ncmdstat_get:calls=21,usec=175,usec_per_call=8.33\r\n" +
		"cmdstat_info:calls=900,usec=1\r\ncmdstat_config|get:calls=2,usec=4\r\n"
	if got := redisCalls(stats); got != 23 {
		t.Errorf("redisCalls = %v, want 23", got)
	}
}

func TestPlanHasEveryMeasureAndFollowsTheFlags(t *testing.T) {
	want := "drain drain-1m drain-5m submit bulk http sustained latency idle memory reads embedded settings"
	if got := strings.Join(measureNames(), " "); got != want {
		t.Errorf("measures %s, want %s", got, want)
	}
	rows := map[string]bool{}
	for _, g := range (&bench{long: true, window: time.Second}).plan() {
		if rows[g.name] {
			t.Errorf("two groups make the row %q", g.name)
		}
		rows[g.name] = true
		if (g.alone == nil) == (len(g.entries) == 0) {
			t.Errorf("%q has neither entries nor alone, or has both", g.name)
		}
		for _, e := range g.entries {
			for _, arg := range e.args {
				if strings.HasSuffix(arg, "=0") {
					t.Errorf("%q has the argument %s for %s", g.name, arg, e.label)
				}
			}
		}
	}
	for _, g := range (&bench{}).plan() {
		if g.long {
			t.Errorf("%q is in the plan without -long", g.name)
		}
	}
	b := &bench{measures: []string{"latency"}, systems: []string{"river"}}
	for _, g := range b.plan() {
		if g.measure != "latency" {
			t.Errorf("-measure latency has %q in the plan", g.name)
		}
	}
	for system, want := range map[string]bool{"river": true, "river-sqlite": true, "windlass": false, "goqite": false} {
		if b.has(system) != want {
			t.Errorf("-systems river: %s is measured: %t, want %t", system, !want, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{7: "7", 999: "999", 1000: "1,000", 100_000: "100,000", 5_000_000: "5,000,000"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
}
