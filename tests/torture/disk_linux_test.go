package torture

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/windlass-jobs/windlass/tests/servers"
)

// A filled disk is really full, has room again after clear, and keeps its data.
func TestDiskIsFull(t *testing.T) {
	d, err := newDisk(t, filepath.Join(t.TempDir(), "disk"), uint32(os.Getuid()), uint32(os.Getgid()))
	if err != nil {
		t.Skip(err)
	}
	file := filepath.Join(d.dir, "file")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.fill(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "more"), make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("writing to a full disk: %v, want ENOSPC", err)
	}
	if err := d.clear(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "more"), make([]byte, 1<<20), 0o600); err != nil {
		t.Errorf("writing to a disk with room: %v", err)
	}
	if raw, err := os.ReadFile(file); err != nil || len(raw) != 1<<20 {
		t.Errorf("the file has %d bytes (error %v), want all %d", len(raw), err, 1<<20)
	}
}

// The file size of a process can be limited even if it belongs to another user, like PostgreSQL when we are root.
func TestFilesAreLimited(t *testing.T) {
	sleep := exec.Command("sleep", "600")
	if os.Getuid() == 0 {
		sleep.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1, Gid: 1}}
	}
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	if err := servers.Guard(sleep.Process.Pid); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = sleep.Process.Kill()
		_ = sleep.Wait()
		servers.Unguard(sleep.Process.Pid)
	}()
	before := os.Getuid()
	for _, bytes := range []uint64{fullAt, unlimited} {
		if err := limitFiles([]int{sleep.Process.Pid}, bytes); err != nil {
			t.Fatal(err)
		}
		if got := fileLimit(t, sleep.Process.Pid); got != bytes {
			t.Errorf("the limit is %d bytes, want %d", got, bytes)
		}
	}
	if os.Getuid() != before {
		t.Error("the user of this process has changed")
	}
}

// fileLimit returns the soft limit of a process for the size of files.
func fileLimit(t *testing.T, pid int) uint64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "Max file size"); ok {
			if soft := strings.Fields(rest)[0]; soft != "unlimited" {
				n, err := strconv.ParseUint(soft, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
	}
	return unlimited
}
