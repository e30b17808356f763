// Package storetest is the conformance suite of store.Store and store.Transactional: the sentences of the contract as
// tests. Every driver has to pass it.
//
// A driver's test makes a Harness and calls Run. The Harness opens real databases, because the suite lets goroutines
// race on them. Nothing here sleeps: Harness.Age lets time pass.
package storetest

import (
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// Harness is what the suite needs of a driver.
type Harness struct {
	// Open returns a Store on a database of its own, empty and migrated. It closes the Store by t.Cleanup.
	Open func(t *testing.T) store.Store
	// Age moves every time that s has stored back by d: run times, deadlines, creation and finish times, the expiry of
	// sessions, keys and leases, and the times of the completed counts.
	Age func(t *testing.T, s store.Store, d time.Duration)
	// Second returns a second Store on the database of s, as in another process. It returns nil, or is nil, if the
	// driver allows only one.
	Second func(t *testing.T, s store.Store) store.Store
	// Begin opens a transaction on the database of s, of a type that the driver takes, and returns what ends it. The
	// suite ends every transaction before it opens another one. Begin is required.
	Begin func(t *testing.T, s store.Store) (tx any, commit, rollback func() error)
	// Exec runs SQL beside the store, as somebody would by hand: nothing checks it. The tables are named windlass.jobs
	// and so on.
	Exec func(t *testing.T, s store.Store, sql string)
	// Target is Open for a Store that jobs in any state are imported into; nil: Open.
	Target func(t *testing.T) store.Store
}

// area is a part of the contract. Each has a file of its own.
type area struct {
	name  string
	cases []behaviour
	plain bool // claims by id allow no suspects: a driver may have another statement for these
}

// behaviour is one promise of the contract, and its test.
type behaviour struct {
	name string
	test func(f *fixture)
}

// Run tests a driver. Each behaviour gets a database of its own.
func Run(t *testing.T, h Harness) {
	if h.Begin == nil {
		t.Error("the harness has no Begin: a driver has to implement store.Transactional")
	}
	for _, a := range []area{
		inserting, keys, claiming, claimingPlain, putOff, claimRaces, settling, fencing, cancelling, reaping, sessions,
		progressing,
		listing, counting, redriving, feeding,
		naming, pruning, leading, access, transacting, auditing, transferring, walking, modelling,
	} {
		t.Run(a.name, func(t *testing.T) {
			for _, b := range a.cases {
				t.Run(b.name, func(t *testing.T) {
					f := newFixture(t, h)
					f.plain = a.plain
					b.test(f)
				})
			}
		})
	}
}
