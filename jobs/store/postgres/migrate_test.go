package postgres

import (
	"slices"
	"sync"
	"testing"

	"github.com/windlass-jobs/windlass/tests/servers"
)

// Every process migrates at its start, and they start together.
func TestMigrateFromManyProcessesAtOnce(t *testing.T) {
	url := servers.Postgres(t)
	// With this default a statement would not see what was committed while it waited for the lock.
	exec(t, openPlain(t, url), `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database());
	END $$`)
	var all sync.WaitGroup
	for range 8 {
		s := openPlain(t, url)
		for range 2 { // and twice in each
			all.Go(func() {
				if err := s.Migrate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	s := openPlain(t, url)
	if n := value[int](t, s, "SELECT count(*) FROM windlass.schema_version"); n != len(migrations) {
		t.Errorf("%d migrations are recorded, want %d", n, len(migrations))
	}
	submit(t, s, 1)
}

// An old binary may be started after a new one has migrated: while an update rolls out, or when it is rolled back.
func TestMigrateLeavesNewerDatabaseAlone(t *testing.T) {
	s := open(t)
	exec(t, s, "INSERT INTO windlass.schema_version (version, name) VALUES (9999, '9999_future')")
	exec(t, s, "ALTER TABLE windlass.jobs ADD COLUMN of_the_future text")
	if err := second(t, s).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := session(t, s)
	claim(t, s, w, submit(t, s, 1)...)
	if n := value[int](t, s, "SELECT max(version) FROM windlass.schema_version"); n != 9999 {
		t.Errorf("version %d, want 9999", n)
	}
}

// The kit's Age must not miss a column, or a test of expiry would pass for the wrong reason.
func TestAgingKnowsEveryTime(t *testing.T) {
	s := open(t)
	rows, err := s.work.Query(t.Context(), `SELECT table_name::text, column_name::text FROM information_schema.columns
		WHERE table_schema = 'windlass' AND data_type = 'timestamp with time zone' AND table_name <> 'schema_version'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := 0
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		seen++
		if !slices.Contains(aging[table], column) {
			t.Errorf("%s.%s is not aged", table, column)
		}
	}
	if seen == 0 {
		t.Error("no column was found")
	}
}
