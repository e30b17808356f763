package postgres

import (
	"testing"

	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/storetest"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// byHand runs SQL that nothing checks, neither the table's constraint nor the test's trigger.
func byHand(t testing.TB, s *Store, sql string) {
	t.Helper()
	exec(t, s, `ALTER TABLE windlass.jobs DROP CONSTRAINT IF EXISTS jobs_sound`)
	exec(t, s, `BEGIN; SET LOCAL session_replication_role = replica; `+sql+`; COMMIT`)
}

// Transactions without time limits leave no settings behind on a server connection that others use next.
func TestAuditAndTransferBehindPgBouncer(t *testing.T) {
	url := servers.PgBouncer(t, servers.Postgres(t), 2)
	from := openWith(t, Options{URL: url})
	to := openWith(t, Options{URL: url, Schema: "target"})
	for _, s := range []*Store{from, to} {
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	filled := storetest.Populate(t, from)
	var list []store.Record
	if err := from.Export(t.Context(), func(r store.Record) error { list = append(list, r); return nil }); err != nil {
		t.Fatal(err)
	}
	_, err := to.Import(t.Context(), func(yield func(store.Record, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := to.Repair(t.Context()); err != nil || len(r.Recounted) > 0 {
		t.Errorf("repair: %+v, error %v", r, err)
	}
	storetest.Arrived(t, from, to, filled)
	const changed = `SELECT count(*) FROM pg_settings WHERE setting <> reset_val
		AND name IN ('statement_timeout', 'lock_timeout', 'TimeZone', 'enable_sort', 'idle_in_transaction_session_timeout')`
	for range 4 { // on whichever of the server's connections
		if n := value[int](t, from, changed); n != 0 {
			t.Errorf("%d settings have stayed behind on a connection", n)
		}
	}
}
