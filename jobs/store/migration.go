package store

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// Migrator is a Store that can look at its schema and bring it up to date. Migrations only go forward, each is one
// transaction, and their versions are 1, 2, 3 and so on.
type Migrator interface {
	// Migrate applies the pending migrations. Any number of processes may call it at once: each migration is applied
	// once. It changes nothing, and takes no lock, where none is pending; a schema that a newer binary has migrated is
	// left as it is. jobs.ErrUnavailable: the server is not there, call it again later. Any other error stays until
	// somebody changes something.
	Migrate(ctx context.Context) error

	// Status tells which migrations are applied and which are pending. It changes nothing. jobs.ErrUnavailable.
	Status(ctx context.Context) (Migrations, error)

	// SQL returns the statements that Migrate would run now, and runs none of them. It is empty where nothing is
	// pending.
	SQL(ctx context.Context) (string, error)
}

// Migration is one version of the schema.
type Migration struct {
	Version   int64
	Name      string    // of its file, without the ending
	AppliedAt time.Time // zero: pending
}

// MigrationFile is a migration of this binary.
type MigrationFile struct {
	Migration
	SQL string
}

// ReadMigrations reads the folder "migrations" of a driver's embedded files. They are named VERSION_NAME.sql, with
// versions of four digits, from 1 without a gap. It panics where one is not: a driver calls it when the program starts.
func ReadMigrations(files fs.FS) []MigrationFile {
	entries, err := fs.ReadDir(files, "migrations")
	if err != nil {
		panic(err)
	}
	list := make([]MigrationFile, len(entries))
	for i, e := range entries {
		text, err := fs.ReadFile(files, "migrations/"+e.Name())
		name := strings.TrimSuffix(e.Name(), ".sql")
		if err != nil || !strings.HasPrefix(name, fmt.Sprintf("%04d_", i+1)) {
			panic(fmt.Sprintf("migration %s: the name does not begin with %04d_ (%v)", e.Name(), i+1, err))
		}
		list[i] = MigrationFile{Migration{Version: int64(i + 1), Name: name}, string(text)}
	}
	return list
}

// Migrations is the state of a schema.
type Migrations struct {
	Applied []Migration // by version; those of a newer binary are among them
	Pending []Migration // by version
	Newest  int64       // the newest version that this binary knows
}
