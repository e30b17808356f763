package child

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/windlass-jobs/windlass/tests/bench/systems"
)

// each calls f for count numbers, beginning with first, from several goroutines (callers).
func each(ctx context.Context, callers, first, count int, f func(ctx context.Context, n int) error) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range callers {
		g.Go(func() error {
			for {
				n := int(next.Add(1)) - 1
				if n >= count {
					return nil
				}
				if err := f(ctx, first+n); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// submit submits single jobs from many callers. Each caller waits for the acknowledgement before it submits the next
// job.
func submit(ctx context.Context, r *run) error {
	// One job from each caller opens the connections.
	if err := each(ctx, r.Callers, 0, r.Callers, r.Submit); err != nil {
		return err
	}
	if err := r.begin(); err != nil {
		return err
	}
	if err := each(ctx, r.Callers, r.Callers, r.Jobs, r.Submit); err != nil {
		return err
	}
	if err := r.end(r.Jobs); err != nil {
		return err
	}
	return r.verify(ctx, r.Jobs+r.Callers, 0)
}

// bulk submits many jobs with each call.
func bulk(ctx context.Context, r *run) error {
	if err := each(ctx, r.Callers, 0, r.Callers, r.Submit); err != nil {
		return err
	}
	if err := r.begin(); err != nil {
		return err
	}
	if err := r.load(ctx, r.Callers); err != nil {
		return err
	}
	if err := r.end(r.Jobs); err != nil {
		return err
	}
	return r.verify(ctx, r.Jobs+r.Callers, 0)
}

// queued submits jobs in the fastest way. The parent then reads how much memory and disk they need.
func queued(ctx context.Context, r *run) error {
	if err := r.begin(); err != nil {
		return err
	}
	if err := r.load(ctx, 2); err != nil {
		return err
	}
	// Background work of a submission, such as the push to Redis, must be over.
	time.Sleep(500 * time.Millisecond)
	if err := r.end(r.Jobs); err != nil {
		return err
	}
	return r.verify(ctx, r.Jobs, 0)
}

// load submits r.Jobs jobs with the system's largest calls, or one by one if it has no call for many jobs.
func (r *run) load(ctx context.Context, callers int) error {
	if r.Batch == 0 {
		return each(ctx, 64, 0, r.Jobs, r.Submit)
	}
	batches := (r.Jobs + r.Batch - 1) / r.Batch
	err := each(ctx, callers, 0, batches, func(ctx context.Context, n int) error {
		return r.Bulk(ctx, n*r.Batch, min(r.Batch, r.Jobs-n*r.Batch))
	})
	if errors.Is(err, systems.ErrNoBulk) {
		return fmt.Errorf("a batch of %d: %w", r.Batch, err)
	}
	return err
}
