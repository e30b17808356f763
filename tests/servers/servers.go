// Package servers gives tests real PostgreSQL and Redis servers.
//
// Most tests want an empty database on a server that all tests share: [Postgres] and [Redis]. That server is the one that
// TEST_DATABASE_URL or TEST_REDIS_URL names, or else a throw-away one that the first caller of a process starts. Tests that
// stop, kill or freeze a server start one of their own: [StartPostgres] and [StartRedis].
//
// Nothing is left behind, whatever becomes of the test process: a guard process (see guard.go) ends its servers and
// removes their files as soon as it is gone. No TestMain is needed; [Main] only makes the end a little quicker and calmer.
//
// Tests never skip for want of a server: they fail and say how to install it.
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
	EnvRedis    = "TEST_REDIS_URL"    // URL of a Redis with some empty databases besides database 0
	// EnvPostgresBin is the folder with initdb and postgres, for tests with another version than the one found first.
	EnvPostgresBin = "TEST_POSTGRES_BIN"
)

// Postgres returns the URL of a fresh, empty database that is dropped when the test ends, connections or not.
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
	name, target, err := createDatabase(t.Context(), server)
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

// StopShared ends the servers that this process has started for all of its tests, for a TestMain that does more than Main.
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

// The servers that this process has started for all of its tests.
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
		p, err := newPostgres([]string{"max_connections=300"})
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

// Environment starts the shared servers that the environment does not name already, both at once, and returns the
// variables that tell other processes of them. StopShared ends them.
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

// createDatabase makes an empty database on the server and returns its name and URL.
func createDatabase(ctx context.Context, server string) (name, target string, err error) {
	u, err := url.Parse(server)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return "", "", errors.New(EnvPostgres + " must be a URL like postgres://user:password@host:5432/postgres")
	}
	name = "windlass_test_" + strings.ToLower(rand.Text()[:12])
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return "", "", fmt.Errorf("connect: %w", err)
	}
	defer closeConn(conn)
	for {
		// template0 never has connections, which would be in the way of a copy.
		_, err = conn.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE template0")
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

// dropDatabase removes a test's database and cuts off whoever still uses it.
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

// busy tells that PostgreSQL refused because somebody else is using the template.
func busy(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55006"
}

func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
