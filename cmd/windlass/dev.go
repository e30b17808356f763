package main

import (
	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/services/embedded/embeddedcmd"
)

func newDev(*shell) *cobra.Command {
	return &cobra.Command{
		Use:   "dev [healthcheck]",
		Short: "Run everything in one process, on SQLite: API, pages and worker",
		Long: `Run everything in one process, on SQLite in DATA_DIR (./data): the API on PORT (8000), the pages on
WEB_PORT (3000), and a worker. It needs no server. The first Ctrl-C lets running jobs end, the second one ends
the process at once.

healthcheck asks the one that runs with these settings whether it is ready. The settings are environment variables; see
docs/operations.md.`,
		Example:   `  windlass dev`,
		Args:      oneOf("healthcheck"),
		ValidArgs: []string{"healthcheck"},
		RunE:      func(_ *cobra.Command, args []string) error { return exit(embeddedcmd.Main(args)) },
	}
}

// oneOf accepts nothing, or one of some words.
func oneOf(words ...string) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		if err := arguments(0, 1)(command, args); err != nil {
			return err
		}
		for _, word := range words {
			if len(args) == 0 || args[0] == word {
				return nil
			}
		}
		return usageError("unknown argument " + args[0] + "; it goes like this: " + command.UseLine())
	}
}

// exit is the error for the exit code of a process that has said everything itself.
func exit(code int) error {
	if code == exitDone {
		return nil
	}
	return &exitError{code: code}
}
