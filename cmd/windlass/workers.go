package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/httpclient"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

func newWorkers(sh *shell) *cobra.Command {
	var ended bool
	command := &cobra.Command{
		Use:   "workers [ID]",
		Short: "List worker processes, or show one with its jobs",
		Long: `List worker processes, or show one of them with the jobs that it runs.

Those that have ended are kept for 24 hours. A worker that did not end in order is lost:
it was killed, or cut off from the database.`,
		Example: `  windlass workers --wide
  windlass workers --ended
  windlass workers 01931b2c-5f3e-7a41-9d0c-3f1d2b6a7c55`,
		Args: arguments(0, 1),
		RunE: func(command *cobra.Command, args []string) error {
			api, err := sh.api()
			if err != nil {
				return err
			}
			if len(args) > 0 {
				if ended {
					return usageError("--ended does not go with an ID")
				}
				return sh.showWorker(command.Context(), api, args[0])
			}
			list, none := api.Sessions, "No worker is alive: jobs wait until one is."
			if ended {
				list, none = api.EndedSessions, "No worker has ended in the last 24 hours."
			}
			sessions, err := list(command.Context())
			switch {
			case err != nil:
				return err
			case sh.json:
				return sh.printAnswer()
			case len(sessions) == 0:
				sh.note("%s", none)
				return nil
			}
			return sh.printWorkers(sessions)
		},
	}
	command.Flags().BoolVar(&ended, "ended", false, "those that have ended in the last 24 hours")
	sh.wideFlag(command)
	return command
}

func (sh *shell) printWorkers(sessions []store.Session) error {
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
		state := string(s.State)
		if s.Lost {
			state = "lost"
		}
		cells := []string{
			s.ID, s.Hostname, fmt.Sprint(s.PID), s.Version, state,
			fmt.Sprintf("%d/%d", s.Running, s.Slots), queues, sh.when(s.StartedAt), sh.when(s.BeatAt),
		}
		if sh.wide {
			cells = append(cells, sh.when(s.LastCompletionAt), strings.Join(s.Types, ","))
		}
		rows.row(cells...)
	}
	return rows.flush()
}

// showWorker prints a worker and the jobs that it runs.
func (sh *shell) showWorker(ctx context.Context, api *httpclient.Client, id string) error {
	session, held, err := api.Session(ctx, id)
	switch {
	case errors.Is(err, jobs.ErrNotFound):
		return &exitError{exitRefused, "There is no worker " + clean(id) + ", or it ended more than 24 hours ago; " +
			"windlass workers lists those that there are."}
	case err != nil:
		return err
	case sh.json:
		return sh.printAnswer()
	}
	if err := sh.printWorkers([]store.Session{session}); err != nil {
		return err
	}
	if len(held) == 0 {
		sh.note("It runs no job.")
		return nil
	}
	fmt.Fprintln(sh.out)
	rows := sh.newTable("ID", "STATE", "TYPE", "QUEUE", ">ATTEMPTS", ">STARTED")
	for i := range held {
		j := &held[i]
		rows.row(j.ID, string(j.State(time.Now())), j.Type, j.Queue, fmt.Sprintf("%d/%d", j.Attempts, j.MaxAttempts),
			sh.when(j.StartedAt))
	}
	return rows.flush()
}
