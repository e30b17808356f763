package postgres

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// everyPage follows a list to its end and returns the ids, and how many calls it took.
func everyPage(t *testing.T, s *Store, q store.ListQuery) (ids []string, calls int) {
	t.Helper()
	for {
		page, err := s.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range page.Jobs {
			ids = append(ids, j.ID)
		}
		calls++
		if page.Next == "" {
			return ids, calls
		}
		if q.Before != "" && page.Next >= q.Before {
			t.Fatalf("the list does not move on: %s after %s", page.Next, q.Before)
		}
		q.Before = page.Next
	}
}

// A filter that matches few jobs gives short pages, each after a bounded walk, and misses none.
func TestListWalksOn(t *testing.T) {
	s := open(t)
	history(t, s, 35_000) // 350 pending, 350 failed
	exec(t, s, "ALTER TABLE windlass.jobs DISABLE TRIGGER watch_jobs")
	var rare []string
	for _, n := range []int{3, 9_003, 29_003} { // completed ones
		id := fmt.Sprintf("01900000-%04x-%04x-7000-800000000000", n>>16, n&0xffff)
		exec(t, s, `UPDATE windlass.jobs SET type = 'rare', metadata = '{"tag":"rare"}' WHERE id = $1`, id)
		rare = append(rare, id)
	}
	slices.Reverse(rare)
	for name, q := range map[string]store.ListQuery{
		"by type":            {Type: "rare"},
		"by type and status": {Type: "rare", Status: jobs.Completed},
		"by type and state":  {Type: "rare", State: jobs.StateCompleted},
		"by metadata":        {Metadata: map[string]string{"tag": "rare"}},
	} {
		q.Limit = 50
		got, calls := everyPage(t, s, q)
		if !slices.Equal(got, rare) {
			t.Errorf("%s: got %v, want %v", name, got, rare)
		}
		if least := 35_000 / walked; calls < least || calls > least+2 {
			t.Errorf("%s: %d calls for 35,000 rows of which each walks past %d", name, calls, walked)
		}
	}
	// Jobs of a status with an index are found at once, wherever they are.
	for name, q := range map[string]store.ListQuery{
		"pending": {Status: jobs.Pending}, "waiting": {State: jobs.StateWaiting},
		"failed": {Status: jobs.Failed}, "dead": {State: jobs.StateDead},
	} {
		q.Limit = 200
		got, calls := everyPage(t, s, q)
		if len(got) != 350 || calls != 2 || !slices.IsSortedFunc(got, func(a, b string) int {
			return cmp.Compare(b,
				a)
		}) {
			t.Errorf("%s: %d jobs in %d calls, want 350 in 2, newest first", name, len(got), calls)
		}
	}
	if got, calls := everyPage(t, s, store.ListQuery{State: jobs.StateCancelled, Limit: 200}); len(got) != 0 ||
		calls != 1 {
		t.Errorf("cancelled: %d jobs in %d calls, want none in 1", len(got), calls)
	}
}

// Many pending jobs are found often enough on the walk along the primary key.
func TestListOfManyPending(t *testing.T) {
	s := open(t)
	var want []string
	for range 12 {
		want = append(want, submit(t, s, 1000)...)
	}
	way, err := s.route(t.Context(), jobs.Pending)
	if err != nil || way.small {
		t.Fatalf("the way to 12,000 pending jobs: %+v, error %v", way, err)
	}
	got, calls := everyPage(t, s, store.ListQuery{Status: jobs.Pending, Limit: 200})
	slices.Reverse(got)
	if !slices.Equal(got, want) || calls > 62 {
		t.Errorf("%d jobs in %d calls, want %d in about 60", len(got), calls, len(want))
	}
}
