package memory

import (
	"context"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
)

// Pop takes ready ids away; see queue.Queue.
func (q *Queue) Pop(ctx context.Context, p queue.Pop) ([]jobs.Hint, error) {
	var timeout <-chan time.Time
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		hints, arrived, err := q.take(p)
		if err != nil || len(hints) > 0 || p.Wait <= 0 || p.N <= 0 {
			return hints, err
		}
		if timeout == nil {
			timer := time.NewTimer(p.Wait)
			defer timer.Stop()
			timeout = timer.C
		}
		if over := q.wait(ctx, arrived, timeout); over {
			return nil, ctx.Err()
		}
	}
}

// take pops without waiting. It also returns what will be closed by the next arrival: both are read under one lock,
// so no arrival between the look and the wait is missed.
func (q *Queue) take(p queue.Pop) ([]jobs.Hint, <-chan struct{}, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.open(); err != nil {
		return nil, nil, err
	}
	names := p.Queues
	if len(names) == 0 {
		names = q.names()
	}
	var hints []jobs.Hint
	suspects := p.Suspects
	for _, name := range names {
		l := q.lines[name]
		if l == nil {
			continue
		}
		before := len(hints)
		hints = l.suspects.pop(hints, min(suspects, p.N-len(hints)))
		suspects -= len(hints) - before
		hints = l.ready.pop(hints, p.N-len(hints))
	}
	return hints, q.arrived, nil
}

// wait returns false when ids may have arrived, and true when there is nothing left to wait for.
func (q *Queue) wait(ctx context.Context, arrived <-chan struct{}, timeout <-chan time.Time) (over bool) {
	q.count(1)
	defer q.count(-1)
	select {
	case <-arrived:
		return false
	case <-timeout:
		return true
	case <-ctx.Done():
		return true
	}
}

func (q *Queue) count(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting += n
}
