package main

import (
	"context"
	"log/slog"
	"testing"

	"github.com/windlass-jobs/windlass/services/internal/boot"
)

// Told to stop before it is up, it has not failed: a supervisor would take that for a crash.
func TestStoppedWhileStarting(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	config := boot.Config{Host: "127.0.0.1", DataDir: t.TempDir()}
	if err := run(ctx, config, slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
}
