package process

import (
	"log/slog"

	"github.com/windlass-jobs/windlass/jobs/access"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/services/internal/settings"
)

// Guard returns who asks for access tokens; nil where AUTH is off. end frees what it holds.
func Guard(config settings.Config, log *slog.Logger, tokens store.Access, bus queue.Bus) (
	guard *access.Guard, end func(), err error,
) {
	if config.Auth != settings.AuthOn {
		return nil, func() {}, nil
	}
	guard, err = access.NewGuard(access.GuardOptions{Store: tokens, Bus: bus, AdminToken: config.AdminToken, Log: log})
	if err != nil {
		return nil, nil, err
	}
	return guard, guard.Close, nil
}
