package main

import (
	"math"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/httpclient"
)

func newCancel(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "cancel ID... | -",
		Short: "Cancel jobs that are not over",
		Long: `Cancel jobs that are not over. One that is running is asked to stop: its state is
cancelling until its handler returns. With - the ids come from the standard input.`,
		Example: `  windlass cancel 01931b2c-5f3e-7a41-9d0c-3f1d2b6a7c55`,
		Args:    arguments(1, math.MaxInt),
		RunE: func(command *cobra.Command, args []string) error {
			return sh.each(command.Context(), args, (*httpclient.Client).Cancel)
		},
	}
}
