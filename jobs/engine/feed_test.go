package engine_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/postgres"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// countingStore counts the statements that feed the Queue.
type countingStore struct {
	store.Store
	reads atomic.Int64
}

func (s *countingStore) Heads(ctx context.Context, h store.Heads) (store.HeadsPage, error) {
	s.reads.Add(1)
	return s.Store.Heads(ctx, h)
}

func (s *countingStore) Due(ctx context.Context, d store.Due) (store.DuePage, error) {
	s.reads.Add(1)
	return s.Store.Due(ctx, d)
}

// fed is a Store with a maintenance that feeds a Queue.
type fed struct {
	*testing.T
	store *countingStore
	queue queue.Queue
	flush func() // the Queue loses everything
}

// eachPair runs a test on both pairs of drivers. most is how many ready ids a queue holds of each type; 0: the default.
func eachPair(t *testing.T, most int, test func(f *fed)) {
	t.Run("PostgreSQLAndRedis", func(t *testing.T) {
		t.Parallel()
		st, err := postgres.Open(t.Context(), postgres.Options{URL: servers.Postgres(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(st.Close)
		if err := st.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		url := servers.Redis(t)
		q, err := redis.Open(t.Context(), redis.Options{URL: url, Cap: most})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = q.Close() })
		options, err := goredis.ParseURL(url)
		if err != nil {
			t.Fatal(err)
		}
		plain := goredis.NewClient(options)
		t.Cleanup(func() { _ = plain.Close() })
		test(&fed{t, &countingStore{Store: st}, q, func() {
			if err := plain.FlushDB(context.Background()).Err(); err != nil {
				t.Fatal(err)
			}
		}})
	})
	t.Run("SQLiteAndMemory", func(t *testing.T) {
		t.Parallel()
		st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		q := memory.New(memory.Options{Cap: most})
		t.Cleanup(func() { q.Close() })
		test(&fed{t, &countingStore{Store: st}, q, q.Forget})
	})
}

// insert stores jobs without telling the Queue.
func (f *fed) insert(list ...jobs.New) {
	f.Helper()
	for len(list) > 0 {
		n := min(len(list), 1000)
		for i := range list[:n] {
			list[i].ID, list[i].Payload = uuid.Must(uuid.NewV7()).String(), []byte(`{}`)
			list[i].MaxAttempts, list[i].Timeout = 1, time.Minute
		}
		if _, err := f.store.Insert(f.Context(), []jobs.Submission{{Jobs: list[:n]}}); err != nil {
			f.Fatal(err)
		}
		list = list[n:]
	}
}

// maintain does the maintenance until the test ends.
func (f *fed) maintain() {
	m := must(engine.NewMaintenance(engine.MaintenanceOptions{
		Store: f.store, Queue: f.queue, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}))
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	f.Cleanup(func() {
		stop()
		running.Wait()
	})
}

// ready returns how many ids of these queues the Queue holds.
func (f *fed) ready(queues []string) (n int) {
	d, err := f.queue.Depths(context.Background(), queues)
	if err != nil {
		f.Fatal(err)
	}
	for _, q := range d.Queues {
		n += q.Ready
	}
	return n
}

// A due job in any of 20,000 queues is known to the Queue within seconds after that has lost everything, and at rest
// the Store is asked about once a second for all of them.
func TestManyQueuesAreFedInFewStatements(t *testing.T) {
	const names, every = 20_000, 500
	eachPair(t, 0, func(f *fed) {
		var list []jobs.New
		var busy []string
		for i := range names {
			n := jobs.New{Type: "work", Queue: fmt.Sprintf("tenant-%05d", i), Delay: 365 * 24 * time.Hour}
			if i%every == every-1 { // the last one is among them
				n.Delay, busy = 0, append(busy, n.Queue)
			}
			list = append(list, n)
		}
		f.insert(list...)
		f.maintain()
		all := func() bool { return f.ready(busy) == names/every }
		eventually(f.T, "a hint for each due job", all)
		for range 2 {
			f.flush()
			lost := time.Now()
			eventually(f.T, "a hint for each due job after the loss", all)
			took := time.Since(lost)
			f.Logf("%d due jobs in %d queues were known again after %s", names/every, names, took)
			if took > 15*time.Second { // 5 s are promised, on a machine that does nothing else
				f.Errorf("they were known again after %s", took)
			}
		}
		const rest = 4 * time.Second
		eventually(f.T, "at most two statements a second at rest", func() bool { // the rebuild may still go on
			before := f.store.reads.Load()
			<-time.After(rest)
			n := f.store.reads.Load() - before
			f.Logf("%d statements in %s", n, rest)
			return n > 0 && n <= 2*int64(rest/time.Second)
		})
	})
}

// A queue that begins with jobs of a type that nobody serves, more than the Queue holds, gives its other jobs all the
// same, also after the Queue has lost everything.
func TestDeepQueueIsFedTypeByType(t *testing.T) {
	const most, idle, quick = 200, 5000, 1000
	eachPair(t, most, func(f *fed) {
		work := func(n int, kind string) []jobs.New {
			list := make([]jobs.New, n)
			for i := range list {
				list[i] = jobs.New{Type: kind, Queue: "mixed"}
			}
			return list
		}
		f.insert(work(idle, "idle")...)
		f.insert(work(quick, "quick")...)
		f.insert(work(idle, "idle")...)
		f.insert(work(quick, "brisk")...)
		f.maintain()
		flushed := false
		eventually(f.T, "every job of the types that are served", func() bool {
			hints, err := f.queue.Pop(f.Context(), queue.Pop{Types: []string{"quick", "brisk"}, N: 100, Wait: time.Second})
			if err != nil {
				f.Log(err) // the machine is busy
			}
			for _, h := range hints { // the job is over then, as if a worker had run it
				if _, err := f.store.Cancel(f.Context(), h.ID); err != nil {
					f.Fatal(err)
				}
			}
			stats, err := f.store.Stats(f.Context())
			if err != nil {
				f.Fatal(err)
			}
			if !flushed && stats.Cancelled > quick/2 {
				flushed = true
				f.flush()
			}
			return stats.Cancelled == 2*quick
		})
		if d, err := f.queue.Depths(f.Context(), []string{"mixed"}); err != nil || d.Queues["mixed"].Types["idle"] == 0 {
			f.Errorf("the other type: %+v, %v", d, err)
		}
	})
}
