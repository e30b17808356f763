package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

const (
	defaultLimit = 50
	maxPage      = 200 // what the API gives at once
)

func newLs(sh *shell) *cobra.Command {
	var status, state string
	l := listing{sh: sh, words: "jobs"}
	command := &cobra.Command{
		Use:   "ls",
		Short: "List jobs, newest first",
		Example: `  windlass ls --state running
  windlass ls --type email --status failed --all --json | jq '.jobs[].error_message'
  windlass ls --metadata customer=ada --metadata order=7
  windlass ls --state dead --queue mails -q | windlass retry -`,
		Args: arguments(0, 0),
		RunE: func(command *cobra.Command, _ []string) error {
			l.query.Status, l.query.State = jobs.Status(status), jobs.State(state)
			if status != "" && !slices.Contains(jobs.Statuses, l.query.Status) {
				return usageError("--status must be one of " + join(jobs.Statuses))
			}
			if state != "" && !slices.Contains(jobs.States, l.query.State) {
				return usageError("--state must be one of " + join(jobs.States))
			}
			api, err := sh.api()
			if err != nil {
				return err
			}
			return l.print(command.Context(), api.List)
		},
	}
	command.Flags().StringVar(&status, "status", "", "only this status: "+join(jobs.Statuses))
	command.Flags().StringVar(&state, "state", "", "only this state: "+join(jobs.States))
	command.Flags().BoolVar(&l.query.Due, "due", false, "only jobs that could start now")
	l.flags(command)
	sh.completeFlag(command, "status", func() []string { return texts(jobs.Statuses) })
	sh.completeFlag(command, "state", func() []string { return texts(jobs.States) })
	return command
}

func texts[T ~string](list []T) (out []string) {
	for _, v := range list {
		out = append(out, string(v))
	}
	return out
}

func join[T ~string](list []T) string { return strings.Join(texts(list), ", ") }

// listing prints pages of jobs. It follows cursors until it has as many as were asked for.
type listing struct {
	sh       *shell
	words    string // what the jobs are
	query    store.ListQuery
	metadata []string
	limit    int
	all      bool
	quiet    bool
}

func (l *listing) flags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&l.query.Type, "type", "", "only this job type")
	flags.StringVar(&l.query.Queue, "queue", "", "only this queue")
	flags.StringArrayVar(&l.metadata, "metadata", nil, "only jobs with this pair NAME=VALUE; can be repeated")
	flags.IntVar(&l.limit, "limit", defaultLimit, "at most so many")
	flags.BoolVar(&l.all, "all", false, "all there are")
	flags.StringVar(&l.query.Before, "cursor", "", "go on from next_cursor of an earlier --json, with the same filter")
	flags.BoolVarP(&l.quiet, "quiet", "q", false, "print ids only")
	command.MarkFlagsMutuallyExclusive("limit", "all")
	l.sh.wideFlag(command)
	l.sh.completeFlag(command, "type", l.sh.typeNames)
	l.sh.completeFlag(command, "queue", l.sh.queueNames)
}

// print writes each page as it comes. What it writes as JSON is one answer of the API, made of all pages.
func (l *listing) print(ctx context.Context, list func(context.Context, store.ListQuery) (store.Page, error)) error {
	switch {
	case l.limit < 1:
		return usageError("--limit must be 1 or more")
	case l.quiet && l.sh.json:
		return usageError("--quiet does not go with --json")
	}
	var err error
	if l.query.Metadata, err = pairs(l.metadata); err != nil {
		return err
	}
	var rows *table
	separator := ""
	for found := 0; ; {
		l.query.Limit = maxPage
		if !l.all {
			l.query.Limit = min(maxPage, l.limit-found)
		}
		page, err := list(ctx, l.query)
		if err != nil {
			return err
		}
		last := page.Next == "" || !l.all && found+len(page.Jobs) >= l.limit
		switch {
		case l.sh.json:
			separator, err = l.printJSON(separator, found == 0 && separator == "", last)
		case l.quiet:
			for i := range page.Jobs {
				fmt.Fprintln(l.sh.out, clean(page.Jobs[i].ID))
			}
			err = l.sh.out.Flush()
		case len(page.Jobs) > 0:
			if rows == nil {
				rows = l.header()
			}
			for i := range page.Jobs {
				l.row(rows, &page.Jobs[i])
			}
			err = rows.flush()
		}
		found += len(page.Jobs)
		switch {
		case err != nil:
			return err
		case last && found == 0 && !l.sh.json:
			l.sh.note("No %s match.", l.words)
			return nil
		case last && page.Next != "" && !l.sh.json:
			l.sh.note("There are more: add --all, or a larger --limit.")
			return nil
		case last:
			return nil
		}
		l.query.Before = page.Next
	}
}

// printJSON writes the newest answer's jobs as a part of one long answer.
func (l *listing) printJSON(separator string, first, last bool) (string, error) {
	var answer struct {
		Jobs       []json.RawMessage `json:"jobs"`
		NextCursor json.RawMessage   `json:"next_cursor"`
	}
	if err := json.Unmarshal(l.sh.answer, &answer); err != nil {
		return "", err
	}
	if first {
		separator = `{"jobs":[`
	}
	for _, job := range answer.Jobs {
		l.sh.out.WriteString(separator)
		l.sh.out.Write(job)
		separator = ","
	}
	if last {
		if separator != "," {
			l.sh.out.WriteString(separator)
		}
		fmt.Fprintf(l.sh.out, `],"next_cursor":%s}`+"\n", answer.NextCursor)
	}
	return separator, l.sh.out.Flush()
}

func (l *listing) header() *table {
	if l.sh.wide {
		return l.sh.newTable("ID", "STATE", "TYPE", "QUEUE", ">PRIORITY", ">ATTEMPTS", "CREATED", "RUN AT",
			"STARTED", "FINISHED", "WORKER", "ERROR")
	}
	return l.sh.newTable("ID", "STATE", "TYPE", "QUEUE", ">ATTEMPTS", ">CREATED", "ERROR")
}

// errorLength is how much of an error's text a list shows.
const errorLength = 60

func (l *listing) row(rows *table, j *jobs.Job) {
	state := j.State(time.Now())
	attempts := fmt.Sprintf("%d/%d", j.Attempts, j.MaxAttempts)
	message := l.sh.cut(j.Error, errorLength)
	if l.sh.wide {
		rows.row(j.ID, string(state), j.Type, j.Queue, fmt.Sprint(j.Priority), attempts,
			exact(j.CreatedAt), exact(j.RunAt), l.sh.when(j.StartedAt), l.sh.when(j.FinishedAt), j.WorkerID, message)
	} else {
		rows.row(j.ID, string(state), j.Type, j.Queue, attempts, l.sh.when(j.CreatedAt), message)
	}
	rows.paint(1, stateColors[state])
}
