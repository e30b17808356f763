package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// completeTimeout is how long a person who pressed the tab key waits for names that the API knows.
const completeTimeout = time.Second

// completeFlag offers names for the value of a flag.
func (sh *shell) completeFlag(command *cobra.Command, flag string, names func() []string) {
	offer := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return names(), cobra.ShellCompDirectiveNoFileComp
	}
	if err := command.RegisterFlagCompletionFunc(flag, offer); err != nil {
		panic(err) // there is no such flag: a mistake in this program
	}
}

// completeTypes offers job types for the first argument, and files for the second.
func (sh *shell) completeTypes(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return sh.typeNames(), cobra.ShellCompDirectiveNoFileComp
}

// typeNames asks the API for job types. It returns none where the API does not answer soon.
func (sh *shell) typeNames() (names []string) {
	ctx, cancel := context.WithTimeout(context.Background(), completeTimeout)
	defer cancel()
	api, err := sh.connect(1)
	if err != nil {
		return nil
	}
	types, _ := api.Types(ctx)
	for _, t := range types {
		names = append(names, clean(t.Name))
	}
	return names
}

// queueNames asks the API for queues, likewise.
func (sh *shell) queueNames() (names []string) {
	ctx, cancel := context.WithTimeout(context.Background(), completeTimeout)
	defer cancel()
	api, err := sh.connect(1)
	if err != nil {
		return nil
	}
	page, _ := api.Queues(ctx, store.QueueQuery{Limit: maxQueues})
	for _, q := range page.Queues {
		names = append(names, clean(q.Name))
	}
	return names
}
