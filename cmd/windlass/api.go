package main

import (
	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/services/api/apicmd"
)

func newAPI(*shell) *cobra.Command {
	return &cobra.Command{
		Use:   "api [openapi | healthcheck]",
		Short: "Serve the API, on PostgreSQL and Redis",
		Long: `Serve the API on PORT (8000), on the database of DATABASE_URL and the Redis of REDIS_URL. It runs no jobs.

openapi prints the OpenAPI document; healthcheck asks the one that runs with these settings whether it is ready. The
settings are environment variables; see docs/operations.md.`,
		Example:   `  windlass api`,
		Args:      oneOf("openapi", "healthcheck"),
		ValidArgs: []string{"openapi", "healthcheck"},
		RunE:      func(_ *cobra.Command, args []string) error { return exit(apicmd.Main(args)) },
	}
}
