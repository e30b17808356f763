package main

import (
	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/services/worker/workercmd"
)

func newWorker(*shell) *cobra.Command {
	return &cobra.Command{
		Use:   "worker [healthcheck]",
		Short: "Run jobs of the built-in types, on PostgreSQL and Redis",
		Long: `Run jobs of the types in the folder handlers, WORKER_CONCURRENCY (5) at once, on the database of DATABASE_URL
and the Redis of REDIS_URL. For job types of your own, import the package windlass in a program of yours.

healthcheck asks the one that runs with these settings whether it is ready. The settings are environment variables; see
docs/operations.md.`,
		Example:   `  windlass worker`,
		Args:      oneOf("healthcheck"),
		ValidArgs: []string{"healthcheck"},
		RunE:      func(_ *cobra.Command, args []string) error { return exit(workercmd.Main(args)) },
	}
}
