package recording

import (
	"context"
	"time"

	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// Counted is what a worker says it has done so far. name is the process's.
func Counted(kind history.Kind, w *engine.Worker, name string) history.Event {
	s := w.Stats()
	return history.Event{Kind: kind, N: int(s.Completed), Failed: int(s.Failed), Worker: name}
}

// Count notes that twice a second, as a scrape of its metrics would, until ctx ends.
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
