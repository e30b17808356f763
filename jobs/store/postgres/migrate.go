package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// See store.ReadMigrations for the names of the files. They name the schema "windlass"; another name is
// put in its place.
//
//go:embed migrations/*.sql
var files embed.FS

// migrations are the files in the order of their versions.
var migrations = store.ReadMigrations(files)

// newest is the version of the last one.
var newest = migrations[len(migrations)-1].Version

// migrationLock is the key of the advisory lock that each migration takes.
const migrationLock = 0x77696e646c617373 // "windlass"

// MigrationError is the error of a migration that cannot succeed until somebody changes something: a right is missing,
// or the schema holds other objects. It does not wrap jobs.ErrUnavailable: the same call fails again.
type MigrationError struct {
	Migration string // the name of the migration that failed; empty where the schema could not even be read
	WayOut    string // what to do about it, in a sentence
	Err       error  // what the server said
}

// Error tells what failed, why, and the way out.
func (e *MigrationError) Error() string {
	what := "migrate"
	if e.Migration != "" {
		what += " to " + e.Migration
	}
	return fmt.Sprintf("%s: %v. %s", what, e.Err, e.WayOut)
}

// Unwrap returns what the server said.
func (e *MigrationError) Unwrap() error { return e.Err }

// Permanent returns true: the same call fails again.
func (e *MigrationError) Permanent() bool { return true }

var _ store.Migrator = (*Store)(nil)

// Migrate applies the pending migrations; see store.Migrator. An error that is not jobs.ErrUnavailable is a
// *MigrationError.
//
// It uses the pool for chores. Each migration is a transaction that first takes an advisory lock,
// which ends with the transaction. So one server connection is enough behind PgBouncer in transaction mode, and a
// process that dies leaves no lock. Whoever has waited for the lock reads again what is pending.
func (s *Store) Migrate(ctx context.Context) error {
	s.migrating.Lock()
	defer s.migrating.Unlock()
	for {
		steps, _, err := s.look(ctx, "migrate")
		if err != nil || len(steps) == 0 {
			return err
		}
		begun := time.Now()
		step, err := s.applyFirst(ctx)
		if err != nil {
			return err
		}
		if step.name != "" {
			s.log.Info("database migrated", "schema", s.schema.name, "migration", step.name, "duration_ms",
				time.Since(begun).Milliseconds())
		}
	}
}

// Status tells which migrations are applied and which are pending.
func (s *Store) Status(ctx context.Context) (store.Migrations, error) {
	_, status, err := s.look(ctx, "read the schema's version")
	return status, err
}

// SQL returns the statements that Migrate would run now.
func (s *Store) SQL(ctx context.Context) (string, error) {
	var text strings.Builder
	steps, _, err := s.look(ctx, "plan the migration")
	for _, step := range steps {
		fmt.Fprintf(&text, "-- %s\nBEGIN;\n\n%s\nCOMMIT;\n\n", step.name, step.sql)
	}
	return text.String(), err
}

// look is plan in a transaction of its own.
func (s *Store) look(ctx context.Context, what string) (steps []step, state store.Migrations, err error) {
	reading := pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadOnly}
	began, err := s.maintenance.transaction(ctx, reading, "", func(tx pgx.Tx) (err error) {
		steps, state, err = s.plan(ctx, tx)
		return err
	})
	return steps, state, s.explained(what, "", began, err)
}

// step is one transaction of a migration.
type step struct {
	name string
	sql  string
}

const (
	tableThere = `SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = $1::text
		AND tablename = 'schema_version'),
		EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1::text)`

	appliedVersions = `SELECT version, name, applied_at FROM windlass.schema_version ORDER BY version`

	makeVersionTable = `CREATE TABLE windlass.schema_version (
    version    bigint      NOT NULL PRIMARY KEY,
    name       text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
`
)

// plan reads the state of the schema and returns the pending steps, in order.
func (s *Store) plan(ctx context.Context, q pgx.Tx) ([]step, store.Migrations, error) {
	var state store.Migrations
	var hasTable, hasSchema bool
	if err := q.QueryRow(ctx, tableThere, s.schema.name).Scan(&hasTable, &hasSchema); err != nil {
		return nil, state, err
	}
	var steps []step
	if hasTable {
		rows, _ := q.Query(ctx, s.schema.rewrite(appliedVersions)) // its error is in rows too
		applied, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m store.Migration, err error) {
			err = row.Scan(&m.Version, &m.Name, &m.AppliedAt)
			m.AppliedAt = m.AppliedAt.UTC()
			return m, err
		})
		if err != nil {
			return nil, state, err
		}
		state.Applied = applied
	} else {
		first, adopted, err := s.begin(ctx, q, hasSchema)
		if err != nil {
			return nil, state, err
		}
		steps, state.Applied = append(steps, first), adopted
	}
	state.Newest = newest
	for _, m := range migrations {
		if slices.ContainsFunc(state.Applied, func(a store.Migration) bool { return a.Version == m.Version }) {
			continue
		}
		state.Pending = append(state.Pending, m.Migration)
		steps = append(steps, step{m.Name, s.schema.rewrite(m.SQL + recorded(m.Version, m.Name))})
	}
	return steps, state, nil
}

func recorded(version int64, name string) string {
	return fmt.Sprintf("\nINSERT INTO windlass.schema_version (version, name) VALUES (%d, '%s');\n", version, name)
}

// begin is the first step in a database. It makes the schema, if it is missing, and the table of versions. It moves the
// tables of an older installation there. A role often may not make a schema, but uses one that an administrator has
// made.
func (s *Store) begin(ctx context.Context, q pgx.Tx, hasSchema bool) (step, []store.Migration, error) {
	text := makeVersionTable
	if !hasSchema {
		text = "CREATE SCHEMA " + s.schema.quoted() + ";\n" + text
	}
	old, err := s.findOld(ctx, q)
	if err != nil || old == "" {
		return step{"create the schema " + s.schema.name, s.schema.rewrite(text)}, nil, err
	}
	moved := store.Migration{Version: 1, Name: "0001_jobs"}
	text += moveOld(old, s.schema.name) + recorded(moved.Version, moved.Name)
	return step{"move the tables from the schema " + old, s.schema.rewrite(text)}, []store.Migration{moved}, nil
}

// migrating removes the time limits for a transaction: a migration may take long.
const migrating = `SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true),
	set_config('idle_in_transaction_session_timeout', '0', true)`

// applyFirst applies the first pending step and returns it. The step is empty if another process has applied all.
func (s *Store) applyFirst(ctx context.Context) (first step, err error) {
	// Read committed: a stricter level would not see what another process has committed while this one waited for the
	// lock.
	writing := pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}
	began, err := s.maintenance.transaction(ctx, writing, migrating, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1::bigint)`, int64(migrationLock)); err != nil {
			return err
		}
		steps, _, err := s.plan(ctx, tx)
		if err != nil || len(steps) == 0 {
			return err
		}
		first = steps[0]
		// Without arguments pgx uses the simple protocol, which takes several statements at once.
		_, err = tx.Exec(ctx, first.sql)
		return err
	})
	return first, s.explained("migrate", first.name, began, err)
}

// parameterStates are the server's answers to a parameter of the URL: it does not know it, its value is wrong, or it
// cannot be set by a connection.
var parameterStates = []string{"42704", "22023", "55P02"}

// explained turns an error into a *MigrationError where the same call would fail again, and wraps all others in
// jobs.ErrUnavailable: a migration is a transaction and can be repeated, so no outcome is unknown. name is that of the
// migration, if there is one. began is false for an error of the connection, which fails again only where the URL is
// wrong.
func (s *Store) explained(what, name string, began bool, err error) error {
	if err == nil {
		return nil
	}
	unavailable := fmt.Errorf("%s: %w: %w", what, jobs.ErrUnavailable, err)
	var unfit *encodingError
	if errors.As(err, &unfit) {
		return &MigrationError{WayOut: encodingWayOut, Err: unfit}
	}
	refused, ok := refusedBy(err)
	if ok && !began && slices.Contains(parameterStates, refused.Code) {
		return &MigrationError{WayOut: "Take the parameter out of the database URL, or correct it.", Err: err}
	}
	if !began || !ok || len(refused.Code) < 2 {
		return unavailable
	}
	config := s.maintenance.Config().ConnConfig
	way := ""
	switch class := refused.Code[:2]; {
	case refused.Code == "42501":
		way = fmt.Sprintf(`The role %[1]q lacks the right: GRANT CREATE ON DATABASE %[2]q TO %[1]q if the schema `+
			`%[3]q is to be made, or run "windlass migrate up" as the owner of the schema; for a role that only `+
			`uses it, GRANT USAGE ON SCHEMA %[3]q and see `+
			`docs/operations.md.`, config.User, config.Database, s.schema.name)
	case refused.Code == "42P07" || refused.Code == "42710":
		way = fmt.Sprintf("The schema %q holds objects that are not of Windlass: choose another schema "+
			"(DATABASE_SCHEMA), or move them away.", s.schema.name)
	case class == "42" || class == "3F" || class == "0A" || class == "22" || class == "23" || class == "2B":
		way = fmt.Sprintf(`It will fail again: look at the schema %q; "windlass migrate sql" prints the statements.`,
			s.schema.name)
	default:
		return unavailable
	}
	return &MigrationError{Migration: name, WayOut: way, Err: err}
}
