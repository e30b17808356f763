package torture

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/windlass-jobs/windlass/tests/torture/recording"
)

// newSceneOnDisks is a scene whose servers write to disks that can be filled.
func newSceneOnDisks(t *testing.T) *scene {
	t.Helper()
	s := newScene(t, func(set *Setup) { set.Disks = true })
	if s.diskless != nil {
		t.Skip(s.diskless)
	}
	return s
}

// trySubmit submits a job that may be refused with 503. It returns the id, or "" if the job was refused.
func (s *scene) trySubmit(key string) (id string) {
	s.Helper()
	a := s.submit(s.apis[0], recording.Quick, key, nil)
	switch {
	case a.code == http.StatusCreated || a.code == http.StatusOK:
		return stored(a.body)[0]
	case a.code == http.StatusServiceUnavailable && a.kind != "":
		return ""
	}
	s.Fatalf("submit: %d %s %v", a.code, a.body, a.err)
	return ""
}

// PostgreSQL ends when it has no room for its write-ahead log, and cannot recover before there is room again. All jobs
// that were accepted before, in between and afterwards are there and run.
func TestPostgresDiskFull(t *testing.T) {
	s := newSceneOnDisks(t)
	s.healthy()
	var ids []string
	for i := range 5 {
		ids = append(ids, s.accepted(recording.Quick, fmt.Sprint("before-", i), nil))
	}
	if err := s.postgresDisk.fill(); err != nil {
		t.Fatal(err)
	}
	refused := 0
	s.until("PostgreSQL has ended", 60*time.Second, func() bool {
		ctx, cancel := shortTimeout()
		defer cancel()
		_ = s.sql(ctx, `SELECT pg_switch_wal()`)
		if id := s.trySubmit(fmt.Sprint("full-", len(ids)+refused)); id != "" {
			ids = append(ids, id)
		} else {
			refused++
		}
		return strings.Contains(s.postgres.Log(), "PANIC:")
	})
	s.until("a job is refused", 30*time.Second, func() bool {
		if id := s.trySubmit(fmt.Sprint("gone-", refused)); id != "" {
			ids = append(ids, id)
			return false
		}
		return true
	})
	if err := s.postgresDisk.clear(); err != nil {
		t.Fatal(err)
	}
	(&nemesis{world: s.world}).recovered()
	s.until("jobs are accepted again", 30*time.Second, func() bool {
		id := s.trySubmit("after")
		if id != "" {
			ids = append(ids, id)
		}
		return id != ""
	})
	s.until("all jobs are over", scaled(62*time.Second)+backoff+hintDelay+slack, func() bool { return s.open() == 0 })
	for _, id := range ids {
		if j := s.job(id); j.status != "completed" {
			t.Errorf("job %s was accepted and is %s", id, j.status)
		}
	}
}

// Redis refuses every write when it has no room for its file. Jobs are still accepted and run.
func TestRedisDiskFull(t *testing.T) {
	s := newSceneOnDisks(t)
	s.healthy()
	if err := s.redisDisk.fill(); err != nil {
		t.Fatal(err)
	}
	write := func() (err error) {
		ctx, cancel := context.WithTimeout(s.Context(), 2*time.Second)
		defer cancel()
		_ = s.redisDo(ctx, func(c *redis.Client) error {
			err = c.Set(ctx, "torture:ballast", strings.Repeat("x", 64<<10), 0).Err()
			return nil
		})
		return err
	}
	s.until("Redis refuses to write", 30*time.Second, func() bool {
		err := write()
		return err != nil && strings.Contains(err.Error(), "MISCONF")
	})
	for i := range 5 {
		s.completed(s.accepted(recording.Quick, fmt.Sprint("full-", i), nil), hintDelay, 1)
	}
	if err := write(); err == nil || !strings.Contains(err.Error(), "MISCONF") {
		t.Errorf("Redis had room again too early: %v", err)
	}
	if err := s.redisDisk.clear(); err != nil {
		t.Fatal(err)
	}
	s.until("Redis writes again", 30*time.Second, func() bool { return write() == nil })
	s.completed(s.accepted(recording.Quick, "after", nil), hintDelay, 1)
}
