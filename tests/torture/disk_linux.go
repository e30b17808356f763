package torture

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/jackc/pgx/v5"
)

// disk is a file system in memory that can be filled. A write to a full one fails with ENOSPC, as on a real disk.
type disk struct{ dir string }

// normalSize is the size of a disk in bytes while it is not full. It uses only as much memory as it holds data.
const normalSize = 4 << 30

// newDisk mounts a disk on a folder. It fails on machines where we may not mount file systems.
func newDisk(t testing.TB, dir string, uid, gid uint32) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	options := fmt.Sprintf("size=%d,mode=0700,uid=%d,gid=%d", normalSize, uid, gid)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		return nil, fmt.Errorf("mount a disk in memory: %w", err)
	}
	d := &disk{dir: dir}
	// A mount stays when this process ends. This shell sees the pipe break when we end, for any reason, and unmounts it.
	unmounter := exec.Command("sh", "-c", `cat >/dev/null; exec umount -l "$1"`, "sh", dir)
	unmounter.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C must not end it
	pipe, err := unmounter.StdinPipe()
	if err == nil {
		err = unmounter.Start()
	}
	if err != nil {
		d.detach()
		return nil, err
	}
	t.Cleanup(func() {
		d.detach()
		_ = pipe.Close()
		_ = unmounter.Wait() // it finds nothing to unmount
	})
	return d, nil
}

func (d *disk) detach() { _ = syscall.Unmount(d.dir, syscall.MNT_FORCE|syscall.MNT_DETACH) }

// fill leaves almost no room.
func (d *disk) fill() error {
	for spare := int64(1); ; spare *= 2 {
		var s syscall.Statfs_t
		if err := syscall.Statfs(d.dir, &s); err != nil {
			return err
		}
		used := int64(s.Blocks-s.Bfree) + spare
		err := d.resize(used * s.Bsize)
		if !errors.Is(err, syscall.EINVAL) || spare > 1<<12 { // EINVAL: more data was written in the meantime
			return err
		}
	}
}

// clear makes room again.
func (d *disk) clear() error { return d.resize(normalSize) }

func (d *disk) resize(bytes int64) error {
	return syscall.Mount("tmpfs", d.dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", bytes))
}

// mountDisks mounts a disk for PostgreSQL, which already runs, and one for Redis, which does not run yet.
func (w *world) mountDisks(t testing.TB) error {
	var err error
	w.redisDisk, err = newDisk(t, filepath.Join(w.Dir, "redis-disk"), uint32(os.Getuid()), uint32(os.Getgid()))
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(t.Context(), w.postgres.URL)
	if err != nil {
		return err
	}
	var data string
	err = conn.QueryRow(t.Context(), `SHOW data_directory`).Scan(&data)
	_ = conn.Close(t.Context())
	if err != nil {
		return err
	}
	info, err := os.Stat(data)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	w.postgres.Stop()
	defer w.postgres.Start()
	if err := os.Rename(data, data+".moved"); err != nil {
		return err
	}
	disk, err := newDisk(t, data, owner.Uid, owner.Gid)
	if err != nil {
		_ = os.Remove(data)
		return errors.Join(err, os.Rename(data+".moved", data))
	}
	t.Cleanup(w.postgres.Kill) // must run before the disk is unmounted
	if out, err := exec.Command("cp", "-a", data+".moved/.", data).CombinedOutput(); err != nil {
		return fmt.Errorf("move the files of PostgreSQL to its disk: %w\n%s", err, out)
	}
	w.postgresDisk = disk
	return os.RemoveAll(data + ".moved")
}

const (
	fullAt    = 4 << 20 // size of a file, in bytes
	unlimited = ^uint64(0)
)

// limitFiles limits the size of the files that processes write. A write beyond the limit fails, as on a full disk.
func limitFiles(pids []int, bytes uint64) error {
	for _, pid := range pids {
		err := limitFile(pid, bytes)
		if errors.Is(err, syscall.EPERM) {
			err = asOwner(pid, func() error { return limitFile(pid, bytes) })
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func limitFile(pid int, bytes uint64) error {
	var limit syscall.Rlimit
	if err := prlimit(pid, nil, &limit); err != nil {
		return err
	}
	limit.Cur = min(bytes, limit.Max)
	return prlimit(pid, &limit, nil)
}

func prlimit(pid int, set, get *syscall.Rlimit) error {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_FSIZE,
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(get)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// asOwner calls do with the real user and group of a process. Only they may change its limits; in a container, root may
// not.
func asOwner(pid int, do func() error) error {
	info, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread becomes another user, and must end with the goroutine
		const keep = ^uintptr(0)
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESGID, uintptr(owner.Gid), keep, keep); errno != 0 {
			done <- errno
			return
		}
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(owner.Uid), keep, keep); errno != 0 {
			done <- errno
			return
		}
		done <- do()
	}()
	return <-done
}
