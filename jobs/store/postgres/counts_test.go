package postgres

import (
	"sync"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
)

var hourly = store.Prune{Completed: time.Hour, Failed: time.Hour, Sessions: time.Hour, Limit: 100}

// The number of completed jobs is kept in a table of its own. It agrees with the jobs whatever happens at the same
// time.
func TestCountsAgreeWithTheTable(t *testing.T) {
	s := open(t)
	w := session(t, s)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 10 {
				var outcomes []store.Outcome
				for _, j := range claim(t, s, w, submit(t, s, 20)...) {
					outcomes = append(outcomes, store.Outcome{ID: j.ID, Fence: j.Fence, Session: w,
						Verb: store.VerbComplete})
				}
				if _, err := s.Settle(t.Context(), outcomes); err != nil {
					t.Error(err)
				}
				if _, err := s.Settle(t.Context(), outcomes); err != nil { // again: counts nothing
					t.Error(err)
				}
				if err := s.Delete(t.Context(), outcomes[0].ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() {
		for range 10 {
			if _, err := s.Prune(t.Context(), hourly); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	agree := func(want int64) {
		t.Helper()
		stats, err := s.Stats(t.Context())
		rows := value[int64](t, s, "SELECT count(*) FROM windlass.jobs WHERE status = 'completed'")
		if err != nil || rows != want || stats.Completed != want || stats.Total != want {
			t.Errorf("completed: %d rows, counted %d of %d, want %d; error %v", rows, stats.Completed, stats.Total,
				want, err)
		}
	}
	agree(760)

	makeOlder(t, s, 10*time.Minute)
	if _, err := s.Prune(t.Context(), hourly); err != nil {
		t.Fatal(err)
	}
	agree(760)
	if n := value[int](t, s, "SELECT count(*) FROM windlass.completed_counts"); n != 1 {
		t.Errorf("%d rows in completed_counts after they were merged, want 1", n)
	}
	if _, err := s.Prune(t.Context(), store.Prune{Completed: time.Minute, Failed: time.Hour, Limit: 100}); err != nil {
		t.Fatal(err)
	}
	agree(660)
}
