package httpapi_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/handlers"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/access"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/services/api/httpapi"
)

// nullStore takes jobs and keeps nothing. What remains of a request is the work of the API and the engine.
type nullStore struct{ store.Client }

func (nullStore) Sessions(context.Context) ([]store.Session, error) { return nil, nil }
func (nullStore) Types(context.Context) ([]jobs.Type, error)        { return nil, nil }

func (nullStore) UseQueues(context.Context, []string, int) (refused []string, err error) {
	return nil, nil
}

func (nullStore) Insert(_ context.Context, subs []jobs.Submission) ([]jobs.Receipt, error) {
	receipts := make([]jobs.Receipt, len(subs))
	now := time.Now().UTC().Truncate(time.Microsecond)
	for i, s := range subs {
		for _, n := range s.Jobs {
			receipts[i].Jobs = append(receipts[i].Jobs, jobs.Job{
				ID: n.ID, Type: n.Type, Queue: n.Queue, Payload: n.Payload, Status: jobs.Pending, Priority: n.Priority,
				MaxAttempts: n.MaxAttempts, Timeout: n.Timeout, RunAt: now, CreatedAt: now, UpdatedAt: now,
			})
		}
	}
	return receipts, nil
}

// nullAccess knows one token, whatever is asked for.
type nullAccess struct{ store.Access }

func (nullAccess) TokenByHash(context.Context, [32]byte) (store.Token, error) {
	return store.Token{ID: "1", Name: "bench", Scopes: []string{"submit"}, LastUsedAt: time.Now()}, nil
}

type nullQueue struct {
	queue.Queue
	queue.Bus
}

func (nullQueue) Push(_ context.Context, hints []jobs.Hint) (int, error) { return len(hints), nil }

// BenchmarkPOST is a submission from the handler to the store and back. cpu-ns/op is the CPU time of the process,
// which says more than the time on the clock where others use the machine.
func BenchmarkPOST(b *testing.B) {
	const item = `{"type":"email","payload":{"to":"someone@example.com","subject":"hello","body":"a few words of text that fill it up"}}`
	large := fmt.Sprintf(`{"type":"email","payload":{"body":%q}}`, strings.Repeat("a few words of text ", 5000))
	for _, c := range []struct{ name, path, body string }{
		{"one", "/jobs", item},
		{"one-with-token", "/jobs", item},
		{"100KB", "/jobs", large},
		{"bulk1000", "/jobs/bulk", `{"jobs":[` + strings.Repeat(item+",", 999) + item + `]}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			var registry jobs.Registry
			handlers.Register(&registry, handlers.Options{})
			client, err := engine.NewClient(engine.ClientOptions{
				Store: nullStore{}, Queue: nullQueue{}, Bus: nullQueue{}, Registry: &registry,
				Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				b.Fatal(err)
			}
			defer client.Close()
			ping := func(context.Context) error { return nil }
			opts := httpapi.Options{Client: client, Ping: ping, Log: slog.New(slog.DiscardHandler)}
			header := http.Header{"Content-Type": {"application/json"}}
			if strings.HasSuffix(c.name, "-with-token") {
				header.Set("Authorization", "Bearer "+access.NewSecret())
				if opts.Guard, err = access.NewGuard(access.GuardOptions{Store: nullAccess{}}); err != nil {
					b.Fatal(err)
				}
				defer opts.Guard.Close()
			}
			handler, err := httpapi.New(opts)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			begin := cpu(b)
			for b.Loop() {
				r := httptest.NewRequest("POST", c.path, strings.NewReader(c.body))
				r.Host = "localhost"
				r.Header = header
				w := httptest.NewRecorder()
				if handler.ServeHTTP(w, r); w.Code != http.StatusCreated {
					b.Fatal(w.Body)
				}
			}
			b.ReportMetric(float64(cpu(b)-begin)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpu is the CPU time that the process has taken.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
