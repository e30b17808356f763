package recording

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// takeAll allocates memory until there is no more for this process, which ends the Go runtime in the midst of everything: no panic that
// anybody could recover from. It sets the limit itself, a little above what the process has, so that no other process suffers.
func takeAll() error {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	var pages uint64 // of address space, taken or only reserved
	if _, err := fmt.Fscan(bytes.NewReader(raw), &pages); err != nil {
		return err
	}
	const leeway = 64 << 20
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &limit); err != nil {
		return err
	}
	limit.Cur = min(pages*uint64(os.Getpagesize())+leeway, limit.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
		return err
	}
	// Each block holds on to the one before, and is written to: the collector frees nothing, and the kernel has to find the memory.
	type block struct {
		before *block
		data   []byte
	}
	for last := (*block)(nil); ; {
		last = &block{last, bytes.Repeat([]byte{1}, 1<<20)}
		runtime.KeepAlive(last)
	}
}
