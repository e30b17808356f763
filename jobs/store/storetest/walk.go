package storetest

import (
	"cmp"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var walking = area{name: "Walk", cases: []behaviour{
	{"EveryChangeIsALegalMove", walkLegal},
}}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// walkLegal does at random what clients, workers and maintenance do, and looks at every job after each step.
func walkLegal(f *fixture) {
	const seed = 20_240_607
	w := &walker{fixture: f, dice: rand.New(rand.NewPCG(seed, 1)), seen: map[string]jobs.Job{},
		sessions: []string{f.worker(), f.worker()}}
	moved := map[jobs.Status]int{}
	for step := range 400 {
		what := w.step()
		stored := map[string]jobs.Job{}
		for _, j := range f.pages(store.ListQuery{Limit: 200}) {
			stored[j.ID] = j
		}
		for id, was := range w.seen {
			now, exists := stored[id] // if it is gone, its status is ""
			if exists {
				w.seen[id] = now
			} else {
				delete(w.seen, id)
			}
			if now.Status != was.Status {
				moved[now.Status]++
				if !jobs.CanMove(was.Status, now.Status) {
					f.Fatalf("step %d (%s): %s went from %q to %q", step, what, id, was.Status, now.Status)
				}
			}
			if now.Status != "" && now.Fence < was.Fence {
				f.Fatalf("step %d (%s): the fence of %s went back from %d to %d", step, what, id, was.Fence, now.Fence)
			}
			if now.Attempts > now.MaxAttempts || now.Attempts < 0 {
				f.Fatalf("step %d (%s): %d attempts of %d", step, what, now.Attempts, now.MaxAttempts)
			}
		}
		if step%40 == 39 {
			f.counts(slices.Collect(maps.Values(w.seen)))
		}
	}
	for _, status := range jobs.Statuses {
		if moved[status] == 0 {
			f.Errorf("the walk never came to %q", status)
		}
	}
}

// walker remembers the jobs it has seen, and the attempts it has claimed, some of them stale.
type walker struct {
	*fixture
	dice     *rand.Rand
	seen     map[string]jobs.Job
	sessions []string
	claims   []jobs.Job
}

func (w *walker) session() string { return w.sessions[w.dice.IntN(len(w.sessions))] }

// any picks a job that was seen. With the same seed it picks the same one.
func (w *walker) any() string {
	all := sortedKeys(w.seen)
	if len(all) == 0 {
		return newID()
	}
	return all[w.dice.IntN(len(all))]
}

// step does one thing, and returns its name.
func (w *walker) step() string {
	w.Helper()
	switch n := w.dice.IntN(20); {
	case n < 4:
		for _, j := range w.submitMany(1+w.dice.IntN(3), attempts(1+w.dice.IntN(3)), priority(w.dice.IntN(3)),
			inQueue([]string{"a", "b"}[w.dice.IntN(2)]), after(time.Duration(w.dice.IntN(2))*time.Hour)) {
			w.seen[j.ID] = j
		}
		return "insert"
	case n < 8:
		w.claims = append(w.claims, w.claimAs(store.Claim{
			Session: w.session(), Types: []string{"email"}, Next: 1 + w.dice.IntN(4), Suspects: w.dice.IntN(2),
		}).Jobs...)
		return "claim next"
	case n < 9:
		w.claims = append(w.claims, w.claim(w.session(), w.any(), w.any()).Jobs...)
		return "claim by id"
	case n < 14:
		if len(w.claims) == 0 {
			return "nothing"
		}
		o := outcome(w.claims[w.dice.IntN(len(w.claims))], verbs[w.dice.IntN(len(verbs))])
		o.Delay = time.Duration(w.dice.IntN(2)) * time.Hour
		w.settle(o)
		return "settle: " + string(o.Verb)
	case n < 15:
		_, err := w.store.Cancel(w.Context(), w.any())
		w.tolerate(err, "cancel")
		return "cancel"
	case n < 16:
		_, err := w.store.Redrive(w.Context(), store.Redrive{Limit: 1 + w.dice.IntN(3), DeadOnly: w.dice.IntN(2) == 0})
		w.check(err, "redrive")
		return "redrive"
	case n < 17:
		w.tolerate(w.store.Delete(w.Context(), w.any()), "delete")
		return "delete"
	case n < 18:
		i := w.dice.IntN(len(w.sessions))
		w.die(w.sessions[i])
		w.sessions[i] = w.worker()
		return "worker dies"
	case n < 19:
		w.reap(5)
		return "reap"
	default:
		w.age(20 * time.Minute)
		return "time passes"
	}
}

// tolerate ends the test unless the error is nil, ErrNotFound or ErrConflict.
func (w *walker) tolerate(err error, what string) {
	w.Helper()
	if err != nil && !errors.Is(err, jobs.ErrNotFound) && !errors.Is(err, jobs.ErrConflict) {
		w.Fatalf("%s: %v", what, err)
	}
}
