package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/tests/localapi"
)

// envChild makes this test binary the program, for tests that need a process.
const envChild = "WINDLASS_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(envChild) != "" {
		main()
	}
	os.Exit(m.Run())
}

// system is an API with job types for these tests, and the command line in front of it.
type system struct {
	*localapi.System
	t   *testing.T
	env map[string]string
}

// start serves an API until the test ends. The type "slow" runs until its job is cancelled.
func start(t *testing.T) *system {
	t.Helper()
	registry := &jobs.Registry{}
	jobs.Handle(registry, "greet", func(_ context.Context, run *jobs.Run, in struct {
		Name string `json:"name"`
	}) (any, error) {
		run.Progress(50, "half way")
		return "Hello, " + in.Name, nil
	}, jobs.WithQueue("greetings"), jobs.WithDescription("Greets."))
	jobs.Handle(registry, "break", func(context.Context, *jobs.Run, json.RawMessage) (any, error) {
		return nil, errors.New("broken on\npurpose")
	}, jobs.WithMaxAttempts(1))
	jobs.Handle(registry, "slow", func(ctx context.Context, _ *jobs.Run, _ json.RawMessage) (any, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
	api, err := localapi.Start(t.TempDir(), registry, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	})
	return &system{api, t, map[string]string{"WINDLASS_URL": api.URL}}
}

// result is what a command has left.
type result struct {
	t        *testing.T
	line     string
	code     int
	out, err string
}

func (s *system) getenv(name string) string { return s.env[name] }

// run runs a command line with nothing on the standard input.
func (s *system) run(args ...string) result {
	s.t.Helper()
	return s.pipe(s.t.Context(), "", args...)
}

func (s *system) pipe(ctx context.Context, stdin string, args ...string) result {
	s.t.Helper()
	var out, err bytes.Buffer
	sh := &shell{stdin: strings.NewReader(stdin), stdout: &out, stderr: &err, getenv: s.getenv}
	code := sh.run(ctx, args)
	return result{s.t, "windlass " + strings.Join(args, " "), code, out.String(), err.String()}
}

// wants checks the exit code, and that the texts are in the output or among the errors.
func (r result) wants(code int, texts ...string) result {
	r.t.Helper()
	if r.code != code {
		r.t.Fatalf("%s: exit code %d, want %d\n%s%s", r.line, r.code, code, r.out, r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.out+r.err, text) {
			r.t.Errorf("%s: no %q in\n%s%s", r.line, text, r.out, r.err)
		}
	}
	if strings.Contains(r.out+r.err, "\x1b") {
		r.t.Errorf("%s: an escape sequence in %q", r.line, r.out+r.err)
	}
	return r
}

// object reads the output as one JSON object.
func (r result) object() map[string]any {
	r.t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(r.out), &object); err != nil {
		r.t.Fatalf("%s: %v in %q", r.line, err, r.out)
	}
	return object
}

// id is the output of a submission.
func (r result) id() string {
	r.t.Helper()
	id := strings.TrimSpace(r.wants(exitDone).out)
	if len(id) != 36 {
		r.t.Fatalf("%s: %q is no id", r.line, r.out)
	}
	return id
}

func (s *system) job(id string) jobs.Job {
	s.t.Helper()
	job, _, err := s.Client.Get(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return job
}

// work starts a worker.
func (s *system) work() {
	s.t.Helper()
	if err := s.Work(); err != nil {
		s.t.Fatal(err)
	}
}

// await waits until a job is in a status.
func (s *system) await(id string, status jobs.Status) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); s.job(id).Status != status; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("job %s is not %s", id, status)
		}
	}
}

func TestSubmit(t *testing.T) {
	s := start(t)
	file := filepath.Join(t.TempDir(), "greeting.json")
	if err := os.WriteFile(file, []byte("\n{ \"name\": \"file\" }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		stdin, arg, want string
	}{
		{"", `{"name":"argument"}`, `{"name":"argument"}`},
		{`{"name":"stdin"}`, "-", `{"name":"stdin"}`},
		{"", "@" + file, `{"name":"file"}`},
	} {
		id := s.pipe(t.Context(), test.stdin, "submit", "greet", test.arg).id()
		if got := s.job(id); string(got.Payload) != test.want || got.Type != "greet" || got.Queue != "greetings" {
			t.Errorf("%s: %+v", test.arg, got)
		}
	}
	if got := s.job(s.run("submit", "break").id()); string(got.Payload) != `{}` {
		t.Errorf("without a payload: %+v", got)
	}

	id := s.run("submit", "break", "{}", "--queue", "vip", "--priority", "-3", "--in", "90m", "--max-attempts", "7",
		"--timeout", "2m").id()
	got := s.job(id)
	if got.Queue != "vip" || got.Priority != -3 || got.MaxAttempts != 7 || got.Timeout != 2*time.Minute ||
		got.RunAt.Sub(got.CreatedAt) != 90*time.Minute {
		t.Errorf("%+v", got)
	}
	at := time.Now().Add(time.Hour).Truncate(time.Second)
	job := s.run("submit", "break", "--run-at", at.Format(time.RFC3339), "--json").wants(exitDone).object()
	if got := s.job(job["id"].(string)); !got.RunAt.Equal(at) {
		t.Errorf("%s, not %s", got.RunAt, at)
	}

	first := s.run("submit", "break", "--key", "k").id()
	if again := s.run("submit", "break", "--key", "k").id(); again != first {
		t.Errorf("the same key made two jobs: %s and %s", first, again)
	}
	s.run("submit", "break", "--key", "k", "--priority", "1").
		wants(exitRefused, "Idempotency-Key was used with another request")
	s.run("submit", "nobody").wants(exitRefused, "type is not a known job type", "windlass types")
	s.run("submit", "greet", `{"name":1}`, "--priority", "11").wants(exitRefused, "priority must be")
	s.run("submit", "greet", `{"name":1}`).wants(exitRefused, "payload/name must be a string")
}

func TestWait(t *testing.T) {
	s := start(t)
	s.work()
	s.run("submit", "greet", `{"name":"Ada"}`, "--wait").wants(exitDone, "completed", `"Hello, Ada"`)
	job := s.run("submit", "greet", `{"name":"Ada"}`, "--wait", "--json").wants(exitDone).object()
	if job["result"] != "Hello, Ada" {
		t.Errorf("%v", job)
	}
	s.run("submit", "break", "--wait").wants(exitRefused, "dead (error)", "purpose", "Unsuccessful attempts")
	job = s.run("submit", "break", "--wait", "--json").wants(exitRefused).object()
	if job["state"] != "dead" || job["history"] == nil {
		t.Errorf("%v", job)
	}
}

func TestShow(t *testing.T) {
	s := start(t)
	id := s.run("submit", "slow", `{"a":{"b":[1,2]}}`, "--in", "1h").id()
	s.run("show", id).wants(exitDone, id, "scheduled", "Due", `"b"`, "0 of 5")
	if job := s.run("show", id, "--json").wants(exitDone).object(); job["id"] != id || job["history"] == nil {
		t.Errorf("%v", job)
	}
	s.run("show", "0192f000-0000-7000-8000-000000000001").wants(exitRefused, "There is no job 0192f000")
	s.run("show", "x").wants(exitRefused, "There is no job x")
	s.run("cancel", id).wants(exitDone, "cancelled")

	s.work()
	id = s.run("submit", "slow").id()
	s.await(id, jobs.Processing)
	watched := make(chan result, 1)
	go func() { watched <- s.run("show", id, "--watch", "--json") }()
	s.run("show", id).wants(exitDone, "running", "Worker")
	s.run("cancel", id).wants(exitDone, "cancelling")
	r := (<-watched).wants(exitRefused)
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	var last map[string]any
	for _, line := range lines {
		last = nil
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
	}
	if last["state"] != "cancelled" {
		t.Errorf("the last line is %v", last)
	}
	s.run("show", id, "--watch").wants(exitRefused, "cancelled")
}

func TestLs(t *testing.T) {
	s := start(t)
	const many = 203 // more than a page
	list := make([]jobs.New, many)
	for i := range list {
		list[i] = jobs.New{Type: "slow", Queue: "long"}
	}
	receipt, err := s.Client.Submit(t.Context(), jobs.Submission{Jobs: list})
	if err != nil {
		t.Fatal(err)
	}
	greet := s.run("submit", "greet", "--in", "1h").id()

	rows := func(r result) int { return strings.Count(r.wants(exitDone).out, "\n") }
	if n := rows(s.run("ls")); n != 1+defaultLimit {
		t.Errorf("%d lines", n)
	}
	if n := rows(s.run("ls", "--all")); n != 1+many+1 {
		t.Errorf("%d lines", n)
	}
	if n := rows(s.run("ls", "--due", "--all")); n != 1+many {
		t.Errorf("%d lines of due jobs", n)
	}
	s.run("ls", "--state", "scheduled").wants(exitDone, greet, "greet", "0/5")
	s.run("ls", "--wide", "--limit", "1").wants(exitDone, "PRIORITY", "Z  ")
	for _, filter := range [][]string{
		{"--type", "greet"}, {"--queue", "greetings"}, {"--state", "scheduled", "--status", "pending"},
	} {
		if out := s.run(append([]string{"ls", "-q"}, filter...)...).wants(exitDone).out; out != greet+"\n" {
			t.Errorf("%v: %q", filter, out)
		}
	}
	if out := s.run("ls", "--status", "completed").wants(exitDone).out; out != "" {
		t.Errorf("no jobs: %q", out)
	}

	list3 := s.run("ls", "--queue", "long", "--limit", "3", "--json").wants(exitDone).object()
	if n := len(list3["jobs"].([]any)); n != 3 {
		t.Errorf("%d jobs", n)
	}
	cursor := list3["next_cursor"].(string)
	next := s.run("ls", "--queue", "long", "--limit", "1", "-q", "--cursor", cursor).wants(exitDone)
	if want := receipt.Jobs[many-4].ID + "\n"; next.out != want {
		t.Errorf("after the cursor: %q, want %q", next.out, want)
	}
	all := s.run("ls", "--all", "--json").wants(exitDone).object()
	if n := len(all["jobs"].([]any)); n != many+1 || all["next_cursor"] != nil {
		t.Errorf("%d jobs, then %v", n, all["next_cursor"])
	}
	none := s.run("ls", "--status", "completed", "--json").wants(exitDone).object()
	if n := len(none["jobs"].([]any)); n != 0 {
		t.Errorf("%d jobs", n)
	}
	s.run("ls", "--cursor", "nonsense").wants(exitRefused, "cursor is not a cursor of this list")
}

func TestMetadata(t *testing.T) {
	s := start(t)
	id := s.run("submit", "slow", "--in", "1h", "--metadata", "customer=Ada, & sons", "--metadata", `a\=b:c=d=e`).id()
	s.run("submit", "slow", "--in", "1h", "--metadata", "customer=Grace").id()
	s.run("show", id).wants(exitDone, "Metadata\n  a\\=b:c=d=e\n  customer=Ada, & sons\n")
	for _, filter := range [][]string{
		{"--metadata", "customer=Ada, & sons"}, {"--metadata", `a\=b:c=d=e`, "--metadata", "customer=Ada, & sons"},
	} {
		if out := s.run(append([]string{"ls", "-q"}, filter...)...).wants(exitDone).out; out != id+"\n" {
			t.Errorf("%v: %q", filter, out)
		}
	}
	for _, none := range [][]string{{"ls", "--metadata", "customer=Ada"}, {"dead", "ls", "--metadata", "customer=Grace"}} {
		if out := s.run(none...).wants(exitDone).out; out != "" {
			t.Errorf("%v: %q", none, out)
		}
	}
	s.run("submit", "slow", "--metadata", "a="+strings.Repeat("x", 1024)).wants(exitRefused, "metadata must have at most")
}

func TestRetryCancelRm(t *testing.T) {
	s := start(t)
	a, b := s.run("submit", "slow").id(), s.run("submit", "slow").id()
	const nobody = "0192f000-0000-7000-8000-000000000001"
	s.run("cancel", a, nobody, b).wants(exitRefused, a+" cancelled", b+" cancelled", "There is no job "+nobody)
	if job := s.run("retry", a, "--json").wants(exitDone).object(); job["id"] != a || job["state"] != "waiting" {
		t.Errorf("%v", job)
	}
	s.run("retry", a).wants(exitRefused, "The job is pending")
	s.pipe(t.Context(), "\n "+a+" \n\n", "cancel", "-").wants(exitDone, a)
	s.run("rm", a, b).wants(exitDone, a+" deleted", b+" deleted")
	s.run("rm", a).wants(exitRefused, "There is no job")
	if out := s.pipe(t.Context(), "", "rm", "-").wants(exitDone).out; out != "" {
		t.Errorf("nothing to remove: %q", out)
	}
}

func TestDead(t *testing.T) {
	s := start(t)
	s.work()
	list := make([]jobs.New, maxRedrive+1)
	for i := range list {
		list[i].Type = "break"
	}
	var ids []string
	for portion := range slices.Chunk(list, jobs.MaxBulk) {
		receipt, err := s.Client.Submit(t.Context(), jobs.Submission{Jobs: portion})
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range receipt.Jobs {
			ids = append(ids, j.ID)
		}
	}
	for _, id := range ids {
		s.await(id, jobs.Failed)
	}
	s.run("dead", "ls", "--limit", "1").wants(exitDone, "dead", "broken on purpose")
	list5 := s.run("dead", "ls", "-q", "--limit", "5", "--type", "break").wants(exitDone)
	if strings.Count(list5.out, "\n") != 5 {
		t.Errorf("%q", list5.out)
	}
	// Jobs start again in hours, so that they do not die while they are counted.
	later := []string{"--spread", "24h"}
	redrive := func(args ...string) result {
		return s.run(slices.Concat([]string{"dead", "redrive"}, args, later)...)
	}
	if out := redrive(ids[0], ids[1]).wants(exitDone).out; out != "2\n" {
		t.Errorf("by id: %q", out)
	}
	three := redrive("--type", "break", "--error", "ON\nPURPOSE", "--limit", "3", "--json").wants(exitDone).object()
	if three["retried"] != 3.0 {
		t.Errorf("by filter: %v", three)
	}
	if out := redrive("--queue", "nobody").wants(exitDone).out; out != "0\n" {
		t.Errorf("by a queue without jobs: %q", out)
	}
	if out := s.pipe(t.Context(), "", "dead", "redrive", "-").wants(exitDone).out; out != "0\n" {
		t.Errorf("no ids: %q", out)
	}
	if out := redrive("--all").wants(exitDone).out; out != fmt.Sprintf("%d\n", len(ids)-5) {
		t.Errorf("all: %q", out)
	}
}

func TestSystem(t *testing.T) {
	s := start(t)
	for command, list := range map[string]string{
		"queues": "queues", "workers": "workers", "types": "job_types", "status": "",
	} {
		r := s.run(command, "--json").wants(exitDone)
		if object := r.object(); list != "" && object[list] == nil || list == "" && object["total_jobs"] == nil {
			t.Errorf("%s: %v", command, object)
		}
	}
	if out := s.run("workers").wants(exitDone).out; out != "" {
		t.Errorf("no workers: %q", out)
	}
	s.run("submit", "slow", "--queue", "long", "--in", "1h").id()
	s.run("types").wants(exitDone, "greet", "greetings", "Greets.")
	s.run("version").wants(exitDone, "windlass ")
	if v := s.run("version", "--json").wants(exitDone).object(); v["version"] == "" {
		t.Errorf("%v", v)
	}
	s.work()
	// The API's counts are up to 2 s old.
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		workers, queues, status := s.run("workers", "--wide"), s.run("queues"), s.run("status")
		if strings.Contains(workers.out, "0/4") && strings.Contains(queues.out, "long") &&
			strings.Contains(status.out, "room for 4") {
			workers.wants(exitDone, "alive", "break,greet,slow", "HEARTBEAT")
			listed := s.run("workers", "--json").wants(exitDone).object()["workers"].([]any)
			id := listed[0].(map[string]any)["id"].(string)
			s.run("workers", id).wants(exitDone, id, "alive", "0/4")
			s.run("workers", "01900000-0000-7000-8000-00000000dead").wants(exitRefused, "There is no worker")
			s.run("workers", "--ended", id).wants(exitUsage, "does not go with")
			s.run("workers", "--ended").wants(exitDone)
			queues.wants(exitDone, "LATER")
			status.wants(exitDone, "Scheduled    1", "1, with room for 4 jobs")
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s%s%s", workers.out, queues.out, status.out)
		}
	}
}

func TestUsage(t *testing.T) {
	s := start(t)
	for _, args := range [][]string{
		{"bogus"}, {"dead", "bogus"}, {"submit"}, {"submit", "greet", "{}", "more"}, {"show"}, {"ls", "more"},
		{"retry"}, {"ls", "--bogus"},
		{"submit", "greet", "{"}, {"submit", "greet", "[]"}, {"submit", "greet", "null"}, {"submit", "greet", ""},
		{"submit", "greet", "@/no/such/file"}, {"submit", "greet", "--in", "soon"},
		{"submit", "greet", "--run-at", "tomorrow"}, {"submit", "greet", "--max-attempts", "0"},
		{"submit", "greet", "--in", "1m", "--run-at", "2030-01-31T12:00:00Z"},
		{"submit", "greet", "--key", ""}, {"submit", "greet", "--key", "a b"},
		{"submit", "greet", "--metadata", "customer"}, {"submit", "greet", "--metadata", "=ada"},
		{"ls", "--metadata", "customer"}, {"dead", "ls", "--metadata", "a=1", "--metadata", "a=2"},
		{"submit", "greet", "--timeout", "1500ms"},
		{"ls", "--limit", "0"}, {"ls", "--limit", "5", "--all"}, {"ls", "--state", "odd"},
		{"ls", "--status", "odd"}, {"ls", "-q", "--json"},
		{"dead", "redrive"}, {"dead", "redrive", "--all", "--type", "greet"}, {"dead", "redrive", "--limit", "5"},
		{"dead", "redrive", "0192f000-0000-7000-8000-000000000001", "--all"},
		{"dead", "redrive", "--all", "--limit", "0"},
		{"status", "--url", "localhost:8000"}, {"status", "--token", "a b"},
	} {
		if r := s.run(args...).wants(exitUsage); r.err == "" || r.out != "" {
			t.Errorf("%s: %q on the standard output, %q on the error output", r.line, r.out, r.err)
		}
	}
	if stats, err := s.Client.Stats(t.Context()); err != nil || stats.Total != 0 {
		t.Errorf("%d jobs are stored (%v)", stats.Total, err)
	}
	s.run().wants(exitDone, "submit", "Exit codes")
	s.run("help").wants(exitDone, "Exit codes")
	s.run("help", "submit").wants(exitDone, "--max-attempts")
	s.run("dead").wants(exitDone, "redrive")
}

// An API that is out of reach, and one that is not what it should be.
func TestUnreachable(t *testing.T) {
	s := start(t)
	at := func(url string, args ...string) result { return s.run(append([]string{"--url", url}, args...)...) }

	const nobody = "http://127.0.0.1:1" // a port that was free a moment ago may be another test's by now
	const id = "0192f000-0000-7000-8000-000000000001"
	for _, args := range [][]string{{"status"}, {"submit", "greet"}, {"ls"}, {"cancel", id}} {
		at(nobody, args...).wants(exitUnavailable, nobody, "connection refused", "Is it running?")
	}
	at("http://no-such-host.invalid", "status").wants(exitUnavailable, "there is no host no-such-host.invalid")

	serve := func(status int, media, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	problem := func(name string) string {
		body := `{"type":"urn:windlass:problem:` + name + `","title":"T","detail":"D"}`
		return serve(503, "application/problem+json", body)
	}
	at(problem("unavailable"), "submit", "greet").wants(exitUnavailable, "cannot do this now: D.")
	at(problem("outcome_unknown"), "submit", "greet").wants(exitUnknown, "not known", "--key")
	at(serve(200, "text/html", "<html>"), "status").wants(exitUnavailable, "is not the Windlass API")
	at(serve(404, "text/html", "<html>"), "status").wants(exitRefused, "There is no Windlass API")
	at(serve(401, "text/html", "<html>"), "status").wants(exitRefused, "WINDLASS_TOKEN")

	hangsUp := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}))
	defer hangsUp.Close()
	at(hangsUp.URL, "submit", "greet").wants(exitUnknown, "not known")
	at(hangsUp.URL, "rm", id).wants(exitUnknown, "not known")
	at(hangsUp.URL, "status").wants(exitUnavailable, "cannot be reached")
}

// The token comes from the environment or the flag, and is never printed.
func TestToken(t *testing.T) {
	s := start(t)
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
		s.Handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	s.env = map[string]string{"WINDLASS_URL": server.URL, "WINDLASS_TOKEN": "from-environment"}
	s.run("status").wants(exitDone)
	s.run("status", "--token", "from-flag").wants(exitDone)
	if !slices.Equal(got, []string{"Bearer from-environment", "Bearer from-flag"}) {
		t.Errorf("%q", got)
	}
}

func TestCompletion(t *testing.T) {
	s := start(t)
	for _, name := range []string{"bash", "zsh", "fish"} {
		if out := s.run("completion", name).wants(exitDone).out; !strings.Contains(out, "windlass") {
			t.Errorf("%s: %q", name, out)
		}
	}
	s.run("__complete", "submit", "").wants(exitDone, "break\ngreet\nslow\n")
	s.run("__complete", "ls", "--state", "").wants(exitDone, "cancelling\n")
	s.env["WINDLASS_URL"] = "http://127.0.0.1:1"
	s.run("__complete", "submit", "").wants(exitDone)
}

// child starts this program as a process.
func (s *system) child(args ...string) *exec.Cmd {
	command := exec.Command(os.Args[0], args...)
	command.Env = append(os.Environ(), envChild+"=1", "WINDLASS_URL="+s.URL)
	return command
}

func TestInterrupt(t *testing.T) {
	s := start(t)
	s.work()
	id := s.run("submit", "slow").id()
	s.await(id, jobs.Processing)
	watch := s.child("show", id, "--watch")
	notes, err := watch.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 200)
	n, err := notes.Read(first) // it watches
	if err != nil || !strings.Contains(string(first[:n]), "running") {
		t.Fatalf("%q, %v", first[:n], err)
	}
	if err := watch.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var rest bytes.Buffer
	_, _ = rest.ReadFrom(notes)
	err = watch.Wait()
	code := watch.ProcessState.ExitCode()
	if code != exitInterrupted || !strings.Contains(rest.String(), "The job goes on") {
		t.Errorf("exit code %d, %v, %q", code, err, rest.String())
	}
	if job := s.job(id); job.State(time.Now()) != jobs.StateRunning {
		t.Errorf("the job is %s", job.State(time.Now()))
	}
}

// Who reads the output may stop, as head does.
func TestClosedPipe(t *testing.T) {
	s := start(t)
	list := make([]jobs.New, 1000) // more than a pipe holds
	for i := range list {
		list[i].Type = "slow"
	}
	if _, err := s.Client.Submit(t.Context(), jobs.Submission{Jobs: list}); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"ls", "--all"}, {"ls", "--all", "--json"}, {"ls", "--all", "-q"}, {"help"}} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		read.Close()
		var notes bytes.Buffer
		command := s.child(args...)
		command.Stdout, command.Stderr = write, &notes
		err = command.Run()
		write.Close()
		status, ok := command.ProcessState.Sys().(syscall.WaitStatus)
		if !ok || status.Signal() != syscall.SIGPIPE && status.ExitStatus() != exitRefused || notes.Len() > 0 {
			t.Errorf("%v: %v, %q", args, err, notes.String())
		}
	}
	// A stream that is closed without a signal.
	var notes bytes.Buffer
	sh := &shell{stdin: strings.NewReader(""), stdout: closedPipe{}, stderr: &notes, getenv: s.getenv}
	if code := sh.run(t.Context(), []string{"ls", "--all"}); code != exitRefused || notes.Len() > 0 {
		t.Errorf("exit code %d, %q", code, notes.String())
	}
}

type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestTable(t *testing.T) {
	var out bytes.Buffer
	sh := &shell{out: bufio.NewWriter(&out), color: true}
	rows := sh.newTable("NAME", ">N", "TEXT")
	rows.row("a", "1", "x\x1b[31m\n y")
	rows.paint(0, red)
	rows.row("ünïcode", "100", "")
	if err := rows.flush(); err != nil {
		t.Fatal(err)
	}
	rows.row("b", "2", "z") // on a later page, in the same columns
	if err := rows.flush(); err != nil {
		t.Fatal(err)
	}
	want := "NAME       N  TEXT\n" +
		"\x1b[31ma\x1b[0m          1  x\\u001b[31m y\n" +
		"ünïcode  100  -\n" +
		"b          2  z\n"
	if out.String() != want {
		t.Errorf("got\n%q, want\n%q", out.String(), want)
	}
}

func TestTimesForPeople(t *testing.T) {
	for ago, want := range map[time.Duration]string{
		0: "0s ago", -500 * time.Millisecond: "0s ago", 59 * time.Second: "59s ago", 61 * time.Second: "1m ago",
		47 * time.Hour: "47h ago", 50 * time.Hour: "2d ago", -90 * time.Minute: "in 1h",
	} {
		if got := relative(ago); got != want {
			t.Errorf("%s: %q, want %q", ago, got, want)
		}
	}
}

// docs/command-line.md knows every command and every flag.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/command-line.md")
	if err != nil {
		t.Fatal(err)
	}
	var check func(*cobra.Command)
	check = func(command *cobra.Command) {
		if command.Name() == "help" {
			return
		}
		if path := command.CommandPath(); !strings.Contains(string(doc), path) {
			t.Errorf("%s is not documented", path)
		}
		command.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !strings.Contains(string(doc), "--"+f.Name) {
				t.Errorf("%s --%s is not documented", command.CommandPath(), f.Name)
			}
		})
		if runs := command.HasParent() && !command.HasSubCommands(); runs && command.Example == "" {
			t.Errorf("%s has no example", command.CommandPath())
		}
		for _, c := range command.Commands() {
			check(c)
		}
	}
	check(newRoot(&shell{}))
}
