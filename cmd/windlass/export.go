package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/services/storecmd"
)

func newExport(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "export FILE | -",
		Short: "Write all jobs into a file, to move them to another database",
		Long: `Write all jobs with their history, the job types and the idempotency keys into a file, as they are at one moment;
windlass import reads it. The file is packed where its name ends in .gz. A file that is there is not replaced. Stop api
and workers first: a job that runs meanwhile would run a second time where it is imported. Access tokens and the audit
log stay in their database: make new tokens where the jobs are imported.

` + ofStore,
		Example: `  DATA_DIR=./data windlass export jobs.jsonl.gz
  DATA_DIR=./data windlass export - | DATABASE_URL=postgres://… windlass import -`,
		Args: arguments(1, 1),
		RunE: func(command *cobra.Command, args []string) error {
			return sh.move(command, storecmd.Export, args[0])
		},
	}
}

// move exports or imports.
func (sh *shell) move(command *cobra.Command, how transfer, file string) error {
	progress := sh.progress()
	moved, err := how(command.Context(), storecmd.Options{
		Getenv: sh.getenv, File: file, Stdin: sh.stdin, Stdout: sh.stdout, Progress: progress.show,
		Warn: func(sentence string) { fmt.Fprintln(sh.stderr, clean(sentence)) },
	})
	progress.clear()
	if err != nil {
		return storeError(command, err)
	}
	// Where the export itself goes to the standard output, nothing else may.
	out := io.Writer(sh.out)
	if moved.ToStdout {
		out = sh.stderr
	} else if sh.json {
		return sh.printJSON(moved)
	}
	_, err = fmt.Fprintln(out, moved)
	return err
}

// progress is a line at the terminal that tells how far something is.
type progress struct {
	sh   *shell
	last time.Time
	on   bool // something is written
}

func (sh *shell) progress() *progress { return &progress{sh: sh, last: time.Now()} }

func (p *progress) show(done, all int64) {
	// The clock is not looked at for each of many.
	if !p.sh.talks || done%256 != 0 || time.Since(p.last) < 200*time.Millisecond {
		return
	}
	p.last, p.on = time.Now(), true
	fmt.Fprintf(p.sh.stderr, "\r%d of %d jobs", done, max(done, all))
}

func (p *progress) clear() {
	if p.on {
		fmt.Fprint(p.sh.stderr, "\r\x1b[K")
	}
}
