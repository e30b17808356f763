//go:build !linux

package recording

import (
	"os"
	"syscall"
)

// takeAll ends the process as one without memory ends: with no warning. Only Linux limits the memory of a process reliably.
func takeAll() error { return syscall.Kill(os.Getpid(), syscall.SIGKILL) }
