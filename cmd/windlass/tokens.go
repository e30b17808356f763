package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/services/storecmd"
)

func newTokens(sh *shell) *cobra.Command {
	command := &cobra.Command{
		Use: "tokens", Short: "Make, list and revoke access tokens, in the database itself",
		Long: `Make, list and revoke access tokens. The API asks for them where it runs with AUTH=on. Where it runs on SQLite, stop
it first, or use its /tokens with ADMIN_TOKEN.

` + ofStore,
	}
	command.AddCommand(newTokensCreate(sh), newTokensLs(sh), newTokensRevoke(sh))
	return command
}

func newTokensCreate(sh *shell) *cobra.Command {
	var n storecmd.NewToken
	command := &cobra.Command{
		Use:   "create --name NAME --role ROLE",
		Short: "Make a token; its secret is shown once",
		Long: `Make a token and print its secret, which cannot be read again. The secret alone is on the standard output.
Roles: viewer, developer, operator, admin.

` + ofStore,
		Example: `  DATABASE_URL=postgres://… windlass tokens create --name ops --role admin
  DATA_DIR=./data windlass tokens create --name ci --role developer --queues mail --expires 720h`,
		Args: arguments(0, 0),
		RunE: func(command *cobra.Command, _ []string) error {
			if n.TTL < 0 || n.TTL > 0 && n.TTL < time.Second {
				return usageError("--expires must be 1s or more")
			}
			made, secret, err := storecmd.CreateToken(command.Context(), sh.getenv, n)
			var invalid *storecmd.InvalidError
			switch {
			case errors.As(err, &invalid):
				return usageError(invalid.Error())
			case err != nil:
				return storeError(command, err)
			case sh.json:
				return sh.printJSON(map[string]any{"token": made, "secret": secret})
			}
			fmt.Fprintf(sh.stderr, "Token %s, %s. This is its secret; it cannot be shown again:\n", made.ID, clean(made.Name))
			_, err = fmt.Fprintln(sh.out, secret)
			return err
		},
	}
	flags := command.Flags()
	flags.StringVar(&n.Name, "name", "", "its name, for people")
	flags.StringVar(&n.Role, "role", "", "viewer, developer, operator or admin")
	flags.StringSliceVar(&n.Scopes, "scopes", nil, "in place of a role: submit, read, read_payloads, operate, work, admin")
	flags.StringSliceVar(&n.Types, "types", nil, "the only job types that it reaches")
	flags.StringSliceVar(&n.Queues, "queues", nil, "the only queues that it reaches")
	flags.DurationVar(&n.TTL, "expires", 0, "how long it holds, like 720h; for ever unless given")
	return command
}

func newTokensLs(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List tokens, the newest first, without their secrets", Long: "List tokens.\n\n" + ofStore,
		Example: "  DATABASE_URL=postgres://… windlass tokens ls",
		Args:    arguments(0, 0),
		RunE: func(command *cobra.Command, _ []string) error {
			list, err := storecmd.Tokens(command.Context(), sh.getenv)
			switch {
			case err != nil:
				return storeError(command, err)
			case sh.json:
				return sh.printJSON(map[string]any{"tokens": list})
			case len(list) == 0:
				sh.note("There is no token.")
				return nil
			}
			rows := sh.newTable("ID", "NAME", "RIGHTS", "TYPES", "QUEUES", "STATE", "USED")
			for _, t := range list {
				rights, used := t.Role, "never"
				if rights == "" {
					rights = strings.Join(t.Scopes, ",")
				}
				if t.LastUsedAt != nil {
					used = sh.when(*t.LastUsedAt)
				}
				rows.row(t.ID, t.Name, rights, allOr(t.Types), allOr(t.Queues), tokenState(&t), used)
			}
			return rows.flush()
		},
	}
}

func allOr(list []string) string {
	if len(list) == 0 {
		return "all"
	}
	return strings.Join(list, ",")
}

func tokenState(t *storecmd.Token) string {
	switch {
	case t.RevokedAt != nil:
		return "revoked"
	case t.ExpiresAt == nil:
		return "valid"
	case t.ExpiresAt.Before(time.Now()):
		return "expired"
	}
	return "valid until " + t.ExpiresAt.Format("2006-01-02 15:04") + " UTC"
}

func newTokensRevoke(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "End a token for good; processes that run learn of it within 5 s",
		Long:    "End a token for good. Processes that run learn of it within 5 s.\n\n" + ofStore,
		Example: "  DATABASE_URL=postgres://… windlass tokens revoke 0192f000-0000-7000-8000-000000000001",
		Args:    arguments(1, 1),
		RunE: func(command *cobra.Command, args []string) error {
			err := storecmd.RevokeToken(command.Context(), sh.getenv, args[0])
			switch {
			case errors.Is(err, jobs.ErrNotFound):
				return errors.New("there is no token with this id")
			case err != nil:
				return storeError(command, err)
			}
			_, err = fmt.Fprintln(sh.out, "revoked", args[0])
			return err
		},
	}
}

func newAudit(sh *shell) *cobra.Command {
	q := store.ActionQuery{}
	command := &cobra.Command{
		Use:   "audit",
		Short: "Show what was done, and by whom, the newest first",
		Long:  "Show the audit log: what was done with a token, or by these commands.\n\n" + ofStore,
		Example: `  DATABASE_URL=postgres://… windlass audit --who ops
  DATA_DIR=./data windlass audit --action job.retry --limit 1000 --json`,
		Args: arguments(0, 0),
		RunE: func(command *cobra.Command, _ []string) error {
			if q.Limit < 1 || q.Limit > 1000 {
				return usageError("--limit must be 1 to 1000")
			}
			list, err := storecmd.Actions(command.Context(), sh.getenv, q)
			switch {
			case err != nil:
				return storeError(command, err)
			case sh.json:
				return sh.printJSON(map[string]any{"actions": list})
			case len(list) == 0:
				sh.note("There is no such entry.")
				return nil
			}
			rows := sh.newTable("WHEN", "WHO", "ACTION", ">COUNT", "TARGET")
			for _, a := range list {
				rows.row(sh.when(a.At), a.Actor, a.Action, fmt.Sprint(a.Count), a.Target)
			}
			return rows.flush()
		},
	}
	flags := command.Flags()
	flags.StringVar(&q.Who, "who", "", "only this actor: the id of a token, or a name")
	flags.StringVar(&q.Action, "action", "", "only this action, like job.retry")
	flags.StringVar(&q.Target, "target", "", "only this target, like the id of a job")
	flags.IntVar(&q.Limit, "limit", 100, "at most so many")
	flags.Int64Var(&q.Before, "before", 0, "only entries before the one with this id")
	return command
}
