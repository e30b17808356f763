package recording

import (
	"context"
	"time"

	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// Counted is an event with a worker's own counters. name is that of the process.
func Counted(kind history.Kind, w *engine.Worker, name string) history.Event {
	s := w.Stats()
	return history.Event{Kind: kind, N: int(s.Completed), Failed: int(s.Failed), Worker: name}
}

// Count records the counters twice a second until ctx ends, as if a monitoring system read the metrics.
func Count(ctx context.Context, w *engine.Worker, log *history.Log, name string) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			log.Write(Counted(history.Counts, w, name))
		}
	}
}
