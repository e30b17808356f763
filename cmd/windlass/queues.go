package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/jobs/store"
)

func newQueues(sh *shell) *cobra.Command {
	var q store.QueueQuery
	command := &cobra.Command{
		Use:   "queues",
		Short: "List queues and how full they are, those with most work first",
		Long: `List the queues that have jobs which are not over, or that were used in the last 30 days:
those with most due jobs first, then those with most running jobs, then by name. OLDEST is
how long the job that has been due longest is waiting.`,
		Example: `  windlass queues
  windlass queues --prefix tenant-4 --limit 1000`,
		Args: arguments(0, 0),
		RunE: func(command *cobra.Command, _ []string) error {
			if q.Limit < 1 || q.Limit > maxQueues {
				return usageError(fmt.Sprintf("--limit must be 1 to %d", maxQueues))
			}
			api, err := sh.api()
			if err != nil {
				return err
			}
			page, err := api.Queues(command.Context(), q)
			switch {
			case err != nil:
				return err
			case sh.json:
				return sh.printAnswer()
			case len(page.Queues) == 0:
				sh.note("No queue matches.")
				return nil
			}
			rows := sh.newTable("QUEUE", ">DUE", ">LATER", ">RUNNING", ">OLDEST")
			for _, q := range page.Queues {
				rows.row(q.Name, fmt.Sprint(q.Due), fmt.Sprint(q.Later), fmt.Sprint(q.Processing), waited(q.OldestDue))
			}
			if page.Next != "" {
				defer sh.note("%d of %d queues. Ask for more with --limit, or for some with --prefix.",
					len(page.Queues), page.Total)
			}
			return rows.flush()
		},
	}
	command.Flags().StringVar(&q.Prefix, "prefix", "", "only queues whose name begins like this")
	command.Flags().IntVar(&q.Limit, "limit", 100, "at most so many")
	command.Flags().StringVar(&q.After, "cursor", "", "go on from next_cursor of an earlier --json, with the same prefix")
	return command
}

// maxQueues is what the API gives at once.
const maxQueues = 1000

// waited is how long a job waits; empty for none.
func waited(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return span(d)
}
