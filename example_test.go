package windlass_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// TestMain runs the examples in a folder of their own, on servers that DATABASE_URL and REDIS_URL name.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "windlass-examples-")
		if err != nil {
			log.Fatal(err)
		}
		defer os.RemoveAll(folder)
		env, err := servers.Environment()
		if err != nil {
			log.Fatal(err)
		}
		defer servers.StopShared()
		for _, pair := range append(os.Environ(), env...) { // the servers may run already, as beneath with-servers
			name, value, _ := strings.Cut(pair, "=")
			os.Setenv(strings.TrimPrefix(name, "TEST_"), value)
		}
		if err := os.Chdir(folder); err != nil {
			log.Fatal(err)
		}
		slog.SetDefault(slog.New(slog.DiscardHandler)) // the log lines of the jobs are not what the examples show
		return m.Run()
	}())
}

type Greeting struct {
	Name string `json:"name" required:"true" minLength:"1" doc:"whom to greet"`
}

var greet = windlass.Define[Greeting]("greet", jobs.WithMaxAttempts(3))

// hello is the handler of most examples.
func hello(_ context.Context, _ *jobs.Run, in Greeting) (any, error) { return "Hello " + in.Name, nil }

// open returns an App on SQLite in a folder of that name, for examples that show something else.
func open(name string) *windlass.App {
	db := windlass.Must(sqlite.Open(context.Background(), sqlite.Options{Dir: name}))
	return windlass.Must(windlass.New(windlass.Options{Store: db}))
}

// run works in the background; stop ends that and waits.
func run(app *windlass.App) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- app.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			log.Fatal(err)
		}
	}
}

// A job is kept in the folder until it has run, also when the program ends before.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	db := windlass.Must(sqlite.Open(ctx, sqlite.Options{Dir: "./data"}))
	app := windlass.Must(windlass.New(windlass.Options{Store: db}))
	greet := windlass.Define[Greeting]("greet")
	greet.Handle(app, func(ctx context.Context, run *jobs.Run, in Greeting) (any, error) {
		defer stop() // one job is all that this program is for
		return fmt.Println("Hello", in.Name)
	})
	windlass.Must(greet.Submit(ctx, app, Greeting{Name: "Ada"}))
	fmt.Println(app.Run(ctx))
	// Output:
	// Hello Ada
	// <nil>
}

// Options of a submission replace the defaults of the type.
func ExampleJobType_Submit() {
	ctx, app := context.Background(), open("submit")
	job, err := greet.Submit(ctx, app, Greeting{Name: "Ada"},
		windlass.In(5*time.Minute), windlass.Priority(3), windlass.Queue("mail"),
		windlass.Timeout(time.Minute), windlass.MaxAttempts(10))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.Status, job.Queue, job.Priority, job.Timeout, job.MaxAttempts, job.RunAt.Sub(job.CreatedAt))
	// Output: pending mail 3 1m0s 10 5m0s
}

// What does not fit the type's schema is refused, with a pointer to the field. Nothing is stored then.
func ExampleJobType_Submit_invalid() {
	_, err := greet.Submit(context.Background(), open("invalid"), Greeting{}, windlass.Priority(11))
	var invalid *jobs.InvalidError
	if errors.As(err, &invalid) {
		for _, fault := range invalid.Fields {
			fmt.Println(fault.Pointer, fault.Detail)
		}
	}
	// Output:
	// /priority must be -10 to 10
	// /payload/name must have at least 1 characters
}

// Many jobs are stored together or not at all, in one round trip.
func ExampleJobType_SubmitMany() {
	list, err := greet.SubmitMany(context.Background(), open("many"), []Greeting{{"Ada"}, {"Grace"}, {"Barbara"}})
	if err != nil {
		log.Fatal(err)
	}
	for _, job := range list {
		fmt.Println(string(job.Payload))
	}
	// Output:
	// {"name":"Ada"}
	// {"name":"Grace"}
	// {"name":"Barbara"}
}

// A key makes a submission repeatable: the job is stored once, however often a client tries.
func ExampleKey() {
	ctx, app := context.Background(), open("key")
	first := windlass.Must(greet.Submit(ctx, app, Greeting{Name: "Ada"}, windlass.Key("order-7")))
	again := windlass.Must(greet.Submit(ctx, app, Greeting{Name: "Ada"}, windlass.Key("order-7")))
	_, err := greet.Submit(ctx, app, Greeting{Name: "Grace"}, windlass.Key("order-7"))
	fmt.Println(first.ID == again.ID, errors.Is(err, jobs.ErrKeyReused))
	// Output: true true
}

// A caller may wait for the result.
func ExampleWait() {
	ctx, app := context.Background(), open("wait")
	greet.Handle(app, hello)
	defer run(app)()
	job := windlass.Must(greet.Submit(ctx, app, Greeting{Name: "Ada"}))
	said, err := windlass.Wait[string](ctx, app, job.ID)
	fmt.Println(said, err)
	// Output: Hello Ada <nil>
}

// A job that fails for good is an error for who waits, and is in the dead-letter queue until somebody sends it back.
func ExampleFailedError() {
	ctx, app := context.Background(), open("failed")
	broken := true
	greet.Handle(app, func(_ context.Context, _ *jobs.Run, in Greeting) (any, error) {
		if broken {
			broken = false
			return nil, jobs.Permanent(errors.New("no such person")) // no retry can help
		}
		return "Hello " + in.Name, nil
	})
	defer run(app)()
	job := windlass.Must(greet.Submit(ctx, app, Greeting{Name: "Ada"}))
	_, err := windlass.Wait[string](ctx, app, job.ID)
	var failed *windlass.FailedError
	if errors.As(err, &failed) {
		fmt.Println(failed.Job.FailureKind, failed.Job.Error)
	}
	windlass.Must(app.Retry(ctx, job.ID))
	fmt.Println(windlass.Wait[string](ctx, app, job.ID))
	// Output:
	// permanent no such person
	// Hello Ada <nil>
}

// A plain error is a failed attempt: the job is tried again after 2, 4, 8 … seconds, or as the type's own curve says.
func ExampleJobType_Handle_retry() {
	soon := func(attempt int) time.Duration { return time.Duration(attempt) * time.Millisecond }
	flaky := windlass.Define[Greeting]("flaky", jobs.WithBackoff(soon))
	ctx, app := context.Background(), open("retry")
	flaky.Handle(app, func(_ context.Context, run *jobs.Run, in Greeting) (any, error) {
		if run.Job.Attempts < 3 {
			return nil, fmt.Errorf("attempt %d: the line is busy", run.Job.Attempts)
		}
		return "Hello " + in.Name, nil
	})
	defer run(app)()
	job := windlass.Must(flaky.Submit(ctx, app, Greeting{Name: "Ada"}))
	fmt.Println(windlass.Wait[string](ctx, app, job.ID))
	_, history, _ := app.Get(ctx, job.ID)
	for _, attempt := range history {
		fmt.Println(attempt.Outcome, attempt.Error)
	}
	// Output:
	// Hello Ada <nil>
	// failed attempt 1: the line is busy
	// failed attempt 2: the line is busy
}

// A handler that has to wait for something gives its place back, without using up an attempt.
func ExampleJobType_Handle_snooze() {
	ctx, app := context.Background(), open("snooze")
	asked := 0
	greet.Handle(app, func(_ context.Context, run *jobs.Run, in Greeting) (any, error) {
		if asked++; asked < 3 {
			return nil, jobs.Snooze(time.Millisecond)
		}
		return run.Job.Attempts, nil
	})
	defer run(app)()
	job := windlass.Must(greet.Submit(ctx, app, Greeting{Name: "Ada"}))
	attempts, err := windlass.Wait[int](ctx, app, job.ID)
	fmt.Println(asked, attempts, err)
	// Output: 3 1 <nil>
}

// The context of a handler ends when somebody cancels the job.
func ExampleApp_cancel() {
	ctx, app := context.Background(), open("cancel")
	begun := make(chan struct{})
	greet.Handle(app, func(ctx context.Context, _ *jobs.Run, _ Greeting) (any, error) {
		close(begun)
		<-ctx.Done()
		return nil, context.Cause(ctx) // jobs.ErrCancelled
	})
	defer run(app)()
	job := windlass.Must(greet.Submit(ctx, app, Greeting{Name: "Ada"}))
	<-begun
	windlass.Must(app.Cancel(ctx, job.ID))
	_, err := windlass.Wait[string](ctx, app, job.ID)
	var failed *windlass.FailedError
	fmt.Println(errors.As(err, &failed), failed.Job.FailureKind)
	// Output: true cancelled
}

// Middleware goes around every handler.
func ExampleApp_Use() {
	ctx, app := context.Background(), open("use")
	greet.Handle(app, hello)
	app.Use(func(next jobs.RunFunc) jobs.RunFunc {
		return func(ctx context.Context, run *jobs.Run) (any, error) {
			fmt.Println("before", run.Job.Type)
			result, err := next(ctx, run)
			fmt.Println("after", result, err)
			return result, err
		}
	})
	defer run(app)()
	job := windlass.Must(greet.Submit(ctx, app, Greeting{Name: "Ada"}))
	windlass.Must(windlass.Wait[string](ctx, app, job.ID))
	// Output:
	// before greet
	// after Hello Ada <nil>
}

// The API, the pages, health and metrics of an App are a handler, mounted where the program likes.
func ExampleApp_Handler() {
	app := open("handler")
	greet.Handle(app, hello)
	mux := http.NewServeMux()
	mux.Handle("/windlass/", app.Handler(windlass.BasePath("/windlass")))
	server := httptest.NewServer(mux)
	defer server.Close()
	defer run(app)()

	body := strings.NewReader(`{"type":"greet","payload":{"name":"Ada"}}`)
	answer, err := http.Post(server.URL+"/windlass/api/jobs", "application/json", body)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	fmt.Println(answer.Status, strings.HasPrefix(answer.Header.Get("Location"), "/windlass/api/jobs/"))
	// Output: 201 Created true
}

// Jobs can be listed, counted and sent back.
func ExampleApp_list() {
	ctx, app := context.Background(), open("list")
	windlass.Must(greet.SubmitMany(ctx, app, []Greeting{{"Ada"}, {"Grace"}}))
	page := windlass.Must(app.List(ctx, store.ListQuery{Type: "greet", Status: jobs.Pending, Limit: 10}))
	stats := windlass.Must(app.Stats(ctx))
	fmt.Println(len(page.Jobs), stats.Due, stats.Completed)
	// Output: 2 2 0
}

// Metadata says for whom a job is, and finds it again.
func ExampleMetadata() {
	ctx, app := context.Background(), open("metadata")
	for _, order := range []string{"7", "8"} {
		note := windlass.Metadata(map[string]string{"customer": "ada", "order": order})
		windlass.Must(greet.Submit(ctx, app, Greeting{Name: "Ada"}, note))
	}
	query := store.ListQuery{Metadata: map[string]string{"customer": "ada", "order": "8"}, Limit: 10}
	for _, job := range windlass.Must(app.List(ctx, query)).Jobs {
		fmt.Println(job.Type, job.Metadata)
	}
	// Output: greet map[customer:ada order:8]
}

// Run ends with its context. Jobs that run then may finish; nothing is lost either way.
func ExampleApp_Run() {
	ctx, stop := context.WithCancel(context.Background()) // in a service: signal.NotifyContext
	app := open("run")
	greet.Handle(app, func(_ context.Context, _ *jobs.Run, in Greeting) (any, error) {
		stop()
		return "said in spite of that", nil
	})
	job := windlass.Must(greet.Submit(ctx, app, Greeting{Name: "Ada"}))
	err := app.Run(ctx)
	done, _, _ := app.Get(context.Background(), job.ID)
	fmt.Println(err, done.Status, string(done.Result))
	// Output: <nil> completed "said in spite of that"
}

// In SQLite a transaction of the store's own holds the program's rows and its jobs.
func ExampleJobType_SubmitTx_sqlite() {
	ctx := context.Background()
	db := windlass.Must(sqlite.Open(ctx, sqlite.Options{Dir: "tx"}))
	app := windlass.Must(windlass.New(windlass.Options{Store: db}))
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := greet.SubmitTx(ctx, tx, app, Greeting{Name: "Ada"}); err != nil {
			return err
		}
		return errors.New("thought better of it")
	})
	fmt.Println(err, windlass.Must(app.Stats(ctx)).Total)
	// Output: thought better of it 0
}
