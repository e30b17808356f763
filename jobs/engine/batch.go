package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

const (
	// batchMax is how many items go into one call of the Store.
	batchMax = 1000
	// batchesInFlight lets one batch fill while another waits for its commit; more were measured to be no faster.
	batchesInFlight = 2
	// storeTimeout bounds one call of the Store, whatever the caller's own patience.
	storeTimeout = 5 * time.Second
)

// batcher turns single calls into calls with many items: group commit. It never waits for company: an item that finds a
// place in flight goes at once, those that come while all places are taken go together as soon as one is free.
//
// An item is not withdrawn when its caller gives up: it may have been stored by then.
type batcher[T, R any] struct {
	// flush does the work for all items, and answers for each at its index. It is called with no more than weightMax of weight, or with a
	// single item.
	flush     func(ctx context.Context, items []T) ([]R, error)
	weight    func(T) int
	weightMax int

	mu       sync.Mutex
	waiting  []*call[T, R]
	inFlight int
	running  sync.WaitGroup
}

type call[T, R any] struct {
	item T
	done chan struct{}
	res  R
	err  error
}

func newBatcher[T, R any](flush func(context.Context, []T) ([]R, error), weight func(T) int, weightMax int) *batcher[T, R] {
	return &batcher[T, R]{flush: flush, weight: weight, weightMax: weightMax}
}

// do hands in an item and waits for its answer. When ctx ends first the item's outcome is unknown.
func (b *batcher[T, R]) do(ctx context.Context, item T) (R, error) {
	c := &call[T, R]{item: item, done: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, c)
	if b.inFlight < batchesInFlight {
		b.inFlight++
		b.running.Go(b.work)
	}
	b.mu.Unlock()
	select {
	case <-c.done:
		return c.res, c.err
	case <-ctx.Done():
		var none R
		return none, fmt.Errorf("%w: %w", jobs.ErrOutcomeUnknown, context.Cause(ctx))
	}
}

// wait returns when nothing is in flight or waiting.
func (b *batcher[T, R]) wait() { b.running.Wait() }

// work flushes batches until nothing waits.
func (b *batcher[T, R]) work() {
	for {
		batch := b.take()
		if len(batch) == 0 {
			return
		}
		b.run(batch)
		for _, c := range batch {
			close(c.done)
		}
	}
}

func (b *batcher[T, R]) take() []*call[T, R] {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, weight := 0, 0
	for n < len(b.waiting) && n < batchMax {
		weight += b.weight(b.waiting[n].item)
		if n > 0 && weight > b.weightMax {
			break
		}
		n++
	}
	if n == 0 {
		b.inFlight--
		b.waiting = nil
		return nil
	}
	batch := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	return batch
}

// run flushes a batch. Where the Store says that one of the items is at fault and nothing was stored, each is tried by itself, so that a bad
// item fails alone.
func (b *batcher[T, R]) run(batch []*call[T, R]) {
	items := make([]T, len(batch))
	for i, c := range batch {
		items[i] = c.item
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	results, err := b.flush(ctx, items)
	if len(batch) > 1 && (errors.Is(err, jobs.ErrRejected) || errors.Is(err, jobs.ErrBusy)) {
		for i := range batch {
			b.run(batch[i : i+1])
		}
		return
	}
	for i, c := range batch {
		if err != nil {
			c.err = err
		} else {
			c.res = results[i]
		}
	}
}
