package sqlite

import (
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, storetest.Harness{
		Open:  func(t *testing.T) store.Store { return open(t, Options{}) },
		Begin: begin,
		Age:   func(t *testing.T, s store.Store, d time.Duration) { age(t, s.(*Store), d) },
		Exec:  func(t *testing.T, s store.Store, sql string) { byHand(t, s.(*Store), sql) },
	})
}
