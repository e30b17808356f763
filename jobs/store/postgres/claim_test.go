package postgres

import (
	"context"
	"slices"
	"testing"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// A row that is locked for long must not hold up claims: neither the claim that finds it locked, nor later ones.
// Connections have no lock_timeout here, so a claim that relies on it fails.
func TestClaimPassesOverLockedRows(t *testing.T) {
	ours := slices.IndexFunc(settings, func(s setting) bool { return s.name == "lock_timeout" })
	defer func(was string) { settings[ours].value = was }(settings[ours].value)
	settings[ours].value = "0"
	s := open(t)
	if got := value[string](t, s, "SHOW lock_timeout"); got != "0" {
		t.Fatalf("lock_timeout is %s", got)
	}
	w := session(t, s)
	for range 2 {
		ids := submit(t, s, 3)
		locked, err := s.work.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// Where the test ends early, Close would wait for this connection.
		t.Cleanup(func() { _ = locked.Rollback(context.Background()) })
		if _, err := locked.Exec(t.Context(), `SELECT FROM windlass.jobs WHERE id = $1
			FOR UPDATE`, ids[1]); err != nil {
			t.Fatal(err)
		}
		got, err := s.Claim(t.Context(), store.Claim{Session: w, Types: []string{"email"}, IDs: ids})
		if err != nil {
			t.Fatal(err)
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
