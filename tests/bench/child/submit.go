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

// each calls f for every number from first on, count of them, from so many callers at once.
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

// submit hands in jobs one by one from many callers, each of which waits for its acknowledgement before the next.
func submit(ctx context.Context, r *run) error {
	// One job from each opens the connections.
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

// bulk hands in jobs in large calls.
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

// queued hands in jobs the quickest way, for the parent to see what they take up.
func queued(ctx context.Context, r *run) error {
	if err := r.begin(); err != nil {
		return err
	}
	if err := r.load(ctx, 2); err != nil {
		return err
	}
	// What follows a submission in the background, like a push to Redis, belongs to it.
	time.Sleep(500 * time.Millisecond)
	if err := r.end(r.Jobs); err != nil {
		return err
	}
	return r.verify(ctx, r.Jobs, 0)
}

// load hands in r.Jobs jobs in the system's largest calls, or one by one where it has no such call.
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
