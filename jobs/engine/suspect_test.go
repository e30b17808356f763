package engine_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass/jobs"
)

// After the death of a worker all that it ran are suspects. They run one at a time, but one right after the other, also where nothing else
// is to be done: an idle worker must not wait out a pop before it looks for the next. The torture found them one second apart.
func TestSuspectsFollowEachOther(t *testing.T) {
	s := newSystem(t)
	var first, last atomic.Int64
	s.handle("work", func(context.Context, *jobs.Run, map[string]any) (any, error) {
		now := time.Now().UnixNano()
		first.CompareAndSwap(0, now)
		last.Store(now)
		<-time.After(50 * time.Millisecond) // of work: by the end of the first all others are due
		return nil, nil
	})
	const n = 20
	list := s.submit(slices.Repeat([]jobs.New{{Type: "work"}}, n)...)
	lost := uuid.NewString()
	if err := s.store.Register(t.Context(), jobs.Session{ID: lost, Types: []string{"work"}}, nil, time.Hour); err != nil {
		t.Fatal(err)
	}
	ids := make([]string, n)
	for i := range list {
		ids[i] = list[i].ID
	}
	if got, err := s.store.Claim(t.Context(), jobs.Claim{Session: lost, Types: []string{"work"}, IDs: ids}); err != nil || len(got.Jobs) != n {
		t.Fatalf("claimed %d: %v", len(got.Jobs), err)
	}
	if _, err := s.store.Beat(t.Context(), jobs.Pulse{Session: lost, State: jobs.SessionDead}); err != nil {
		t.Fatal(err)
	}
	s.start()
	for _, id := range ids {
		if j := s.awaitStatus(id, jobs.Completed); j.Attempts != 2 {
			t.Errorf("job %+v", j)
		}
	}
	t.Logf("took %s", time.Duration(last.Load()-first.Load()))
	// Their retries come within 0.2 s of each other. A second for each would be nineteen.
	if took := time.Duration(last.Load() - first.Load()); took > 12*time.Second {
		t.Errorf("%d suspects took %s", n, took)
	}
}
