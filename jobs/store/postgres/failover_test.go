package postgres

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// cluster is a primary, its standby, and a name that leads to one of them.
type cluster struct {
	primary, standby *servers.PostgresServer
	name             *proxy
	url              string // through the name
}

// newCluster makes a cluster whose tables are made, and whose name leads to the primary.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{primary: servers.StartPostgres(t)}
	c.standby = c.primary.Standby(t)
	c.name, c.url = between(t, c.primary.Database(t))
	s := openURL(t, c.url)
	// From now on a commit waits for the standby: what was accepted is there after the failover.
	exec(t, s, `ALTER SYSTEM SET synchronous_standby_names = 'standby'`)
	exec(t, s, `SELECT pg_reload_conf()`)
	eventually(t, "the standby is synchronous", func() bool {
		return value[int](t, s, `SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'`) == 1
	})
	submit(t, s, 1) // the standby has the tables
	s.Close()
	return c
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not after 30 s: %s", what)
		}
	}
}

func insertOne(s *Store) (jobs.New, error) {
	job := newJob()
	_, err := s.Insert(context.Background(), []jobs.Submission{{Jobs: []jobs.New{job}}})
	return job, err
}

// Connections that are made while the name leads to the standby must not stay.
func TestNameLedToAStandby(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for _, way := range []string{"Direct", "Pooler", "PoolerThatRefuses", "AnyServer", "PgBouncer"} {
		t.Run(way, func(t *testing.T) {
			c.name.refuse, c.name.swallow = way == "PoolerThatRefuses", way == "Pooler"
			c.name.lead(c.standby.Addr)
			target := c.url
			switch way {
			case "AnyServer":
				target += "&target_session_attrs=any"
			case "PgBouncer":
				target = servers.PgBouncer(t, c.url, 4, "server_lifetime=1", "ignore_startup_parameters=extra_float_digits")
			}
			s := openPlain(t, target)
			for range 3 {
				if _, err := insertOne(s); !errors.Is(err, jobs.ErrUnavailable) || errors.Is(err, jobs.ErrOutcomeUnknown) {
					t.Fatalf("submitted to a standby: %v, want ErrUnavailable", err)
				}
				if err := s.Ping(t.Context()); err == nil {
					t.Fatal("ready with a standby")
				}
			}
			_, err := insertOne(s)
			if text := err.Error(); !strings.Contains(text, "standby") && !strings.Contains(text, "read-only") {
				t.Errorf("the error does not name the reason: %s", text)
			}
			if way != "AnyServer" {
				if _, err := s.Stats(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
					t.Errorf("counted on a standby: %v, want ErrUnavailable", err)
				}
			}

			c.name.lead(c.primary.Addr)
			if way == "PgBouncer" { // it keeps its own connections for server_lifetime
				eventually(t, "PgBouncer leads to the primary", func() bool { _, err := insertOne(s); return err == nil })
			}
			for range 8 { // more calls than there are connections
				if _, err := insertOne(s); err != nil {
					t.Fatalf("the name leads to the primary now: %v", err)
				}
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Errorf("the name leads to the primary now: %v", err)
			}
		})
	}
}

// A URL may name both servers. The standby is passed over.
func TestURLWithBothServers(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	u, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	s := openPlain(t, strings.Replace(c.url, u.Host, c.standby.Addr+","+c.primary.Addr, 1))
	for range 8 {
		if _, err := insertOne(s); err != nil {
			t.Fatal(err)
		}
	}
}

// The primary is killed while jobs are submitted. The name leads to the standby, which is promoted a little later. What
// was accepted is there, once, and what was refused is not.
func TestFailoverWhileJobsAreSubmitted(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := openPlain(t, c.url)
	var mu sync.Mutex
	fate := map[string]error{} // of each submission, by the id of its first job
	var after, readOnly atomic.Int64
	var promoted atomic.Bool
	ctx, stop := context.WithCancel(t.Context())
	var submitters sync.WaitGroup
	for range 6 {
		submitters.Go(func() {
			for ctx.Err() == nil {
				sub := jobs.Submission{}
				for range 5 {
					sub.Jobs = append(sub.Jobs, newJob())
				}
				_, err := s.Insert(context.Background(), []jobs.Submission{sub})
				mu.Lock()
				fate[sub.Jobs[0].ID] = err
				mu.Unlock()
				switch {
				case err == nil && promoted.Load():
					after.Add(1)
				case err != nil && strings.Contains(err.Error(), "standby"):
					readOnly.Add(1)
				}
			}
		})
	}
	accepted := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, err := range fate {
			if err == nil {
				n++
			}
		}
		return n
	}
	eventually(t, "jobs are accepted", func() bool { return accepted() > 50 })
	c.primary.Kill()
	c.name.lead(c.standby.Addr)
	eventually(t, "submissions reach the standby", func() bool { return readOnly.Load() > 5 })
	c.standby.Promote(t)
	promoted.Store(true)
	eventually(t, "jobs are accepted by the new primary", func() bool { return after.Load() > 50 })
	stop()
	submitters.Wait()

	refused := 0
	for id, err := range fate {
		_, _, there := s.Get(t.Context(), id)
		switch {
		case err == nil && there != nil:
			t.Errorf("job %s was accepted and is not there: %v", id, there)
		case errors.Is(err, jobs.ErrUnavailable):
			refused++
			if there == nil {
				t.Errorf("job %s is there, and its submitter was told that it is not: %v", id, err)
			}
		case err != nil && !errors.Is(err, jobs.ErrOutcomeUnknown):
			t.Errorf("job %s: %v", id, err)
		}
	}
	t.Logf("%d submissions, %d accepted, %d refused", len(fate), accepted(), refused)
}
