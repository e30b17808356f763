package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newWorkers(sh *shell) *cobra.Command {
	command := &cobra.Command{
		Use:     "workers",
		Short:   "List worker processes",
		Example: `  windlass workers --wide`,
		Args:    arguments(0, 0),
		RunE: func(command *cobra.Command, _ []string) error {
			api, err := sh.api()
			if err != nil {
				return err
			}
			sessions, err := api.Sessions(command.Context())
			switch {
			case err != nil:
				return err
			case sh.json:
				return sh.printAnswer()
			case len(sessions) == 0:
				sh.note("No worker is alive: jobs wait until one is.")
				return nil
			}
			names := []string{"ID", "HOST", ">PID", "VERSION", "STATE", ">RUNNING", "QUEUES", ">STARTED", ">HEARTBEAT"}
			if sh.wide {
				names = append(names, "LAST COMPLETION", "TYPES")
			}
			rows := sh.newTable(names...)
			for _, s := range sessions {
				queues := strings.Join(s.Queues, ",")
				if queues == "" {
					queues = "all"
				}
				cells := []string{
					s.ID, s.Hostname, fmt.Sprint(s.PID), s.Version, string(s.State),
					fmt.Sprintf("%d/%d", s.Running, s.Slots), queues, sh.when(s.StartedAt), sh.when(s.BeatAt),
				}
				if sh.wide {
					cells = append(cells, sh.when(s.LastCompletionAt), strings.Join(s.Types, ","))
				}
				rows.row(cells...)
			}
			return rows.flush()
		},
	}
	sh.wideFlag(command)
	return command
}
