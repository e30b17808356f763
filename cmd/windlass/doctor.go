package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/services/storecmd"
)

const ofStore = `It reads the database itself: PostgreSQL at DATABASE_URL (schema DATABASE_SCHEMA), or SQLite in DATA_DIR (./data), which no other
process may be using.`

func newDoctor(sh *shell) *cobra.Command {
	repair := false
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Prove that no job is missing, and look for settings that hurt",
		Long: `Count all jobs and compare them with the numbers that the system keeps, look for what cannot be, and look at the
settings of the servers. Exit code 1: something is wrong. It may take seconds, and everything may run meanwhile.

` + ofStore + ` Redis at REDIS_URL is looked at as well.

--repair sets the kept numbers to what was counted, and deletes attempts of jobs that are gone, and expired keys.`,
		Example: `  DATABASE_URL=postgres://… REDIS_URL=redis://… windlass doctor
  DATA_DIR=./data windlass doctor --repair`,
		Args: arguments(0, 0),
		RunE: func(command *cobra.Command, _ []string) error {
			note := func(what string) { sh.note("%s: this may take seconds when there are millions …", what) }
			report, err := storecmd.Doctor(command.Context(), sh.getenv, repair, note)
			if err != nil {
				return storeError(command, err)
			}
			if err := sh.printReport(report); err != nil {
				return err
			}
			if !report.OK {
				return &exitError{code: exitRefused}
			}
			return nil
		},
	}
	command.Flags().BoolVar(&repair, "repair", false, "recount, and delete attempts without a job and expired keys")
	return command
}

var gradeColors = map[store.Grade]string{store.GradeOK: green, store.GradeWarn: yellow, store.GradeFail: red}

func (sh *shell) printReport(report *storecmd.Report) error {
	if sh.json {
		return sh.printJSON(report)
	}
	for _, sentence := range report.Repaired {
		fmt.Fprintln(sh.out, sentence)
	}
	if len(report.Repaired) > 0 {
		fmt.Fprintln(sh.out)
	}
	if len(report.Accounts.States) > 0 {
		accounts := sh.newTable("JOBS", ">COUNTED", ">KEPT")
		for _, a := range report.Accounts.States {
			kept := ""
			if a.Kept != nil {
				kept = strconv.FormatInt(*a.Kept, 10)
			}
			accounts.row(string(a.State), strconv.FormatInt(a.Counted, 10), kept)
		}
		accounts.row("all rows", strconv.FormatInt(report.Accounts.Rows, 10), "")
		if d := report.Accounts.Deleted; d != nil {
			accounts.row("completed, deleted since", "", strconv.FormatInt(*d, 10))
		}
		if err := accounts.flush(); err != nil {
			return err
		}
		fmt.Fprintln(sh.out)
	}
	checks := sh.newTable("CHECK", "RESULT", "FOUND")
	for _, c := range report.Checks {
		checks.row(c.Name, string(c.Result), c.Detail)
		checks.paint(1, gradeColors[c.Result])
	}
	if err := checks.flush(); err != nil {
		return err
	}
	for _, c := range report.Checks {
		if c.Result != store.GradeOK {
			fmt.Fprintf(sh.out, "\n%s: %s", sh.paint(c.Name, gradeColors[c.Result]), clean(c.Advice))
		}
	}
	if slices.ContainsFunc(report.Checks, func(c storecmd.Check) bool { return c.Result != store.GradeOK }) {
		fmt.Fprintln(sh.out)
	}
	return sh.out.Flush()
}

// printJSON prints a result that is no answer of the API, on one line.
func (sh *shell) printJSON(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	sh.answer = raw
	return sh.printAnswer()
}

// storeError gives an error of a store its sentence and its exit code.
func storeError(command *cobra.Command, err error) error {
	var wrong *storecmd.SettingsError
	text := sentence(clean(strings.Join(strings.Fields(err.Error()), " ")))
	switch {
	case errors.As(err, &wrong):
		return usageError(text)
	case errors.Is(err, syscall.EPIPE):
		return err
	case command.Context().Err() != nil:
		return &exitError{exitInterrupted, "Interrupted."}
	case errors.Is(err, jobs.ErrOutcomeUnknown):
		return &exitError{exitUnknown, "It is not known whether this took effect, and it can be repeated: " + text}
	case errors.Is(err, jobs.ErrUnavailable), errors.Is(err, jobs.ErrBusy):
		return &exitError{exitUnavailable, "The database cannot be used now: " + text}
	default:
		return &exitError{exitRefused, text}
	}
}
