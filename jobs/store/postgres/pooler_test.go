package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// A pooler refuses our settings, or ignores them. In both cases each transaction makes them, and none of them stays on
// the connection.
func TestSettingsHoldBehindPoolers(t *testing.T) {
	for _, refuses := range []bool{true, false} {
		name := map[bool]string{true: "Refusing", false: "Swallowing"}[refuses]
		t.Run(name, func(t *testing.T) {
			target := servers.Postgres(t)
			p, url := between(t, target)
			p.refuse, p.swallow = refuses, !refuses
			s := openURL(t, url)

			var inCall string
			err := s.work.read(t.Context(), "look", statement{sql: "SELECT current_setting('lock_timeout')",
				scan: one(&inCall)})
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
				outcomes = append(outcomes, store.Outcome{ID: j.ID, Fence: j.Fence, Session: w,
					Verb: store.VerbComplete})
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

// The mode of a transaction is asked for before it has a snapshot, and ends with it. Nothing warns.
func TestTransactionModeBehindAPooler(t *testing.T) {
	server := servers.StartPostgres(t)
	target := server.Database(t)
	exec(t, openPlain(t, target), `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database());
		EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$`)
	s := openWith(t, Options{URL: servers.PgBouncer(t, target, 1)})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	works(t, s)
	const mode = `SELECT current_setting('transaction_isolation') || ', read-only ' ||
		current_setting('transaction_read_only')`
	for _, c := range []struct {
		what, want string
		call       func(context.Context, string, ...statement) error
	}{
		{"a write", "read committed, read-only off", s.work.write},
		{"a read", "read committed, read-only on", s.work.read},
	} {
		var got string
		if err := c.call(t.Context(), "look", statement{mode, nil, one(&got)}); err != nil || got != c.want {
			t.Errorf("%s: %s, error %v, want %s", c.what, got, err, c.want)
		}
		if got := value[string](t, s, mode); got != "serializable, read-only on" {
			t.Errorf("after %s others have: %s", c.what, got)
		}
	}
	if log := server.Log(); strings.Contains(log, "WARNING") || strings.Contains(log, "ERROR") {
		t.Error(log)
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
		if work, maintenance := s.work.Stat().MaxConns(), s.maintenance.Stat().MaxConns(); work != c.work ||
			maintenance != c.maintenance {
			t.Errorf("%+v: pools of %d and %d, want %d and %d", c.options, work, maintenance, c.work, c.maintenance)
		}
		s.Close()
	}
	if _, err := Open(t.Context(), Options{URL: "postgres://localhost:port/"}); err == nil || errors.Is(err,
		jobs.ErrUnavailable) {
		t.Errorf("a URL that makes no sense: error %v", err)
	}
}

// A real PgBouncer in transaction mode with one server connection: four processes start at once and work on 500 jobs.
func TestPgBouncerWithOneServerConnection(t *testing.T) {
	direct := servers.Postgres(t)
	target := servers.PgBouncer(t, direct, 1)
	stores := make([]*Store, 4)
	var all sync.WaitGroup
	for i := range stores {
		// A search_path is refused by PgBouncer, so it must not be sent.
		stores[i] = openPlain(t, target+"&search_path=public")
		all.Go(func() {
			if err := stores[i].Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s := stores[0]
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	const n = 500
	workers := make([]string, len(stores))
	submitted := make([][]string, len(stores))
	for i, s := range stores {
		workers[i] = session(t, s)
	}
	for i, s := range stores {
		all.Go(func() {
			for range 5 {
				subs := make([]jobs.Submission, n/len(stores)/5)
				for k := range subs {
					subs[k] = jobs.Submission{Jobs: []jobs.New{newJob()}, Key: &jobs.Key{Key: newJobID()}}
					submitted[i] = append(submitted[i], subs[k].Jobs[0].ID)
				}
				if _, err := s.Insert(t.Context(), subs); err != nil {
					t.Error(err)
					return
				}
			}
			for ids := range slices.Chunk(submitted[i], 10) {
				got, err := s.Claim(t.Context(), store.Claim{Session: workers[i], Types: []string{"email"}, IDs: ids})
				if err != nil || len(got.Jobs) != len(ids) {
					t.Errorf("claimed %d of %d: %v", len(got.Jobs), len(ids), err)
					return
				}
				outcomes := make([]store.Outcome, len(got.Jobs))
				for k, j := range got.Jobs {
					outcomes[k] = store.Outcome{ID: j.ID, Fence: j.Fence, Session: workers[i],
						Verb: store.VerbComplete, Result: []byte(`{"n":1}`)}
				}
				settled, err := s.Settle(t.Context(), outcomes)
				if err != nil || slices.ContainsFunc(settled,
					func(s store.Settled) bool { return s.Result != store.Recorded }) {
					t.Errorf("settled %+v: %v", settled, err)
					return
				}
			}
		})
	}
	all.Wait()
	if stats, err := s.Stats(t.Context()); err != nil || stats.Completed != n || stats.Total != n {
		t.Errorf("stats %+v, error %v, want %d completed", stats, err, n)
	}
	if n := value[int](t, openPlain(t, direct), `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`); n != 1 {
		t.Errorf("%d server connections, want 1", n)
	}
}

// A role that may have two connections, one for each pool, is enough to migrate and to work.
func TestRoleWithFewConnections(t *testing.T) {
	target := servers.Postgres(t)
	admin := openPlain(t, target)
	name, as := role(t, admin, target, "CONNECTION LIMIT 2")
	mayMakeSchemas(t, admin, name)
	s := openWith(t, Options{URL: as, Conns: 1, MaintenanceConns: 1})
	migrate(t, s)
	works(t, s)
}
