//go:build !linux

package torture

import "errors"

const (
	fullAt    = 4 << 20
	unlimited = ^uint64(0)
)

// limitFiles is for Linux only; elsewhere the disk never fills.
func limitFiles([]int, uint64) error { return errors.ErrUnsupported }
