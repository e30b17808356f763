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

// TestClockJumps moves PostgreSQL's clock one hour forwards while jobs run, and later one hour back. By the new time
// every lease has expired, or has an hour left. But every worker has renewed its lease, so no job may be taken from it.
// This holds for one TTL. After that, a job that still runs is past its deadline, which is also a time of PostgreSQL,
// and is taken back like any other overdue job. After the jump back, jobs that were due or delayed wait until the clock
// has reached their time. (The clocks of our own processes do not matter, because they send no times. The nemesis moves
// those.)
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
		t.Fatal("libfaketime is not installed: `make test` installs it")
	}
	clock := filepath.Join(scratch, "clock")
	set := func(offset string) {
		if err := os.WriteFile(clock, []byte(offset+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	set("+0")
	if err := os.Chmod(scratch, 0o755); err != nil { // PostgreSQL runs as another user and reads the file
		t.Fatal(err)
	}
	w, err := newWorld(t, Setup{
		Bin: programs(t), Dir: folder(t), TTL: 5 * pointTTL, Slots: 8, APIs: 1, Workers: 2,
		postgresEnv: map[string]string{
			"LD_PRELOAD": libs[0], "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_NO_CACHE": "1",
			"FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{T: t, world: w, client: newClient([]string{w.apis[0].url}, w.events, 1, 100, t.Errorf)}
	if err := w.ready(s.client); err != nil {
		t.Fatal(err)
	}
	// running submits ten jobs of two seconds and one that fails. It returns when the ten run and the other one waits for
	// its retry.
	running := func(when string) (ids []string, flaky string) {
		for i := range 10 {
			ids = append(ids, s.accepted(recording.Deaf, fmt.Sprint(when, "-deaf-", i), map[string]any{"millis": 2000}))
		}
		flaky = s.accepted(recording.Flaky, when+"-flaky", nil)
		s.until("all of them run", hintDelay+slack, func() bool {
			return s.number(`SELECT count(*) FROM windlass.jobs
				WHERE status = 'processing' AND type = '`+recording.Deaf+`'`) == len(ids)
		})
		s.until("one waits for its retry", slack, func() bool { return s.happened(history.Acked, flaky) == 1 })
		if n := s.job(flaky).attempts; n != 1 {
			t.Errorf("the flaky job had %d attempts before the clock jumped, want 1", n)
		}
		return ids, flaky
	}
	jump := func(offset string, least, most int) {
		set(offset)
		s.until("the clock has jumped", slack, func() bool {
			ahead := s.number(`SELECT (extract(epoch FROM now()) - ` + fmt.Sprint(time.Now().Unix()) + `)::int`)
			return ahead > least && ahead < most
		})
	}
	undisturbed := func(ids []string) {
		for _, id := range ids {
			s.completed(id, 2*time.Second+hintDelay, 1)
			s.starts(id, 1)
		}
	}
	ids, flaky := running("forwards")
	jump("+3600", 3000, 4000)
	undisturbed(ids)
	s.completed(flaky, hintDelay, 2)

	ids, flaky = running("backwards")
	jump("+0", -600, 600)
	undisturbed(ids)
	s.completed(s.accepted(recording.Quick, "new", nil), hintDelay, 1)
	if j := s.job(flaky); j.status != "pending" || j.attempts != 1 {
		t.Errorf("the job with a retry in one hour is %s with %d attempts, want pending with 1", j.status, j.attempts)
	}
	jump("+3600", 3000, 4000)
	s.completed(flaky, hintDelay, 2)
	if n := s.number(`SELECT count(*) FROM windlass.job_attempts WHERE outcome = 'lease_lost'`); n != 0 {
		t.Errorf("%d jobs were taken from healthy workers", n)
	}
}
