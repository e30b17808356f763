package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// These show what the engine itself spends on a job, time and allocations: the Store behind it costs nothing. Drivers
// have benchmarks of their own.

// weightless is a Store that agrees to everything and keeps nothing. It hands out a thousand jobs at a time until left
// is used up.
type weightless struct {
	store.Store
	left    atomic.Int64
	settled atomic.Int64
	done    chan struct{} // gets a token when everything has been settled
	all     int64
}

func (s *weightless) Insert(_ context.Context, subs []jobs.Submission) ([]jobs.Receipt, error) {
	receipts, now := make([]jobs.Receipt, len(subs)), time.Now()
	for i, sub := range subs {
		list := make([]jobs.Job, len(sub.Jobs))
		for k, n := range sub.Jobs {
			list[k] = jobs.Job{ID: n.ID, Type: n.Type, Queue: n.Queue, Payload: n.Payload, RunAt: now, CreatedAt: now}
		}
		receipts[i].Jobs = list
	}
	return receipts, nil
}

func (s *weightless) UseQueues(context.Context, []string, int) ([]string, error) { return nil, nil }

func (s *weightless) Register(context.Context, store.Session, []jobs.Type, time.Duration) error {
	return nil
}

func (s *weightless) Heartbeat(context.Context, store.Heartbeat) (store.HeartbeatReply, error) {
	return store.HeartbeatReply{Alive: true}, nil
}

func (s *weightless) Led(context.Context, string) (bool, error) { return true, nil }

// Claim serves the worker's way without a queue, so that no queue is measured.
func (s *weightless) Claim(_ context.Context, c store.Claim) (store.Claimed, error) {
	n := s.left.Add(-int64(c.Next)) + int64(c.Next)
	got := store.Claimed{Jobs: make([]jobs.Job, max(0, min(n, int64(c.Next))))}
	for i := range got.Jobs {
		got.Jobs[i] = jobs.Job{
			ID: ids[i], Type: "noop", Queue: "default", Payload: benchPayload, Status: jobs.Processing,
			Attempts: 1, MaxAttempts: 5, Timeout: time.Minute, Fence: n,
		}
	}
	return got, nil
}

func (s *weightless) Settle(_ context.Context, outcomes []store.Outcome) ([]store.Settled, error) {
	answers := make([]store.Settled, len(outcomes))
	for i := range answers {
		answers[i] = store.Settled{Result: store.Recorded, Status: jobs.Completed}
	}
	if s.settled.Add(int64(len(outcomes))) == s.all {
		s.done <- struct{}{}
	}
	return answers, nil
}

var (
	benchPayload = []byte(`{"n":12345,"to":"somebody@example.com","urgent":false,"subject":"a payload of about one hundred bytes"}`)
	ids          = func() (list [1000]string) {
		for i := range list {
			list[i] = uuid.Must(uuid.NewV7()).String()
		}
		return list
	}()
)

type letter struct {
	N       int    `json:"n"`
	To      string `json:"to"`
	Urgent  bool   `json:"urgent"`
	Subject string `json:"subject"`
}

func weightlessRegistry() *jobs.Registry {
	registry := &jobs.Registry{}
	jobs.Handle(registry, "noop", func(context.Context, *jobs.Run, letter) (any, error) { return nil, nil })
	return registry
}

// away is a Queue that is out of reach.
type away struct{ queue.Queue }

func (away) Pop(context.Context, queue.Pop) ([]jobs.Hint, error) { return nil, jobs.ErrUnavailable }
func (away) Push(context.Context, []jobs.Hint) (int, error)      { return 0, jobs.ErrUnavailable }

// BenchmarkAttempt makes attempts, from the claim to the recorded outcome, with 1,000 slots.
func BenchmarkAttempt(b *testing.B) {
	store := &weightless{done: make(chan struct{}, 1), all: int64(b.N)}
	store.left.Store(int64(b.N))
	queue := memory.New(memory.Options{})
	defer queue.Close()
	worker := must(engine.NewWorker(engine.WorkerOptions{
		Store: store, Queue: away{queue}, Bus: queue, Registry: weightlessRegistry(),
		Log:         slog.New(slog.DiscardHandler),
		Concurrency: 1000,
		LeaseTTL:    time.Hour, // a heartbeat would find that the Store knows of no attempt, and end them
	}))
	ctx, stop := context.WithCancel(b.Context())
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		<-store.done
		stop()
	}()
	if err := worker.Run(ctx); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSubmit submits jobs in bulk, a thousand at a time; ns/op and allocs/op are of one job.
func BenchmarkSubmit(b *testing.B) {
	for _, size := range []int{1, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			queue := memory.New(memory.Options{})
			defer queue.Close()
			client := must(engine.NewClient(engine.ClientOptions{
				Store: &weightless{}, Queue: away{queue}, Bus: queue, Registry: weightlessRegistry(),
				Log: slog.New(slog.DiscardHandler),
			}))
			defer client.Close()
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += size {
				list := make([]jobs.New, size)
				for i := range list {
					list[i] = jobs.New{Type: "noop", Payload: benchPayload}
				}
				if _, err := client.Submit(b.Context(), jobs.Submission{Jobs: list}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
