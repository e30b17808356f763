//go:build !linux

package recording

import (
	"os"
	"syscall"
)

// takeAll kills the process, which looks like an end without memory. Only Linux limits the memory of a process
// reliably.
func takeAll() error { return syscall.Kill(os.Getpid(), syscall.SIGKILL) }
