package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is stamped by the linker: see the Makefile.
var version = ""

// currentVersion returns what was built: a tag, a commit, or "dev".
func currentVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

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
					"version": currentVersion(), "go": runtime.Version(), "platform": platform,
				})
			}
			fmt.Fprintf(sh.out, "windlass %s (%s, %s)\n", currentVersion(), runtime.Version(), platform)
			return nil
		},
	}
}
