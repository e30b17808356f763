//go:build unix

package sqlite

import (
	"os"
	"path/filepath"
	"testing"
)

// The files are for their owner alone, also in a directory that everybody may read, and where they were readable
// before.
func TestFilesArePrivate(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		for _, name := range []string{dataFile, dataFile + "-wal", dataFile + "-shm", lockFile} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has the mode %o, want 600", name, info.Mode().Perm())
			}
		}
	}
	s := open(t, Options{Dir: dir})
	insert(t, s, newJobs(t, 1))
	check()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, dataFile), 0o644); err != nil {
		t.Fatal(err)
	}
	s = open(t, Options{Dir: dir})
	insert(t, s, newJobs(t, 1))
	check()
}
