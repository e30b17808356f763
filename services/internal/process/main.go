// Package process is what the services have in common around their work: the logger, the signals that end them, the
// order of starting and stopping, and the health check.
package process

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/windlass-jobs/windlass/internal/version"
	"github.com/windlass-jobs/windlass/services/internal/settings"
)

// The exit codes of a service, besides those of Signals.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // the command line or a setting is wrong
)

// Main is a service from its settings to its exit code. args are what follows the name on the command line:
//
//	(nothing)      serve works until ctx ends
//	healthcheck    asks the one that runs with these settings whether it is ready
//
// usage is printed for anything else.
func Main(service settings.Service, args []string, usage string, serve func(context.Context, settings.Config,
	*slog.Logger) error) int {
	switch {
	case len(args) == 1 && args[0] == "healthcheck":
		return Healthcheck(service, os.Environ(), os.Stdout)
	case len(args) > 0:
		fmt.Fprintln(os.Stderr, usage)
		return exitUsage
	}
	tune(service)
	config, err := settings.Load(service, os.Environ())
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: cannot start, the settings are wrong:\n%v\n", service, err)
		return exitUsage
	}
	log := Logger(config, os.Stdout)
	slog.SetDefault(log)
	ctx, stop := Signals(context.Background(), log)
	defer stop()
	log.Info("starting", "service", string(service), "version", version.Version(), "settings", config)
	if len(config.Ignored) > 0 {
		log.Warn("parameters of DATABASE_URL that are for other programs are ignored", "names", config.Ignored)
	}
	if len(config.IgnoredRedis) > 0 {
		log.Warn("parameters of REDIS_URL that are for other programs are ignored", "names", config.IgnoredRedis)
	}
	if err := serve(ctx, config, log); err != nil {
		log.Error("stopped", "error", err)
		return exitFailed
	}
	log.Info("stopped")
	return exitDone
}

// tune sets what the Go runtime may take.
//
// It lets the heap grow fivefold between two garbage collections, unless GOGC says otherwise. The processes hold
// little, so this costs some tens of megabytes, and GOMEMLIMIT still holds. With Go's default a busy process spends a
// fifth of its CPU time on collections, and on growing the stacks that they shrink.
//
// A process that takes requests, in a container with a memory limit, keeps to four fifths of it, unless GOMEMLIMIT says
// otherwise. How much its requests may take together follows from that.
func tune(service settings.Service) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if limit := containerLimit("/"); os.Getenv("GOMEMLIMIT") == "" && service != settings.Worker && limit > 0 {
		debug.SetMemoryLimit(limit / 5 * 4)
	}
}
