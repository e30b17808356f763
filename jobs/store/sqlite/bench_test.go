package sqlite

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// newJobs makes n submissions of one job each, with about 100 bytes of payload.
func newJobs(t testing.TB, n int) []jobs.Submission {
	t.Helper()
	subs := make([]jobs.Submission, n)
	for i := range subs {
		id, err := uuid.NewV7()
		if err != nil {
			t.Fatal(err)
		}
		payload := fmt.Sprintf(`{"to":"somebody@example.com","subject":"number %d","text":"a text of no great length at all"}`, i)
		subs[i].Jobs = []jobs.New{{
			ID: id.String(), Type: "email", Queue: jobs.DefaultQueue, Payload: []byte(payload), MaxAttempts: 5, Timeout: time.Minute,
		}}
	}
	return subs
}

func insert(t testing.TB, s *Store, subs []jobs.Submission) (ids []string) {
	t.Helper()
	receipts, err := s.Insert(t.Context(), subs)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range receipts {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		ids = append(ids, r.Jobs[0].ID)
	}
	return ids
}

// register opens a session for the type "email".
func register(t testing.TB, s *Store) string {
	t.Helper()
	session := store.Session{ID: uuid.NewString(), Slots: 1000, Types: []string{"email"}}
	if err := s.Register(t.Context(), session, nil, time.Hour); err != nil {
		t.Fatal(err)
	}
	return session.ID
}

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
