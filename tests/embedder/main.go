// Command shop is a program of somebody else's that has Windlass inside: a shop whose orders are charged and
// confirmed by jobs. Its own tables are called jobs and leases, and it knows nothing of Windlass but what is
// exported.
//
// With DATABASE_URL and REDIS_URL it runs on PostgreSQL and Redis, so that several shops share the work. It listens
// on ADDR and prints "listening on …".
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/windlass-jobs/windlass"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/jobs/store/postgres"
)

// Charge takes money for an order, once.
type Charge struct {
	Order int64 `json:"order" minimum:"1"`
}

// Confirmation tells a customer.
type Confirmation struct {
	Name  string `json:"name" required:"true" minLength:"1"`
	Order int64  `json:"order"`
}

var (
	charge  = windlass.Define[Charge]("charge", jobs.WithQueue("money"), jobs.WithMaxAttempts(20), jobs.WithBackoff(soon))
	confirm = windlass.Define[Confirmation]("confirm", jobs.WithTimeout(time.Minute))
)

func soon(int) time.Duration { return 10 * time.Millisecond }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("closed")
}

// tables are the shop's own, in the schema public.
const tables = `
	CREATE TABLE IF NOT EXISTS jobs (id bigserial PRIMARY KEY, title text NOT NULL, cents int NOT NULL DEFAULT 0);
	CREATE TABLE IF NOT EXISTS leases (flat text PRIMARY KEY, tenant text NOT NULL);`

func run(ctx context.Context) error {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	// A role that is called windlass, as on the test server, finds the tables of the schema windlass before its own.
	config.ConnConfig.RuntimeParams["search_path"] = "public"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, tables); err != nil {
		return err
	}
	store, err := postgres.Open(ctx, postgres.Options{URL: os.Getenv("DATABASE_URL")})
	if err != nil {
		return err
	}
	defer store.Close()
	queue, err := redis.Open(ctx, redis.Options{URL: os.Getenv("REDIS_URL")})
	if err != nil {
		return err
	}
	defer queue.Close()
	app, err := windlass.New(windlass.Options{Store: store, Queue: queue, Concurrency: 20, Version: "shop 1"})
	if err != nil {
		return err
	}
	s := &shop{app: app, pool: pool}
	app.Use(s.count)
	charge.Handle(app, s.charge)
	confirm.Handle(app, func(_ context.Context, _ *jobs.Run, in Confirmation) (any, error) {
		return fmt.Sprintf("Dear %s, thank you for order %d", in.Name, in.Order), nil
	})

	mux := http.NewServeMux()
	mux.Handle("/windlass/", app.Handler(windlass.BasePath("/windlass")))
	mux.HandleFunc("POST /orders", s.order)
	mux.HandleFunc("GET /attempts", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s.attempts.Load()) })
	listener, err := net.Listen("tcp", os.Getenv("ADDR"))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(listener)
	defer server.Close()
	fmt.Println("listening on", listener.Addr())
	return app.Run(ctx)
}

type shop struct {
	app      *windlass.App
	pool     *pgxpool.Pool
	attempts atomic.Int64
}

// count is middleware.
func (s *shop) count(next jobs.RunFunc) jobs.RunFunc {
	return func(ctx context.Context, run *jobs.Run) (any, error) {
		s.attempts.Add(1)
		return next(ctx, run)
	}
}

// order stores an order and its charge in one transaction, waits for both jobs, and answers with the confirmation.
// With ?fail the transaction is rolled back.
func (s *shop) order(w http.ResponseWriter, r *http.Request) {
	text, err := s.place(r.Context(), r.FormValue("name"), r.FormValue("fail") != "")
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	json.NewEncoder(w).Encode(text)
}

func (s *shop) place(ctx context.Context, name string, fail bool) (string, error) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return "", err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	var order int64
	if err := tx.QueryRow(ctx, `INSERT INTO jobs (title) VALUES ($1) RETURNING id`, name).Scan(&order); err != nil {
		return "", err
	}
	charged, err := charge.SubmitTx(ctx, tx, s.app, Charge{Order: order}, windlass.Priority(5))
	if err != nil {
		return "", err
	}
	if fail {
		return "", errors.New("out of stock")
	}
	if err := tx.Commit(ctx); err != nil {
		return "", err
	}
	if _, err := windlass.Wait[int](ctx, s.app, charged.ID); err != nil {
		return "", err
	}
	key := windlass.Key(fmt.Sprintf("confirm-%d", order))
	job, err := confirm.Submit(ctx, s.app, Confirmation{Name: name, Order: order}, key)
	if err != nil {
		return "", err
	}
	return windlass.Wait[string](ctx, s.app, job.ID)
}

// charge fails once on its way, after the effect and before the commit. The effect happens exactly once all the same.
func (s *shop) charge(ctx context.Context, run *jobs.Run, in Charge) (any, error) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if _, err := tx.Exec(ctx, `UPDATE jobs SET cents = cents + 1200 WHERE id = $1`, in.Order); err != nil {
		return nil, err
	}
	if err := run.CompleteTx(ctx, tx, 1200); err != nil {
		return nil, err
	}
	if run.Job.Attempts == 1 {
		return nil, errors.New("the connection to the bank broke")
	}
	return nil, tx.Commit(ctx)
}
