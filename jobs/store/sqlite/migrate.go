package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// See store.ReadMigrations for the names of the files.
//
//go:embed migrations/*.sql
var files embed.FS

// migrations are the files in the order of their versions.
var migrations = store.ReadMigrations(files)

// step is one transaction of a migration.
type step struct {
	name string
	sql  string
}

// The application may keep tables in the same file, so the table of versions has a name that hardly anybody else uses.
const (
	tablesThere = `SELECT name FROM sqlite_schema WHERE type = 'table'
		AND name IN ('windlass_schema_version', 'goose_db_version', 'jobs', 'totals', 'completions')`

	appliedVersions = `SELECT version, name, applied_at FROM windlass_schema_version ORDER BY version`

	makeVersionTable = `CREATE TABLE windlass_schema_version (
    version    INTEGER NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;
`

	// adopt takes over a file in which goose has counted the migrations.
	adopt = `ALTER TABLE completions RENAME TO completed_counts;
DROP TABLE goose_db_version;
`
)

// recorded is the statement that notes a migration. Times are microseconds since 1970, as everywhere.
func recorded(m store.Migration) string {
	return fmt.Sprintf("INSERT INTO windlass_schema_version (version, name, applied_at)\n"+
		"    VALUES (%d, '%s', unixepoch() * 1000000);\n", m.Version, m.Name)
}

// plan reads the state of the schema and returns what has to be done, in order.
func plan(q query) (steps []step, state store.Migrations, err error) {
	tables, err := all(q, scanText, tablesThere)
	if err != nil {
		return nil, state, err
	}
	switch {
	case slices.Contains(tables, "windlass_schema_version"):
		state.Applied, err = all(q, func(row *sql.Rows) (m store.Migration, err error) {
			var at int64
			err = row.Scan(&m.Version, &m.Name, &at)
			m.AppliedAt = timeOf(at)
			return m, err
		}, appliedVersions)
		if err != nil {
			return nil, state, err
		}
	case len(tables) == 4: // all but windlass_schema_version
		first := migrations[0].Migration
		state.Applied = []store.Migration{first}
		steps = append(steps, step{"take over the tables of an older version", makeVersionTable + adopt + recorded(first)})
	default:
		steps = append(steps, step{"create the table of versions", makeVersionTable})
	}
	state.Newest = migrations[len(migrations)-1].Version
	for _, m := range migrations {
		if slices.ContainsFunc(state.Applied, func(a store.Migration) bool { return a.Version == m.Version }) {
			continue
		}
		state.Pending = append(state.Pending, m.Migration)
		steps = append(steps, step{m.Name, m.SQL + "\n" + recorded(m.Migration)})
	}
	return steps, state, nil
}

var _ store.Migrator = (*Store)(nil)

// Migrate implements store.Migrator. Only Open finds something to do, because it calls Migrate before anybody else has
// the Store, and the lock on the directory keeps other processes out.
func (s *Store) Migrate(ctx context.Context) error {
	var steps []step
	err := s.view(ctx, "migrate", func(q query) (err error) {
		steps, _, err = plan(q)
		return err
	})
	if err != nil || len(steps) == 0 {
		return err
	}
	if err := s.begin(ctx, "migrate"); err != nil {
		return err
	}
	defer func() { <-s.turn }()
	for _, step := range steps {
		if err := s.apply(ctx, step); err != nil {
			return fmt.Errorf("migrate: %s: %w", step.name, translate(err))
		}
	}
	return nil
}

func (s *Store) apply(ctx context.Context, step step) error {
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	if _, err := tx.ExecContext(ctx, step.sql); err != nil {
		return err
	}
	return tx.Commit()
}

// Status implements store.Migrator. Nothing is pending, because Open has migrated.
func (s *Store) Status(ctx context.Context) (state store.Migrations, err error) {
	err = s.view(ctx, "read the schema's version", func(q query) (err error) {
		_, state, err = plan(q)
		return err
	})
	return state, err
}

// SQL implements store.Migrator.
func (s *Store) SQL(ctx context.Context) (string, error) {
	var text strings.Builder
	err := s.view(ctx, "plan the migration", func(q query) error {
		steps, _, err := plan(q)
		for _, step := range steps {
			fmt.Fprintf(&text, "-- %s\nBEGIN;\n\n%s\nCOMMIT;\n\n", step.name, step.sql)
		}
		return err
	})
	return text.String(), err
}
