package recording

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// takeAll allocates memory until the process has no more. Then the Go runtime ends at once, without a panic that could
// be recovered. It first limits the memory of the process to a little more than it has, so that other processes are not
// affected.
func takeAll() error {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	var pages uint64 // of address space, used or reserved
	if _, err := fmt.Fscan(bytes.NewReader(raw), &pages); err != nil {
		return err
	}
	const spare = 64 << 20
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &limit); err != nil {
		return err
	}
	limit.Cur = min(pages*uint64(os.Getpagesize())+spare, limit.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
		return err
	}
	// Each block points to the one before, so that the collector frees nothing. Each block is written to, so that the
	// kernel must provide the memory.
	type block struct {
		before *block
		data   []byte
	}
	for last := (*block)(nil); ; {
		last = &block{last, bytes.Repeat([]byte{1}, 1<<20)}
		runtime.KeepAlive(last)
	}
}
