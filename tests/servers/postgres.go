package servers

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// PostgresServer is a PostgreSQL server of one test. Its methods may be called from any goroutine. A failure is
// reported to the test.
type PostgresServer struct {
	URL  string // of the maintenance database; port and password stay the same over restarts
	Addr string // host:port, for tests that put a proxy in between

	t        testing.TB // nil for a shared server
	template string     // the folder that its files were copied from
	*process
}

// StartPostgres starts a server for this test alone, and ends it with the test. conf has settings such as
// "max_connections=20". All settings of durability have their defaults (fsync=on, synchronous_commit=on).
func StartPostgres(t testing.TB, conf ...string) *PostgresServer {
	t.Helper()
	return ofTest(t, findPostgres, conf)
}

// StartNewestPostgres is StartPostgres with the newest version, which tests/install.sh downloads.
func StartNewestPostgres(t testing.TB, conf ...string) *PostgresServer {
	t.Helper()
	return ofTest(t, findNewest, conf)
}

func ofTest(t testing.TB, find func() (string, error), conf []string) *PostgresServer {
	t.Helper()
	bin, err := find()
	if err != nil {
		t.Fatalf("no PostgreSQL for the test: %v", err)
	}
	s, err := newPostgres(bin, conf)
	if err != nil {
		t.Fatalf("no PostgreSQL for the test: %v", err)
	}
	s.t = t
	t.Cleanup(s.destroy)
	return s
}

// Database returns the URL of a new, empty database on this server.
func (s *PostgresServer) Database(t testing.TB) string {
	t.Helper()
	return s.DatabaseIn(t, "")
}

// DatabaseIn is Database with an encoding of its own.
func (s *PostgresServer) DatabaseIn(t testing.TB, encoding string) string {
	t.Helper()
	_, target, err := createDatabase(t.Context(), s.URL, encoding)
	if err != nil {
		t.Fatalf("create a database for the test: %v", err)
	}
	return target
}

// Start starts a stopped or killed server again on the same port and files, and waits until it accepts connections.
func (s *PostgresServer) Start() { report(s.t, s.start()) }

// Stop ends the server in order: it closes all sessions and writes all data. It does nothing if the server is not
// running.
func (s *PostgresServer) Stop() { report(s.t, s.stop()) }

// Kill ends all processes of the server with SIGKILL. The next Start recovers from the log.
func (s *PostgresServer) Kill() { s.kill() }

// Crash is an immediate stop (SIGQUIT): the server closes every session with a warning and writes nothing more. The
// next Start recovers from the log.
func (s *PostgresServer) Crash() { s.end(syscall.SIGQUIT) }

// Pids lists the server's processes, the postmaster first. It is empty if the server is not running.
func (s *PostgresServer) Pids() []int { return s.pids() }

// Restart is Stop and Start.
func (s *PostgresServer) Restart() {
	s.Stop()
	s.Start()
}

// Pause freezes all processes of the server until Resume.
func (s *PostgresServer) Pause() { report(s.t, s.pause()) }

// Resume ends a Pause.
func (s *PostgresServer) Resume() { s.resume() }

// Log returns the end of the server's log, at most 4 KiB.
func (s *PostgresServer) Log() string { return s.log(0) }

// report fails the test with Error and not with Fatal, because it may run on another goroutine than the test's.
func report(t testing.TB, err error) {
	if err == nil {
		return
	}
	if t == nil {
		panic(err)
	}
	t.Error(err)
}

// newPostgres starts a server on a copy of the template.
func newPostgres(bin string, conf []string) (*PostgresServer, error) {
	cred, err := unprivileged()
	if err != nil {
		return nil, err
	}
	if bin, err = entered(bin, cred); err != nil {
		return nil, err
	}
	template, password, err := postgresTemplate(bin, cred)
	if err != nil {
		return nil, err
	}
	dir, err := serverDir("postgres-")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := copyTree(filepath.Join(template, "data"), data, cred); err != nil {
		removeAll(dir)
		return nil, fmt.Errorf("copy the template of the database: %w", err)
	}
	s := &PostgresServer{template: template, process: &process{
		name: "PostgreSQL", dir: dir, bin: filepath.Join(bin, "postgres"), cred: cred,
		term:  syscall.SIGINT, // a "fast" shutdown: does not wait until the clients disconnect
		ready: func(pid int) bool { return postmasterReady(data, pid) },
	}}
	err = onFreePort(func(port int) error {
		s.Addr = "127.0.0.1:" + strconv.Itoa(port)
		s.URL = (&url.URL{
			Scheme: "postgres", User: url.UserPassword(postgresUser, password), Host: s.Addr,
			Path: "/postgres", RawQuery: "sslmode=disable",
		}).String()
		s.args = []string{
			"-D", data,
			"-c", "listen_addresses=127.0.0.1", "-c", "port=" + strconv.Itoa(port),
			"-c", "unix_socket_directories=", // TCP only: temporary folders are too long for the paths of sockets
			"-c", "shared_buffers=64MB", "-c", "max_connections=100", "-c", "timezone=UTC",
		}
		for _, setting := range conf {
			s.args = append(s.args, "-c", setting)
		}
		return s.start()
	})
	if err != nil {
		removeAll(dir)
		return nil, err
	}
	return s, nil
}

// postmasterReady reads the status file in the data directory, like pg_ctl. Unlike a connection, the file cannot be
// that of another server on the same port.
func postmasterReady(data string, pid int) bool {
	raw, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(raw), "\n")
	if len(lines) <= 7 || lines[0] != strconv.Itoa(pid) {
		return false
	}
	status := strings.TrimSpace(lines[7])
	return status == "ready" || status == "standby"
}

// serverDir makes a folder for one server's files.
func serverDir(prefix string) (string, error) {
	base, err := baseDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, prefix+strings.ToLower(rand.Text()[:8]))
	return dir, os.Mkdir(dir, 0o711)
}
