package windlass_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/windlass-jobs/windlass"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/jobs/store/postgres"
)

// Any number of such processes share the work. PostgreSQL keeps the jobs; Redis tells idle workers at once.
func Example_postgresAndRedis() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	db := windlass.Must(postgres.Open(ctx, postgres.Options{URL: os.Getenv("DATABASE_URL"), Schema: "example"}))
	defer db.Close()
	queue := windlass.Must(redis.Open(ctx, redis.Options{URL: os.Getenv("REDIS_URL")}))
	defer queue.Close()
	app := windlass.Must(windlass.New(windlass.Options{Store: db, Queue: queue}))
	greet := windlass.Define[Greeting]("greet")
	greet.Handle(app, func(ctx context.Context, run *jobs.Run, in Greeting) (any, error) {
		defer stop()
		return fmt.Println("Hello", in.Name)
	})
	mux := http.NewServeMux()
	mux.Handle("/windlass/", app.Handler(windlass.BasePath("/windlass")))
	server := &http.Server{Addr: "127.0.0.1:0", Handler: mux}
	go server.ListenAndServe()
	defer server.Close()

	if err := app.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	windlass.Must(greet.Submit(ctx, app, Greeting{Name: "Ada"}))
	fmt.Println(app.Run(ctx))
	// Output:
	// Hello Ada
	// <nil>
}

// openPostgres returns an App in a schema of its own, for examples that show something else.
func openPostgres(schema string) (*windlass.App, *pgxpool.Pool) {
	ctx := context.Background()
	db := windlass.Must(postgres.Open(ctx, postgres.Options{URL: os.Getenv("DATABASE_URL"), Schema: schema}))
	app := windlass.Must(windlass.New(windlass.Options{Store: db}))
	if err := app.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	return app, windlass.Must(pgxpool.New(ctx, os.Getenv("DATABASE_URL")))
}

// A job that is submitted in a transaction is there if the other rows are, and only then.
func ExampleJobType_SubmitTx() {
	ctx := context.Background()
	app, pool := openPostgres("example_tx")
	defer pool.Close()
	greet.Handle(app, hello)
	defer run(app)()

	tx := windlass.Must(pool.Begin(ctx))
	windlass.Must(tx.Exec(ctx, `CREATE TABLE example_tx.people (name text)`))
	job := windlass.Must(greet.SubmitTx(ctx, tx, app, Greeting{Name: "Ada"}))
	if err := tx.Commit(ctx); err != nil { // a worker starts the job now
		log.Fatal(err)
	}
	fmt.Println(windlass.Wait[string](ctx, app, job.ID))
	// Output: Hello Ada <nil>
}

// The same with database/sql.
func ExampleJobType_SubmitTx_databaseSQL() {
	ctx := context.Background()
	app, pool := openPostgres("example_sql")
	defer pool.Close()
	db := windlass.Must(sql.Open("pgx", os.Getenv("DATABASE_URL")))
	defer db.Close()

	tx := windlass.Must(db.BeginTx(ctx, nil))
	windlass.Must(greet.SubmitTx(ctx, tx, app, Greeting{Name: "Ada"}))
	if err := tx.Rollback(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(windlass.Must(app.Stats(ctx)).Total)
	// Output: 0
}

type Charge struct {
	Account string `json:"account"`
	Cents   int    `json:"cents"`
}

// A handler that completes its job in the transaction of its effect has the effect exactly once, however often it is
// started.
func Example_completeTx() {
	ctx := context.Background()
	app, pool := openPostgres("example_charge")
	defer pool.Close()
	windlass.Must(pool.Exec(ctx, `CREATE TABLE example_charge.accounts AS SELECT 'ada' AS name, 1000 AS cents`))

	charge := windlass.Define[Charge]("charge")
	charge.Handle(app, func(ctx context.Context, run *jobs.Run, in Charge) (any, error) {
		tx, err := pool.Begin(ctx)
		if err != nil {
			return nil, err
		}
		defer tx.Rollback(context.WithoutCancel(ctx)) // after a commit it does nothing
		take := `UPDATE example_charge.accounts SET cents = cents - $1 WHERE name = $2`
		if _, err := tx.Exec(ctx, take, in.Cents, in.Account); err != nil {
			return nil, err
		}
		if err := run.CompleteTx(ctx, tx, "charged"); err != nil {
			return nil, err // jobs.ErrStale: another worker has the job by now
		}
		return nil, tx.Commit(ctx)
	})
	defer run(app)()
	job := windlass.Must(charge.Submit(ctx, app, Charge{Account: "ada", Cents: 300}))
	fmt.Println(windlass.Wait[string](ctx, app, job.ID))
	var cents int
	_ = pool.QueryRow(ctx, `SELECT cents FROM example_charge.accounts`).Scan(&cents)
	fmt.Println(cents)
	// Output:
	// charged <nil>
	// 700
}

// A job for later is kept like any other. It costs nothing until it is due.
func ExampleAt() {
	ctx := context.Background()
	app, pool := openPostgres("example_at")
	defer pool.Close()
	tomorrow := time.Now().Add(24 * time.Hour).Truncate(time.Second).UTC()
	job := windlass.Must(greet.Submit(ctx, app, Greeting{Name: "Ada"}, windlass.At(tomorrow)))
	fmt.Println(job.State(time.Now()), job.RunAt.Equal(tomorrow))
	// Output: scheduled true
}
