package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/httpclient"
	"github.com/windlass-jobs/windlass/jobs/store"
)

func newDead(sh *shell) *cobra.Command {
	command := &cobra.Command{
		Use:   "dead",
		Short: "List dead jobs, or send them back",
		Long: `Dead jobs have failed for good: their attempts are used up, or their handler said that
no retry can help.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(newDeadLs(sh), newDeadRedrive(sh))
	return command
}

func newDeadLs(sh *shell) *cobra.Command {
	l := listing{sh: sh, words: "dead jobs"}
	command := &cobra.Command{
		Use:     "ls",
		Short:   "List dead jobs, newest first",
		Example: `  windlass dead ls --type email --wide`,
		Args:    arguments(0, 0),
		RunE: func(command *cobra.Command, _ []string) error {
			api, err := sh.api()
			if err != nil {
				return err
			}
			return l.print(command.Context(), api.Dead)
		},
	}
	l.flags(command)
	return command
}

// maxRedrive is how many jobs the API sends back in one call.
const maxRedrive = 1000

func newDeadRedrive(sh *shell) *cobra.Command {
	var r store.Redrive
	var all bool
	command := &cobra.Command{
		Use:   "redrive [ID... | -]",
		Short: "Send dead jobs back, with all their attempts",
		Long: `Send dead jobs back, and print how many: those that are named, or those that match
--type, --queue and --error, the newest first, or --all. Cancelled jobs are passed over;
windlass retry takes them.

--spread lets the jobs start at random within a time, so that they do not all run at once.`,
		Example: `  windlass dead redrive 01931b2c-5f3e-7a41-9d0c-3f1d2b6a7c55
  windlass dead redrive --type email --error timeout --limit 100 --spread 10m`,
		RunE: func(command *cobra.Command, args []string) error {
			filter := r.Type != "" || r.Queue != "" || r.Error != ""
			limited := command.Flags().Changed("limit")
			switch {
			case len(args) > 0 && (filter || all || limited):
				return usageError("name jobs, or select them with flags, not both")
			case len(args) == 0 && !filter && !all:
				return usageError("say which jobs: ids, or --type, --queue or --error, or --all")
			case filter && all:
				return usageError("--all does not go with --type, --queue or --error")
			case limited && r.Limit < 1:
				return usageError("--limit must be 1 or more")
			}
			var err error
			if r.IDs, err = sh.ids(args); err != nil {
				return err
			}
			api, err := sh.api()
			if err != nil {
				return err
			}
			n, err := sh.redrive(command.Context(), api, r, len(args) > 0)
			if err != nil {
				if n > 0 {
					fmt.Fprintf(sh.stderr, "%d jobs had been sent back before this failed:\n", n)
				}
				return err
			}
			if sh.json {
				fmt.Fprintf(sh.out, `{"retried":%d}`+"\n", n)
			} else {
				fmt.Fprintln(sh.out, n)
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.StringVar(&r.Type, "type", "", "only this job type")
	flags.StringVar(&r.Queue, "queue", "", "only this queue")
	flags.StringVar(&r.Error, "error", "", "only with this in the error message, in upper or lower case")
	flags.BoolVar(&all, "all", false, "all dead jobs")
	flags.IntVar(&r.Limit, "limit", 0, "at most so many (default: all that match)")
	flags.DurationVar(&r.Spread, "spread", 0, "start them at random within this time, like 10m, at most 24h")
	sh.completeFlag(command, "type", sh.typeNames)
	sh.completeFlag(command, "queue", sh.queueNames)
	return command
}

// redrive sends jobs back in portions and returns how many it were.
func (sh *shell) redrive(
	ctx context.Context, api *httpclient.Client, r store.Redrive, named bool,
) (total int, err error) {
	ids, left := r.IDs, r.Limit
	if named {
		left = len(ids)
	} else if left == 0 {
		// Jobs that die again meanwhile would match again, and this would never end.
		m, err := api.Metrics(ctx)
		if err != nil {
			return 0, err
		}
		left = int(m.Dead)
	}
	begin := time.Now()
	for left > 0 {
		portion := min(left, maxRedrive)
		if named {
			r.IDs, ids = ids[:portion], ids[portion:]
		}
		r.Limit = portion
		n, err := api.Redrive(ctx, r)
		total += n
		switch {
		case err != nil:
			return total, err
		case named:
			left = len(ids)
		case n == 0: // no more match
			return total, nil
		default: // n may be less than the portion though more match: jobs that are locked are passed over
			left -= n
		}
		if left > 0 {
			sh.note("%d sent back in %s", total, time.Since(begin).Round(time.Second))
		}
	}
	return total, nil
}
