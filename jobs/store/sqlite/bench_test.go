package sqlite

import (
	"fmt"
	"testing"

	"github.com/windlass-jobs/windlass/jobs/store"
)

func BenchmarkInsert(b *testing.B) {
	for _, batch := range []int{1, 100, 500, 1000} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			s := open(b, Options{})
			done := 0
			for b.Loop() {
				b.StopTimer()
				subs := newJobs(b, batch)
				b.StartTimer()
				insert(b, s, subs)
				done += batch
			}
			b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}

// BenchmarkDrain claims by id and completes, batch by batch.
func BenchmarkDrain(b *testing.B) {
	for _, batch := range []int{100, 500, 1000} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			s := open(b, Options{})
			session := register(b, s)
			done := 0
			for b.Loop() {
				b.StopTimer()
				ids := insert(b, s, newJobs(b, batch))
				b.StartTimer()
				claimed, err := s.Claim(b.Context(), store.Claim{Session: session, Types: []string{"email"}, IDs: ids})
				if err != nil || len(claimed.Jobs) != batch {
					b.Fatalf("claimed %d jobs: %v", len(claimed.Jobs), err)
				}
				outcomes := make([]store.Outcome, batch)
				for i, j := range claimed.Jobs {
					outcomes[i] = store.Outcome{
						ID: j.ID, Fence: j.Fence, Session: session, Verb: store.VerbComplete, Result: []byte(`{"sent":true}`),
					}
				}
				if _, err := s.Settle(b.Context(), outcomes); err != nil {
					b.Fatal(err)
				}
				done += batch
			}
			b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}
