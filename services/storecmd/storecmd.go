// Package storecmd looks at a store from the command line, and moves what is in it to another one. The commands
// `windlass doctor`, `windlass export` and `windlass import` call it.
package storecmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/postgres"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
	"github.com/windlass-jobs/windlass/services/internal/settings"
)

// SettingsError says which settings are wrong. It quotes no secret.
type SettingsError struct{ Err error }

func (e *SettingsError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *SettingsError) Unwrap() error { return e.Err }

// opened is a store, and what the settings say of it.
type opened struct {
	store interface {
		store.Store
		store.Auditor
		store.Transfer
		store.Migrator
		store.Transactional
		store.Access
		Ping(ctx context.Context) error
	}
	driver string // postgresql or sqlite
	name   string // for people
	config settings.Config
	close  func()
}

// The settings that are read here. Those of Redis matter to the doctor alone.
var read = []string{
	"DATABASE_URL", "DATABASE_SCHEMA", "AUTO_MIGRATE", "REDIS_URL", "REDIS_PREFIX", "REDIS_CA_FILE",
	"REDIS_CERT_FILE", "REDIS_KEY_FILE", "DATA_DIR", "DATABASE_URL_FILE", "REDIS_URL_FILE",
}

// open opens the store that the environment names: PostgreSQL where DATABASE_URL is set, else SQLite in DATA_DIR. make:
// a SQLite database that is not there is made.
func open(ctx context.Context, getenv func(string) string, make bool) (*opened, error) {
	postgresql := getenv("DATABASE_URL")+getenv("DATABASE_URL_FILE") != ""
	if postgresql && getenv("DATA_DIR") != "" {
		return nil, &SettingsError{errors.New("DATABASE_URL and DATA_DIR are both set: unset the one that is not meant")}
	}
	var environ []string
	for _, name := range read {
		environ = append(environ, name+"="+getenv(name))
	}
	if !postgresql {
		return openSQLite(ctx, environ, make)
	}
	if getenv("REDIS_URL")+getenv("REDIS_URL_FILE") == "" {
		// An api needs it, these commands do not. Who reads it looks into the environment first.
		environ = append(environ, "REDIS_URL=redis://localhost:6379/0")
	}
	config, err := settings.Load(settings.API, environ)
	if err != nil {
		return nil, &SettingsError{err}
	}
	s, err := postgres.Open(ctx, postgres.Options{
		URL: config.DatabaseURL, Schema: config.DatabaseSchema, Application: "windlass", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, &SettingsError{err}
	}
	return &opened{s, "postgresql", "PostgreSQL, schema " + config.DatabaseSchema, config, s.Close}, nil
}

func openSQLite(ctx context.Context, environ []string, make bool) (*opened, error) {
	config, err := settings.Load(settings.Embedded, environ)
	if err != nil {
		return nil, &SettingsError{err}
	}
	file := filepath.Join(config.DataDir, "windlass.db")
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) && !make {
		return nil, &SettingsError{fmt.Errorf("there is no database %s: set DATA_DIR to the folder of a SQLite database, "+
			"or DATABASE_URL to a PostgreSQL one", file)}
	}
	s, err := sqlite.Open(ctx, sqlite.Options{Dir: config.DataDir})
	if err != nil {
		// In most cases the process that uses it still runs. A second one would break its promises.
		return nil, fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
	}
	return &opened{s, "sqlite", "SQLite in " + config.DataDir, config, func() { _ = s.Close() }}, nil
}
