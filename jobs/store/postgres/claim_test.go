package postgres

import (
	"slices"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// A row that somebody has locked, by hand perhaps and for long, must hold up no claim: neither the one that meets it, which tries the
// quick way, nor those that come after.
func TestClaimPassesOverLockedRows(t *testing.T) {
	s := open(t)
	w := session(t, s)
	for range 2 {
		ids := submit(t, s, 3)
		locked, err := s.work.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := locked.Exec(t.Context(), `SELECT FROM jobs WHERE id = $1 FOR UPDATE`, ids[1]); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		got, err := s.Claim(t.Context(), jobs.Claim{Session: w, Types: []string{"email"}, IDs: ids})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > lockWithin {
			t.Errorf("the claim waited %s for the lock", took)
		}
		var had []string
		for _, j := range got.Jobs {
			had = append(had, j.ID)
		}
		slices.Sort(had)
		if want := []string{ids[0], ids[2]}; !slices.Equal(had, want) {
			t.Errorf("claimed %v, want %v", had, want)
		}
		if err := locked.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		claim(t, s, w, ids[1])
	}
}
