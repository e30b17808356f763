package postgres

import (
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store/storetest"
)

func harness(params ...string) storetest.Harness {
	return storetest.Harness{
		Open:   func(t *testing.T) jobs.Store { return open(t, params...) },
		Age:    func(t *testing.T, s jobs.Store, d time.Duration) { makeOlder(t, s.(*Store), d) },
		Second: func(t *testing.T, s jobs.Store) jobs.Store { return second(t, s.(*Store)) },
	}
}

func TestConformance(t *testing.T) { storetest.Run(t, harness()) }

// The same without named prepared statements, as behind an older PgBouncer: arguments and results then travel as text.
func TestConformanceUnprepared(t *testing.T) {
	storetest.Run(t, harness("default_query_exec_mode=exec"))
}
