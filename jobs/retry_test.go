package jobs_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

func TestBackoff(t *testing.T) {
	for attempt, want := range map[int]time.Duration{
		1: 2 * time.Second, 2: 4 * time.Second, 3: 8 * time.Second, 11: 2048 * time.Second,
		12: time.Hour, 13: time.Hour, 64: time.Hour, 1 << 30: time.Hour, 0: time.Second, -5: time.Second,
	} {
		if got := jobs.BackoffBase(attempt); got != want {
			t.Errorf("BackoffBase(%d) = %s, want %s", attempt, got, want)
		}
		spread := map[time.Duration]bool{}
		for range 100 {
			got := jobs.Backoff(attempt)
			if got < want || got > min(want+want/10, time.Hour) {
				t.Fatalf("Backoff(%d) = %s, outside [%s, +10%%]", attempt, got, want)
			}
			spread[got] = true
		}
		if want < time.Hour && len(spread) < 50 {
			t.Errorf("Backoff(%d) gave only %d different waits in 100", attempt, len(spread))
		}
	}
}

func TestAnswers(t *testing.T) {
	cause := errors.New("no such mailbox")
	err := fmt.Errorf("send: %w", jobs.Permanent(cause))
	if !jobs.IsPermanent(err) || !errors.Is(err, cause) || err.Error() != "send: no such mailbox" {
		t.Errorf("permanent: %v", err)
	}
	if jobs.IsPermanent(cause) || jobs.Permanent(nil) != nil {
		t.Error("an ordinary error, or none, is permanent")
	}
	for given, want := range map[time.Duration]time.Duration{
		time.Minute: time.Minute, -1: 0, 500 * 24 * time.Hour: jobs.MaxDelay,
	} {
		if d, ok := jobs.IsSnooze(fmt.Errorf("later: %w", jobs.Snooze(given))); !ok || d != want {
			t.Errorf("Snooze(%s): %s, %v", given, d, ok)
		}
	}
	if _, ok := jobs.IsSnooze(cause); ok {
		t.Error("an ordinary error snoozes")
	}
}
