// Package boot is what the three processes have in common before and after their work: settings from the environment, the logger, the
// signals that end them, and the version.
//
//	boot.Tune()
//	config := boot.MustLoad(boot.API)
//	log := boot.Logger(config, os.Stdout)
//	ctx, stop := boot.Signals(context.Background(), log)
//	defer stop()
//	log.Info("starting", "version", boot.Version(), "settings", config)
package boot

import (
	"os"
	"runtime/debug"
)

// Service names a process. Each reads its own part of the settings.
type Service string

// The processes.
const (
	API      Service = "api"
	Worker   Service = "worker"
	Embedded Service = "embedded"
)

// Tune lets a garbage collection wait until the heap has grown fivefold, unless GOGC says otherwise. Little lives in these processes, so this
// costs some tens of megabytes, and GOMEMLIMIT still holds. By Go's default a fifth of the CPU time of a busy process goes into collections,
// and into growing the stacks again that they shrink.
func Tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// version is stamped by the linker: see the Makefile.
var version = ""

// Version returns what was built: a tag, a commit, or "dev".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return s.Value[:12]
			}
		}
	}
	return "dev"
}
