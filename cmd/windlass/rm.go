package main

import (
	"context"
	"math"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/httpclient"
	"github.com/windlass-jobs/windlass/jobs"
)

func newRm(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "rm ID... | -",
		Short: "Delete jobs that are over",
		Long: `Delete completed, dead and cancelled jobs, and their history. This cannot be undone.
With - the ids come from the standard input. With --json nothing is printed.`,
		Example: `  windlass rm 01931b2c-5f3e-7a41-9d0c-3f1d2b6a7c55`,
		Args:    arguments(1, math.MaxInt),
		RunE: func(command *cobra.Command, args []string) error {
			remove := func(api *httpclient.Client, ctx context.Context, id string) (jobs.Job, error) {
				return jobs.Job{}, api.Delete(ctx, id)
			}
			return sh.each(command.Context(), args, remove)
		},
	}
}
