package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The systems by the names they have in the table.
var labels = map[string]string{
	"windlass": "Windlass", "river": "River", "asynq": "asynq", "bullmq": "BullMQ",
	"windlass-sqlite": "Windlass", "river-sqlite": "River", "goqite": "goqite",
}

// entry is one system in a case.
type entry struct {
	system string
	label  string
	args   []string // of its child
}

// group is one line, or a few, of the table: the same for all of its systems.
type group struct {
	name    string // of the row
	measure string // what -measure calls it
	child   string // what the child calls it
	long    bool
	entries []entry
	// alone measures Windlass' services, in the place of a child for each entry.
	alone func(ctx context.Context, g group, round int) error
}

// size scales counts down for development.
func (b *bench) size(n int) int {
	if b.quick {
		return max(n/20, 200)
	}
	return n
}

func jobs(n int) string { return "-jobs=" + strconv.Itoa(n) }

// plan lists all measures, each with the systems that can do it.
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
		name: "drain the first " + count(backlog) + " of " + count(10*backlog), measure: "drain-1m", child: "drain", long: true,
		entries: with([]string{jobs(10 * backlog), "-take=" + strconv.Itoa(backlog)}, "windlass", "river"),
	})
	add(group{
		name: "drain " + count(backlog) + " beside " + count(50*backlog) + " finished", measure: "drain-5m", child: "drain", long: true,
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

	// Windlass takes 1,000 jobs in one call at most; River's own benchmark has 5,000. Four callers keep both cores busy with each of the systems.
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

	// asynq looks into an empty queue once a second unless told otherwise: 150 samples of that would take minutes.
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
			g.entries = append(g.entries, entry{s, labels[s], []string{"-samples=" + strconv.Itoa(n), "-gap=" + gap, "-settings=" + settings}})
		}
		add(g)
	}
	latency("defaults, a job each 10–25 ms", "default", "10ms", 150, all...)
	// Gaps that are longer than what River rests after a fetch by default, 100 ms: who has a lone job now and then waits less.
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

// settings compares the settings that a peer could be measured with: those in its file in systems/ have to be among the best.
func (b *bench) settings() (plan []group) {
	add := func(name, system, child, common string, variants ...string) {
		g := group{name: name, measure: "settings", child: child, long: true}
		for _, v := range variants {
			g.entries = append(g.entries, entry{system, v, strings.Fields(common + " " + v)})
		}
		plan = append(plan, g)
	}
	drain := jobs(b.size(50_000))
	add("River's settings, drain", "river", "drain", drain, "-slots=500", "-slots=1000", "-slots=2000", "-conns=4", "-conns=32")
	add("River's settings, submit", "river", "submit", jobs(b.size(20_000))+" -callers=256", "-conns=16", "-conns=32", "-conns=64", "-conns=100")
	add("asynq's settings, drain", "asynq", "drain", drain, "-slots=20", "-slots=50", "-slots=100", "-slots=200")
	add("asynq's settings, submit", "asynq", "submit", jobs(b.size(100_000))+" -callers=256", "-conns=20", "-conns=50", "-conns=100", "-conns=256")
	add("BullMQ's settings, drain", "bullmq", "drain", drain, "-slots=50", "-slots=100", "-slots=200", "-slots=400",
		"-slots=100 -pipeline=true", "-slots=100 -processes=2", "-slots=100 -processes=2 -pipeline=true")
	add("BullMQ's settings, submit", "bullmq", "submit", jobs(b.size(50_000))+" -callers=64", "-pipeline=true", "-pipeline=false")
	add("BullMQ's settings, submit and run", "bullmq", "sustained", "-callers=256 -window="+min(b.window, 10*time.Second).String(),
		"-processes=1", "-processes=2", "-processes=1 -pipeline=true", "-processes=2 -pipeline=true")
	add("River's settings on SQLite, drain", "river-sqlite", "drain", jobs(b.size(5_000)), "-slots=1", "-slots=10", "-slots=100", "-slots=1000")
	add("goqite's settings, drain", "goqite", "drain", jobs(b.size(5_000)), "-slots=1", "-slots=10", "-slots=100", "-slots=1000")
	return plan
}

// submits is how many jobs keep a system busy for 3 to 8 seconds, by callers.
var submits = map[string]map[int]int{
	"windlass":        {16: 80_000, 64: 200_000, 256: 400_000, 1000: 500_000},
	"river":           {16: 15_000, 64: 20_000, 256: 20_000, 1000: 20_000},
	"asynq":           {16: 150_000, 64: 200_000, 256: 200_000, 1000: 200_000},
	"bullmq":          {16: 80_000, 64: 100_000, 256: 100_000, 1000: 100_000},
	"windlass-sqlite": {1: 10_000, 16: 40_000},
	"river-sqlite":    {1: 6_000, 16: 6_000},
	"goqite":          {1: 10_000, 16: 10_000},
}

// wanted tells whether a group was asked for, and takes out the systems that were not.
func (b *bench) wanted(g group) bool {
	if len(b.measures) > 0 {
		return slices.Contains(b.measures, g.measure) && (!g.long || b.long)
	}
	return !g.long || b.long
}

// has tells whether a system takes part. Those on SQLite go by the name of the system.
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

// childPatience is how long a child may take, its preparations included.
func (g group) patience() time.Duration {
	if g.long {
		return time.Hour
	}
	return 10 * time.Minute
}
