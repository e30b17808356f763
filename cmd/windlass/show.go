package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/httpclient"
	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
)

func newShow(sh *shell) *cobra.Command {
	var watch bool
	command := &cobra.Command{
		Use:   "show ID",
		Short: "Show a job with its history",
		Long: `Show a job with its payload, its result, and its unsuccessful attempts.

With --watch, follow the job until it is over, and exit with 0 if it is completed, else
with 1. What happens is told on the standard error; with --json, the job is printed at
each change, one line each.`,
		Example: `  windlass show 01931b2c-5f3e-7a41-9d0c-3f1d2b6a7c55
  windlass show 01931b2c-5f3e-7a41-9d0c-3f1d2b6a7c55 --watch`,
		Args: arguments(1, 1),
		RunE: func(command *cobra.Command, args []string) error {
			api, err := sh.api()
			if err != nil {
				return err
			}
			if watch {
				return sh.follow(command.Context(), api, args[0], false)
			}
			job, history, err := api.Get(command.Context(), args[0])
			switch {
			case err != nil:
				return aboutJob(args[0], err)
			case sh.json:
				return sh.printAnswer()
			}
			return sh.printJob(&job, history)
		},
	}
	command.Flags().BoolVar(&watch, "watch", false, "follow the job until it is over")
	sh.wideFlag(command)
	return command
}

// aboutJob names the job that was not found. Other errors are as they are.
func aboutJob(id string, err error) error {
	if errors.Is(err, jobs.ErrNotFound) {
		return &exitError{exitRefused, "There is no job " + clean(id) + ". It may have been deleted; " +
			"windlass ls lists those that there are."}
	}
	return err
}

// printJob prints a job whole.
func (sh *shell) printJob(j *jobs.Job, history []jobs.Attempt) error {
	state := j.State(time.Now())
	described := sh.paint(string(state), stateColors[state])
	if j.FailureKind != "" && j.FailureKind != jobs.KindCancelled {
		described += " (" + clean(string(j.FailureKind)) + ")"
	}
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return exact(t) + " (" + relative(time.Since(t)) + ")"
	}
	runAt := ""
	if j.Status == jobs.Pending && j.RunAt.After(j.CreatedAt) {
		runAt = at(j.RunAt)
	}
	progress := ""
	if p := j.Progress; p != nil {
		progress = strings.TrimSpace(fmt.Sprintf("%.0f %% %s", p.Percent, clean(p.Message)))
	}
	sh.facts(
		"Job", clean(j.ID),
		"Type", clean(j.Type),
		"State", described,
		"Queue", fmt.Sprintf("%s, priority %d", clean(j.Queue), j.Priority),
		"Attempts", fmt.Sprintf("%d of %d, %s each at most", j.Attempts, j.MaxAttempts, j.Timeout),
		"Created", at(j.CreatedAt),
		"Due", runAt,
		"Started", at(j.StartedAt),
		"Finished", at(j.FinishedAt),
		"Cancel asked", at(j.CancelRequestedAt),
		"Worker", clean(j.WorkerID),
		"Progress", progress,
	)
	for _, part := range []struct{ name, text string }{
		{"Metadata", noted(j.Metadata)},
		{"Payload", indented(j.Payload)}, {"Result", indented(j.Result)}, {"Error", clean(j.Error)},
	} {
		if text := strings.TrimSpace(part.text); text != "" {
			fmt.Fprintf(sh.out, "\n%s\n  %s\n", part.name, strings.ReplaceAll(text, "\n", "\n  "))
		}
	}
	if len(history) == 0 {
		return sh.out.Flush()
	}
	fmt.Fprintf(sh.out, "\nUnsuccessful attempts\n")
	rows := sh.newTable(">ATTEMPT", "OUTCOME", "STARTED", ">TOOK", "WORKER", "ERROR")
	for _, a := range history {
		took := a.FinishedAt.Sub(a.StartedAt).Round(time.Millisecond)
		rows.row(fmt.Sprint(a.Attempt), string(a.Outcome), sh.when(a.StartedAt), took.String(), a.WorkerID,
			sh.cut(a.Error, errorLength))
	}
	return rows.flush()
}

// noted writes metadata as --metadata reads it, one pair a line, in the order of the names. A line break within a pair
// is shown as a space.
func noted(pairs map[string]string) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		pair := fields.FormatPair(name, pairs[name], '=')
		lines = append(lines, clean(strings.ReplaceAll(pair, "\n", " ")))
	}
	return strings.Join(lines, "\n")
}

const (
	firstLook   = 100 * time.Millisecond // between two looks at a job; it grows
	slowestLook = 2 * time.Second
	reachAgain  = time.Minute // an API that cannot be reached for longer ends the watch
)

// follow looks at a job until it is over, then prints it. The error carries the exit code where it is not completed.
// With lastOnly, JSON is printed at the end only, else at each change.
func (sh *shell) follow(ctx context.Context, api *httpclient.Client, id string, lastOnly bool) error {
	interrupted := &exitError{exitInterrupted, "Interrupted. The job goes on: windlass show " + clean(id) + " --watch"}
	var said string
	lost := false
	reached := time.Now()
	for wait := firstLook; ; wait = min(wait*3/2, slowestLook) {
		job, history, err := api.Get(ctx, id)
		switch {
		case ctx.Err() != nil:
			return interrupted
		case errors.Is(err, jobs.ErrUnavailable) && said != "" && time.Since(reached) < reachAgain:
			if !lost {
				fmt.Fprintln(sh.stderr, "The API cannot be reached; trying again.")
			}
			lost = true
		case err != nil:
			return aboutJob(id, err)
		default:
			reached, lost = time.Now(), false
			over := job.Status.Terminal()
			if news := change(&job); news != said {
				said = news
				if err := sh.tell(news, over, lastOnly); err != nil {
					return err
				}
			}
			if over {
				return sh.printEnd(&job, history)
			}
		}
		select {
		case <-ctx.Done():
			return interrupted
		case <-time.After(wait):
		}
	}
}

// tell reports a change of a job that is followed.
func (sh *shell) tell(news string, over, lastOnly bool) error {
	switch {
	case sh.json && (over || !lastOnly):
		return sh.printAnswer()
	case !sh.json && !over:
		fmt.Fprintln(sh.stderr, time.Now().Format(time.TimeOnly), news)
	}
	return nil
}

// printEnd shows a job that is over, and turns its end into the exit code.
func (sh *shell) printEnd(job *jobs.Job, history []jobs.Attempt) error {
	if !sh.json {
		if err := sh.printJob(job, history); err != nil {
			return err
		}
	}
	if job.Status != jobs.Completed {
		return &exitError{code: exitRefused}
	}
	return nil
}

// change is what there is to say about a job that is on its way, in a line.
func change(j *jobs.Job) string {
	state := j.State(time.Now())
	text := string(state)
	switch state {
	case jobs.StateScheduled:
		text += " for " + exact(j.RunAt)
	case jobs.StateRetrying:
		text += fmt.Sprintf(", due at %s; attempt %d of %d: %s", exact(j.RunAt), j.Attempts, j.MaxAttempts, j.Error)
	case jobs.StateRunning, jobs.StateCancelling:
		text += fmt.Sprintf(", attempt %d of %d", j.Attempts, j.MaxAttempts)
		if p := j.Progress; p != nil {
			text += fmt.Sprintf(", %.0f %% %s", p.Percent, p.Message)
		}
	}
	return clean(strings.Join(strings.Fields(text), " "))
}
