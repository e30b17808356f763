package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/windlass-jobs/windlass/internal/version"
)

func newVersion(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Example: `  windlass version`,
		Args:    arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			platform := runtime.GOOS + "/" + runtime.GOARCH
			if sh.json {
				return json.NewEncoder(sh.out).Encode(map[string]string{
					"version": version.Version(), "go": runtime.Version(), "platform": platform,
				})
			}
			fmt.Fprintf(sh.out, "windlass %s (%s, %s)\n", version.Version(), runtime.Version(), platform)
			return nil
		},
	}
}
