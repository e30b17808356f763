package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/tests/bench/report"
)

// facts describes the machine, the servers and the versions for the report.
func (b *bench) facts(ctx context.Context, begun time.Time) []report.Fact {
	date := begun.UTC().Format("2 January 2006")
	rounds := fmt.Sprintf("%d of each. The systems take turns, in a different order each time. "+
		"The table has the median, the lowest and the highest", b.rounds)
	if b.quick {
		rounds += " (**with -quick: the figures mean nothing**)"
	}
	redis := "no persistence"
	if b.aof {
		redis = "append-only file with a fsync each second"
	}
	return []report.Fact{
		{Name: "Date", Text: date},
		{Name: "Machine", Text: fmt.Sprintf("%d cores (%s), %s of memory, for clients and servers together",
			runtime.NumCPU(), cpuModel(), memory())},
		{Name: "Servers", Text: fmt.Sprintf("PostgreSQL %s (%s; fsync %s, synchronous_commit %s), Redis %s (%s)",
			b.setting(ctx, "server_version"), strings.Join(postgresSettings, ", "),
			b.setting(ctx, "fsync"), b.setting(ctx, "synchronous_commit"),
			b.host.info(ctx, "redis_version"), redis)},
		{Name: "Languages", Text: fmt.Sprintf("%s (%s, asynq %s), Node %s",
			runtime.Version(), collector(""), collector("asynq"), output("node", "--version"))},
		{Name: "Systems", Text: versions()},
		{Name: "Rounds", Text: rounds},
	}
}

func (b *bench) setting(ctx context.Context, name string) string {
	var value string
	if err := b.host.admin.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
		return "unknown"
	}
	value, _, _ = strings.Cut(value, " (")
	return value
}

// versions lists the compared systems and their libraries, with versions.
func versions() string {
	found := []string{"Windlass " + output("git", "describe", "--tags", "--always", "--dirty")}
	names := []struct{ module, name string }{
		{"github.com/riverqueue/river", "River"}, {"github.com/hibiken/asynq", "asynq"}, {"maragu.dev/goqite", "goqite"},
		{"modernc.org/sqlite", "modernc.org/sqlite"}, {"github.com/jackc/pgx/v5", "pgx"},
		{"github.com/redis/go-redis/v9", "go-redis"},
	}
	info, _ := debug.ReadBuildInfo()
	for _, n := range names {
		for _, d := range info.Deps {
			if d.Path == n.module {
				found = append(found, n.name+" "+strings.TrimPrefix(d.Version, "v"))
			}
		}
	}
	for _, name := range []string{"bullmq", "ioredis"} {
		var p struct{ Version string }
		if raw, err := os.ReadFile("node_modules/" + name + "/package.json"); err == nil && json.Unmarshal(raw, &p) == nil {
			found = append(found, strings.Replace(name, "bullmq", "BullMQ", 1)+" "+p.Version)
		}
	}
	return strings.Join(found, ", ")
}

func cpuModel() string {
	raw, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(raw)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// memory returns the memory of the machine as text.
func memory() string {
	raw, _ := os.ReadFile("/proc/meminfo")
	var kb float64
	if _, err := fmt.Sscanf(string(raw), "MemTotal: %f kB", &kb); err != nil {
		return "an unknown amount"
	}
	return fmt.Sprintf("%.0f GiB", kb/(1<<20))
}

func output(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
