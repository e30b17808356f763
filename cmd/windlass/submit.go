package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
)

// maxPayloadInput is how much of a file or of the standard input is read. The API decides how large a payload may be.
const maxPayloadInput = 16 << 20

func newSubmit(sh *shell) *cobra.Command {
	var n jobs.New
	var runAt, key string
	var metadata []string
	var wait bool
	command := &cobra.Command{
		Use:   "submit TYPE [JSON | @FILE | -]",
		Short: "Submit a job",
		Long: `Submit a job, and print its id. The payload is a JSON object: the argument, a file (@FILE),
or the standard input (-).

With --wait, wait until the job is over, print it, and exit with 0 if it is completed, else
with 1. Where the outcome is unknown (exit code 4), a submission with --key can be repeated:
the job is stored once.`,
		Example: `  windlass submit email '{"to":"ada@example.com"}'
  windlass submit report @report.json --in 10m --key report-2030-01
  windlass submit report --metadata customer=ada --metadata order=7
  windlass submit report --wait --json | jq .result`,
		Args:              arguments(1, 2),
		ValidArgsFunction: sh.completeTypes,
		RunE: func(command *cobra.Command, args []string) error {
			if err := givenAndZero(command.Flags()); err != nil {
				return err
			}
			n.Type = args[0]
			if len(args) == 2 {
				var err error
				if n.Payload, err = sh.payload(args[1]); err != nil {
					return err
				}
			}
			if runAt != "" {
				var err error
				if n.RunAt, err = time.Parse(time.RFC3339, runAt); err != nil {
					return usageError("--run-at must be a time like 2030-01-31T12:00:00Z, with its zone")
				}
			}
			var err error
			if n.Metadata, err = pairs(metadata); err != nil {
				return err
			}
			s := jobs.Submission{Jobs: []jobs.New{n}}
			if key != "" {
				s.Key = &jobs.Key{Key: key}
			}
			return sh.submit(command, s, wait)
		},
	}
	flags := command.Flags()
	flags.StringVar(&n.Queue, "queue", "", "queue (default: the type's own)")
	flags.IntVar(&n.Priority, "priority", 0,
		fmt.Sprintf("%d to %d, the higher is served first", jobs.MinPriority, jobs.MaxPriority))
	flags.DurationVar(&n.Delay, "delay", 0, "start no sooner than this from now, like 90s or 24h; also written --in")
	flags.StringVar(&runAt, "run-at", "", "start no sooner than this time, like 2030-01-31T12:00:00Z")
	flags.IntVar(&n.MaxAttempts, "max-attempts", 0,
		fmt.Sprintf("1 to %d (default: the type's own)", jobs.MaxMaxAttempts))
	flags.DurationVar(&n.Timeout, "timeout", 0, "for one attempt, in whole seconds (default: the type's own)")
	flags.StringArrayVar(&metadata, "metadata", nil, "a note NAME=VALUE on the job, to find it by; can be repeated")
	flags.StringVar(&key, "key", "", "idempotency key: for 24 hours the same key and request stand for the same job")
	flags.BoolVar(&wait, "wait", false, "wait until the job is over")
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "in" {
			name = "delay"
		}
		return pflag.NormalizedName(name)
	})
	command.MarkFlagsMutuallyExclusive("delay", "run-at")
	sh.completeFlag(command, "queue", sh.queueNames)
	return command
}

// givenAndZero refuses values that stand for "not given" in a submission.
func givenAndZero(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		switch value := f.Value.String(); f.Name {
		case "max-attempts", "timeout", "queue", "key", "run-at":
			if value == "" || value == "0" || value == "0s" {
				err = usageError(fmt.Sprintf("--%s must not be %q: leave it out", f.Name, value))
			}
		}
	})
	return err
}

// pairs reads metadata. A name may hold = and \ where a backslash is in front.
func pairs(list []string) (map[string]string, error) {
	pairs := make(map[string]string, len(list))
	for _, text := range list {
		name, value, ok := fields.ParsePair(text, '=')
		if !ok || name == "" {
			return nil, usageError(`--metadata must be NAME=VALUE, like customer=ada; in the name, write \= for = and \\ for \`)
		}
		if _, twice := pairs[name]; twice {
			return nil, usageError("--metadata must not have a name twice")
		}
		pairs[name] = value
	}
	return pairs, nil
}

// payload reads the JSON of an argument.
func (sh *shell) payload(arg string) (json.RawMessage, error) {
	raw := []byte(arg)
	var err error
	name, isFile := strings.CutPrefix(arg, "@")
	switch {
	case arg == "-":
		raw, err = io.ReadAll(io.LimitReader(sh.stdin, maxPayloadInput+1))
	case isFile:
		raw, err = readFile(name)
	}
	if err != nil {
		return nil, usageError("the payload cannot be read: " + err.Error())
	}
	if len(raw) > maxPayloadInput {
		return nil, usageError(fmt.Sprintf("the payload is larger than %d bytes", maxPayloadInput))
	}
	var value json.RawMessage
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil, usageError("the payload is not proper JSON: " + err.Error() +
			`. In a shell, put it in quotes: '{"to":"ada@example.com"}'`)
	}
	if !bytes.HasPrefix(value, []byte("{")) {
		return nil, usageError(`the payload must be a JSON object, like '{"to":"ada@example.com"}'`)
	}
	return value, nil
}

func readFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxPayloadInput+1))
}

func (sh *shell) submit(command *cobra.Command, s jobs.Submission, wait bool) error {
	api, err := sh.api()
	if err != nil {
		return err
	}
	receipt, err := api.Submit(command.Context(), s)
	if err != nil {
		return err
	}
	job := &receipt.Jobs[0]
	if receipt.Replayed {
		sh.note("The job had been submitted with this key before. It is %s.", job.State(time.Now()))
	}
	switch {
	case wait:
		fmt.Fprintln(sh.stderr, "Submitted", clean(job.ID)) // so that it can be found again, whatever comes
		return sh.follow(command.Context(), api, job.ID, true)
	case sh.json:
		return sh.printAnswer()
	default:
		fmt.Fprintln(sh.out, clean(job.ID))
		return nil
	}
}
