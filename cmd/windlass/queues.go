package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newQueues(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "queues",
		Short: "List queues and how full they are",
		Long: `List the queues that have jobs which are not over. OLDEST is how long the job that has
been due longest is waiting.`,
		Example: `  windlass queues`,
		Args:    arguments(0, 0),
		RunE: func(command *cobra.Command, _ []string) error {
			api, err := sh.api()
			if err != nil {
				return err
			}
			queues, err := api.Queues(command.Context())
			switch {
			case err != nil:
				return err
			case sh.json:
				return sh.printAnswer()
			case len(queues) == 0:
				sh.note("No queue has a job that is not over.")
				return nil
			}
			rows := sh.newTable("QUEUE", ">DUE", ">LATER", ">RUNNING", ">OLDEST")
			for _, q := range queues {
				rows.row(q.Name, fmt.Sprint(q.Due), fmt.Sprint(q.Later), fmt.Sprint(q.Processing), waited(q.OldestDue))
			}
			return rows.flush()
		},
	}
}

// waited is how long a job waits; empty for none.
func waited(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return span(d)
}
