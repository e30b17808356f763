// Command measure shows how fast Windlass is on this machine, with every job durable in PostgreSQL: how fast a backlog drains, and how soon
// a lone job starts on an idle system. It works on the servers of DATABASE_URL and REDIS_URL, in a database and under a prefix of its own, and removes both.
//
// Everything (client, worker, upkeep) is in this one process; PostgreSQL and Redis are on the same cores. Compare figures of one machine only.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/jobs/store/postgres"
)

func main() {
	count := flag.Int("jobs", 100_000, "how many jobs to drain")
	slots := flag.Int("slots", 1000, "jobs at once while draining")
	rounds := flag.Int("rounds", 3, "how many times to drain")
	lone := flag.Int("lone", 300, "how many lone jobs to time")
	profile := flag.String("profile", "", "write a CPU profile to this file")
	flag.Parse()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			fmt.Fprintln(os.Stderr, "measure:", err)
			os.Exit(1)
		}
		pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	if err := run(*count, *slots, *rounds, *lone); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

func run(count, slots, rounds, lone int) error {
	ctx := context.Background()
	url, drop, err := database(ctx, os.Getenv("TEST_DATABASE_URL"))
	if err != nil {
		return err
	}
	defer drop()
	fmt.Printf("%d jobs of about 100 bytes, handlers that do nothing, %d slots, one process\n", count, slots)
	for range rounds {
		if err := drain(ctx, url, count, slots); err != nil {
			return err
		}
	}
	return latency(ctx, url, lone)
}

// database makes one beside the one that url names.
func database(ctx context.Context, url string) (own string, drop func(), err error) {
	admin, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", nil, err
	}
	name := "windlass_measure_" + uuid.NewString()[:8]
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", nil, err
	}
	var fsync, version string
	if err := admin.QueryRow(ctx, "SELECT current_setting('fsync'), current_setting('server_version')").Scan(&fsync, &version); err != nil {
		return "", nil, err
	}
	fmt.Printf("PostgreSQL %s, fsync %s\n", version, fsync)
	config := admin.Config().Copy()
	own = fmt.Sprintf("postgres://%s:%s@%s:%d/%s?sslmode=disable", config.User, config.Password, config.Host, config.Port, name)
	return own, func() {
		admin.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		admin.Close(ctx)
	}, nil
}

// system is all of Windlass in this process.
type system struct {
	client *engine.Client
	worker *engine.Worker
	store  *postgres.Store
	queue  *redis.Queue
	begin  func()
	end    func()
}

func newSystem(ctx context.Context, url string, slots int, handler jobs.HandlerFunc[email]) (*system, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	store, err := postgres.Open(ctx, postgres.Options{URL: url, Log: log})
	if err != nil {
		return nil, err
	}
	if err := store.Migrate(ctx); err != nil {
		return nil, err
	}
	queue, err := redis.Open(ctx, redis.Options{URL: os.Getenv("TEST_REDIS_URL"), Prefix: "measure-" + uuid.NewString()[:8], Log: log})
	if err != nil {
		return nil, err
	}
	registry := &jobs.Registry{}
	jobs.Handle(registry, "noop", handler)
	s := &system{
		store: store, queue: queue,
		client: engine.NewClient(engine.ClientOptions{Store: store, Queue: queue, Bus: queue, Registry: registry, Log: log}),
		worker: engine.NewWorker(engine.WorkerOptions{Store: store, Queue: queue, Bus: queue, Registry: registry, Log: log, Concurrency: slots}),
	}
	upkeep := engine.NewUpkeep(engine.UpkeepOptions{Store: store, Queue: queue, Log: log})
	run, stop := context.WithCancel(ctx)
	done := make(chan struct{}, 2)
	s.begin = func() {
		go func() { upkeep.Run(run); done <- struct{}{} }()
		go func() { s.worker.Run(run); done <- struct{}{} }()
	}
	s.end = func() {
		stop()
		<-done
		<-done
		s.client.Close()
		queue.Close()
		store.Close()
	}
	return s, nil
}

// email is what handlers get.
type email struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
	N       int    `json:"n"`
	Urgent  bool   `json:"urgent"`
}

var payload = []byte(`{"to":"somebody@example.com","subject":"a payload of about one hundred bytes","n":12345,"urgent":false}`)

// drain submits jobs in bulk, then lets a worker loose on them.
func drain(ctx context.Context, url string, count, slots int) error {
	s, err := newSystem(ctx, url, slots, func(context.Context, *jobs.Run, email) (any, error) { return nil, nil })
	if err != nil {
		return err
	}
	defer s.end()
	begin := time.Now()
	for left := count; left > 0; left -= jobs.MaxBulk {
		list := slices.Repeat([]jobs.New{{Type: "noop", Payload: payload}}, min(left, jobs.MaxBulk))
		if _, err := s.client.Submit(ctx, jobs.Submission{Jobs: list}); err != nil {
			return err
		}
	}
	s.client.Close()
	submitted := time.Since(begin)
	before := cpu()
	begin = time.Now()
	s.begin()
	for s.worker.Stats().Completed < int64(count) {
		if time.Since(begin) > 5*time.Minute {
			return fmt.Errorf("%d of %d jobs after five minutes", s.worker.Stats().Completed, count)
		}
		time.Sleep(2 * time.Millisecond)
	}
	took := time.Since(begin)
	fmt.Printf("bulk submit %7.0f jobs/s   drain %7.0f jobs/s   own CPU %4.1f us/job   peak memory %d MB\n",
		float64(count)/submitted.Seconds(), float64(count)/took.Seconds(), float64((cpu()-before).Microseconds())/float64(count), memory())
	return nil
}

// latency submits jobs one by one to a system that has nothing else to do.
func latency(ctx context.Context, url string, n int) error {
	started := make(chan time.Time, 1)
	s, err := newSystem(ctx, url, 5, func(context.Context, *jobs.Run, email) (any, error) {
		started <- time.Now()
		return nil, nil
	})
	if err != nil {
		return err
	}
	s.begin()
	defer s.end()
	if n == 0 {
		return nil
	}
	var waits []time.Duration
	for i := range n + 20 {
		time.Sleep(time.Duration(10+i%13) * time.Millisecond)
		submitted := time.Now()
		if _, err := s.client.Submit(ctx, jobs.Submission{Jobs: []jobs.New{{Type: "noop", Payload: payload}}}); err != nil {
			return err
		}
		if at := <-started; i >= 20 { // the first ones open connections
			waits = append(waits, at.Sub(submitted))
		}
	}
	slices.Sort(waits)
	fmt.Printf("idle system, submit call to handler start: median %s, p99 %s\n",
		waits[len(waits)/2].Round(10*time.Microsecond), waits[len(waits)*99/100].Round(10*time.Microsecond))
	return nil
}

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory is the most that this process has held, in MB.
func memory() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Maxrss >> 10
}
