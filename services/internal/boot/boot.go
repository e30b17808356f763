// Package boot is what the three processes have in common before and after their work: settings from the environment, the logger, the
// signals that end them, and the version.
//
//	config := boot.MustLoad(boot.API)
//	log := boot.Logger(config, os.Stdout)
//	ctx, stop := boot.Signals(context.Background(), log)
//	defer stop()
//	log.Info("starting", "version", boot.Version(), "settings", config)
package boot

import "runtime/debug"

// Service names a process. Each reads its own part of the settings.
type Service string

// The processes.
const (
	API      Service = "api"
	Worker   Service = "worker"
	Embedded Service = "embedded"
)

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
