package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/httpclient"
	"github.com/windlass-jobs/windlass/jobs"
)

func newRetry(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "retry ID... | -",
		Short: "Send failed jobs back, with all their attempts",
		Long: `Send failed jobs back, dead or cancelled, with all their attempts. With - the ids come
from the standard input.`,
		Example: `  windlass retry 01931b2c-5f3e-7a41-9d0c-3f1d2b6a7c55
  windlass ls --state cancelled -q | windlass retry -`,
		Args: arguments(1, math.MaxInt),
		RunE: func(command *cobra.Command, args []string) error {
			return sh.each(command.Context(), args, (*httpclient.Client).Retry)
		},
	}
}

// each does something with one job after the other. A job that is refused does not keep the others from their turn,
// but an API that is out of reach does.
func (sh *shell) each(
	ctx context.Context, args []string, do func(*httpclient.Client, context.Context, string) (jobs.Job, error),
) error {
	ids, err := sh.ids(args)
	if err != nil {
		return err
	}
	api, err := sh.api()
	if err != nil {
		return err
	}
	refused := 0
	for i, id := range ids {
		job, err := do(api, ctx, id)
		switch text, code := sh.describe(ctx, aboutJob(id, err)); {
		case code == exitDone && sh.json:
			err = sh.printDone(&job)
		case code == exitDone && job.Status == "":
			fmt.Fprintln(sh.out, id, "deleted")
			err = sh.out.Flush()
		case code == exitDone:
			state := job.State(time.Now())
			fmt.Fprintln(sh.out, id, sh.paint(string(state), stateColors[state]))
			err = sh.out.Flush()
		case code == exitRefused:
			refused++
			if !errors.Is(err, jobs.ErrNotFound) { // that names the job
				text = clean(id) + ": " + text
			}
			fmt.Fprintln(sh.stderr, text)
			err = nil
		default:
			text = fmt.Sprintf("%s: %s\n%d of %d jobs were not tried.", clean(id), text, len(ids)-i-1, len(ids))
			return &exitError{code, text}
		}
		if err != nil {
			return err
		}
	}
	if refused > 0 {
		return &exitError{code: exitRefused}
	}
	return nil
}

// printDone prints the API's answer. There is none for a job that was deleted.
func (sh *shell) printDone(job *jobs.Job) error {
	if job.Status == "" {
		return nil
	}
	return sh.printAnswer()
}

// ids returns the arguments, or what the standard input holds where the only one is "-".
func (sh *shell) ids(args []string) ([]string, error) {
	if len(args) != 1 || args[0] != "-" {
		return args, nil
	}
	var ids []string
	lines := bufio.NewScanner(sh.stdin)
	for lines.Scan() {
		ids = append(ids, strings.Fields(lines.Text())...)
	}
	if lines.Err() != nil {
		return nil, errors.Join(usageError("the ids cannot be read from the standard input"), lines.Err())
	}
	return ids, nil
}
