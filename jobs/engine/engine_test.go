package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// system is a client, workers and maintenance in one process, on real drivers that a test may put a fault in front of.
type system struct {
	t        *testing.T
	store    *faultyStore
	queue    *faultyQueue
	registry jobs.Registry
	client   *engine.Client
	log      *logBook
	opts     engine.WorkerOptions
	stop     context.CancelFunc // of the maintenance and every worker
	running  sync.WaitGroup
}

// newSystem makes one whose client works; start brings up the rest.
func newSystem(t *testing.T) *system {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	queue := memory.New(memory.Options{Cap: 200})
	s := &system{t: t, store: &faultyStore{Store: store}, queue: &faultyQueue{Queue: queue}, log: &logBook{}}
	log := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.client = must(engine.NewClient(engine.ClientOptions{Store: s.store, Queue: s.queue, Bus: queue,
		Registry: &s.registry, Log: log}))
	s.opts = engine.WorkerOptions{
		Store: s.store, Queue: s.queue, Bus: queue, Registry: &s.registry, Log: log, LeaseTTL: 6 * time.Second,
		ShutdownTimeout: 10 * time.Second,
	}
	t.Cleanup(func() {
		if s.stop != nil {
			s.stop()
		}
		s.running.Wait()
		s.client.Close()
		queue.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(s.log.String())
		}
	})
	return s
}

// must is for options that are known to be good.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// start begins the maintenance and one worker.
func (s *system) start() *engine.Worker {
	s.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	maintenance := must(engine.NewMaintenance(engine.MaintenanceOptions{
		Store: s.store, Queue: s.queue, Log: s.opts.Log, LeaseTTL: s.opts.LeaseTTL,
	}))
	s.running.Go(func() { maintenance.Run(ctx) })
	return s.worker(ctx)
}

func (s *system) worker(ctx context.Context) *engine.Worker {
	w := must(engine.NewWorker(s.opts))
	s.running.Go(func() {
		if err := w.Run(ctx); err != nil {
			s.t.Errorf("worker: %v", err)
		}
	})
	return w
}

// handle registers a handler with retries that come at once.
func (s *system) handle(name string, fn jobs.HandlerFunc[map[string]any], options ...jobs.Option) {
	options = append([]jobs.Option{jobs.WithBackoff(func(int) time.Duration { return 0 })}, options...)
	jobs.Handle(&s.registry, name, fn, options...)
}

func (s *system) submit(list ...jobs.New) []jobs.Job {
	s.t.Helper()
	r, err := s.client.Submit(s.t.Context(), jobs.Submission{Jobs: list})
	if err != nil {
		s.t.Fatal(err)
	}
	return r.Jobs
}

func (s *system) get(id string) (jobs.Job, []jobs.Attempt) {
	s.t.Helper()
	j, history, err := s.client.Get(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return j, history
}

// await waits until a job is as wanted.
func (s *system) await(id string, what string, ok func(jobs.Job) bool) jobs.Job {
	s.t.Helper()
	var j jobs.Job
	eventually(s.t, what, func() bool {
		j, _ = s.get(id)
		return ok(j)
	})
	return j
}

func (s *system) awaitStatus(id string, want jobs.Status) jobs.Job {
	s.t.Helper()
	return s.await(id, "job "+string(want), func(j jobs.Job) bool { return j.Status == want })
}

// patience is far more than anything here takes; only a broken test waits so long.
const patience = 60 * time.Second

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func receive[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for: %s", what)
		panic("unreachable")
	}
}

// faultyStore is a Store whose answers a test may spoil. A hook gets the real call and decides what becomes of it.
type faultyStore struct {
	store.Store
	mu       sync.Mutex
	onClaim  func(real func() (store.Claimed, error)) (store.Claimed, error)
	onSettle func(o []store.Outcome, real func() ([]store.Settled, error)) ([]store.Settled, error)
	onBeat   func(h store.Heartbeat, real beat) (store.HeartbeatReply, error)
	onInsert func(subs []jobs.Submission, real func() ([]jobs.Receipt, error)) ([]jobs.Receipt, error)
}

type beat = func() (store.HeartbeatReply, error)

func (f *faultyStore) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func hook[H any](f *faultyStore, h *H) H {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *h
}

func (f *faultyStore) Claim(ctx context.Context, c store.Claim) (store.Claimed, error) {
	real := func() (store.Claimed, error) { return f.Store.Claim(ctx, c) }
	if h := hook(f, &f.onClaim); h != nil {
		return h(real)
	}
	return real()
}

func (f *faultyStore) Settle(ctx context.Context, o []store.Outcome) ([]store.Settled, error) {
	real := func() ([]store.Settled, error) { return f.Store.Settle(ctx, o) }
	if h := hook(f, &f.onSettle); h != nil {
		return h(o, real)
	}
	return real()
}

func (f *faultyStore) Heartbeat(ctx context.Context, p store.Heartbeat) (store.HeartbeatReply, error) {
	real := func() (store.HeartbeatReply, error) { return f.Store.Heartbeat(ctx, p) }
	if h := hook(f, &f.onBeat); h != nil {
		return h(p, real)
	}
	return real()
}

func (f *faultyStore) Insert(ctx context.Context, s []jobs.Submission) ([]jobs.Receipt, error) {
	real := func() ([]jobs.Receipt, error) { return f.Store.Insert(ctx, s) }
	if h := hook(f, &f.onInsert); h != nil {
		return h(s, real)
	}
	return real()
}

// faultyQueue is a Queue that a test may put out of reach.
type faultyQueue struct {
	*memory.Queue
	mu   sync.Mutex
	fail error
}

func (q *faultyQueue) setFail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fail = err
}

func (q *faultyQueue) failing() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.fail
}

func (q *faultyQueue) Push(ctx context.Context, h []jobs.Hint) (int, error) {
	if err := q.failing(); err != nil {
		return 0, err
	}
	return q.Queue.Push(ctx, h)
}

func (q *faultyQueue) Pop(ctx context.Context, p queue.Pop) ([]jobs.Hint, error) {
	if err := q.failing(); err != nil {
		return nil, err
	}
	return q.Queue.Pop(ctx, p)
}

func (q *faultyQueue) Promote(ctx context.Context) (int, error) {
	if err := q.failing(); err != nil {
		return 0, err
	}
	return q.Queue.Promote(ctx)
}

func (q *faultyQueue) Depths(ctx context.Context, queues []string) (queue.Depths, error) {
	if err := q.failing(); err != nil {
		return queue.Depths{}, err
	}
	return q.Queue.Depths(ctx, queues)
}

// logBook collects log lines.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// lines returns those about a job, or all.
func (b *logBook) lines(t *testing.T, id string) (list []map[string]any) {
	t.Helper()
	for line := range strings.Lines(b.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		if id == "" || m["job_id"] == id {
			list = append(list, m)
		}
	}
	return list
}

// messages are those of the lines about a job.
func (b *logBook) messages(t *testing.T, id string) (list []string) {
	t.Helper()
	for _, m := range b.lines(t, id) {
		list = append(list, m["msg"].(string))
	}
	return list
}
