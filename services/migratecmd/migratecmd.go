// Package migratecmd looks after the schema of a PostgreSQL database from the command line. The commands `windlass
// migrate` and `api migrate` call it.
package migratecmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/postgres"
	"github.com/windlass-jobs/windlass/services/internal/settings"
)

// The exit codes, which are those of the command line.
const (
	exitDone        = 0
	exitRefused     = 1 // the database refuses the migration; or, of status: migrations are pending
	exitUsage       = 2 // the command line or a setting is wrong
	exitUnavailable = 3 // the database cannot be reached now
)

// Main does what args say with the database that DATABASE_URL and DATABASE_SCHEMA name:
//
//	up        applies the migrations that are pending
//	status    lists the migrations; exit code 1 where some are pending
//	sql       prints the statements that up would run, and runs none
//
// asJSON: status prints JSON. It returns the exit code.
func Main(args []string, asJSON bool) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Environ(), args, asJSON, os.Stdout, os.Stderr)
}

const usage = "usage: migrate up | status | sql\n\n" +
	"The database is that of DATABASE_URL, the schema that of DATABASE_SCHEMA."

func run(ctx context.Context, environ, args []string, asJSON bool, out, faults io.Writer) int {
	if len(args) != 1 || args[0] != "up" && args[0] != "status" && args[0] != "sql" {
		fmt.Fprintln(faults, usage)
		return exitUsage
	}
	config, err := settings.Load(settings.Migrate, environ)
	if err != nil {
		fmt.Fprintf(faults, "migrate: the settings are wrong:\n%v\n", err)
		return exitUsage
	}
	s, err := postgres.Open(ctx, postgres.Options{
		URL: config.DatabaseURL, Schema: config.DatabaseSchema, Application: "windlass-migrate",
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Fprintln(faults, "migrate:", err)
		return exitUsage
	}
	defer s.Close()
	code := exitDone
	switch args[0] {
	case "up":
		err = up(ctx, s, config.DatabaseSchema, out)
	case "status":
		code, err = status(ctx, s, config.DatabaseSchema, asJSON, out)
	case "sql":
		var statements string
		if statements, err = s.SQL(ctx); err == nil {
			_, err = io.WriteString(out, statements)
		}
	}
	switch {
	case err == nil:
		return code
	case errors.Is(err, jobs.ErrUnavailable):
		fmt.Fprintln(faults, err)
		return exitUnavailable
	default:
		fmt.Fprintln(faults, err)
		return exitRefused
	}
}

// up migrates, and lists what that has changed.
func up(ctx context.Context, s store.Migrator, schema string, out io.Writer) error {
	before, err := s.Status(ctx)
	if err != nil {
		return err
	}
	if err := s.Migrate(ctx); err != nil {
		return err
	}
	for _, m := range before.Pending {
		fmt.Fprintf(out, "applied %s\n", m.Name)
	}
	_, err = fmt.Fprintf(out, "the schema %s is up to date, at version %d\n", schema, version(before))
	return err
}

// version is that of the schema when all of its migrations are applied; a newer program may have applied more than we
// know.
func version(m store.Migrations) int64 {
	newest := m.Newest
	for _, applied := range m.Applied {
		newest = max(newest, applied.Version)
	}
	return newest
}

// status lists the migrations.
func status(ctx context.Context, s store.Migrator, schema string, asJSON bool, out io.Writer) (code int, err error) {
	m, err := s.Status(ctx)
	if err != nil {
		return exitDone, err
	}
	if len(m.Pending) > 0 {
		code = exitRefused
	}
	type row struct {
		Version   int64      `json:"version"`
		Name      string     `json:"name"`
		AppliedAt *time.Time `json:"applied_at"` // null: pending
	}
	rows := []row{}
	for _, a := range m.Applied {
		rows = append(rows, row{a.Version, a.Name, &a.AppliedAt})
	}
	for _, p := range m.Pending {
		rows = append(rows, row{p.Version, p.Name, nil})
	}
	if asJSON {
		return code, json.NewEncoder(out).Encode(map[string]any{"schema": schema, "pending": len(m.Pending),
			"migrations": rows})
	}
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "VERSION\tNAME\tAPPLIED")
	for _, r := range rows {
		applied := "pending"
		if r.AppliedAt != nil {
			applied = r.AppliedAt.Local().Format(time.DateTime)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\n", r.Version, r.Name, applied)
	}
	return code, table.Flush()
}
