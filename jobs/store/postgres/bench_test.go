package postgres

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// bare opens a Store without the trigger, as in production.
func bare(b *testing.B) *Store {
	b.Helper()
	s, err := Open(b.Context(), Options{URL: servers.Postgres(b), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	return s
}

// spent is the CPU time of this process, and of the backends of the Store.
type spent struct{ client, server time.Duration }

func spentBy(b *testing.B, s *Store) spent {
	b.Helper()
	return spent{cpu(), backends(b, s)}
}

// report adds the rate, and the CPU time of client and server for each job.
func report(b *testing.B, s *Store, jobs int, before spent) {
	b.Helper()
	after := spentBy(b, s)
	b.ReportMetric(float64(jobs)/b.Elapsed().Seconds(), "jobs/s")
	b.ReportMetric(float64((after.client-before.client).Nanoseconds())/1000/float64(jobs), "client-us/job")
	b.ReportMetric(float64((after.server-before.server).Nanoseconds())/1000/float64(jobs), "server-us/job")
}

// backends is the CPU time of the backends of this database. It is 0 where they run on another machine, or not on
// Linux.
func backends(b *testing.B, s *Store) (sum time.Duration) {
	b.Helper()
	rows, err := s.maintenance.Query(b.Context(), `SELECT pid FROM pg_stat_activity
		WHERE datname = current_database() AND backend_type = 'client backend'`)
	if err != nil {
		b.Fatal(err)
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		b.Fatal(err)
	}
	for _, pid := range pids {
		var ns int64
		if raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid)); err == nil {
			_, _ = fmt.Sscan(string(raw), &ns)
		}
		sum += time.Duration(ns)
	}
	return sum
}

func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func batchOf(n int) []jobs.Submission {
	subs := make([]jobs.Submission, n)
	for i := range subs {
		job := newJob()
		job.Payload = []byte(`{"to":"ada@example.com","subject":"hello","body":"some hundred bytes, as is typical"}`)
		subs[i].Jobs = []jobs.New{job}
	}
	return subs
}

// BenchmarkInsert stores jobs from two goroutines, so many in a call; "keyed" with an idempotency key each.
func BenchmarkInsert(b *testing.B) {
	for _, size := range []int{1, 20, 1000} {
		for _, keyed := range []bool{false, true} {
			b.Run(fmt.Sprintf("jobs=%d/keyed=%t", size, keyed), func(b *testing.B) {
				s := bare(b)
				b.ResetTimer()
				before := spentBy(b, s)
				inTwo(b, func(int) error {
					subs := batchOf(size)
					for i := range subs {
						if keyed {
							subs[i].Key = &jobs.Key{Key: uuid.NewString()}
						}
					}
					_, err := s.Insert(b.Context(), subs)
					return err
				})
				report(b, s, b.N*size, before)
			})
		}
	}
}

// BenchmarkPooled stores jobs one by one through PgBouncer, from two goroutines: what the settings of each transaction
// cost.
func BenchmarkPooled(b *testing.B) {
	s, err := Open(b.Context(), Options{URL: servers.PgBouncer(b, servers.Postgres(b), 8),
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"insert": func() error { _, err := s.Insert(b.Context(), batchOf(1)); return err },
		"read":   func() error { _, err := s.Led(b.Context(), "none"); return err },
	} {
		b.Run(name, func(b *testing.B) {
			before := spentBy(b, s)
			inTwo(b, func(int) error { return call() })
			report(b, s, b.N, before)
		})
	}
}

// inTwo runs b.N rounds in two goroutines.
func inTwo(b *testing.B, round func(i int) error) {
	var next atomic.Int64
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				if err := round(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	both.Wait()
}

// BenchmarkDrain claims jobs by id and completes them, 1,000 in a call, from two goroutines. With -benchtime=100x it
// drains 100,000.
func BenchmarkDrain(b *testing.B) {
	const size = 1000
	s := bare(b)
	worker := session(b, s)
	batches := make([][]string, b.N)
	for i := range batches {
		subs := batchOf(size)
		if _, err := s.Insert(b.Context(), subs); err != nil {
			b.Fatal(err)
		}
		for _, sub := range subs {
			batches[i] = append(batches[i], sub.Jobs[0].ID)
		}
	}
	exec(b, s, "VACUUM ANALYZE windlass.jobs")
	b.ResetTimer()
	before := spentBy(b, s)
	inTwo(b, func(i int) error {
		got, err := s.Claim(b.Context(), store.Claim{Session: worker, Types: []string{"email"}, IDs: batches[i]})
		if err != nil {
			return err
		}
		outcomes := make([]store.Outcome, len(got.Jobs))
		for k, j := range got.Jobs {
			outcomes[k] = store.Outcome{ID: j.ID, Fence: j.Fence, Session: worker, Verb: store.VerbComplete}
		}
		settled, err := s.Settle(b.Context(), outcomes)
		if err == nil && (len(settled) != size || settled[0].Result != store.Recorded) {
			err = fmt.Errorf("settled %d", len(settled))
		}
		return err
	})
	report(b, s, b.N*size, before)
}

// BenchmarkSchemaName measures what a schema that is not the default costs for each statement.
func BenchmarkSchemaName(b *testing.B) {
	for _, name := range []string{DefaultSchema, "other"} {
		b.Run(name, func(b *testing.B) {
			s, err := newSchema(name)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				s.in(claimQuickly)
			}
		})
	}
}
