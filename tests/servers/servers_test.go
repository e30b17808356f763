package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

// envVictim makes this test binary a process that starts servers, prints their pids, and waits to be killed.
const envVictim = "WINDLASS_TEST_VICTIM"

func TestMain(m *testing.M) {
	if os.Getenv(envVictim) != "" {
		runVictim()
	}
	Main(m)
}

func TestPostgres(t *testing.T) {
	t.Run("GivesEachTestAnEmptyDatabase", func(t *testing.T) {
		first, second := Postgres(t), Postgres(t)
		if first == second {
			t.Fatalf("two tests share the database %s", first)
		}
		exec1(t, first, "CREATE TABLE here (n int)")
		if err := query(second, "SELECT count(*) FROM here"); err == nil {
			t.Error("a table of one test's database is visible in another's")
		}
	})
	t.Run("DropsItWithConnectionsOpen", func(t *testing.T) {
		var target string
		t.Run("user", func(t *testing.T) {
			target = Postgres(t)
			conn, err := pgx.Connect(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { closeConn(conn) }) // runs before the drop; the next connection stays open
			if _, err := pgx.Connect(context.Background(), target); err != nil {
				t.Fatal(err)
			}
		})
		if err := query(target, "SELECT 1"); err == nil {
			t.Error("the database still exists after its test")
		}
	})
}

func TestRedis(t *testing.T) {
	var target string
	t.Run("user", func(t *testing.T) {
		target = Redis(t)
		if other := Redis(t); other == target {
			t.Fatalf("two tests share the database %s", target)
		}
		client := mustRedis(t, target)
		if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
	})
	if empty, err := redisEmpty(t.Context(), target); err != nil || !empty {
		t.Errorf("the database is empty after its test: %v (error %v), want true", empty, err)
	}
}

// Packages that check for leaked goroutines use the servers too.
func TestServersRunNoGoroutine(t *testing.T) {
	known := goleak.IgnoreCurrent()
	t.Run("user", func(t *testing.T) {
		Postgres(t)
		Redis(t)
		StartRedis(t)
		StartPostgres(t).Database(t)
	})
	goleak.VerifyNone(t, known)
}

func TestStartPostgres(t *testing.T) {
	s := StartPostgres(t, "max_connections=17")
	target := s.Database(t)
	if got := scalar(t, target, "SHOW max_connections"); got != "17" {
		t.Errorf("max_connections = %s, want 17 as in the settings", got)
	}
	if got := scalar(t, target, "SHOW fsync"); got != "on" {
		t.Errorf("fsync = %s, want on", got)
	}
	exec1(t, target, "CREATE TABLE kept (n int)")

	for _, step := range []struct {
		name string
		down func()
	}{{"Stop", s.Stop}, {"Kill", s.Kill}} {
		t.Run(step.name+"KeepsCommittedRows", func(t *testing.T) {
			exec1(t, target, "INSERT INTO kept VALUES (1)")
			before := scalar(t, target, "SELECT count(*)::text FROM kept")
			step.down()
			if err := query(target, "SELECT 1"); err == nil {
				t.Fatal("the server still answers")
			}
			s.Start()
			if got := scalar(t, target, "SELECT count(*)::text FROM kept"); got != before {
				t.Errorf("%s rows after the restart, want %s", got, before)
			}
		})
	}
	t.Run("PauseFreezesOpenConnectionsToo", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		defer closeConn(conn)
		s.Pause()
		answer := make(chan error, 1)
		go func() {
			_, err := conn.Exec(context.Background(), "SELECT 1")
			answer <- err
		}()
		select {
		case err := <-answer:
			t.Errorf("a paused server answered (error: %v)", err)
		case <-time.After(200 * time.Millisecond): // there is no event to wait for when nothing must happen
		}
		s.Resume()
		if err := <-answer; err != nil {
			t.Errorf("after Resume the query ends with %v", err)
		}
	})
	t.Run("StopsWhilePaused", func(t *testing.T) {
		s.Pause()
		s.Stop()
		s.Stop() // a second Stop does nothing
		s.Start()
		exec1(t, target, "SELECT 1")
	})
}

func TestStartRedis(t *testing.T) {
	s := StartRedis(t, "--maxmemory", "7mb")
	client := mustRedis(t, s.URL)
	if got := client.ConfigGet(t.Context(), "maxmemory").Val()["maxmemory"]; got != strconv.Itoa(7<<20) {
		t.Errorf("maxmemory = %s, want 7 MiB as in the arguments", got)
	}
	for _, step := range []struct {
		name string
		down func()
	}{{"Stop", s.Stop}, {"Kill", s.Kill}} {
		t.Run(step.name+"LosesAllKeys", func(t *testing.T) {
			client.Set(t.Context(), "k", "v", 0)
			step.down()
			if err := client.Ping(t.Context()).Err(); err == nil {
				t.Fatal("the server still answers")
			}
			s.Start()
			if n, err := mustRedis(t, s.URL).DBSize(t.Context()).Result(); err != nil || n != 0 {
				t.Errorf("%d keys after the restart (error %v), want 0", n, err)
			}
		})
	}
	t.Run("Pause", func(t *testing.T) {
		s.Pause()
		if s.ready(s.pid) {
			t.Error("a paused server answered")
		}
		s.Resume()
		if err := mustRedis(t, s.URL).Ping(t.Context()).Err(); err != nil {
			t.Errorf("after Resume: %v", err)
		}
	})
}

func TestStartRefusesATakenPort(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for name, start := range map[string]func() error{
		"Redis": func() error {
			s := StartRedis(t)
			s.Stop()
			s.args = append(s.args, "--port", port)
			return s.start()
		},
		"PostgreSQL": func() error {
			s := StartPostgres(t)
			s.Stop()
			s.args = append(s.args, "-c", "port="+port)
			return s.start()
		},
	} {
		if err := start(); !errors.Is(err, errPortTaken) {
			t.Errorf("%s on a taken port: %v, want errPortTaken, so that the caller tries another port", name, err)
		}
	}
}

// A test process that is killed leaves no server and no file behind, even if one of its servers is frozen.
func TestKilledTestProcessLeavesNothingBehind(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), envVictim+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var base string
	var pids []int
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		if pid, err := strconv.Atoi(lines.Text()); err == nil {
			pids = append(pids, pid)
		} else {
			base = lines.Text()
		}
	}
	if len(pids) < 5 || !strings.Contains(filepath.Base(base), "windlass-servers-") {
		t.Fatalf("the victim printed the pids %v and the folder %q", pids, base)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	deadline := time.Now().Add(20 * time.Second)
	for _, pid := range pids {
		for alive(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d still runs", pid)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	for {
		if _, err := os.Stat(base); errors.Is(err, os.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s still exists", base)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func runVictim() {
	bin, err := findPostgres()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	pg, err := newPostgres(bin, nil)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	r, err := newRedis(nil)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if err := pg.pause(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	base, _ := baseDir()
	fmt.Println(base)
	for _, pid := range append(children(pg.pid), pg.pid, r.pid) {
		fmt.Println(pid)
	}
	fmt.Println("ready")
	select {}
}

func TestErrorForAMissingServerSaysHowToInstallIt(t *testing.T) {
	t.Setenv(EnvPostgresBin, t.TempDir())
	if _, err := findPostgres(); err == nil {
		t.Error("an empty folder is accepted as an installation of PostgreSQL")
	}
	t.Setenv(EnvPostgresBin, "")
	t.Setenv("PATH", t.TempDir())
	defer func(p, r []string) { postgresDirs, programDirs = p, r }(postgresDirs, programDirs)
	postgresDirs, programDirs = nil, nil
	_, pgErr := findPostgres()
	_, redisErr := findRedis()
	for _, err := range []error{pgErr, redisErr} {
		if err == nil || !strings.Contains(err.Error(), "make test") {
			t.Errorf("error %v does not name the command that installs the server", err)
		}
	}
	if got := strings.Join(Missing(), " "); got != "postgresql redis pgbouncer" {
		t.Errorf("Missing() = %q", got)
	}
}

func TestWithServers(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "with-servers")
	if out, err := exec.Command("go", "build", "-o", bin, "./cmd/with-servers").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	run := func(script string, env ...string) (string, error) {
		cmd := exec.Command(bin, "sh", "-c", script)
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	t.Run("SetsTheURLsAndReturnsTheExitCode", func(t *testing.T) {
		out, err := run(`echo "$TEST_DATABASE_URL $TEST_REDIS_URL"; exit 7`, EnvPostgres+"=", EnvRedis+"=")
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 7 {
			t.Errorf("ended with %v, want the exit code 7 of the command", err)
		}
		urls := strings.Fields(out)
		if len(urls) != 2 || !strings.HasPrefix(urls[0], "postgres://") || !strings.HasPrefix(urls[1], "redis://") {
			t.Fatalf("the URLs in the command's environment are %q", out)
		}
		if err := query(urls[0], "SELECT 1"); err == nil {
			t.Error("PostgreSQL still runs afterwards")
		}
	})
	t.Run("KeepsURLsThatAreSet", func(t *testing.T) {
		out, err := run(`echo "$TEST_DATABASE_URL $TEST_REDIS_URL"`, EnvPostgres+"=postgres://mine", EnvRedis+"=redis://mine")
		if err != nil || strings.TrimSpace(out) != "postgres://mine redis://mine" {
			t.Errorf("the URLs in the command's environment are %q (error %v)", out, err)
		}
	})
	t.Run("ReportsADeathBySignalLikeAShell", func(t *testing.T) {
		var exit *exec.ExitError
		_, err := run(`kill -TERM $$`, EnvPostgres+"=postgres://mine", EnvRedis+"=redis://mine")
		if !errors.As(err, &exit) || exit.ExitCode() != 128+int(syscall.SIGTERM) {
			t.Errorf("ended with %v, want exit code 143", err)
		}
	})
}
