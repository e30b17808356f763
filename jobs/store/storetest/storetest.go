// Package storetest is the conformance kit of store.Store: the contract's sentences as tests, which every driver passes.
//
// It knows nothing of any driver. A driver's test hands it a Harness and calls Run; what the Harness makes must be real
// databases, for the kit lets goroutines race on them. Nothing here sleeps: time passes by Harness.Age.
package storetest

import (
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// Harness makes stores for a test and can move their stored times back.
type Harness struct {
	// Open returns a Store on a database of its own, empty and migrated; it is closed by t.Cleanup.
	Open func(t *testing.T) store.Store
	// Age moves every stored time of the store back by d: run times, deadlines, creation and finish times, the expiry of sessions, keys and
	// leases, tallies. So leases, delays and expiry are tested without sleeping.
	Age func(t *testing.T, s store.Store, d time.Duration)
	// Second returns a second Store on the same database as s (another process would), or nil where the driver allows only one.
	Second func(t *testing.T, s store.Store) store.Store
	// Begin opens a transaction on the database of s, of a type that its store.Transactional takes, and returns how to end it. The
	// kit ends each one, and opens no second one meanwhile. It is required.
	Begin func(t *testing.T, s store.Store) (tx any, commit, rollback func() error)
}

// area is a part of the contract, in a file of its own.
type area struct {
	name  string
	cases []behaviour
	plain bool // claims by id allow no suspects, which drivers may treat otherwise
}

// behaviour is one promise and the test that holds a driver to it.
type behaviour struct {
	name string
	test func(f *fixture)
}

// Run holds a driver to the contract. Each behaviour has a database of its own.
func Run(t *testing.T, h Harness) {
	if h.Begin == nil {
		t.Error("the harness has no Begin: a driver has to implement store.Transactional")
	}
	for _, a := range []area{
		inserting, keys, claiming, claimingPlain, putOff, claimRaces, settling, fencing, cancelling, reaping, sessions, progressing,
		listing, counting, redriving, feeding, pruning, leading, transacting, walking, modelling,
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
