package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newTypes(sh *shell) *cobra.Command {
	command := &cobra.Command{
		Use:   "types",
		Short: "List the job types that can be submitted",
		Long: `List the job types that can be submitted, with a payload as an example. With --json also
the schemas of the payloads.`,
		Example: `  windlass types`,
		Args:    arguments(0, 0),
		RunE: func(command *cobra.Command, _ []string) error {
			api, err := sh.api()
			if err != nil {
				return err
			}
			types, err := api.Types(command.Context())
			switch {
			case err != nil:
				return err
			case sh.json:
				return sh.printAnswer()
			case len(types) == 0:
				sh.note("No job type is known yet: a worker announces its types when it starts.")
				return nil
			}
			rows := sh.newTable("TYPE", "QUEUE", ">ATTEMPTS", ">TIMEOUT", "DESCRIPTION", "EXAMPLE")
			for _, t := range types {
				rows.row(t.Name, t.Queue, fmt.Sprint(t.MaxAttempts), span(t.Timeout),
					sh.cut(t.Description, 40), sh.cut(string(t.Example), 60))
			}
			return rows.flush()
		},
	}
	sh.wideFlag(command)
	return command
}
