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
	// A weight is in bytes, with a fixed part for each job: a batch holds about 1,000 small jobs, or 4 MiB.
	jobWeight   = 4 << 10
	batchWeight = batchMax * (jobWeight + 256)
	// batchesInFlight lets one batch fill while another waits for its commit; more were measured to be no faster.
	batchesInFlight = 2
	// insertCrowd is the weight at which a batch of jobs, some 128, costs the Store per job about as little as a larger one: from there on it pays to
	// keep two backends busy.
	insertCrowd = 128 * jobWeight
	// besideAfter is how long an item waits for the call before it at most, if there is a place beside that.
	besideAfter = 20 * time.Millisecond
	// storeTimeout bounds one call of the Store, whatever the caller's own patience.
	storeTimeout = 5 * time.Second
)

// batcher turns single calls into calls with many items: group commit. It never waits for company: an item that finds nothing
// in flight goes at once, those that come meanwhile go together as soon as that is back, or beside it.
//
// An item is not withdrawn when whoever handed it in gives up: it may have been stored by then.
type batcher[T, R any] struct {
	// flush does the work for all items, and answers for each at its index. It is called with no more than weightMax of weight, or with a
	// single item.
	flush     func(ctx context.Context, items []T) ([]R, error)
	weight    func(T) int
	weightMax int
	// crowd is how much weight has to wait for a call to go beside another, or else an item has to for besideAfter. Two small calls cost the Store half
	// as much again as one, and one that is small is soon back. For the same reason those who are answered get a moment to come again while less
	// waits. 0: a call goes beside another at once.
	crowd int
	// answer hands items their results, each at its index, or what kept all of them from having one. It must not block.
	answer func(items []T, results []R, err error)

	mu       sync.Mutex
	waiting  []T
	load     int // their weight
	inFlight int
	timed    bool // beside will be called
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
	case b.inFlight == 0 || b.inFlight < batchesInFlight && b.load >= b.crowd:
		b.inFlight++
		b.running.Go(b.work)
	case b.crowd > 0 && !b.timed:
		b.timed = true
		time.AfterFunc(besideAfter, b.beside)
	}
}

// beside lets a call go beside one that takes long, because the Store is far away or one of its items waits for a lock.
func (b *batcher[T, R]) beside() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.timed = len(b.waiting) > 0
	if !b.timed {
		return
	}
	time.AfterFunc(besideAfter, b.beside)
	if b.inFlight < batchesInFlight {
		b.inFlight++ // nothing waits unless something is in flight, so wait is not over yet
		b.running.Go(b.work)
	}
}

// wait returns when nothing is in flight or waiting.
func (b *batcher[T, R]) wait() { b.running.Wait() }

// work flushes batches until nothing waits, or another call in flight can take along what does.
func (b *batcher[T, R]) work() {
	for batch := b.take(); len(batch) > 0; batch = b.take() {
		b.run(batch)
		if !b.crowded() {
			runtime.Gosched() // who was just answered may have more, and can be in time for the next batch
		}
		if b.leave() {
			return
		}
	}
}

func (b *batcher[T, R]) leave() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := b.inFlight > 1 && b.load < b.crowd
	if left {
		b.inFlight--
	}
	return left
}

func (b *batcher[T, R]) crowded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.load >= b.crowd
}

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
		b.waiting = nil // the batch owns what is left of the array
	}
	if n == 0 {
		b.inFlight--
	}
	return batch
}

// run flushes a batch. Where the Store says that one of the items is at fault and nothing was stored, each is tried by itself, so that a bad
// item fails alone.
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
