package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newStatus(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Count jobs and workers",
		Long:    "Count jobs and workers. The numbers are at most 5 s old. With --json they are those of GET /metrics.",
		Example: `  windlass status`,
		Args:    arguments(0, 0),
		RunE: func(command *cobra.Command, _ []string) error {
			api, err := sh.api()
			if err != nil {
				return err
			}
			m, err := api.Metrics(command.Context())
			switch {
			case err != nil:
				return err
			case sh.json:
				return sh.printAnswer()
			}
			due := fmt.Sprint(m.Due)
			if m.OldestDue > 0 {
				due += ", the oldest for " + span(m.OldestDue)
			}
			sh.facts(
				"Due", due,
				"Scheduled", fmt.Sprint(m.Scheduled),
				"Retrying", fmt.Sprint(m.Retrying),
				"Running", fmt.Sprint(m.Processing),
				"Completed", fmt.Sprint(m.Completed),
				"Dead", fmt.Sprint(m.Dead),
				"Cancelled", fmt.Sprint(m.Cancelled),
				"All jobs", fmt.Sprint(m.Total),
				"Last minute", fmt.Sprintf("%d completed, %d failed, %d cancelled; %d of %d attempts failed",
					m.CompletedLastMinute, m.FailedLastMinute, m.CancelledLastMinute, m.FailedAttemptsLastMinute,
					m.AttemptsLastMinute),
				"Workers", fmt.Sprintf("%d, with room for %d jobs", m.Workers, m.Slots),
			)
			return nil
		},
	}
}
