package httpapi

import (
	"bytes"
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"testing"
	"time"
)

func TestRoom_FollowsTheMemoryLimit(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	for limit, want := range map[int64]struct{ room, body int64 }{
		math.MaxInt64: {256 << 20, 16 << 20},
		1 << 30:       {(1 << 30) / 5 * 3, 16 << 20},
		200 << 20:     {(200 << 20) / 5 * 3, 16 << 20},
		64 << 20:      {(64 << 20) / 5 * 3, (64 << 20) / 5 * 3 / 6},
		1 << 20:       {minRoom, minRoom / 6},
	} {
		debug.SetMemoryLimit(limit)
		room := NewRoom(0)
		a := &api{opts: Options{Room: room, MaxPayloadBytes: 256 << 10}}
		if got := a.bulkLimit(); room.bytes != want.room || got != want.body {
			t.Errorf("limit %d: %d bytes, bodies of %d, want %+v", limit, room.bytes, got, want)
		}
	}
	if room := NewRoom(100 << 20); room.bytes != 100<<20 {
		t.Errorf("%d", room.bytes)
	}
}

// What is taken is given back, whatever way a request goes.
func TestRoom_GetsEverythingBack(t *testing.T) {
	room := NewRoom(minRoom)
	ctx := t.Context()
	for _, take := range []func(h *hold) bool{
		func(h *hold) bool { return h.arrive(ctx, 300) && h.process(ctx, 300, 0) && h.jobs(ctx, 1) },
		func(h *hold) bool { return h.arrive(ctx, 300) && h.process(ctx, 300, 900) && h.jobs(ctx, 1) },
		func(h *hold) bool { return h.arrive(ctx, 60_000) && h.process(ctx, 60_000, 0) && h.jobs(ctx, 1000) },
		func(h *hold) bool { return h.arrive(ctx, 300) && h.process(ctx, 300, 1<<20) && h.jobs(ctx, 1) },
		func(h *hold) bool { return h.arrive(ctx, 1<<20) && h.process(ctx, 1<<20, 0) && h.jobs(ctx, 1000) },
		func(h *hold) bool { return h.arrive(ctx, 2<<20) && h.process(ctx, 2<<20, 4<<20) }, // more than there is
		func(h *hold) bool { return h.arrive(ctx, 1<<20) },
		func(h *hold) bool { return h.leave(ctx, 1<<20) },
	} {
		h := hold{room: room}
		if !take(&h) {
			t.Errorf("no room: %+v", h)
		}
		if h.wire+h.work+h.small == 0 {
			t.Error("nothing was taken")
		}
		h.release()
		if room.small.Load() != 0 || !room.wire.places.TryAcquire(room.wire.size) ||
			!room.work.places.TryAcquire(room.work.size) {
			t.Fatalf("something is missing: %+v", room)
		}
		room.wire.places.Release(room.wire.size)
		room.work.places.Release(room.work.size)
	}
}

// Large bodies leave the room of the small ones alone, and small ones do not wait.
func TestRoom_SmallBodiesDoNotWaitForLargeOnes(t *testing.T) {
	room := NewRoom(minRoom)
	large := hold{room: room}
	room.work.take(t.Context(), room.work.size)
	if !large.arrive(t.Context(), room.wire.size) {
		t.Fatal("an empty room is full")
	}
	over, cancel := context.WithCancel(t.Context())
	cancel() // a request that has to wait gives up at once
	if other := (&hold{room: room}); other.arrive(over, 1<<20) || other.process(over, 1<<20, 0) || other.jobs(over, 101) {
		t.Error("there is room for two that take all")
	}
	holds := make([]hold, 200)
	for i := range holds {
		holds[i].room = room
		if h := &holds[i]; !h.arrive(over, 500) || !h.process(over, 500, 0) || !h.jobs(over, 1) {
			t.Fatalf("the small body %d found no room", i)
		}
	}
	// They have a bound of their own.
	many := hold{room: room}
	n := 0
	for ; n < 100_000 && many.arrive(over, 60_000) && many.process(over, 60_000, 0); n++ {
	}
	if n < 1 || n > 20 {
		t.Errorf("room for %d bodies of 60 KB", n)
	}
}

// A body of unknown length is charged for what it turns out to be.
func TestRoom_SmallBodiesInChunksAreCharged(t *testing.T) {
	room := NewRoom(minRoom)
	h := hold{room: room}
	if !h.arrive(t.Context(), maxBodyBytes) || !h.process(t.Context(), smallBody, 0) {
		t.Fatal("an empty room is full")
	}
	h.arrived()
	if got := room.small.Load(); got < smallBody*bodyCost {
		t.Errorf("charged for %d bytes", got)
	}
	h.release()
}

// An answer to POST has a place while it is sent, as one to GET has.
func TestRoom_AnswersToPostAreCharged(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		room := NewRoom(minRoom)
		w := &fullWriter{ResponseRecorder: httptest.NewRecorder(), room: room}
		a := &answer{ResponseWriter: w, r: httptest.NewRequest(method, "/jobs", nil), held: hold{room: room}}
		a.send(bytes.Repeat([]byte("x"), 10*smallBody))
		a.held.release()
		if w.Body.Len() != 10*smallBody || w.free {
			t.Errorf("%s: %d bytes were sent, without a place: %v", method, w.Body.Len(), w.free)
		}
		if !room.wire.places.TryAcquire(room.wire.size) {
			t.Errorf("%s: the place was not given back", method)
		}
	}
}

// fullWriter notes whether all of wire was free when something was written.
type fullWriter struct {
	*httptest.ResponseRecorder
	room *Room
	free bool
}

func (w *fullWriter) Write(b []byte) (int, error) {
	if w.room.wire.places.TryAcquire(w.room.wire.size) {
		w.free = true
		w.room.wire.places.Release(w.room.wire.size)
	}
	return w.ResponseRecorder.Write(b)
}

// A slow transfer keeps its place as long as nobody waits for it.
func TestPace_CutsASlowTransferOnlyForOthers(t *testing.T) {
	room := NewRoom(minRoom)
	h := hold{room: room}
	if !h.arrive(t.Context(), room.wire.size) {
		t.Fatal("no room")
	}
	cut := make(chan time.Time, 1)
	p := keepPace(&h, func() { cut <- time.Now() })
	select {
	case <-cut:
		t.Fatal("cut, though nobody waits")
	case <-time.After(2*slowTick + slowTick/2):
	}
	got := make(chan bool)
	go func() { got <- (&hold{room: room}).arrive(t.Context(), 1<<20) }()
	select {
	case <-cut:
	case <-time.After(30 * time.Second):
		t.Fatal("not cut, though somebody waits")
	}
	if !p.stop() {
		t.Error("the owner does not hear of it")
	}
	h.release()
	if !<-got {
		t.Error("the other did not get the place")
	}
}
