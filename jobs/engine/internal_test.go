package engine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// While the Store was silent or its clock jumped, and before anything is known of either, nobody's lease can be
// believed.
func TestGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = 30 * time.Second
		g := guard{ttl: ttl}
		skew := time.Hour // between the clocks; it does not matter
		up := 24 * time.Hour
		expect := func(what string, want bool) {
			t.Helper()
			said := time.Now().Add(skew)
			switch asOf := g.look(store.Lead{Now: said, Up: up}); {
			case !want && !asOf.IsZero():
				t.Errorf("%s: reap as of %s, want none", what, asOf)
			case want && !asOf.Equal(said):
				t.Errorf("%s: reap as of %s, want %s", what, asOf, said)
			}
		}
		steps := func(n int, what string) {
			t.Helper()
			for range n {
				expect(what, false)
				time.Sleep(2 * time.Second)
			}
		}
		steps(15, "within a TTL of the first contact")
		expect("a TTL later", true)
		time.Sleep(2 * time.Second)
		expect("steady", true)

		time.Sleep(16 * time.Second)
		steps(15, "within a TTL of a silence")
		expect("a TTL later", true)

		skew += time.Minute
		time.Sleep(2 * time.Second)
		steps(15, "within a TTL of a jump forward")
		expect("a TTL after the jump", true)
		skew -= time.Minute
		time.Sleep(2 * time.Second)
		expect("after a jump back", false)

		g, up = guard{ttl: ttl}, 0
		for ; up < ttl; up += 10 * time.Second {
			expect("within a TTL of the Store's start", false)
			time.Sleep(10 * time.Second)
		}
		expect("a TTL after the Store's start", true)
	})
}

// clockStore has a clock that jumps an hour ahead whenever it has told the time.
type clockStore struct {
	store.Store
	now  time.Time
	told time.Time
	asOf time.Time
}

func (s *clockStore) Lead(context.Context, string, string, time.Duration) (store.Lead, error) {
	s.told = s.now
	s.now = s.now.Add(time.Hour)
	return store.Lead{Held: true, Now: s.told, Up: 24 * time.Hour}, nil
}

func (s *clockStore) Reap(_ context.Context, asOf time.Time, _ int) ([]store.Reaped, error) {
	s.asOf = asOf
	return nil, nil
}

// The guard can believe only what it has seen: a clock that jumps between its look and the reaping must take no job
// from anybody.
func TestReapsByTheTimeThatTheGuardHasSeen(t *testing.T) {
	s := &clockStore{now: time.Now()}
	u := &Maintenance{opts: MaintenanceOptions{Store: s}} // a guard that trusts at once
	if held, known := u.lead(t.Context()); !held || !known {
		t.Fatalf("held %v, known %v", held, known)
	}
	if !s.asOf.Equal(s.told) {
		t.Errorf("reaped as of %s, the guard has seen %s", s.asOf, s.told)
	}
}

// An answer is asked for again before it is too old, so that who asks often never waits for the Store.
func TestLookAsksAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = 5 * time.Second
		var cache cached[int]
		asked, answer := 0, make(chan struct{}, 1)
		c := &Client{}
		expect := func(what string, want, times int) {
			t.Helper()
			got, err := look(t.Context(), c, "count", &cache, ttl, func(context.Context) (int, error) {
				asked++
				n := asked
				<-answer
				return n, nil
			})
			synctest.Wait()
			if err != nil || got != want || asked != times {
				t.Errorf("%s: %d, %v after %d questions, want %d after %d", what, got, err, asked, want, times)
			}
		}
		answer <- struct{}{}
		expect("nothing is known", 1, 1)
		time.Sleep(3 * time.Second)
		expect("young", 1, 1)
		time.Sleep(time.Second)
		expect("soon too old: asked ahead, not waited for", 1, 2)
		expect("asked already", 1, 2)
		answer <- struct{}{}
		synctest.Wait()
		expect("young again", 2, 2)
		time.Sleep(ttl)
		answer <- struct{}{}
		expect("too old", 3, 3)
	})
}

// endingStore has one job, which ends or goes when the test says so.
type endingStore struct {
	store.Store
	status atomic.Value // jobs.Status; none: deleted
	gets   atomic.Int32
}

func (s *endingStore) Get(context.Context, string) (jobs.Job, []jobs.Attempt, error) {
	s.gets.Add(1)
	if s.status.Load() == jobs.Status("") {
		return jobs.Job{}, nil, jobs.ErrNotFound
	}
	return jobs.Job{Status: s.status.Load().(jobs.Status)}, nil, nil
}

// A wait ends at once where its job ends in this process, within about 250 ms where it does elsewhere, and costs four
// looks a second; a thousand of them cost 400 a second together.
func TestWaitLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &endingStore{}
		c := &Client{opts: ClientOptions{Store: s}, closed: make(chan struct{})}
		var over atomic.Int32
		wait := func(calls int) {
			s.status.Store(jobs.Processing)
			over.Store(0)
			for range calls {
				go func() {
					_, err := c.Wait(t.Context(), "a")
					if deleted := s.status.Load() == jobs.Status(""); deleted != errors.Is(err, jobs.ErrNotFound) {
						t.Errorf("wait: %v", err)
					}
					over.Add(1)
				}()
			}
			time.Sleep(5 * time.Second)
			before := s.gets.Load()
			time.Sleep(10 * time.Second)
			looks, most := s.gets.Load()-before, int32(max(60, 6*min(calls, 100)*10))
			if looks < most/6 || looks > most {
				t.Errorf("%d waits looked %d times in 10 s, want %d at most", calls, looks, most)
			}
		}
		wait(1)
		s.status.Store(jobs.Completed)
		endings.ended("another")
		endings.ended("a")
		synctest.Wait()
		if over.Load() != 1 {
			t.Error("not woken by the end in this process")
		}
		for _, end := range []jobs.Status{jobs.Failed, ""} {
			wait(1)
			s.status.Store(end)
			time.Sleep(waitMax * 3 / 2)
			synctest.Wait()
			if over.Load() != 1 {
				t.Errorf("the end elsewhere (%q) was not seen within %s", end, waitMax*3/2)
			}
		}
		wait(1000)
		s.status.Store(jobs.Completed)
		endings.ended("a")
		synctest.Wait()
		if over.Load() != 1000 || endings.count.Load() != 0 || len(endings.calls) != 0 {
			t.Errorf("%d of 1,000 were woken, %d still wait", over.Load(), endings.count.Load())
		}
	})
}

// roleStore says whether somebody has the role.
type roleStore struct {
	store.Store
	held atomic.Bool
	down atomic.Bool
}

func (s *roleStore) Led(context.Context, string) (bool, error) {
	if s.down.Load() {
		return false, jobs.ErrUnavailable
	}
	return s.held.Load(), nil
}

// lockedText is written to by one goroutine and read by another.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A worker warns once when nobody has done the maintenance for 30 s, and says when somebody does again. A Store that is
// out of reach proves nothing.
func TestNobodyDoesTheMaintenance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, lines := &roleStore{}, &lockedText{}
		w := &Worker{opts: WorkerOptions{Store: s}, log: slog.New(slog.NewTextHandler(lines, nil))}
		ctx, stop := context.WithCancel(t.Context())
		go w.watchMaintenance(ctx)
		expect := func(after time.Duration, warnings, repairs int) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			text := lines.String()
			n, m := strings.Count(text, "nobody does the maintenance"), strings.Count(text, "done again")
			if n != warnings || m != repairs {
				t.Fatalf("%d warnings and %d repairs, want %d and %d:\n%s", n, m, warnings, repairs, text)
			}
		}
		expect(29*time.Second, 0, 0)
		expect(30*time.Second, 1, 0)
		expect(time.Hour, 1, 0)
		s.held.Store(true)
		expect(time.Minute, 1, 1)
		expect(time.Hour, 1, 1)
		s.held.Store(false) // while another takes over
		expect(7*time.Second, 1, 1)
		s.held.Store(true)
		expect(time.Hour, 1, 1)
		s.down.Store(true)
		s.held.Store(false)
		expect(time.Hour, 1, 1)
		s.down.Store(false)
		s.held.Store(true)
		expect(time.Hour, 1, 1)
		s.held.Store(false)
		expect(time.Minute, 2, 1)
		stop()
		synctest.Wait()
	})
}

// phantomStore takes note of what is handed back.
type phantomStore struct {
	store.Store
	back atomic.Int32
}

func (s *phantomStore) Settle(_ context.Context, outcomes []store.Outcome) ([]store.Settled, error) {
	s.back.Add(int32(len(outcomes)))
	return make([]store.Settled, len(outcomes)), nil
}

// A claim's answer may come at any moment of a heartbeat's comparison: what it brings is running, not lost. With the
// two looks of compare in the wrong order some of these jobs are handed back, with the race detector ten or so.
func TestClaimAnsweredDuringAHeartbeat(t *testing.T) {
	const times = 50_000
	s := &phantomStore{}
	w := &Worker{opts: WorkerOptions{Store: s}, log: slog.New(slog.DiscardHandler)}
	for fence := range int64(times) {
		r := &run{job: brief{ID: "a", Fence: fence}, startedAt: time.Now().Add(time.Hour)} // no heartbeat can miss it
		sent, answered, registered := make(chan struct{}), make(chan struct{}), make(chan struct{})
		go w.lease.claiming(func(string) {
			close(sent)
			<-answered
			w.runs.add([]*run{r})
			close(registered)
		})
		heartbeat := func() { w.compare(t.Context(), []store.Held{{ID: "a", Fence: fence}}, time.Now()) }
		<-sent
		heartbeat()
		close(answered)
		heartbeat()
		<-registered
		w.runs.remove([]*run{r})
	}
	if n := s.back.Load(); n > 0 {
		t.Errorf("%d of %d jobs were handed back while they ran", n, times)
	}
}

// Whatever the order in which attempts go, the others stay, and the last one tells who waits.
func TestRuns(t *testing.T) {
	var rs runs
	list := make([]*run, 5)
	for i := range list {
		list[i] = &run{job: brief{ID: "a", Fence: int64(i)}}
	}
	list[3].job.Suspect = true
	rs.add(list)
	if place := rs.reserveSuspect(); place.count() != 1 {
		t.Fatal("no place for a suspect")
	}
	for _, step := range []struct {
		remove, left []int
		suspect      bool
	}{
		{[]int{0}, []int{1, 2, 3, 4}, true},
		{[]int{4, 0}, []int{1, 2, 3}, true}, // one of them once more
		{[]int{1, 3}, []int{2}, false},
	} {
		for _, i := range step.remove {
			rs.remove(list[i : i+1])
		}
		m := rs.byKey()
		for _, i := range step.left {
			if m[list[i].key()] != list[i] {
				t.Errorf("%d is gone with %v", i, step.remove)
			}
		}
		if len(m) != len(step.left) || rs.count() != len(step.left) || rs.suspect != step.suspect {
			t.Errorf("after %v: %d of %d left, place of the suspect taken: %v", step.remove, rs.count(),
				len(step.left), rs.suspect)
		}
	}
	if rs.idle(0) {
		t.Error("idle while one is left")
	}
	rs.remove(list[2:3])
	if !rs.idle(time.Minute) || len(rs.all()) != 0 {
		t.Error("not idle when all are gone")
	}
}

func TestOrderFollowsTheWeights(t *testing.T) {
	w := &Worker{opts: WorkerOptions{Queues: []QueueWeight{{"critical", 6}, {"default", 3}, {"low", 1}}}}
	first := map[string]int{}
	for range 10_000 {
		order := w.order()
		seen := map[string]bool{}
		for _, name := range order {
			seen[name] = true
		}
		if len(order) != 3 || len(seen) != 3 {
			t.Fatalf("order %v", order)
		}
		first[order[0]]++
	}
	for name, want := range map[string]int{"critical": 6000, "default": 3000, "low": 1000} {
		if got := first[name]; got < want-300 || got > want+300 {
			t.Errorf("%s was first %d times in 10,000, want about %d", name, got, want)
		}
	}
	if (&Worker{}).order() != nil {
		t.Error("no weights do not mean every queue")
	}
}

// A lone item never waits for company, and what comes while batches are under way goes together.
func TestBatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var sizes []int
		gate := make(chan struct{})
		answers := map[int]int{}
		b := batcher[int, int]{
			flush: func(_ context.Context, items []int) ([]int, error) {
				mu.Lock()
				sizes = append(sizes, len(items))
				mu.Unlock()
				<-gate
				return items, nil
			},
			answer: func(items, results []int, err error) {
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("items %v: %v", items, err)
					return
				}
				for i, item := range items {
					answers[item] = results[i]
				}
			},
			weight: func(int) int { return 1 }, weightMax: 10,
		}
		for i := range 24 {
			b.put(i)
			synctest.Wait()
		}
		close(gate)
		b.wait()
		for i := range 24 {
			if got, ok := answers[i]; !ok || got != i {
				t.Errorf("item %d got %d, %v", i, got, ok)
			}
		}
		// Those taken together may reach the Store in any order.
		slices.Sort(sizes)
		if want := []int{1, 1, 2, 10, 10}; !slices.Equal(sizes, want) {
			t.Errorf("batches of %v, want %v", sizes, want)
		}
	})
}

// With parallelFrom set, a few items wait for the call in flight, though not for long; many start a second call.
func TestBatcherParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		type call struct {
			size int
			at   time.Duration
		}
		var calls []call
		gates := map[int]chan struct{}{} // by the first item
		b := batcher[int, int]{
			flush: func(_ context.Context, items []int) ([]int, error) {
				calls = append(calls, call{len(items), time.Since(began)})
				if gate := gates[items[0]]; gate != nil {
					<-gate
				}
				return items, nil
			},
			answer: func([]int, []int, error) {}, weight: func(int) int { return 1 }, weightMax: 100, parallelFrom: 4,
		}
		put := func(items ...int) {
			for _, i := range items {
				b.put(i)
				synctest.Wait()
			}
		}
		expect := func(want ...call) {
			t.Helper()
			if !slices.Equal(calls, want) {
				t.Fatalf("calls %v, want %v", calls, want)
			}
			calls = nil
		}

		gates[0], gates[1] = make(chan struct{}), make(chan struct{})
		put(0, 1, 2, 3)
		expect(call{1, 0})
		put(4) // the fourth that waits
		expect(call{4, 0})
		put(5)
		close(gates[1])
		synctest.Wait()
		expect() // left to the other one
		close(gates[0])
		synctest.Wait()
		expect(call{1, 0})

		time.Sleep(time.Second) // its timer has run out
		began = time.Now()
		gates[10] = make(chan struct{})
		put(10, 11)
		time.Sleep(parallelAfter)
		synctest.Wait()
		expect(call{1, 0}, call{1, parallelAfter})
		time.Sleep(parallelAfter / 2)
		put(12)
		time.Sleep(parallelAfter / 2)
		synctest.Wait()
		expect(call{1, 2 * parallelAfter})
		close(gates[10])
		b.wait()
	})
}

// crowded is a Store with so many queues that a round ends before they are all tidied.
type crowded struct {
	store.Store
	left, at int // pages of this round, and the page that is next
	ended    int // how often the last page was read
}

func (s *crowded) TidyQueues(_ context.Context, t store.TidyQueues) (store.TidiedQueues, error) {
	const pages = 5
	if s.left--; s.left < 0 {
		return store.TidiedQueues{}, context.DeadlineExceeded
	}
	if t.After == (store.Place{}) {
		s.at = 0
	}
	if s.at++; s.at == pages {
		s.ended++
		return store.TidiedQueues{}, nil
	}
	return store.TidiedQueues{Next: store.Place{Queue: "more"}}, nil
}

// The names of very many queues are tidied in several rounds: unused ones are forgotten at the end.
func TestTidyingQueuesComesToAnEnd(t *testing.T) {
	s := &crowded{}
	m := &Maintenance{opts: MaintenanceOptions{Store: s}, log: slog.New(slog.DiscardHandler)}
	for range 10 {
		s.left = 2
		if err := m.tidyQueues(t.Context()); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
	if s.ended < 2 {
		t.Errorf("the last page was read %d times in 10 rounds of 2 of 5 pages", s.ended)
	}
}
