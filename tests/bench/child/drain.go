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

// load prepares a backlog and, if wanted, a history. Another process drains it, so that the memory of a worker does not
// include the memory of the preparation.
func load(ctx context.Context, r *run) error {
	if r.History > 0 {
		h, ok := r.System.(systems.Historian)
		if !ok {
			return errors.New("this system does not support a history")
		}
		if err := h.History(ctx, r.History); err != nil {
			return fmt.Errorf("history: %w", err)
		}
	}
	if err := r.load(ctx, 2); err != nil {
		return err
	}
	return r.verify(ctx, r.Jobs, r.History)
}

// drain starts one worker on a backlog, and waits until the jobs are recorded as completed.
func drain(ctx context.Context, r *run) error {
	if !r.Loaded {
		if err := load(ctx, r); err != nil {
			return err
		}
	}
	if err := r.begin(); err != nil {
		return err
	}
	if err := r.Start(ctx); err != nil {
		return err
	}
	if err := r.awaitCompleted(ctx, r.Take); err != nil {
		return err
	}
	done, err := r.Completed(ctx)
	if err != nil {
		return err
	}
	if err := r.end(done); err != nil {
		return err
	}
	if r.Take == r.Jobs {
		return r.verify(ctx, 0, r.History+r.Jobs)
	}
	// The worker continues while we count. No job may be lost, and at least the reported jobs must be completed.
	c, err := r.Count(ctx)
	if err != nil {
		return fmt.Errorf("count: %w", err)
	}
	if c.Completed-r.History < done || c.Failed != 0 || c.Waiting+c.Running+c.Completed != r.History+r.Jobs {
		return fmt.Errorf("the store has %+v for %d jobs, of which %d were reported as completed", c, r.Jobs, done)
	}
	return nil
}

// awaitCompleted waits until n jobs are recorded as completed. It first waits for n calls of the handler, because that
// does not load the store.
func (r *run) awaitCompleted(ctx context.Context, n int) error {
	err := await(fmt.Sprintf("%d handlers to be called", n), 2*time.Millisecond, func() (bool, error) {
		return int(r.counter.handled.Load()) >= n, nil
	})
	if err != nil {
		return fmt.Errorf("%w: %d were called", err, r.counter.handled.Load())
	}
	return await(fmt.Sprintf("%d jobs to be recorded", n), 2*time.Millisecond, func() (bool, error) {
		done, err := r.Completed(ctx)
		return done >= n, err
	})
}

// sustained submits and runs jobs at the same time. Producers pause while the backlog is large.
func sustained(ctx context.Context, r *run) error {
	if err := each(ctx, r.Callers, 0, r.Callers, r.Submit); err != nil {
		return err
	}
	if err := r.Start(ctx); err != nil {
		return err
	}
	if err := r.awaitCompleted(ctx, r.Callers); err != nil {
		return err
	}
	if err := r.begin(); err != nil {
		return err
	}
	var submitted atomic.Int64
	submitted.Store(int64(r.Callers))
	var over atomic.Bool
	g, submitting := errgroup.WithContext(ctx)
	for range r.Callers {
		g.Go(func() error {
			for !over.Load() {
				if submitted.Load()-r.counter.handled.Load() >= int64(r.Backlog) {
					time.Sleep(time.Millisecond)
					continue
				}
				if err := r.Submit(submitting, int(submitted.Load())); err != nil {
					return err
				}
				submitted.Add(1)
			}
			return nil
		})
	}
	time.Sleep(r.Window)
	done, err := r.Completed(ctx)
	if err != nil {
		return err
	}
	if err := r.end(done - r.Callers); err != nil {
		return err
	}
	over.Store(true)
	if err := g.Wait(); err != nil {
		return err
	}
	if err := r.awaitCompleted(ctx, int(submitted.Load())); err != nil {
		return err
	}
	return r.verify(ctx, 0, int(submitted.Load()))
}
