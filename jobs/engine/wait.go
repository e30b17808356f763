package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// ErrClosed says that the Client was closed.
var ErrClosed = errors.New("the client is closed")

const (
	waitMin = 5 * time.Millisecond
	// waitMax is how long Wait pauses between two looks at most, up to a hundred waiting calls. With more the pauses
	// are longer, so that all of them together ask the Store about 400 times a second.
	waitMax    = 250 * time.Millisecond
	waitMaxPer = waitMax / 100
)

// Wait returns a job as soon as it is completed or failed: at once where it ends on a worker of this process, and about
// 250 ms later at most where it ends elsewhere. It looks into the Store after 5 ms, then at growing intervals up to 250
// ms, or 2.5 ms for each call that waits in this process where these are more than a hundred. While the Store is out of
// reach it goes on trying.
//
// Errors: jobs.ErrNotFound, also where the job is deleted meanwhile; the cause of ctx's end; ErrClosed.
func (c *Client) Wait(ctx context.Context, id string) (jobs.Job, error) {
	ended := endings.join(id)
	defer endings.leave(id, ended)
	for wait := waitMin; ; {
		job, _, err := c.opts.Store.Get(ctx, id)
		switch {
		case err == nil && job.Status.Terminal():
			return job, nil
		case errors.Is(err, jobs.ErrNotFound):
			return jobs.Job{}, fmt.Errorf("wait for job %s: %w", id, err)
		}
		t := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-ctx.Done():
			t.Stop()
			if err != nil && !errors.Is(err, context.Cause(ctx)) {
				return jobs.Job{}, fmt.Errorf("wait for job %s: %w (%w)", id, context.Cause(ctx), err)
			}
			return jobs.Job{}, fmt.Errorf("wait for job %s: %w", id, context.Cause(ctx))
		case <-c.closed:
			t.Stop()
			return jobs.Job{}, fmt.Errorf("wait for job %s: %w", id, ErrClosed)
		case <-ended:
			t.Stop()
			wait = waitMin
		case <-t.C:
			wait = min(2*wait, max(waitMax, time.Duration(endings.count.Load())*waitMaxPer))
		}
	}
}

// endings are the jobs that somebody in this process waits for. Job ids are unique, so one table serves every Client
// and Worker.
var endings endingTable

type endingTable struct {
	count atomic.Int64 // calls that wait: nothing else is looked at while it is 0
	mu    sync.Mutex
	calls map[string]map[chan struct{}]struct{} // by job
}

// join returns a channel that gets a token when the job may have ended.
func (e *endingTable) join(id string) chan struct{} {
	ended := make(chan struct{}, 1)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.calls == nil {
		e.calls = map[string]map[chan struct{}]struct{}{}
	}
	if e.calls[id] == nil {
		e.calls[id] = map[chan struct{}]struct{}{}
	}
	e.calls[id][ended] = struct{}{}
	e.count.Add(1)
	return ended
}

func (e *endingTable) leave(id string, ended chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.calls[id], ended)
	if len(e.calls[id]) == 0 {
		delete(e.calls, id)
	}
	e.count.Add(-1)
}

// ended makes those who wait for a job look at it. The Store has it already.
func (e *endingTable) ended(id string) {
	if e.count.Load() == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for call := range e.calls[id] {
		select {
		case call <- struct{}{}:
		default:
		}
	}
}
