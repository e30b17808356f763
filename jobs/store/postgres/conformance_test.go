package postgres

import (
	"fmt"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/storetest"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// harness gives each case a schema of its own in one database: that is quicker to make than a database.
//
// driver names one of drivers: how an application opens its transactions.
func harness(t *testing.T, driver string, params ...string) storetest.Harness {
	plain := servers.Postgres(t)
	url := plain
	for _, p := range params {
		url += "&" + p
	}
	n := 0
	return storetest.Harness{
		Open: func(t *testing.T) store.Store {
			n++
			return migrated(t, openWith(t, Options{URL: url, Schema: fmt.Sprintf("case_%d", n)}))
		},
		Age: func(t *testing.T, s store.Store, d time.Duration) { makeOlder(t, s.(*Store), d) },
		Begin: func(t *testing.T, _ store.Store) (tx any, commit, rollback func() error) {
			c := drivers[driver](t, plain)
			return c.tx, c.commit, c.rollback
		},
		Exec: func(t *testing.T, s store.Store, sql string) { byHand(t, s.(*Store), sql) },
		Target: func(t *testing.T) store.Store {
			n++
			s := openWith(t, Options{URL: url, Schema: fmt.Sprintf("case_%d", n)})
			if err := s.Migrate(t.Context()); err != nil { // without the trigger, which wants every job to begin as pending
				t.Fatal(err)
			}
			return s
		},
		Second: func(t *testing.T, s store.Store) store.Store { return second(t, s.(*Store)) },
	}
}

func TestConformance(t *testing.T) { storetest.Run(t, harness(t, "pgx")) }

// The same without named prepared statements, as behind an older PgBouncer: arguments and results then travel as text.
func TestConformanceUnprepared(t *testing.T) {
	storetest.Run(t, harness(t, "sql/pq", "default_query_exec_mode=exec"))
}
