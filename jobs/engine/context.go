package engine

import (
	"context"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// attemptContext is the context of an attempt. It ends with jobs.ErrTimeout at the deadline, or earlier with a cause.
// The two contexts and the timer behind it are only made when somebody asks for more than the deadline. Few handlers of
// short jobs do.
type attemptContext struct {
	deadline time.Time

	mu      sync.Mutex
	made    context.Context
	endMade context.CancelCauseFunc
	cause   error     // why it has ended, by end
	endedAt time.Time // by end
}

// Deadline is that of the attempt.
func (c *attemptContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Done is closed when the attempt has to end.
func (c *attemptContext) Done() <-chan struct{} { return c.make().Done() }

// Err is nil until then.
func (c *attemptContext) Err() error { return c.make().Err() }

// Value is needed by package context, to find this context from a derived one.
func (c *attemptContext) Value(key any) any { return c.make().Value(key) }

func (c *attemptContext) make() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil {
		ctx, end := context.WithCancelCause(context.Background())
		if c.cause != nil {
			end(c.cause)
		}
		var stop context.CancelFunc
		c.made, stop = context.WithDeadlineCause(ctx, c.deadline, jobs.ErrTimeout)
		c.endMade = func(cause error) {
			end(cause)
			stop()
		}
	}
	return c.made
}

// end ends the context now. The first cause counts.
func (c *attemptContext) end(cause error, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return
	}
	c.cause, c.endedAt = cause, now
	if c.made != nil {
		c.endMade(cause)
	}
}

// ended returns when and why the context ended; the cause is nil where it has not.
func (c *attemptContext) ended(now time.Time) (at time.Time, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	late := !now.Before(c.deadline)
	switch {
	case c.cause != nil && (!late || c.endedAt.Before(c.deadline)):
		return c.endedAt, c.cause
	case late:
		return c.deadline, jobs.ErrTimeout
	}
	return time.Time{}, nil
}
