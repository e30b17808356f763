package process

import (
	"os"
	"path/filepath"
	"testing"
)

func TestContainerLimit(t *testing.T) {
	const (
		group = "proc/self/cgroup"
		own   = "sys/fs/cgroup/memory.max"
		slice = "sys/fs/cgroup/system.slice/"
		v1    = "sys/fs/cgroup/memory/memory.limit_in_bytes"
		first = "3:cpu:/\n5:memory:/docker/abc\n"
	)
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"no control groups":    {nil, 0},
		"version 2, no limit":  {map[string]string{group: "0::/\n", own: "max\n"}, 0},
		"version 2, container": {map[string]string{group: "0::/\n", own: "268435456\n"}, 256 << 20},
		"version 2, service": {map[string]string{group: "0::/system.slice/windlass.service\n",
			slice + "windlass.service/memory.max": "1048576\n"}, 1 << 20},
		"version 2, group around it": {map[string]string{group: "0::/system.slice/windlass.service\n",
			slice + "windlass.service/memory.max": "max\n", slice + "memory.max": "2097152\n"}, 2 << 20},
		"version 1, container": {map[string]string{group: first, v1: "268435456\n"}, 256 << 20},
		"version 1, no limit":  {map[string]string{group: first, v1: "9223372036854771712\n"}, 0},
		"nonsense":             {map[string]string{group: "x\n::\n0::../..\n", own: "much\n"}, 0},
	} {
		root := t.TempDir()
		for file, text := range c.files {
			path := filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := containerLimit(root); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
