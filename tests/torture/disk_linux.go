package torture

import (
	"syscall"
	"unsafe"
)

const (
	fullAt    = 4 << 20 // bytes of a file
	unlimited = ^uint64(0)
)

// limitFiles bounds how large a file the processes may write.
func limitFiles(pids []int, bytes uint64) error {
	limit := syscall.Rlimit{Cur: bytes, Max: unlimited}
	for _, pid := range pids {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), uintptr(syscall.RLIMIT_FSIZE), uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
		if errno != 0 && errno != syscall.ESRCH {
			return errno
		}
	}
	return nil
}
