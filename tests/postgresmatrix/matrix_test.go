// Package postgresmatrix tests Windlass on PostgreSQL as other people configure it: roles and databases whose settings
// change what statements mean or how values look, directly and through PgBouncer, in databases of both encodings that
// are supported, on the PostgreSQL of the system and on the newest one.
package postgresmatrix

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/lib/pq"

	"github.com/windlass-jobs/windlass"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/postgres"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// TestMain lets many tests run at once: they mostly wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "10"); err != nil {
		panic(err)
	}
	servers.Main(m)
}

// starts are the servers: that of the system, and the newest.
var starts = map[string]func(testing.TB, ...string) *servers.PostgresServer{
	"system": servers.StartPostgres, "newest": servers.StartNewestPostgres,
}

// forBothVersions runs a test on two servers.
func forBothVersions(t *testing.T, test func(t *testing.T, server *servers.PostgresServer)) {
	for name, start := range starts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t, "max_connections=400", "fsync=off"))
		})
	}
}

func TestSettingsOfOthers(t *testing.T) {
	forBothVersions(t, func(t *testing.T, server *servers.PostgresServer) {
		known, roles := map[string]bool{}, []string{"plain"}
		admin := connect(t, server.URL, unhurt...)
		for _, name := range column(t, admin, `SELECT name FROM pg_settings`) {
			known[name] = true
		}
		groups := map[string][]setting{}
		for _, s := range settings {
			if known[s.name] && s.hostile != "" {
				groups[s.group] = append(groups[s.group], s)
				groups["everything"] = append(groups["everything"], s)
			}
		}
		for group, list := range groups {
			role := "hostile_" + group
			run(t, admin, `CREATE ROLE `+role+` LOGIN PASSWORD '`+password(server.URL)+`'`)
			for _, s := range list {
				run(t, admin, `ALTER ROLE `+role+` SET `+s.name+` = `+s.hostile)
			}
			roles = append(roles, role)
		}
		run(t, admin, `CREATE ROLE plain LOGIN PASSWORD '`+password(server.URL)+`'`)
		for _, encoding := range []string{"UTF8", "SQL_ASCII"} {
			t.Run(encoding, func(t *testing.T) {
				target := server.DatabaseIn(t, encoding)
				pooled := prepare(t, target, roles)
				for group := range groups {
					// Group by group in one place; elsewhere all at once.
					if group != "everything" && (encoding != "UTF8" || !strings.Contains(t.Name(), "system")) {
						continue
					}
					ways(t, target, pooled, group, "hostile_"+group)
				}
				if encoding != "UTF8" {
					return
				}
				// The same by the database.
				target = server.DatabaseIn(t, encoding)
				pooled = prepare(t, target, roles)
				for _, s := range groups["everything"] {
					run(t, admin, `ALTER DATABASE `+database(target)+` SET `+s.name+` = `+s.hostile)
				}
				ways(t, target, pooled, "database", "plain")
			})
		}
	})
}

// prepare makes what hostile settings lead to, and lets everybody make a schema. It returns the URL through PgBouncer.
func prepare(t *testing.T, target string, roles []string) (pooled string) {
	t.Helper()
	run(t, connect(t, target, unhurt...), `GRANT CREATE, TEMPORARY ON DATABASE `+database(target)+` TO PUBLIC; `+evil)
	return servers.PgBouncerFor(t, target, 4, roles)
}

// ways runs the test of a role directly and through PgBouncer.
func ways(t *testing.T, target, pooled, name, role string) {
	for way, through := range map[string]string{"Direct": target, "PgBouncer": pooled} {
		t.Run(name+"/"+way, func(t *testing.T) {
			t.Parallel()
			life(t, target, as(t, through, role), strings.ToLower("s_"+name+"_"+way), way == "PgBouncer")
		})
	}
}

// text is a payload in the form in which it comes back.
const text = `{"f":[0.1,0.0000001,33.333333333333336],"big":12345678901234567890,"text":"Zoë \\ \" ' \\u0041 日本 😀\n"}`

// life takes jobs through all that can happen to them.
func life(t *testing.T, direct, target, schema string, pooled bool) {
	ctx := t.Context()
	begun := time.Now()
	s, err := postgres.Open(ctx, postgres.Options{URL: target, Schema: schema, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	app, err := windlass.New(windlass.Options{Store: s, Log: slog.New(slog.DiscardHandler), LeaseTTL: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.Close)
	if err := app.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	admin := connect(t, direct, unhurt...)
	run(t, admin, watch(schema))

	mode := "&application_name=shop"
	if pooled {
		mode += "&default_query_exec_mode=exec"
	}
	own := connect(t, target+mode) // the application's, with all hostile settings

	var tried sync.Map
	seen := make(chan struct{})
	echo := windlass.Define[json.RawMessage]("echo")
	echo.Handle(app, func(ctx context.Context, run *jobs.Run, in json.RawMessage) (any, error) {
		_, again := tried.LoadOrStore(run.Job.ID, nil)
		switch {
		case run.Job.Queue == "failing" && !again:
			return nil, errors.New("schade: 日本 \\ 'x'")
		case run.Job.Queue == "slow":
			run.Progress(33.333333333333336, "ein Drittel, geschätzt")
			select {
			case <-seen:
			case <-ctx.Done():
			}
		case run.Job.Queue == "own":
			return nil, pgx.BeginTxFunc(ctx, own, pgx.TxOptions{AccessMode: pgx.ReadWrite}, func(tx pgx.Tx) error {
				return run.CompleteTx(ctx, tx, in)
			})
		}
		return in, nil
	})
	web := httptest.NewServer(app.Handler())
	t.Cleanup(web.Close)
	api := &client{t, web.URL + "/api"}

	// Before a worker runs: a key, the same key again, a cancel.
	body := `{"type":"echo","payload":` + text + `,"metadata":{"Größe":"naïve 日本","line":" "},"delay_seconds":3600,"priority":-3}`
	code, first := api.call("POST", "/jobs", body, "order-1")
	if code != http.StatusCreated {
		t.Fatalf("submit: %d %s", code, first)
	}
	code, again := api.call("POST", "/jobs", body, "order-1")
	if code != http.StatusOK || !bytes.Equal(first, again) {
		t.Errorf("the same key: %d\n%s\nwant what it was at first:\n%s", code, again, first)
	}
	if code, other := api.call("POST", "/jobs", `{"type":"echo","payload":{}}`, "order-1"); code != 422 {
		t.Errorf("another request with the key: %d %s", code, other)
	}
	later := api.job(first)
	if d := later.RunAt.Sub(later.CreatedAt); d != time.Hour {
		t.Errorf("it is due %s after it was created, want 1 h", d)
	}
	if later.CreatedAt.Before(begun.Add(-time.Minute)) || later.CreatedAt.After(time.Now().Add(time.Minute)) {
		t.Errorf("it was created at %s, and it is %s", later.CreatedAt, time.Now())
	}
	if string(later.Payload) != text || later.Metadata["Größe"] != "naïve 日本" || later.Metadata["line"] != "\u2028" {
		t.Errorf("payload %s, metadata %s", later.Payload, later.Metadata)
	}
	if code, answer := api.call("POST", "/jobs/"+later.ID+"/cancel", "", ""); code != http.StatusOK {
		t.Errorf("cancel: %d %s", code, answer)
	}

	// With a worker.
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	ids := []string{}
	for i := range 8 {
		queue := []string{"failing", "slow", "own", "default"}[min(i, 3)]
		code, answer := api.call("POST", "/jobs", fmt.Sprintf(
			`{"type":"echo","payload":%s,"queue":%q,"max_attempts":1,"metadata":{"n":"%d"}}`, text, queue, i), "")
		if code != http.StatusCreated {
			t.Fatalf("submit: %d %s", code, answer)
		}
		ids = append(ids, api.job(answer).ID)
	}
	failed := api.await(ids[0], "dead")
	if failed.Error != `schade: 日本 \ 'x'` || len(failed.History) != 1 || failed.History[0].Error != failed.Error {
		t.Errorf("the failed job: %+v", failed)
	}
	if code, answer := api.call("POST", "/jobs/"+ids[0]+"/retry", "", ""); code != http.StatusOK {
		t.Errorf("retry: %d %s", code, answer)
	}
	slow := api.await(ids[1], "running")
	for deadline := time.Now().Add(time.Minute); slow.Progress.Percent == 0 && time.Now().Before(deadline); {
		<-time.After(10 * time.Millisecond)
		slow = api.await(ids[1], "running")
	}
	if slow.Progress.Percent != 33.333333333333336 || slow.Progress.Message != "ein Drittel, geschätzt" {
		t.Errorf("progress %+v", slow.Progress)
	}
	close(seen)
	ids = append(ids, inOwnTransaction(t, app, echo, own, target+"&application_name=shop")...)
	for _, id := range ids {
		job := api.await(id, "completed")
		if string(job.Result) != text || string(job.Payload) != text {
			t.Errorf("payload %s\nresult  %s\nwant    %s", job.Payload, job.Result, text)
		}
		if job.StartedAt.Before(job.CreatedAt) || job.FinishedAt.Before(job.StartedAt) ||
			job.FinishedAt.Sub(job.CreatedAt) > time.Minute {
			t.Errorf("created %s, started %s, finished %s", job.CreatedAt, job.StartedAt, job.FinishedAt)
		}
	}
	lists(t, api, later.ID, ids)
	books(t, s, later, len(ids))

	if wrong := column(t, admin, `SELECT DISTINCT name || ' = ' || value FROM `+schema+`_watch.wrong`); len(wrong) > 0 {
		t.Errorf("within our transactions: %q", wrong)
	}
	if n := column(t, admin, `SELECT count(*)::text FROM `+schema+`_watch.ran`)[0]; n == "0" {
		t.Error("nobody has looked at the settings: the test proves nothing")
	}
}

// inOwnTransaction submits in transactions of the application, which have all hostile settings, and returns the ids.
// What the application has set is the same afterwards.
func inOwnTransaction(
	t *testing.T, app *windlass.App, echo windlass.JobType[json.RawMessage], own *pgxpool.Pool, target string,
) (ids []string) {
	t.Helper()
	ctx := t.Context()
	submit := func(tx any, settings func() map[string]string) {
		t.Helper()
		before := settings()
		for _, key := range []string{"order-2", "order-2"} { // it is looked up the second time
			job, err := echo.SubmitTx(ctx, tx, app, json.RawMessage(text), windlass.Key(key))
			if err != nil {
				t.Errorf("submit in a transaction %T: %v", tx, err)
				return
			}
			ids = append(ids, job.ID)
		}
		after := settings()
		for name, was := range before {
			if after[name] != was {
				t.Errorf("%s of the application was %q and is %q", name, was, after[name])
			}
		}
	}
	const all = `SELECT pg_catalog.json_object_agg(name, setting)::pg_catalog.text FROM pg_catalog.pg_settings
		WHERE name OPERATOR(pg_catalog.<>) 'transaction_read_only'`
	tx, err := own.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadWrite})
	if err != nil {
		t.Fatal(err)
	}
	submit(tx, func() map[string]string { return settingsOf(t, tx.QueryRow(ctx, all)) })
	if err := tx.Commit(ctx); err != nil {
		t.Error(err)
	}
	db, err := sql.Open("postgres", target)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	other, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec("SET TRANSACTION READ WRITE"); err != nil {
		t.Error(err)
	}
	submit(other, func() map[string]string { return settingsOf(t, other.QueryRow(all)) })
	if err := other.Commit(); err != nil {
		t.Error(err)
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) != 1 {
		t.Errorf("jobs of one key: %v", ids)
	}
	return ids
}

// settingsOf reads names and values.
func settingsOf(t *testing.T, row pgx.Row) (all map[string]string) {
	t.Helper()
	var text string
	if err := row.Scan(&text); err != nil {
		t.Error(err)
	} else if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Error(err)
	}
	return all
}

// lists looks for all jobs in lists.
func lists(t *testing.T, api *client, later string, ids []string) {
	t.Helper()
	var page struct {
		Jobs []job `json:"jobs"`
	}
	listed := func(query string) (found []string) {
		code, answer := api.call("GET", "/jobs?limit=100&"+query, "", "")
		if err := json.Unmarshal(answer, &page); err != nil || code != http.StatusOK {
			t.Errorf("list: %d %s", code, answer)
		}
		for _, j := range page.Jobs {
			found = append(found, j.ID)
		}
		slices.Reverse(found)
		return found
	}
	if got, want := listed(""), slices.Sorted(slices.Values(append(slices.Clone(ids), later))); !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	if got := listed("state=cancelled"); !slices.Equal(got, []string{later}) {
		t.Errorf("cancelled: %v", got)
	}
	if got := listed("status=completed&metadata=n:3"); !slices.Equal(got, ids[3:4]) {
		t.Errorf("by metadata: %v, want %s", got, ids[3])
	}
}

// books has the Store count and export everything.
func books(t *testing.T, s *postgres.Store, later job, completed int) {
	t.Helper()
	audit, err := s.Audit(t.Context())
	if err != nil || audit.Rows != int64(completed)+1 || audit.Kept[0].Kept != int64(completed) || len(audit.Broken) > 0 {
		t.Errorf("audit %+v, error %v", audit, err)
	}
	found := false
	err = s.Export(t.Context(), func(r store.Record) error {
		switch {
		case r.Kind != store.RecordJob || string(r.Row["id"]) != `"`+later.ID+`"`:
			return nil
		case string(r.Row["created_at"]) != later.CreatedAt.Format(`"`+store.TimeLayout+`"`):
			t.Errorf("exported as created at %s, want %s", r.Row["created_at"], later.CreatedAt)
		}
		found = true
		var payload bytes.Buffer
		if err := json.Compact(&payload, r.Row["payload"]); err != nil || payload.String() != text {
			t.Errorf("exported payload %s, error %v", r.Row["payload"], err)
		}
		return nil
	})
	if err != nil || !found {
		t.Errorf("export: found the job %t, error %v", found, err)
	}
}

// A database whose encoding cannot hold every text is refused at the start, in a sentence that names both.
func TestDatabaseInLatin1IsRefused(t *testing.T) {
	server := servers.StartPostgres(t, "fsync=off")
	target := server.DatabaseIn(t, "LATIN1")
	for _, through := range []string{target, servers.PgBouncer(t, target, 2)} {
		s, err := postgres.Open(t.Context(), postgres.Options{URL: through, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for what, err := range map[string]error{"migrate": s.Migrate(t.Context()), "ping": s.Ping(t.Context())} {
			var permanent interface{ Permanent() bool }
			if !errors.As(err, &permanent) || !permanent.Permanent() || !strings.Contains(err.Error(), "LATIN1") ||
				!strings.Contains(err.Error(), database(target)) {
				t.Errorf("%s: %v, want a permanent error that names the database and its encoding", what, err)
			}
		}
	}
}

// synchronous_commit of the URL is the exception: whoever writes it there wants it.
func TestURLChoosesSynchronousCommit(t *testing.T) {
	target := servers.Postgres(t)
	for _, way := range []string{"Direct", "PgBouncer"} {
		for _, want := range []string{"off", "local"} {
			through := target
			if way == "PgBouncer" {
				through = servers.PgBouncer(t, target, 2)
			}
			s, err := postgres.Open(t.Context(), postgres.Options{
				URL: through + "&synchronous_commit=" + want, Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			audit, err := s.Audit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range audit.Settings {
				if found.Name == "synchronous_commit" && found.Value != want {
					t.Errorf("%s: synchronous_commit is %s, want %s", way, found.Value, want)
				}
			}
		}
	}
}

// client calls the API.
type client struct {
	t    *testing.T
	base string
}

// job is what answers say about a job.
type job struct {
	ID         string            `json:"id"`
	State      string            `json:"state"`
	Payload    json.RawMessage   `json:"payload"`
	Result     json.RawMessage   `json:"result"`
	Metadata   map[string]string `json:"metadata"`
	Error      string            `json:"error_message"`
	CreatedAt  time.Time         `json:"created_at"`
	RunAt      time.Time         `json:"run_at"`
	StartedAt  time.Time         `json:"started_at"`
	FinishedAt time.Time         `json:"finished_at"`
	Progress   struct {
		Percent float64 `json:"percent"`
		Message string  `json:"message"`
	} `json:"progress"`
	History []struct {
		Error string `json:"error"`
	} `json:"history"`
}

func (c *client) call(method, path, body, key string) (code int, answer []byte) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	if answer, err = io.ReadAll(response.Body); err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode, answer
}

func (c *client) job(answer []byte) (j job) {
	c.t.Helper()
	if err := json.Unmarshal(answer, &j); err != nil {
		c.t.Fatalf("%v: %s", err, answer)
	}
	return j
}

func (c *client) await(id, state string) job {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		code, answer := c.call("GET", "/jobs/"+id, "", "")
		if code != http.StatusOK {
			c.t.Fatalf("get: %d %s", code, answer)
		}
		j := c.job(answer)
		if j.State == state {
			return j
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("timed out waiting until the job is %s: %s", state, answer)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// unhurt are parameters for connections of the test that hostile settings must not change.
var unhurt = []string{
	"default_transaction_read_only=off", "search_path=public", "client_encoding=UTF8", "exit_on_error=off",
	"standard_conforming_strings=on", "statement_timeout=0", "lock_timeout=0",
	"default_transaction_isolation=read%20committed",
}

// connect returns a pool of the test's own.
func connect(t *testing.T, target string, params ...string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.WithoutCancel(t.Context()), strings.Join(append([]string{target}, params...), "&"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func run(t *testing.T, admin *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := admin.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%.80s: %v", sql, err)
	}
}

func column(t *testing.T, admin *pgxpool.Pool, sql string) []string {
	t.Helper()
	rows, _ := admin.Query(t.Context(), sql)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%.80s: %v", sql, err)
	}
	return list
}

func password(target string) string {
	u, _ := url.Parse(target)
	secret, _ := u.User.Password()
	return secret
}

func database(target string) string {
	u, _ := url.Parse(target)
	return strings.TrimPrefix(u.Path, "/")
}

// as returns a URL for another role.
func as(t *testing.T, target, role string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, password(target))
	return u.String()
}
