// Package servers gives tests real PostgreSQL and Redis servers.
//
// Most tests need an empty database on a server that all tests share: [Postgres] and [Redis]. The shared server is that
// of TEST_DATABASE_URL or TEST_REDIS_URL. Without them the first call in a process starts a temporary server. Tests
// that stop, kill or freeze a server start their own: [StartPostgres] and [StartRedis].
//
// Nothing is left behind, however the test process ends: a guard process (see guard.go) then ends its servers and
// removes their files. No TestMain is needed. [Main] stops the servers a little sooner.
//
// Tests never skip because a server is missing: they fail, and the message says how to install it.
package servers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The environment that chooses the servers.
const (
	EnvPostgres = "TEST_DATABASE_URL" // URL of a PostgreSQL whose user may create databases
	EnvRedis    = "TEST_REDIS_URL"    // URL of a Redis that has empty databases besides database 0
	// EnvPostgresBin is the folder with initdb and postgres, to test another version than the one that is found first.
	EnvPostgresBin = "TEST_POSTGRES_BIN"
	// EnvNewestBin is the same for tests that run on the newest version as well.
	EnvNewestBin = "TEST_POSTGRES_NEWEST_BIN"
)

// Postgres returns the URL of a new, empty database. It is dropped when the test ends, even if connections are open.
func Postgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv(EnvPostgres)
	if server == "" {
		p, err := sharedPostgres()
		if err != nil {
			t.Fatalf("no PostgreSQL for the tests: %v", err)
		}
		server = p.URL
	}
	name, target, err := createDatabase(t.Context(), server, "")
	if err != nil {
		t.Fatalf("create a database for the test: %v", err)
	}
	t.Cleanup(func() {
		if err := dropDatabase(server, name); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return target
}

// Main runs a package's tests and then stops the shared servers: func TestMain(m *testing.M) { servers.Main(m) }.
func Main(m *testing.M) {
	code := m.Run()
	StopShared()
	os.Exit(code)
}

// StopShared ends the shared servers that this process has started. It is for a TestMain that does more than Main.
func StopShared() {
	postgresShared.Lock()
	defer postgresShared.Unlock()
	redisShared.Lock()
	defer redisShared.Unlock()
	if postgresShared.server != nil {
		postgresShared.server.destroy()
	}
	if redisShared.server != nil {
		redisShared.server.destroy()
	}
	postgresShared.server, redisShared.server = nil, nil
	removeBase()
}

// The shared servers that this process has started.
var (
	postgresShared struct {
		sync.Mutex
		server *PostgresServer
	}
	redisShared struct {
		sync.Mutex
		server *RedisServer
	}
)

func sharedPostgres() (*PostgresServer, error) {
	postgresShared.Lock()
	defer postgresShared.Unlock()
	if postgresShared.server == nil {
		bin, err := findPostgres()
		if err != nil {
			return nil, err
		}
		p, err := newPostgres(bin, []string{"max_connections=300"})
		if err != nil {
			return nil, err
		}
		postgresShared.server = p
	}
	return postgresShared.server, nil
}

func sharedRedis() (*RedisServer, error) {
	redisShared.Lock()
	defer redisShared.Unlock()
	if redisShared.server == nil {
		r, err := newRedis([]string{"--databases", "4096"})
		if err != nil {
			return nil, err
		}
		redisShared.server = r
	}
	return redisShared.server, nil
}

// Environment starts the shared servers, in parallel, unless the environment already names servers. It returns the
// variables that other processes need to use them. StopShared ends them.
func Environment() ([]string, error) {
	var (
		wg       sync.WaitGroup
		env      [3]string
		pgErr    error
		redisErr error
	)
	if os.Getenv(EnvPostgres) == "" {
		wg.Go(func() {
			p, err := sharedPostgres()
			if err != nil {
				pgErr = fmt.Errorf("PostgreSQL: %w", err)
				return
			}
			env[0] = EnvPostgres + "=" + p.URL
			env[1] = envTemplate + "=" + p.template
		})
	}
	if os.Getenv(EnvRedis) == "" {
		wg.Go(func() {
			r, err := sharedRedis()
			if err != nil {
				redisErr = fmt.Errorf("redis: %w", err)
				return
			}
			env[2] = EnvRedis + "=" + r.URL
		})
	}
	wg.Wait()
	var set []string
	for _, e := range env {
		if e != "" {
			set = append(set, e)
		}
	}
	return set, errors.Join(pgErr, redisErr)
}

// createDatabase creates an empty database on the server and returns its name and URL. encoding is empty for the
// server's own.
func createDatabase(ctx context.Context, server, encoding string) (name, target string, err error) {
	u, err := url.Parse(server)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return "", "", errors.New(EnvPostgres + " must be a URL like postgres://user:password@host:5432/postgres")
	}
	name = "windlass_test_" + strings.ToLower(rand.Text()[:12])
	create := "CREATE DATABASE " + name + " TEMPLATE template0"
	if encoding != "" {
		create += " LOCALE 'C' ENCODING '" + encoding + "'" // no other locale goes with every encoding
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return "", "", fmt.Errorf("connect: %w", err)
	}
	defer closeConn(conn)
	for {
		// A database can be copied only while it has no connections, and template0 never has any.
		_, err = conn.Exec(ctx, create)
		if !busy(err) {
			break
		}
		time.Sleep(50 * time.Millisecond) // another process is copying it
	}
	if err != nil {
		return "", "", err
	}
	u.Path = "/" + name
	return name, u.String(), nil
}

// dropDatabase drops a test's database and closes the connections that still use it.
func dropDatabase(server, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer closeConn(conn)
	_, err = conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	return err
}

// busy reports that PostgreSQL refused because another process is using the template.
func busy(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55006"
}

func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
