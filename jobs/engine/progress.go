package engine

import (
	"context"
	"math"
	"time"
	"unicode/utf8"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// progressEvery is how often progress is written, and how old an attempt must be for that.
const progressEvery = time.Second

// progressMessageMax is in bytes.
const progressMessageMax = 200

// Progress keeps a handler's newest report until the next round of writeProgress. It is a method of jobs.RunBackend.
func (r *run) Progress(percent float64, message string) {
	if math.IsNaN(percent) {
		percent = 0
	}
	message = jobs.SanitizeError(message)
	if len(message) > progressMessageMax {
		cut := progressMessageMax
		for !utf8.RuneStart(message[cut]) {
			cut--
		}
		message = message[:cut]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note = &store.ProgressNote{
		ID: r.job.ID, Fence: r.job.Fence, Session: r.session, Percent: min(max(percent, 0), 100), Message: message,
	}
}

// writeProgress writes the newest reports, every progressEvery, until ctx ends.
func (w *Worker) writeProgress(ctx context.Context) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var notes []store.ProgressNote
		for _, r := range w.runs.all() {
			if r.over.Load() || time.Since(r.startedAt) < progressEvery || len(notes) == batchMax {
				continue
			}
			r.mu.Lock()
			if r.note != nil {
				notes = append(notes, *r.note)
				r.note = nil
			}
			r.mu.Unlock()
		}
		if len(notes) == 0 {
			continue
		}
		call, cancel := context.WithTimeout(ctx, storeTimeout)
		if err := w.opts.Store.Progress(call, notes); err != nil && ctx.Err() == nil {
			w.log.Debug("progress not written", "error", err) // the next report says it anew
		}
		cancel()
	}
}
