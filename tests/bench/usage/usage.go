// Package usage reads from Linux' /proc what processes have used. It counts the work of a server as a whole: a PostgreSQL has a process
// for each connection, and what one of them has used lives on in its parent when it ends.
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

// tick is the unit of the times in /proc/<pid>/stat. It is a hundredth of a second wherever Linux runs Go.
const tick = 10 * time.Millisecond

// stat is the part of /proc/<pid>/stat that matters here.
type stat struct {
	pid, parent int
	own         time.Duration // in user and kernel mode, all threads
	reaped      time.Duration // of children that ended and were waited for, and of theirs
}

// parse reads a line of /proc/<pid>/stat: pid (name) state parent …, where the name may hold blanks and brackets.
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

// sum adds up what a process and all beneath it have used, those that have ended included.
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

// Tree returns the CPU time that a process and all its descendants have used since they began.
func Tree(pid int) (time.Duration, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	var all []stat
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
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

// Memory returns the most memory that this process has held, in MB.
func Memory() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Maxrss) / 1024
}
