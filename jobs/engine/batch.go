package engine

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

const (
	// batchMax is how many items go into one call of the Store.
	batchMax = 1000
	// Weights are in bytes, with a fixed part for each job: a batch holds about 1,000 small jobs, or 4 MiB.
	jobWeight   = 4 << 10
	batchWeight = batchMax * (jobWeight + 256)
	// batchesInFlight lets one batch fill while another waits for its commit. More than two were measured to be no
	// faster.
	batchesInFlight = 2
	// insertParallelFrom is the weight of about 128 jobs. A batch of that size costs the Store about as little for each
	// job as a larger one, so from there on it pays to keep two backends busy.
	insertParallelFrom = 128 * jobWeight
	// parallelAfter is how long an item waits at most for the call in flight before a second call starts.
	parallelAfter = 20 * time.Millisecond
	// storeTimeout bounds one call of the Store, whatever the caller's context allows.
	storeTimeout = 5 * time.Second
)

// batcher turns single calls into calls with many items: group commit. It never waits for more items: an item that
// finds no call in flight is sent at once. Items that come during a call are sent together when it returns, or in a
// second call in parallel.
//
// An item is not withdrawn when its caller gives up: it may have been stored by then.
type batcher[T, R any] struct {
	// flush does the work for all items, and answers each at its index. The items weigh weightMax at most, unless there
	// is only one.
	flush     func(ctx context.Context, items []T) ([]R, error)
	weight    func(T) int
	weightMax int
	// parallelFrom is the weight of waiting items from which a second call starts while one is in flight. With less,
	// the items wait for that call, up to parallelAfter: two small calls cost the Store half as much again as one, and
	// a small call returns soon. For the same reason callers that were just answered get a moment to bring their next
	// items. 0: a second call starts at once.
	parallelFrom int
	// answer hands each item the result at its index, or all of them the error. It must not block.
	answer func(items []T, results []R, err error)

	mu       sync.Mutex
	waiting  []T
	load     int // their weight
	inFlight int
	timed    bool // startLate will be called
	running  sync.WaitGroup
}

// put hands in items.
func (b *batcher[T, R]) put(items ...T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, items...)
	for _, item := range items {
		b.load += b.weight(item)
	}
	switch {
	case b.inFlight == 0 || b.inFlight < batchesInFlight && b.load >= b.parallelFrom:
		b.inFlight++
		b.running.Go(b.work)
	case b.parallelFrom > 0 && !b.timed:
		b.timed = true
		time.AfterFunc(parallelAfter, b.startLate)
	}
}

// startLate starts a second call where the one in flight takes long, because the Store is far away or one of its items
// waits for a lock.
func (b *batcher[T, R]) startLate() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.timed = len(b.waiting) > 0
	if !b.timed {
		return
	}
	time.AfterFunc(parallelAfter, b.startLate)
	if b.inFlight < batchesInFlight {
		b.inFlight++ // items only wait while a call is in flight, so wait has not returned yet
		b.running.Go(b.work)
	}
}

// wait returns when nothing is in flight or waiting.
func (b *batcher[T, R]) wait() { b.running.Wait() }

// work flushes batches until nothing waits, or another call in flight can take what does.
func (b *batcher[T, R]) work() {
	for batch := b.take(); len(batch) > 0; batch = b.take() {
		b.run(batch)
		if !b.parallel() {
			runtime.Gosched() // callers that were just answered may have more items, in time for the next batch
		}
		if b.leave() {
			return
		}
	}
}

// leave ends a second call's goroutine where too little waits for two.
func (b *batcher[T, R]) leave() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := b.inFlight > 1 && b.load < b.parallelFrom
	if left {
		b.inFlight--
	}
	return left
}

// parallel reports whether enough waits for two calls.
func (b *batcher[T, R]) parallel() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.load >= b.parallelFrom
}

// take removes the next batch from what waits.
func (b *batcher[T, R]) take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, weight := 0, 0
	for n < len(b.waiting) && n < batchMax {
		w := b.weight(b.waiting[n])
		if n > 0 && weight+w > b.weightMax {
			break
		}
		weight += w
		n++
	}
	b.load -= weight
	batch := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	if len(b.waiting) == 0 {
		b.waiting = nil // the batch owns the rest of the array
	}
	if n == 0 {
		b.inFlight--
	}
	return batch
}

// run flushes a batch. Where the Store says that one of the items is at fault and nothing was stored, each is tried by
// itself, so that only the bad item fails.
func (b *batcher[T, R]) run(batch []T) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	results, err := b.flush(ctx, batch)
	if len(batch) > 1 && (errors.Is(err, jobs.ErrRejected) || errors.Is(err, jobs.ErrBusy)) {
		for i := range batch {
			b.run(batch[i : i+1])
		}
		return
	}
	b.answer(batch, results, err)
}
