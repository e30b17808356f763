package usage

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

const line = "4711 (postgres: a (b) c) S 12 4711 4711 0 -1 4194304 97 0 0 0 150 50 7 3 20 0 1 0 1159056 3133440 350 " +
	"18446744073709551615 1 1 0"

func TestParse(t *testing.T) {
	got, err := parse(line)
	want := stat{pid: 4711, parent: 12, own: 2 * time.Second, reaped: 100 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("parse = %+v (%v), want %+v", got, err, want)
	}
	for _, bad := range []string{
		"", "1 (x", "1 (x) S 2 3", "x (x) S 1 1 1 0 -1 0 0 0 0 0 1 1 1 1 20 0 1 0 1 1 1",
		"1 (x) S y 1 1 0 -1 0 0 0 0 0 1 1 1 1 20 0 1 0 1 1 1",
	} {
		if got, err := parse(bad); err == nil {
			t.Errorf("parse(%q) = %+v, want an error", bad, got)
		}
	}
}

func TestSumCountsTheWholeTreeAndNothingElse(t *testing.T) {
	all := []stat{
		{pid: 1, parent: 0, own: 100 * time.Second},
		{pid: 10, parent: 1, own: time.Second, reaped: 2 * time.Second},
		{pid: 11, parent: 10, own: 4 * time.Second},
		{pid: 12, parent: 11, own: 8 * time.Second, reaped: 16 * time.Second},
		{pid: 20, parent: 1, own: 32 * time.Second},
	}
	if got, found := sum(all, 10); !found || got != 31*time.Second {
		t.Errorf("sum = %s (%t), want 31s", got, found)
	}
	if _, found := sum(all, 99); found {
		t.Error("a process that does not exist was found")
	}
}

// The CPU time of a child counts while it runs, and after its end as the time of ended children.
func TestTreeIncludesEndedChildren(t *testing.T) {
	before, err := Tree(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	own := Own()
	if err := exec.Command("sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done").Run(); err != nil {
		t.Fatal(err)
	}
	after, err := Tree(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after-before < 3*tick || Own()-own < 3*tick {
		t.Errorf("Tree grew by %s and Own by %s; a loop of 300,000 takes more", after-before, Own()-own)
	}
	if _, err := Tree(-1); err == nil {
		t.Error("a process with the pid -1 was found")
	}
}
