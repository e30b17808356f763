package main

import (
	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/services/migratecmd"
)

func newMigrate(sh *shell) *cobra.Command {
	migrate := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the PostgreSQL database up to date, or see what is pending",
		Long: `Bring the PostgreSQL database up to date, or see what is pending. The database is that of DATABASE_URL, the
schema that of DATABASE_SCHEMA (windlass). The processes do this when they start, unless AUTO_MIGRATE=false.`,
		Args: arguments(0, 0),
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	for _, c := range []struct{ name, short string }{
		{"up", "Apply the migrations that are pending"},
		{"status", "List the migrations; exit code 1 where some are pending"},
		{"sql", "Print the statements that up would run, and run none"},
	} {
		migrate.AddCommand(&cobra.Command{
			Use: c.name, Short: c.short, Example: "  windlass migrate " + c.name, Args: arguments(0, 0),
			RunE: func(*cobra.Command, []string) error { return exit(migratecmd.Main([]string{c.name}, sh.json)) },
		})
	}
	return migrate
}
