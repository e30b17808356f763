package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// containerLimit returns the memory limit of the control group that the process is in, in bytes; 0 where there is none.
// root is "/", or stands for it in tests.
func containerLimit(root string) (limit int64) {
	limited := func(path ...string) {
		text, err := os.ReadFile(filepath.Join(append([]string{root, "sys/fs/cgroup"}, path...)...))
		if err != nil {
			return
		}
		// Version 1 says that there is none by a number beyond any memory, version 2 by "max".
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err == nil && n > 0 && n < 1<<50 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	groups, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(groups)) {
		_, group, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(group, ":")
		folder, file := "", "memory.max"
		switch controllers {
		case "":
		case "memory":
			folder, file = "memory", "memory.limit_in_bytes"
		default:
			continue
		}
		// The limits of the groups around it count too. A container may see its own group as the root.
		for path = filepath.Clean("/" + path); ; path = filepath.Dir(path) {
			limited(folder, path, file)
			if path == "/" {
				break
			}
		}
	}
	return limit
}
