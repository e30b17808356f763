package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

func nothing(context.Context, *jobs.Run, map[string]any) (any, error) { return nil, nil }

func TestSubmitFillsIn(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("mail", nothing, jobs.WithQueue("post"), jobs.WithMaxAttempts(7), jobs.WithTimeout(time.Minute))
	j := s.submit(jobs.New{Type: "mail", Payload: []byte(`{"bb":1e2, "a":"\u00e9"}`)})[0]
	if j.Queue != "post" || j.MaxAttempts != 7 || j.Timeout != time.Minute ||
		string(j.Payload) != `{"a":"é","bb":100}` || j.Status != jobs.Pending {
		t.Errorf("job %+v", j)
	}
	if stored, _ := s.get(j.ID); string(stored.Payload) != string(j.Payload) ||
		!stored.CreatedAt.Equal(j.CreatedAt) || stored.Queue != j.Queue {
		t.Errorf("stored %+v", stored)
	}
}

func TestSubmitRefuses(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("mail", nothing)
	for name, c := range map[string]struct {
		job     jobs.New
		pointer string
	}{
		"type":     {jobs.New{Type: "male"}, "/1/type"},
		"no type":  {jobs.New{}, "/1/type"},
		"queue":    {jobs.New{Type: "mail", Queue: "A B"}, "/1/queue"},
		"attempts": {jobs.New{Type: "mail", MaxAttempts: -1}, "/1/max_attempts"},
		"priority": {jobs.New{Type: "mail", Priority: 11}, "/1/priority"},
		"timeout":  {jobs.New{Type: "mail", Timeout: time.Millisecond}, "/1/timeout_seconds"},
		"delay":    {jobs.New{Type: "mail", Delay: -time.Second}, "/1/delay_seconds"},
		"run_at":   {jobs.New{Type: "mail", RunAt: time.Now().Add(400 * 24 * time.Hour)}, "/1/run_at"},
		"array":    {jobs.New{Type: "mail", Payload: []byte(`[]`)}, "/1/payload"},
		"broken":   {jobs.New{Type: "mail", Payload: []byte(`{`)}, "/1/payload"},
		"large": {jobs.New{Type: "mail",
			Payload: fmt.Appendf(nil, `{"x":%q}`, strings.Repeat("x", jobs.MaxPayloadBytes))}, "/1/payload/x"},
	} {
		_, err := s.client.Submit(t.Context(), jobs.Submission{Jobs: []jobs.New{{Type: "mail"}, c.job}})
		var invalid *jobs.InvalidError
		if !errors.As(err, &invalid) || invalid.Fields[0].Pointer != c.pointer {
			t.Errorf("%s: %v, want a fault at %s", name, err, c.pointer)
		}
	}
	for _, n := range []int{0, 1001} {
		var invalid *jobs.InvalidError
		if _, err := s.client.Submit(t.Context(),
			jobs.Submission{Jobs: slices.Repeat([]jobs.New{{Type: "mail"}}, n)}); !errors.As(err, &invalid) {
			t.Errorf("%d jobs: %v", n, err)
		}
	}
	if stats, err := s.store.Stats(t.Context()); err != nil || stats.Total != 0 {
		t.Errorf("%d jobs were stored, %v", stats.Total, err)
	}
}

func TestAnnouncedTypesAreAccepted(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	announced := jobs.Type{Name: "elsewhere", Queue: "far", MaxAttempts: 2, Timeout: time.Minute,
		Schema: []byte(`{}`), Example: []byte(`{}`)}
	session := store.Session{ID: "4a3bb7a4-9c4c-4ab5-a2ab-54dc2c8a9d11", Types: []string{"elsewhere"}}
	if err := s.store.Register(t.Context(), session, []jobs.Type{announced}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if j := s.submit(jobs.New{Type: "elsewhere"})[0]; j.Queue != "far" || j.MaxAttempts != 2 {
		t.Errorf("job %+v", j)
	}
}

// While one call of the Store is under way the others gather, and equal keys among them become one.
func TestSubmissionsGather(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("mail", nothing)
	var mu sync.Mutex
	var sizes []int
	gate := make(chan struct{})
	s.store.set(func() {
		s.store.onInsert = func(subs []jobs.Submission, real func() ([]jobs.Receipt, error)) ([]jobs.Receipt, error) {
			mu.Lock()
			sizes = append(sizes, len(subs))
			n := len(sizes)
			mu.Unlock()
			if n <= 2 {
				<-gate
			}
			return real()
		}
	})
	var callers sync.WaitGroup
	submit := func(key *jobs.Key) (r jobs.Receipt, err error) {
		return s.client.Submit(t.Context(), jobs.Submission{Jobs: []jobs.New{{Type: "mail"}}, Key: key})
	}
	calls := func() int { mu.Lock(); defer mu.Unlock(); return len(sizes) }
	for i := range 2 {
		callers.Go(func() { submit(nil) })
		eventually(t, "a call of the store", func() bool { return calls() == i+1 })
	}
	ids := make(chan string, 100)
	for i := range 60 {
		callers.Go(func() {
			key := &jobs.Key{Key: fmt.Sprint("k", i%2)}
			if i >= 50 { // another request under a key that is taken
				key.Fingerprint[0] = 1
			}
			r, err := submit(key)
			switch {
			case err == nil:
				ids <- r.Jobs[0].ID
			case !errors.Is(err, jobs.ErrKeyReused):
				t.Error(err)
			}
		})
	}
	close(gate)
	callers.Wait()
	close(ids)
	distinct := map[string]bool{}
	for id := range ids {
		distinct[id] = true
	}
	if len(distinct) != 2 {
		t.Errorf("two keys made %d jobs", len(distinct))
	}
	if stats, _ := s.store.Stats(t.Context()); stats.Total != 4 {
		t.Errorf("%d jobs stored, want 4", stats.Total)
	}
}

func TestBadRowFailsAlone(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("mail", nothing)
	gate := make(chan struct{})
	s.store.set(func() {
		s.store.onInsert = func(subs []jobs.Submission, real func() ([]jobs.Receipt, error)) ([]jobs.Receipt, error) {
			<-gate
			for _, sub := range subs {
				if sub.Jobs[0].Priority == 9 {
					return nil, jobs.ErrRejected
				}
			}
			return real()
		}
	})
	var callers sync.WaitGroup
	for i := range 30 {
		callers.Go(func() {
			_, err := s.client.Submit(t.Context(), jobs.Submission{Jobs: []jobs.New{{Type: "mail", Priority: i % 10}}})
			if bad := i%10 == 9; bad != errors.Is(err, jobs.ErrRejected) || !bad && err != nil {
				t.Errorf("priority %d: %v", i%10, err)
			}
		})
	}
	close(gate)
	callers.Wait()
	if stats, _ := s.store.Stats(t.Context()); stats.Total != 27 {
		t.Errorf("%d jobs stored, want 27", stats.Total)
	}
}

func TestImpatientCaller(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("mail", nothing)
	gate, inserting := make(chan struct{}), make(chan struct{})
	s.store.set(func() {
		s.store.onInsert = func(_ []jobs.Submission, real func() ([]jobs.Receipt, error)) ([]jobs.Receipt, error) {
			close(inserting)
			<-gate
			return real()
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.client.Submit(ctx, jobs.Submission{Jobs: []jobs.New{{Type: "mail"}}})
		done <- err
	}()
	receive(t, "the insert", inserting)
	cancel()
	if err := receive(t, "the answer", done); !errors.Is(err, jobs.ErrOutcomeUnknown) ||
		!errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(gate)
}

func TestRetryAndCancelOfTheWrongState(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.handle("mail", nothing)
	id := s.submit(jobs.New{Type: "mail"})[0].ID
	if _, err := s.client.Retry(t.Context(), id); !errors.Is(err, jobs.ErrConflict) {
		t.Errorf("retry of a pending job: %v", err)
	}
	if err := s.client.Delete(t.Context(), id); !errors.Is(err, jobs.ErrConflict) {
		t.Errorf("delete of a pending job: %v", err)
	}
	missing := "01890000-0000-7000-8000-000000000000"
	if _, err := s.client.Retry(t.Context(), missing); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("retry of no job: %v", err)
	}
	if _, err := s.client.Cancel(t.Context(), missing); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("cancel of no job: %v", err)
	}
}
