// Package usage reads from Linux' /proc how much CPU time processes have used. It counts a server as a whole:
// PostgreSQL has a process for each connection, and when such a process ends, the kernel adds its CPU time to its
// parent's.
package usage

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of the times in /proc/<pid>/stat: 1/100 s on every Linux that Go supports.
const tick = 10 * time.Millisecond

// stat is the part of /proc/<pid>/stat that is used here.
type stat struct {
	pid, parent int
	own         time.Duration // CPU time in user and kernel mode, all threads
	reaped      time.Duration // CPU time of descendants that have ended and were waited for
}

// parse parses /proc/<pid>/stat: "pid (name) state parent …". The name may contain blanks and brackets.
func parse(line string) (stat, error) {
	end := strings.LastIndexByte(line, ')')
	begin := strings.IndexByte(line, '(')
	if begin < 0 || end < begin {
		return stat{}, fmt.Errorf("no name in %q", line)
	}
	fields := strings.Fields(line[end+1:])
	// Counted from the state: parent 1, utime 11, stime 12, cutime 13, cstime 14.
	if len(fields) < 15 {
		return stat{}, fmt.Errorf("%d fields after the name in %q", len(fields), line)
	}
	var n [5]int64
	for i, at := range []int{1, 11, 12, 13, 14} {
		v, err := strconv.ParseInt(fields[at], 10, 64)
		if err != nil {
			return stat{}, fmt.Errorf("field %d of %q: %w", at, line, err)
		}
		n[i] = v
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line[:begin]))
	if err != nil {
		return stat{}, fmt.Errorf("pid of %q: %w", line, err)
	}
	return stat{
		pid: pid, parent: int(n[0]),
		own: time.Duration(n[1]+n[2]) * tick, reaped: time.Duration(n[3]+n[4]) * tick,
	}, nil
}

// sum adds up the CPU time of a process and all its descendants, including those that have ended.
func sum(all []stat, root int) (total time.Duration, found bool) {
	children := map[int][]stat{}
	for _, s := range all {
		children[s.parent] = append(children[s.parent], s)
		if s.pid == root {
			total, found = s.own+s.reaped, true
		}
	}
	for _, child := range children[root] {
		used, _ := sum(all, child.pid)
		total += used
	}
	return total, found
}

// Tree returns the CPU time that a process and all its descendants have used since they started.
func Tree(pid int) (time.Duration, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	var all []stat
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // the process has ended in the meantime
		}
		s, err := parse(string(raw))
		if err != nil {
			return 0, err
		}
		all = append(all, s)
	}
	total, found := sum(all, pid)
	if !found {
		return 0, fmt.Errorf("process %d is not in /proc", pid)
	}
	return total, nil
}

// Own returns the CPU time that this process and its ended children have used.
func Own() time.Duration {
	var total time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			total += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return total
}

// Memory returns the maximum resident memory of this process so far, in MB.
func Memory() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Maxrss) / 1024
}
