package httpapi

import (
	"context"
	"io"
	"math"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/windlass-jobs/windlass/jobs"
)

// Room bounds the memory that requests take together. APIs of one process share one.
//
// A request is charged for what its body costs before it costs that, and for its answer before it is sent. There are
// three accounts, so that one kind of request cannot keep out the others:
//
//   - small, for bodies up to 64 KiB: a counter. They never wait, and never behind a large one. While more than half of
//     it is taken, one that does not arrive within a second loses its place.
//   - wire, for larger bodies that arrive and larger answers that leave. How long that takes is up to the client. One
//     that moves less than 64 KiB in a second loses its place while another request waits for it.
//   - work, for larger bodies that have arrived. How long that takes is up to us.
//
// A request waits for its place for at most 2.5 s, and is then answered 503, kind busy. A request in wire may wait for
// work, and one in work waits for nothing, so they cannot block each other.
type Room struct {
	bytes      int64
	small      atomic.Int64
	wire, work account
}

const (
	smallBody = 64 << 10
	// minRoom is the smallest Room: less is not enough for one job with the largest payload.
	minRoom = 16 << 20
	// unlimitedRoom is the default for a process without a memory limit.
	unlimitedRoom = 256 << 20
	// bodyCost is what a byte of a body costs while its jobs are stored: the canonical form, that of each payload, the
	// parameters of the statement and their message, and the answer. An estimate; tests/pipeline measures the whole.
	bodyCost = 6
	// jobCost is what a job costs besides, in bytes. An estimate as well.
	jobCost = 2560
	// fewJobs is up to how many jobs a small body is charged to the account of small ones.
	fewJobs = 100

	placePatience = 2500 * time.Millisecond
	slowTick      = time.Second
	slowBytes     = 64 << 10
)

// NewRoom returns a Room of so many bytes, at least 16 MiB. 0 stands for three fifths of the memory limit of the Go
// runtime (GOMEMLIMIT), or 256 MiB where that has none. The rest of the limit is for everything else, and for garbage.
func NewRoom(bytes int64) *Room {
	if bytes == 0 {
		bytes = unlimitedRoom
		if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
			bytes = limit / 5 * 3
		}
	}
	r := &Room{bytes: max(bytes, minRoom)}
	r.wire.init(r.bytes / 3)
	r.work.init(r.bytes / 2)
	return r
}

// sharedRoom is for APIs that are given none.
var sharedRoom = sync.OnceValue(func() *Room { return NewRoom(0) })

// largestBody is how large a body may be, in bytes. A body that would take all of work and much more is refused.
func (r *Room) largestBody() int64 { return r.work.size / 3 }

// takeSmall charges the account of small bodies.
func (r *Room) takeSmall(n int64) bool {
	if r.small.Add(n) <= r.bytes/6 {
		return true
	}
	r.small.Add(-n)
	return false
}

// crowded reports whether small bodies take more than half of their account.
func (r *Room) crowded() bool { return r.small.Load() > r.bytes/12 }

// account is a part of a Room for which requests wait.
type account struct {
	places  *semaphore.Weighted
	size    int64
	waiting atomic.Int32
}

func (a *account) init(size int64) { a.places, a.size = semaphore.NewWeighted(size), size }

// take waits for n bytes. What is larger than the account gets all of it. It returns what it took, 0 for nothing.
func (a *account) take(ctx context.Context, n int64) int64 {
	n = min(n, a.size)
	if a.places.TryAcquire(n) {
		return n
	}
	a.waiting.Add(1)
	defer a.waiting.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, placePatience)
	defer cancel()
	if a.places.Acquire(ctx, n) != nil {
		return 0
	}
	return n
}

// hold is what one request has taken of a Room. Its owner releases it.
type hold struct {
	room              *Room
	small, wire, work int64
}

// arrive makes place for a body that is about to be read.
func (h *hold) arrive(ctx context.Context, length int64) bool {
	if length <= smallBody {
		return h.takeSmall(length)
	}
	h.wire = h.room.wire.take(ctx, length)
	return h.wire > 0
}

// process makes place for what becomes of a body that has arrived. growth is how much longer its canonical form may be.
func (h *hold) process(ctx context.Context, length, growth int64) bool {
	if length <= smallBody && growth <= smallBody {
		return h.takeSmall((length + growth) * bodyCost)
	}
	h.work = h.room.work.take(ctx, (length+growth)*bodyCost+jobs.MaxBulk*jobCost)
	return h.work > 0
}

// arrived gives back the place of a body that was read and is no longer needed.
func (h *hold) arrived() {
	if h.wire > 0 {
		h.room.wire.places.Release(h.wire)
		h.wire = 0
	}
}

// jobs makes place for the jobs of a body.
func (h *hold) jobs(ctx context.Context, n int) bool {
	cost := int64(n) * jobCost
	switch {
	case h.work > 0:
		return true // see process
	case n <= fewJobs:
		return h.takeSmall(cost)
	}
	h.work = h.room.work.take(ctx, cost)
	return h.work > 0
}

// leave makes place for an answer that has been written into memory, but not sent.
func (h *hold) leave(ctx context.Context, length int) bool {
	if length > smallBody && h.work == 0 && h.wire == 0 {
		h.wire = h.room.wire.take(ctx, 2*int64(length)) // the answer, and what it was made of
		return h.wire > 0
	}
	return true
}

func (h *hold) takeSmall(n int64) bool {
	ok := h.room.takeSmall(n)
	if ok {
		h.small += n
	}
	return ok
}

// release gives everything back.
func (h *hold) release() {
	if h.small > 0 {
		h.room.small.Add(-h.small)
		h.small = 0
	}
	h.arrived()
	if h.work > 0 {
		h.room.work.places.Release(h.work)
		h.work = 0
	}
}

// paced reports whether the arrival of a body is to be watched: see keepPace. For most small ones it is not worth it.
func (h *hold) paced(length int64) bool { return length > smallBody || h.room.crowded() }

// wanted reports whether another request waits for what this one holds, or may soon be refused for it.
func (h *hold) wanted() bool {
	return h.wire > 0 && h.room.wire.waiting.Load() > 0 || h.work > 0 && h.room.work.waiting.Load() > 0 ||
		h.small > 0 && h.room.crowded()
}

// pace watches a transfer for which the request holds a place.
type pace struct {
	moved atomic.Int64

	mu    sync.Mutex
	timer *time.Timer
	seen  int64
	over  bool
	lost  bool // the place: the transfer has been cut
}

// keepPace watches a transfer until stop is called. A transfer that is slow while its place is wanted is ended by cut.
func keepPace(h *hold, cut func()) *pace {
	p := &pace{}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(slowTick, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		moved := p.moved.Load()
		switch {
		case p.over:
			return
		case moved-p.seen < slowBytes && h.wanted():
			p.lost = true
			cut()
			return
		}
		p.seen = moved
		p.timer.Reset(slowTick)
	})
	return p
}

// stop ends the watch. It reports whether the place was lost.
func (p *pace) stop() (lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	p.timer.Stop()
	return p.lost
}

// pacedBody counts what is read, and lets others go first after each read: see discard.
type pacedBody struct {
	io.ReadCloser
	pace *pace
}

func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.pace.moved.Add(int64(n))
	runtime.Gosched()
	return n, err
}

// discard reads to the end and into nothing. It lets others go first after each read: a goroutine whose data are always
// there already would keep its processor for 10 ms at a time, and some dozens of them would have a health check wait
// for seconds.
func discard(r io.Reader) {
	buf := make([]byte, 8<<10)
	for {
		if _, err := r.Read(buf); err != nil {
			return
		}
		runtime.Gosched()
	}
}

// past is a time limit that is over. Connections take it to end what they are at.
var past = time.Unix(1, 0)
