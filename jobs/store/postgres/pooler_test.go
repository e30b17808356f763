package postgres

import (
	"errors"
	"testing"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// A pooler shows itself by refusing our settings, or it swallows them. In both cases they travel with each call, and stay
// with none.
func TestSettingsHoldBehindPoolers(t *testing.T) {
	for _, refuses := range []bool{true, false} {
		name := map[bool]string{true: "Refusing", false: "Swallowing"}[refuses]
		t.Run(name, func(t *testing.T) {
			target := servers.Postgres(t)
			p, url := between(t, target)
			p.refuse, p.swallow = refuses, !refuses
			s := openURL(t, url)

			var inCall string
			err := s.work.read(t.Context(), "look", statement{sql: "SELECT current_setting('lock_timeout')", scan: one(&inCall)})
			if err != nil || inCall != "2s" {
				t.Errorf("lock_timeout within a call: %q, error %v", inCall, err)
			}
			if outside := value[string](t, s, "SELECT current_setting('lock_timeout')"); outside != "0" {
				t.Errorf("lock_timeout has stayed behind on the connection: %q", outside)
			}

			ids := submit(t, s, 20)
			w := session(t, s)
			var outcomes []store.Outcome
			for _, j := range claim(t, s, w, ids...) {
				outcomes = append(outcomes, store.Outcome{ID: j.ID, Fence: j.Fence, Session: w, Verb: store.VerbComplete})
			}
			if settled, err := s.Settle(t.Context(), outcomes); err != nil || settled[19].Result != store.Recorded {
				t.Errorf("settle: %+v, error %v", settled, err)
			}
			if n := value[int](t, s, "SELECT count(*) FROM pg_prepared_statements"); n != 0 {
				t.Errorf("%d statements were left prepared", n)
			}
		})
	}
}

func TestDirectConnectionsCarryTheSettingsOnce(t *testing.T) {
	p, url := between(t, servers.Postgres(t))
	s := openURL(t, url)
	if there := value[string](t, s, "SELECT current_setting('lock_timeout')"); there != "2s" {
		t.Errorf("lock_timeout: %q, want 2s", there)
	}
	if s.work.pooler.there() || s.maintenance.pooler.there() {
		t.Error("a plain server was taken for a pooler")
	}
	if p.started.Load() == 0 {
		t.Error("nothing went through the proxy")
	}
}

func TestURLDecidesPoolSizes(t *testing.T) {
	url := "postgres://localhost:1/none"
	for _, c := range []struct {
		options           Options
		work, maintenance int32
	}{
		{Options{URL: url}, 6, 2},
		{Options{URL: url + "?pool_max_conns=3"}, 3, 2},
		{Options{URL: url + "?pool_max_conns=3", Conns: 9, MaintenanceConns: 1}, 9, 1},
	} {
		s, err := Open(t.Context(), c.options)
		if err != nil {
			t.Fatal(err)
		}
		if work, maintenance := s.work.Stat().MaxConns(), s.maintenance.Stat().MaxConns(); work != c.work || maintenance != c.maintenance {
			t.Errorf("%+v: pools of %d and %d, want %d and %d", c.options, work, maintenance, c.work, c.maintenance)
		}
		s.Close()
	}
	if _, err := Open(t.Context(), Options{URL: "postgres://localhost:port/"}); err == nil || errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("a URL that makes no sense: error %v", err)
	}
}
