package recording

import (
	"context"
	"time"

	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// Count notes twice a second what a worker says it has done, as a scrape of its metrics would, until ctx ends. name is the process's.
func Count(ctx context.Context, w *engine.Worker, log *history.Log, name string) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			log.Write(history.Event{Kind: history.Counts, N: int(w.Stats().Completed), Worker: name})
		}
	}
}
