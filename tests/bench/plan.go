package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// labels are the names of the systems in the table.
var labels = map[string]string{
	"windlass": "Windlass", "river": "River", "asynq": "asynq", "bullmq": "BullMQ",
	"windlass-sqlite": "Windlass", "river-sqlite": "River", "goqite": "goqite",
}

// entry is one system in a case.
type entry struct {
	system string
	label  string
	args   []string // of the child process
}

// group is one measure, for all of its systems. It makes one or a few rows of the table.
type group struct {
	name    string // of the row
	measure string // its name for -measure
	child   string // its name for the child process
	long    bool
	entries []entry
	// alone measures Windlass' services. It is set for a group without entries.
	alone func(ctx context.Context, g group, round int) error
}

// size returns n, or a small number with -quick.
func (b *bench) size(n int) int {
	if b.quick {
		return max(n/20, 200)
	}
	return n
}

func jobs(n int) string { return "-jobs=" + strconv.Itoa(n) }

// plan lists all measures, each with the systems that support it.
func (b *bench) plan() []group {
	all := []string{"windlass", "river", "asynq", "bullmq"}
	backlog := b.size(100_000)
	with := func(args []string, systems ...string) (list []entry) {
		for _, s := range systems {
			list = append(list, entry{s, labels[s], args})
		}
		return list
	}
	var plan []group
	add := func(g group) { plan = append(plan, g) }

	drain := with([]string{jobs(backlog)}, all...)
	drain[3] = entry{"bullmq", "BullMQ (removed)", []string{jobs(backlog), "-keep=false"}}
	drain = append(drain, entry{"bullmq", "BullMQ (kept)", []string{jobs(backlog), "-keep=true"}})
	add(group{name: "drain " + count(backlog), measure: "drain", child: "drain", entries: drain})

	add(group{
		name:    "drain the first " + count(backlog) + " of " + count(10*backlog),
		measure: "drain-1m", child: "drain", long: true,
		entries: with([]string{jobs(10 * backlog), "-take=" + strconv.Itoa(backlog)}, "windlass", "river"),
	})
	add(group{
		name:    "drain " + count(backlog) + " beside " + count(50*backlog) + " finished",
		measure: "drain-5m", child: "drain", long: true,
		entries: with([]string{jobs(backlog), "-history=" + strconv.Itoa(50*backlog)}, "windlass", "river"),
	})

	for _, callers := range []int{16, 64, 256, 1000} {
		g := group{name: fmt.Sprintf("submit, %d callers", callers), measure: "submit", child: "submit"}
		for _, s := range all {
			g.entries = append(g.entries, entry{s, labels[s], []string{
				jobs(b.size(submits[s][callers])), "-callers=" + strconv.Itoa(callers),
			}})
		}
		add(g)
	}

	// Windlass accepts at most 1,000 jobs in one call; River's own benchmark uses 5,000. Four callers keep both cores busy
	// with every system.
	add(group{name: "bulk submit", measure: "bulk", child: "bulk", entries: []entry{
		{"windlass", "Windlass", []string{jobs(b.size(500_000)), "-callers=4", "-batch=1000"}},
		{"river", "River (1,000 a call)", []string{jobs(b.size(300_000)), "-callers=4", "-batch=1000"}},
		{"river", "River (5,000 a call)", []string{jobs(b.size(300_000)), "-callers=4", "-batch=5000"}},
		{"bullmq", "BullMQ", []string{jobs(b.size(150_000)), "-callers=4", "-batch=1000"}},
	}})

	add(group{name: "POST /jobs", measure: "http", alone: b.measureHTTP})

	for _, callers := range []int{16, 256} {
		add(group{
			name: fmt.Sprintf("submit and run, %d producers", callers), measure: "sustained", child: "sustained",
			entries: with([]string{"-callers=" + strconv.Itoa(callers), "-window=" + b.window.String()}, all...),
		})
	}

	// By default asynq polls an empty queue once a second, so 150 samples would take minutes.
	latency := func(name, settings, gap string, samples int, systems ...string) {
		g := group{name: "latency, " + name, measure: "latency", child: "latency"}
		for _, s := range systems {
			n := samples
			if s == "asynq" && settings == "default" {
				n = 60
			}
			if b.quick {
				n = 20
			}
			g.entries = append(g.entries, entry{s, labels[s],
				[]string{"-samples=" + strconv.Itoa(n), "-gap=" + gap, "-settings=" + settings}})
		}
		add(g)
	}
	latency("defaults, a job each 10–25 ms", "default", "10ms", 150, all...)
	// These gaps are longer than River's default pause after a fetch, 100 ms. So a single job does not wait for that
	// pause.
	latency("defaults, a job each 110–275 ms", "default", "110ms", 80, all...)
	latency("tuned, a job each 10–25 ms", "tuned", "10ms", 300, "windlass", "river", "asynq")

	add(group{name: "idle", measure: "idle", alone: b.measureIdle})
	add(group{
		name: "memory", measure: "memory", child: "queued",
		entries: with([]string{jobs(b.size(100_000))}, all...),
	})
	add(group{name: "reads", measure: "reads", long: true, alone: b.measureReads})

	sqlite := []string{"windlass-sqlite", "river-sqlite", "goqite"}
	add(group{
		name: "SQLite: drain " + count(b.size(20_000)), measure: "embedded", child: "drain",
		entries: with([]string{jobs(b.size(20_000))}, sqlite...),
	})
	for _, callers := range []int{1, 16} {
		g := group{name: fmt.Sprintf("SQLite: submit, %d callers", callers), measure: "embedded", child: "submit"}
		for _, s := range sqlite {
			g.entries = append(g.entries, entry{s, labels[s], []string{
				jobs(b.size(submits[s][callers])), "-callers=" + strconv.Itoa(callers),
			}})
		}
		add(g)
	}
	plan = append(plan, b.settings()...)
	return slices.DeleteFunc(plan, func(g group) bool { return !b.wanted(g) })
}

// settings compares possible settings of the other systems. The settings in systems/ must be among the best.
func (b *bench) settings() (plan []group) {
	add := func(name, system, child, common string, variants ...string) {
		g := group{name: name, measure: "settings", child: child, long: true}
		for _, v := range variants {
			g.entries = append(g.entries, entry{system, v, strings.Fields(common + " " + v)})
		}
		plan = append(plan, g)
	}
	drain := jobs(b.size(50_000))
	add("River's settings, drain", "river", "drain", drain,
		"-slots=500", "-slots=1000", "-slots=2000", "-conns=4", "-conns=32")
	add("River's settings, submit", "river", "submit", jobs(b.size(20_000))+" -callers=256",
		"-conns=16", "-conns=32", "-conns=64", "-conns=100")
	add("asynq's settings, drain", "asynq", "drain", drain, "-slots=20", "-slots=50", "-slots=100", "-slots=200")
	add("asynq's settings, submit", "asynq", "submit", jobs(b.size(100_000))+" -callers=256",
		"-conns=20", "-conns=50", "-conns=100", "-conns=256")
	add("BullMQ's settings, drain", "bullmq", "drain", drain, "-slots=50", "-slots=100", "-slots=200", "-slots=400",
		"-slots=100 -pipeline=true", "-slots=100 -processes=2", "-slots=100 -processes=2 -pipeline=true")
	add("BullMQ's settings, submit", "bullmq", "submit", jobs(b.size(50_000))+" -callers=64",
		"-pipeline=true", "-pipeline=false")
	add("BullMQ's settings, submit and run", "bullmq", "sustained",
		"-callers=256 -window="+min(b.window, 10*time.Second).String(),
		"-processes=1", "-processes=2", "-processes=1 -pipeline=true", "-processes=2 -pipeline=true")
	add("River's settings on SQLite, drain", "river-sqlite", "drain", jobs(b.size(5_000)),
		"-slots=1", "-slots=10", "-slots=100", "-slots=1000")
	add("goqite's settings, drain", "goqite", "drain", jobs(b.size(5_000)),
		"-slots=1", "-slots=10", "-slots=100", "-slots=1000")
	return plan
}

// submits is the number of jobs that keeps a system busy for 3 to 8 seconds, by number of callers.
var submits = map[string]map[int]int{
	"windlass":        {16: 80_000, 64: 200_000, 256: 400_000, 1000: 500_000},
	"river":           {16: 15_000, 64: 20_000, 256: 20_000, 1000: 20_000},
	"asynq":           {16: 150_000, 64: 200_000, 256: 200_000, 1000: 200_000},
	"bullmq":          {16: 80_000, 64: 100_000, 256: 100_000, 1000: 100_000},
	"windlass-sqlite": {1: 10_000, 16: 40_000},
	"river-sqlite":    {1: 6_000, 16: 6_000},
	"goqite":          {1: 10_000, 16: 10_000},
}

// wanted reports whether -measure and -long select a group.
func (b *bench) wanted(g group) bool {
	if len(b.measures) > 0 {
		return slices.Contains(b.measures, g.measure) && (!g.long || b.long)
	}
	return !g.long || b.long
}

// has reports whether -systems selects a system. The name without "-sqlite" selects a system on SQLite too.
func (b *bench) has(system string) bool {
	if len(b.systems) == 0 {
		return true
	}
	if system == "windlass-sqlite" || system == "river-sqlite" {
		return slices.Contains(b.systems, system) || slices.Contains(b.systems, system[:len(system)-len("-sqlite")])
	}
	return slices.Contains(b.systems, system)
}

// count writes 100,000 with its comma.
func count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// timeout is how long a child may take, including its preparation.
func (g group) timeout() time.Duration {
	if g.long {
		return time.Hour
	}
	return 10 * time.Minute
}
