package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/windlass-jobs/windlass"
	"github.com/windlass-jobs/windlass/httpclient"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store/postgres"
	"github.com/windlass-jobs/windlass/tests/servers"
	"github.com/windlass-jobs/windlass/windlasstest"
)

// TestShop runs the program as its users would: two of them on one PostgreSQL and Redis.
func TestShop(t *testing.T) {
	database, redis := servers.Postgres(t), servers.Redis(t)
	program := filepath.Join(t.TempDir(), "shop")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	one := start(t, program, database, redis)
	two := start(t, program, database, redis)

	t.Run("Orders", func(t *testing.T) {
		for i, at := range []string{one, two, one} {
			name := fmt.Sprintf("Customer %d", i)
			got := post(t, at+"/orders?name="+url.QueryEscape(name), http.StatusOK)
			if !strings.Contains(got, "Dear "+name+", thank you") {
				t.Errorf("answer: %s", got)
			}
		}
		post(t, one+"/orders?name=Nobody&fail=1", http.StatusConflict)
		conn, err := pgx.Connect(t.Context(), database)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.WithoutCancel(t.Context()))
		var orders, cents, queued int
		err = conn.QueryRow(t.Context(), `
			SELECT count(*), coalesce(sum(cents), 0), (SELECT count(*) FROM windlass.jobs) FROM public.jobs`).
			Scan(&orders, &cents, &queued)
		if err != nil || orders != 3 || cents != 3*1200 || queued != 6 {
			t.Errorf("%d orders, %d cents, %d jobs, error %v; want 3, 3600, 6", orders, cents, queued, err)
		}
		if n := get(t, one+"/attempts") + get(t, two+"/attempts"); n == "00" {
			t.Error("the middleware has seen no attempt")
		}
	})

	t.Run("PagesAndAPI", func(t *testing.T) {
		for path, want := range map[string]string{
			"/windlass/":                 "/windlass/_next/",
			"/windlass/create":           "<html",
			"/windlass/api/jobs":         `"jobs":[`,
			"/windlass/api/openapi.json": `"/windlass/api"`,
			"/windlass/metrics":          `"total_jobs"`,
			"/windlass/livez":            "",
			"/windlass/readyz":           "",
		} {
			if body := get(t, one+path); !strings.Contains(body, want) {
				t.Errorf("%s lacks %q: %.300s", path, want, body)
			}
		}
	})

	t.Run("OverHTTP", func(t *testing.T) {
		client, err := httpclient.New(httpclient.Options{URL: two + "/windlass/api"})
		if err != nil {
			t.Fatal(err)
		}
		job, err := confirm.Submit(t.Context(), client, Confirmation{Name: "Ada", Order: 99})
		if err != nil {
			t.Fatal(err)
		}
		text, err := windlass.Wait[string](t.Context(), client, job.ID)
		if err != nil || !strings.Contains(text, "Dear Ada") {
			t.Errorf("%q, %v", text, err)
		}
		var invalid *jobs.InvalidError
		_, err = confirm.Submit(t.Context(), client, Confirmation{})
		if !errors.As(err, &invalid) || invalid.Fields[0].Pointer != "/payload/name" {
			t.Errorf("an empty name: %v", err)
		}
	})

	// A process without handlers submits in transactions of database/sql. Nobody calls it after the commit.
	t.Run("SubmitOnly", func(t *testing.T) {
		store, err := postgres.Open(t.Context(), postgres.Options{URL: database})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		app, err := windlass.New(windlass.Options{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		defer app.Close()
		db, err := sql.Open("pgx", database)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		job, err := confirm.SubmitTx(t.Context(), tx, app, Confirmation{Name: "Grace"})
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if text, err := windlass.Wait[string](t.Context(), app, job.ID); err != nil || !strings.Contains(text, "Dear Grace") {
			t.Errorf("%q, %v", text, err)
		}
	})
}

// TestConfirm tests a handler without a server.
func TestConfirm(t *testing.T) {
	app := windlasstest.New(t)
	confirm.Handle(app.App, func(_ context.Context, _ *jobs.Run, in Confirmation) (any, error) { return in.Name, nil })
	app.Start()
	names := []Confirmation{{Name: "Ada"}, {Name: "Grace"}}
	list, err := confirm.SubmitMany(t.Context(), app, names, windlass.In(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	app.Clock.Advance(time.Hour)
	if done := app.Wait(list[1].ID); string(done.Result) != `"Grace"` {
		t.Errorf("%s", done.Result)
	}
	if sent := windlasstest.Submitted(t, app, confirm); len(sent) != 2 || sent[0].Payload.Name != "Ada" {
		t.Errorf("%+v", sent)
	}
}

// start runs the program until the test ends, and then expects it to close in order. It returns its address.
func start(t *testing.T, program, database, redis string) string {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+database, "REDIS_URL="+redis, "ADDR=127.0.0.1:0")
	var logged strings.Builder
	cmd.Stderr = &logged
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		var last string
		for lines.Scan() {
			last = lines.Text()
		}
		if err := cmd.Wait(); err != nil || last != "closed" {
			t.Errorf("the program ended with %v after the line %q", err, last)
		}
		if t.Failed() {
			t.Log(logged.String())
		}
	})
	if !lines.Scan() {
		t.Fatalf("the program said nothing: %s", logged.String())
	}
	at := "http://" + strings.TrimPrefix(lines.Text(), "listening on ")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get(at + "/windlass/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return at
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("not ready: %v\n%s", err, logged.String())
		}
	}
}

func get(t *testing.T, address string) string {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, address, answer, http.StatusOK)
}

func post(t *testing.T, address string, want int) string {
	t.Helper()
	answer, err := http.Post(address, "application/x-www-form-urlencoded", nil)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, address, answer, want)
}

func read(t *testing.T, address string, answer *http.Response, want int) string {
	t.Helper()
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != want {
		t.Fatalf("%s: %s, error %v: %s", address, answer.Status, err, body)
	}
	var text string
	if json.Unmarshal(body, &text) == nil {
		return text
	}
	return string(body)
}
