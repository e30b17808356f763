// Package version knows which version of Windlass a program is.
package version

import "runtime/debug"

// stamped is set by the linker: see the Makefile.
var stamped = ""

// Version returns what was built: a tag, a commit of 12 digits, or "dev".
func Version() string {
	if stamped != "" {
		return stamped
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v // installed with go install …@v1.2.3
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "dev"
}
