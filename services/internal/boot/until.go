package boot

import (
	"context"
	"log/slog"
	"time"
)

// tryEvery is the pause between two tries of Until.
const tryEvery = time.Second

// Until repeats try until it succeeds, and logs its first error: a process starts before the servers it needs and waits for them. It reports
// false when ctx ends first.
func Until(ctx context.Context, log *slog.Logger, what string, try func(context.Context) error) bool {
	for told := false; ; told = true {
		err := try(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if !told {
			log.Warn(what+" failed, trying again every second", "error", err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(tryEvery):
		}
	}
}
