//go:build !linux

package torture

import (
	"errors"
	"testing"
)

const (
	fullAt    = 4 << 20
	unlimited = ^uint64(0)
)

// limitFiles exists on Linux only.
func limitFiles([]int, uint64) error { return errors.ErrUnsupported }

// disk exists on Linux only.
type disk struct{ dir string }

func newDisk(testing.TB, string, uint32, uint32) (*disk, error) { return nil, errors.ErrUnsupported }

func (*disk) fill() error  { return errors.ErrUnsupported }
func (*disk) clear() error { return errors.ErrUnsupported }

func (*world) mountDisks(testing.TB) error { return errors.ErrUnsupported }
