package postgres

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// migrationTable notes which migrations were applied. The name leaves goose's own to whoever else uses it in the same
	// database.
	migrationTable = "windlass_migrations"
	// migrationLock is the key of the advisory lock around all migrations.
	migrationLock = 0x77696e646c617373 // "windlass"
)

// Migrate brings the tables up to what this binary needs. Any number of processes may call it at once: one does the work,
// the others wait for it, as long as ctx lets them. A database that a newer binary has migrated already is left alone. It
// fails with ErrUnavailable where the server is not there: call it again later.
func (s *Store) Migrate(ctx context.Context) error {
	s.migrating.Lock()
	defer s.migrating.Unlock()
	config := s.maintenance.Config().ConnConfig
	if config.ConnectTimeout <= 0 {
		config.ConnectTimeout = connectWithin
	}
	// A migration may take longer than any call, so none of the calls' settings apply. Nothing is prepared: it would not
	// survive a pooler.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	db := stdlib.OpenDB(*config)
	defer db.Close()
	db.SetMaxOpenConns(2) // one holds the lock, one works

	err := locked(ctx, db, func() error { return s.applyMigrations(ctx, db) })
	if err == nil {
		return nil
	}
	// Each migration is a transaction, so calling again is always right: nothing is said to be unknown.
	return classify("migrate", err, true, false)
}

// locked calls f while it holds the lock. The lock belongs to a transaction, not to a session: so it works through a
// pooler, and when this process dies, the server takes it back. Those who wait ask again and again instead of queueing,
// for each waiter would occupy a connection, and a pooler may have none left then for the one who has the lock.
func locked(ctx context.Context, db *sql.DB, f func() error) error {
	for {
		got, err := tryLocked(ctx, db, f)
		if got || err != nil {
			return err
		}
		select {
		case <-time.After(50*time.Millisecond + rand.N(100*time.Millisecond)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func tryLocked(ctx context.Context, db *sql.DB, f func() error) (got bool, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() // releases the lock; there is nothing to undo
	// A limit that comes with the role or the database would end the transaction while f works elsewhere.
	err = tx.QueryRowContext(ctx, `SELECT pg_try_advisory_xact_lock($1)
		FROM (SELECT set_config('idle_in_transaction_session_timeout', '0', true)) AS settings`, int64(migrationLock)).Scan(&got)
	if err != nil || !got {
		return false, err
	}
	return true, f()
}

func (s *Store) applyMigrations(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(migrationTable), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	results, err := provider.Up(ctx)
	for _, r := range results {
		s.log.Info("database migrated", "migration", r.Source.Path, "duration_ms", r.Duration.Round(time.Millisecond).Milliseconds())
	}
	if err != nil {
		return fmt.Errorf("apply migrations: %w", err)
	}
	return nil
}
