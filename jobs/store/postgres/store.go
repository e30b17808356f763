// Package postgres keeps jobs in PostgreSQL. It fulfils the contract of store.Store.
//
// Each method is one statement, or a few that are sent together: one round trip in the common case. The SQL stands
// beside the method that runs it. Every state change is a conditional update on the present status and, for a write of
// a worker, on the fence; the returned rows say who has won. Times are only compared with the clock of the server:
// callers pass durations.
//
// It needs PostgreSQL 14 or newer, and is tested with 15 and 18. All objects live in a schema of their own, which every
// statement names (see schema.go). What else could change the meaning of a statement is pinned (see settings.go), so
// settings of the server, the database and the role do not matter.
//
// PgBouncer in transaction mode works. Connections through a pooler send their settings with each transaction (see
// pooler.go), and do not prepare statements by name unless the URL sets default_query_exec_mode.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/windlass-jobs/windlass/internal/connstring"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// Options says where the database is and how to use it.
type Options struct {
	// URL is a connection string as libpq and pgx read it (postgres://… or key=value). It may also have parameters of
	// pgx, such as pool_max_conns (the size of the larger pool) and default_query_exec_mode. Settings that Windlass
	// pins have no effect there, such as search_path and statement_timeout; synchronous_commit has.
	URL string
	// Application is the application_name of the connections, shown in pg_stat_activity. Default: that of the URL, or
	// "windlass".
	Application string
	// Conns is the size of the pool for inserts, claims, outcomes and queries. Default: pool_max_conns of the URL, or
	// 6.
	Conns int
	// MaintenanceConns is the size of the pool for heartbeats and chores, which must not wait behind other work.
	// Default 2.
	MaintenanceConns int
	// Schema is the name of the schema that holds all objects. Migrate makes it where it is missing. Default
	// "windlass". Lower-case letters, digits and underscores, at most 63, not beginning with a digit or with pg_.
	// Several installations may share a database, each with its own schema.
	Schema string
	// Log gets warnings and migrations. Default slog.Default.
	Log *slog.Logger
}

const (
	defaultConns            = 6
	defaultMaintenanceConns = 2
)

// Store is a store.Store in PostgreSQL. It is safe for use by several goroutines, and many Stores may share a database.
type Store struct {
	work        *pool // inserts, claims, settles, and the reads of clients
	maintenance *pool // heartbeats and chores
	log         *slog.Logger
	schema      *schema

	migrating  sync.Mutex
	searchPath string // of the URL, separated by commas; only to find the tables of an older installation

	home        atomic.Pointer[database] // of this Store; nil until InsertTx or CompleteTx needs it
	opened      time.Time
	lockedUntil atomic.Int64                // claims use SKIP LOCKED until then; nanoseconds since opened
	walked      atomic.Pointer[store.Place] // where dueQueues goes on; nil or the zero Place: at the first queue
}

var _ store.Store = (*Store)(nil)

// Open prepares a Store. It does not connect, so it succeeds while the server is down. It fails where the options are
// invalid. Call Migrate first, and Close in the end.
func Open(_ context.Context, o Options) (*Store, error) {
	address, ignored, err := connstring.Postgres(o.URL)
	if err != nil {
		return nil, fmt.Errorf("the database URL %w", err)
	}
	o.URL = address
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, fmt.Errorf("the database URL: %s", withoutURL(err))
	}
	s := &Store{log: o.Log, opened: time.Now()}
	if s.schema, err = newSchema(cmp.Or(o.Schema, DefaultSchema)); err != nil {
		return nil, err
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if len(ignored) > 0 {
		s.log.Warn("parameters of the database URL that are for other programs are ignored", "names", ignored)
	}
	params := config.ConnConfig.RuntimeParams
	params["application_name"] = cmp.Or(o.Application, params["application_name"], "windlass")
	if !strings.Contains(o.URL, "connect_timeout") {
		config.ConnConfig.ConnectTimeout = connectWithin
	}
	if !strings.Contains(o.URL, "target_session_attrs") {
		config.ConnConfig.ValidateConnect = onPrimary
	}
	// Every statement names its schema. This path has no effect; see newPool.
	s.searchPath = params["search_path"]
	ownMode := strings.Contains(o.URL, "default_query_exec_mode")

	conns := o.Conns
	if conns <= 0 && strings.Contains(o.URL, "pool_max_conns") {
		conns = int(config.MaxConns)
	}
	if s.work, err = newPool(config.Copy(), s.schema, cmp.Or(max(conns, 0), defaultConns), ownMode); err != nil {
		return nil, err
	}
	chores := cmp.Or(max(o.MaintenanceConns, 0), defaultMaintenanceConns)
	if s.maintenance, err = newPool(config.Copy(), s.schema, chores, ownMode); err != nil {
		s.work.Close()
		return nil, err
	}
	return s, nil
}

// withoutURL is what pgx found wrong. It quotes the whole URL before that, and masks one of several kinds of passwords.
func withoutURL(err error) string {
	text := err.Error()
	return strings.TrimPrefix(text[strings.LastIndex(text, "`")+1:], ": ")
}

// Close closes all connections, after the calls that are running have returned.
func (s *Store) Close() {
	s.work.Close()
	s.maintenance.Close()
}

// readiness: our transactions ask to write, so only a standby keeps them from it.
const readiness = `SELECT pg_is_in_recovery(), coalesce((SELECT max(v.version)
	FROM windlass.schema_version v), 0)`

// Ping reports whether a job could be accepted now: the server answers and takes writes, and all migrations of this
// binary are applied. A schema that a newer binary has migrated is fine. The error is jobs.ErrUnavailable and says what
// is missing.
func (s *Store) Ping(ctx context.Context) error {
	var standby bool
	var version int64
	err := s.maintenance.read(ctx, "ping", statement{readiness, nil, one(&standby, &version)})
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused) && refused.Code == "42P01":
		return fmt.Errorf("ping: the schema %q has no tables yet, it needs a migration: %w: %w", s.schema.name,
			jobs.ErrUnavailable, err)
	case err != nil:
		return err
	case standby: // of a URL that accepts any server
		s.maintenance.Reset()
		return fmt.Errorf("ping: %w: %w", jobs.ErrUnavailable, errStandby)
	case version < newest:
		return fmt.Errorf("ping: the schema %q is at version %d and needs a migration to %d: %w", s.schema.name,
			version, newest, jobs.ErrUnavailable)
	}
	return nil
}

// errNoRow: a statement that always returns a row has returned none.
var errNoRow = errors.New("the server answered without a row")

// one scans the single row of a statement.
func one(dest ...any) func(results) error {
	return func(rows results) error {
		if !rows.Next() {
			return cmp.Or(rows.Err(), errNoRow)
		}
		return rows.Scan(dest...)
	}
}

// each calls scan for every row.
func each(scan func(results) error) func(results) error {
	return func(rows results) error {
		for rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}

// micros is how durations are sent: whole microseconds, never negative.
func micros(d time.Duration) int64 { return max(d, 0).Microseconds() }
