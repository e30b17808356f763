package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
)

func TestWait(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	gate := make(chan struct{})
	s.handle("work", func(context.Context, *jobs.Run, map[string]any) (any, error) {
		<-gate
		return "done", nil
	})
	s.handle("fail", func(context.Context, *jobs.Run, map[string]any) (any, error) {
		return nil, jobs.Permanent(errors.New("no"))
	})
	id := s.submit(jobs.New{Type: "work"})[0].ID

	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.client.Wait(short, id); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a wait that is too short: %v", err)
	}
	if _, err := s.client.Wait(t.Context(), uuid.NewString()); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("no such job: %v", err)
	}
	type answer struct {
		job jobs.Job
		err error
	}
	wait := func(id string) <-chan answer {
		c := make(chan answer, 1)
		go func() {
			j, err := s.client.Wait(context.Background(), id)
			c <- answer{j, err}
		}()
		return c
	}
	deleted := s.submit(jobs.New{Type: "work", Delay: time.Hour})[0].ID
	cancelled, gone := wait(deleted), make(chan answer, 1)
	go func() { gone <- receive(t, "the cancelled job", cancelled) }()
	if _, err := s.client.Cancel(t.Context(), deleted); err != nil {
		t.Fatal(err)
	}
	if a := receive(t, "the cancelled job", gone); a.err != nil || a.job.FailureKind != jobs.KindCancelled {
		t.Errorf("cancelled: %+v", a)
	}

	s.start()
	many := make([]<-chan answer, 50)
	for i := range many {
		many[i] = wait(id)
	}
	close(gate)
	for _, c := range many {
		if a := receive(t, "the job", c); a.err != nil || string(a.job.Result) != `"done"` {
			t.Errorf("%+v", a)
		}
	}
	failed := s.submit(jobs.New{Type: "fail"})[0].ID
	if a := receive(t, "the failed job", wait(failed)); a.err != nil || a.job.Status != jobs.Failed {
		t.Errorf("failed: %+v", a)
	}
	if a := receive(t, "a job that was over before", wait(failed)); a.err != nil || a.job.Status != jobs.Failed {
		t.Errorf("failed: %+v", a)
	}
	left := wait(s.submit(jobs.New{Type: "work", Delay: time.Hour})[0].ID)
	s.client.Close()
	if a := receive(t, "the close", left); !errors.Is(a.err, engine.ErrClosed) {
		t.Errorf("closed: %+v", a)
	}
}
