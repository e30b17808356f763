package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// popWatch notes how long pops that may not bring a suspect are ready to wait.
type popWatch struct {
	queue.Queue
	pops, longest atomic.Int64
}

func (q *popWatch) Pop(ctx context.Context, p queue.Pop) ([]jobs.Hint, error) {
	if p.Suspects == 0 {
		q.longest.Store(max(q.longest.Load(), int64(p.Wait)))
		q.pops.Add(1)
	}
	return q.Queue.Pop(ctx, p)
}

// While a suspect runs, others are not looked for. Where nothing else is to be done, a worker must not wait for long in
// pops like that: the suspects that its predecessor has left would follow each other only as these pops run out. The
// torture found them a second apart.
func TestNoLongPopWhileASuspectRuns(t *testing.T) {
	s := newSystem(t)
	watch := &popWatch{Queue: s.queue}
	s.opts.Queue = watch
	gate := make(chan struct{})
	s.handle("work", func(context.Context, *jobs.Run, map[string]any) (any, error) {
		<-gate
		return nil, nil
	})
	id := s.submit(jobs.New{Type: "work"})[0].ID
	lost := uuid.NewString()
	if err := s.store.Register(t.Context(), store.Session{ID: lost, Types: []string{"work"}}, nil,
		time.Hour); err != nil {
		t.Fatal(err)
	}
	if got, err := s.store.Claim(t.Context(),
		store.Claim{Session: lost, Types: []string{"work"}, IDs: []string{id}}); err != nil || len(got.Jobs) != 1 {
		t.Fatalf("claimed %d: %v", len(got.Jobs), err)
	}
	if _, err := s.store.Heartbeat(t.Context(), store.Heartbeat{Session: lost, State: store.SessionDead}); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.await(id, "the suspect to run", func(j jobs.Job) bool { return j.Status == jobs.Processing && j.Attempts == 2 })
	before := watch.pops.Load()
	eventually(t, "some pops beside it", func() bool { return watch.pops.Load() > before+3 })
	close(gate)
	s.awaitStatus(id, jobs.Completed)
	if longest := time.Duration(watch.longest.Load()); longest > 200*time.Millisecond {
		t.Errorf("a pop without suspects was to wait for %s", longest)
	}
}
