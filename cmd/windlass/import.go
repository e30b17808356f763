package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/services/storecmd"
)

// transfer is storecmd.Export or storecmd.Import.
type transfer func(context.Context, storecmd.Options) (*storecmd.Moved, error)

func newImport(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE | -",
		Short: "Read jobs from a file of windlass export into this database",
		Long: `Store what windlass export has written, with ids and history. Nothing is ever overwritten: a job that is there already and
is the same is passed over, one that differs ends the import. So an import that was interrupted can be repeated. Jobs that
were running are taken back from their worker by the maintenance, and run again.

` + ofStore + ` Tables that are missing are made.`,
		Example: `  DATABASE_URL=postgres://… windlass import jobs.jsonl.gz`,
		Args:    arguments(1, 1),
		RunE: func(command *cobra.Command, args []string) error {
			return sh.move(command, storecmd.Import, args[0])
		},
	}
}
