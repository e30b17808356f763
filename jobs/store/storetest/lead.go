package storetest

import (
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
)

var leading = area{name: "Lead", cases: []behaviour{
	{"OneHolderAtATime", leadExclusive},
	{"HolderRenews", leadRenew},
	{"ExpiresByItself", leadExpiry},
	{"IsGivenBack", leadGiveBack},
	{"RolesAreApart", leadRoles},
	{"ConcurrentHoldersAreOne", leadRace},
}}

func (f *fixture) led(role string, want bool) {
	f.Helper()
	held, err := f.store.Led(f.Context(), role)
	f.check(err, "led")
	is(f, "led", held, want)
}

func (f *fixture) lead(role, holder string, ttl time.Duration) store.Lead {
	f.Helper()
	lead, err := f.store.Lead(f.Context(), role, holder, ttl)
	f.check(err, "lead")
	return lead
}

func leadExclusive(f *fixture) {
	one := f.lead("maintenance", "one", 10*time.Second)
	is(f, "one", one.Held, true)
	two := f.lead("maintenance", "two", 10*time.Second)
	is(f, "two", two.Held, false)
	is(f, "clock goes backwards", two.Now.Before(one.Now), false)
	is(f, "clock is in UTC", one.Now.Location(), time.UTC)
	is(f, "clock is set", one.Now.IsZero(), false)
	is(f, "up", one.Up > 0 && two.Up > 0, true)
}

func leadRenew(f *fixture) {
	for range 4 {
		is(f, "one", f.lead("maintenance", "one", 10*time.Second).Held, true)
		is(f, "two", f.lead("maintenance", "two", 10*time.Second).Held, false)
		f.age(8 * time.Second)
	}
}

func leadExpiry(f *fixture) {
	f.led("maintenance", false)
	is(f, "one", f.lead("maintenance", "one", 10*time.Second).Held, true)
	f.led("maintenance", true)
	f.led("feed", false)
	f.age(11 * time.Second)
	f.led("maintenance", false)
	is(f, "two", f.lead("maintenance", "two", 10*time.Second).Held, true)
	is(f, "one, late", f.lead("maintenance", "one", 10*time.Second).Held, false)
}

func leadGiveBack(f *fixture) {
	is(f, "one", f.lead("maintenance", "one", time.Hour).Held, true)
	is(f, "two gives back what it has not", f.lead("maintenance", "two", 0).Held, false)
	is(f, "two", f.lead("maintenance", "two", time.Hour).Held, false)
	is(f, "one gives back", f.lead("maintenance", "one", 0).Held, false)
	f.led("maintenance", false)
	is(f, "two, then", f.lead("maintenance", "two", time.Hour).Held, true)
}

func leadRoles(f *fixture) {
	is(f, "maintenance", f.lead("maintenance", "one", time.Hour).Held, true)
	is(f, "feed", f.lead("feed", "two", time.Hour).Held, true)
}

func leadRace(f *fixture) {
	stores := f.peers()
	held := make([]bool, 10)
	var all sync.WaitGroup
	for i := range held {
		all.Go(func() {
			lead, err := stores[i%2].Lead(f.Context(), "maintenance", newID(), time.Hour)
			if err != nil {
				f.Errorf("lead: %v", err)
			}
			held[i] = lead.Held
		})
	}
	all.Wait()
	n := 0
	for _, h := range held {
		if h {
			n++
		}
	}
	is(f, "holders", n, 1)
}
