package engine

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/internal/fault"
	"github.com/windlass-jobs/windlass/jobs/queue"
)

const (
	pushTimeout = 250 * time.Millisecond
	// notifyMax bounds the hints that wait for the Queue. Further ones are dropped: the feeder finds those jobs in the
	// Store.
	notifyMax = 100_000
	// queueRest is how long the Queue is left alone after an error.
	queueRest = time.Second
)

// notifier sends hints to the Queue for callers that must not wait for it. It may drop any of them: that costs time,
// never a job.
type notifier struct {
	queue queue.Queue
	log   *slog.Logger

	mu      sync.Mutex
	waiting []jobs.Hint
	sending bool
	running sync.WaitGroup

	restUntil atomic.Int64 // of the process's monotonic clock, see since
}

// start is where the monotonic clock of this process counts from.
var start = time.Now()

func since() int64 { return int64(time.Since(start)) }

// push never blocks.
func (h *notifier) push(hints ...jobs.Hint) {
	if len(hints) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = append(h.waiting, hints[:min(len(hints), max(0, notifyMax-len(h.waiting)))]...)
	if !h.sending {
		h.sending = true
		h.running.Go(h.send)
	}
}

// wait returns when nothing waits to be sent.
func (h *notifier) wait() { h.running.Wait() }

// ok reports whether the Queue answered when last asked.
func (h *notifier) ok() bool { return since() >= h.restUntil.Load() }

// failed notes an error of the Queue, and logs the first of several in a row.
func (h *notifier) failed(err error) {
	if h.restUntil.Swap(since()+int64(queueRest)) == 0 {
		h.log.Warn("queue unreachable, working from the store", "error", err)
	}
}

// works notes that the Queue answered.
func (h *notifier) works() {
	if h.restUntil.Load() != 0 && h.restUntil.Swap(0) != 0 {
		h.log.Info("queue reachable again")
	}
}

func (h *notifier) send() {
	for {
		h.mu.Lock()
		n := min(len(h.waiting), batchMax)
		if n == 0 {
			h.sending, h.waiting = false, nil
			h.mu.Unlock()
			return
		}
		batch := h.waiting[:n:n]
		h.waiting = h.waiting[n:]
		h.mu.Unlock()
		if !h.ok() {
			continue // dropped
		}
		ctx, cancel := context.WithTimeout(context.Background(), pushTimeout)
		err := fault.Point("before-push")
		if err == nil {
			_, err = h.queue.Push(ctx, batch)
		}
		cancel()
		if err != nil {
			h.failed(err)
		} else {
			h.works()
		}
	}
}

// degraded reports whether the Queue failed when last used.
func (h *notifier) degraded() bool { return h.restUntil.Load() != 0 }
