package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/tests/torture/history"
	"github.com/windlass-jobs/windlass/tests/torture/recording"
)

// TestClockJumps moves PostgreSQL's clock an hour ahead while jobs run. By the new time every lease has run out, but no worker was silent:
// nothing may be taken from anybody. That holds for one lease: what runs on for longer is past its deadline, which is a time of PostgreSQL's
// too, and is then taken back like any job that overruns. (The clocks of our own processes do not matter: they send none.)
func TestClockJumps(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	if runtime.GOOS != "linux" {
		t.Skip("the clock of a process can be moved on Linux only")
	}
	libs, _ := filepath.Glob("/usr/lib*/faketime/libfaketime.so.1") // Red Hat, Alpine, Arch
	debian, _ := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if libs = append(libs, debian...); len(libs) == 0 {
		t.Fatal("libfaketime is not installed: `make test` does that")
	}
	clock := filepath.Join(scratch, "clock")
	set := func(offset string) {
		if err := os.WriteFile(clock, []byte(offset+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	set("+0")
	if err := os.Chmod(scratch, 0o755); err != nil { // PostgreSQL reads it too, as another user
		t.Fatal(err)
	}
	w, err := newWorld(t, Setup{
		Bin: programs(t, false), Dir: filepath.Join(scratch, "clock-jumps"), TTL: pointTTL, Slots: 8, APIs: 1, Workers: 2,
		postgresEnv: map[string]string{
			"LD_PRELOAD": libs[0], "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{T: t, world: w, client: newClient([]string{w.apis[0].url}, w.events, 1, 100, t.Errorf)}
	if err := w.ready(s.client); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := range 10 {
		ids = append(ids, s.accepted(recording.Deaf, fmt.Sprint("deaf-", i), map[string]any{"millis": 2000}))
	}
	flaky := s.accepted(recording.Flaky, "flaky", nil)
	s.until("all of them run", head+slack, func() bool { return s.number(`SELECT count(*) FROM jobs WHERE status = 'processing'`) == len(ids) })
	s.until("one waits for its retry", slack, func() bool { return s.happened(history.Acked, flaky) == 1 })
	before := s.job(flaky)
	set("+3600")
	s.until("the clock has jumped", slack, func() bool {
		return s.number(`SELECT (extract(epoch FROM now()) - `+fmt.Sprint(time.Now().Unix())+`)::int`) > 3000
	})
	for _, id := range ids {
		s.completed(id, 2*time.Second+head, 1)
		s.starts(id, 1)
	}
	if before.attempts != 1 {
		t.Errorf("the flaky job had made %d attempts when the clock jumped", before.attempts)
	}
	s.completed(flaky, head, 2)
	if n := s.number(`SELECT count(*) FROM job_attempts WHERE outcome = 'lease_lost'`); n != 0 {
		t.Errorf("%d jobs were taken from workers that were well", n)
	}
}
