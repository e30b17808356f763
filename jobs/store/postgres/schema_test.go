package postgres

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/tests/servers"
)

func TestSchemaNames(t *testing.T) {
	for _, name := range []string{"Windlass", "1st", "a-b", `a"b`, "a.b", "pg_mine", "information_schema",
		strings.Repeat("a", 64), "ä", " "} {
		if s, err := Open(t.Context(), Options{URL: "postgres://localhost:1/none", Schema: name}); err == nil ||
			errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("schema %q: error %v", name, err)
			if s != nil {
				s.Close()
			}
		}
	}
	// Words of SQL are fine.
	s := migrated(t, openWith(t, Options{URL: servers.Postgres(t), Schema: "order"}))
	works(t, s)
	if n := value[int](t, s, `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`); n != 0 {
		t.Errorf("%d tables were made outside of the schema", n)
	}
}

// works sends jobs through a Store: submit, claim, settle, read.
func works(t *testing.T, s *Store) {
	t.Helper()
	w, ids := session(t, s), submit(t, s, 2)
	outcomes := []store.Outcome{
		{ID: ids[0], Fence: 1, Session: w, Verb: store.VerbComplete},
		{ID: ids[1], Fence: 1, Session: w, Verb: store.VerbRetry, Attempt: jobs.AttemptFailed, Error: "it broke"},
	}
	claim(t, s, w, ids...)
	settled, err := s.Settle(t.Context(), outcomes)
	if err != nil || settled[0].Result != store.Recorded || settled[1].Result != store.Recorded {
		t.Fatalf("settle: %+v, error %v", settled, err)
	}
	job, attempts, err := s.Get(t.Context(), ids[1])
	if err != nil || job.Status != jobs.Pending || len(attempts) != 1 {
		t.Fatalf("job %+v, attempts %+v, error %v", job, attempts, err)
	}
}

// Two installations in one database see nothing of each other.
func TestTwoSchemasInOneDatabase(t *testing.T) {
	url := servers.Postgres(t)
	a := openURL(t, url)
	b := migrated(t, openWith(t, Options{URL: url, Schema: "other"}))
	works(t, a)
	works(t, b)
	for _, s := range []*Store{a, b} {
		if stats, err := s.Stats(t.Context()); err != nil || stats.Total != 2 || stats.Completed != 1 {
			t.Errorf("%s: %+v, error %v", s.schema.name, stats, err)
		}
	}
}

// Tables and types of an application that have our names stay as they are, whatever the search_path, and Windlass
// works.
func TestForeignTablesOfTheSameNames(t *testing.T) {
	target := servers.Postgres(t)
	outside := openPlain(t, target)
	exec(t, outside, `SET search_path = public;
		CREATE TABLE jobs (id bigserial PRIMARY KEY, queue text, payload text, attempts int,
			available_at int); -- Laravel's
		CREATE TABLE leases (id int); CREATE TABLE worker_sessions (id int);
		CREATE TABLE completed_counts (n int); CREATE TABLE tally (n int);
		CREATE TABLE goose_db_version (id serial, version_id bigint, is_applied boolean, tstamp timestamp);
		CREATE TABLE windlass_migrations (version_id bigint); CREATE TABLE schema_version (version text);
		CREATE DOMAIN job_payload AS int;
		INSERT INTO jobs (queue, payload, attempts) VALUES ('default', 'mine', 255); INSERT INTO leases VALUES (1);
		RESET search_path`)
	foreign := func() string {
		return value[string](t, outside, `
			SELECT string_agg(table_name || '.' || column_name || ' ' || data_type, ', ' ORDER BY 1)
			FROM information_schema.columns WHERE table_schema = 'public'`) +
			value[string](t, outside, `SELECT jobs::text || leases::text FROM public.jobs, public.leases`)
	}
	before := foreign()
	for _, path := range []string{"public", "public,pg_catalog", "nowhere", `%22$user%22`} {
		s := openURL(t, target, "search_path="+path)
		works(t, s)
	}
	if after := foreign(); after != before {
		t.Errorf("the application's tables have changed\nbefore %s\nafter  %s", before, after)
	}
}

// beforeSchema is a database of the time when the tables lay in the connection's default schema.
//
//go:embed testdata/before_schema.sql
var beforeSchema string

// loadOld makes such a database with the tables in a schema, and returns all rows, table by table.
func loadOld(t *testing.T, s *Store, schema string) map[string]string {
	t.Helper()
	text := strings.ReplaceAll(beforeSchema, "public.", schema+".")
	exec(t, s, `CREATE SCHEMA IF NOT EXISTS `+schema+`; `+text+`
		-- as if it were of today
		UPDATE `+schema+`.idempotency_keys SET expires_at = now() + interval '1 day'`)
	return rowsOf(t, s, schema)
}

// rowsOf reads everything that came with the older tables. NULLs do not count: later migrations bring columns.
func rowsOf(t *testing.T, s *Store, schema string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for table := range oldTables {
		if table == "windlass_migrations" {
			continue
		}
		name := table
		if table == "tally" && value[bool](t, s, `SELECT to_regclass($1 || '.tally') IS NULL`, schema) {
			name = "completed_counts"
		}
		var rows string
		query := fmt.Sprintf(`SELECT count(*) || E'\n' || string_agg(d, E'\n' ORDER BY d) FROM
			(SELECT jsonb_strip_nulls(to_jsonb(r))::text AS d FROM "%s".%s r) AS rows`, schema, name)
		if err := s.maintenance.QueryRow(t.Context(), query).Scan(&rows); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[table] = rows
	}
	return all
}

// All rows of an older installation are moved, whatever schema they were in, and all functions work with them.
func TestOlderTablesMoveIntoTheSchema(t *testing.T) {
	for name, c := range map[string]struct{ from, to, params string }{
		"FromPublic":        {"public", "windlass", ""},
		"FromTheSearchPath": {"queue", "windlass", "search_path=%22queue%22, public"},
		"InPlace":           {"windlass", "windlass", ""},
		"ToAnotherName":     {"public", "order", ""},
		"FromWindlass":      {"windlass", "other", "search_path=windlass"},
	} {
		t.Run(name, func(t *testing.T) {
			target := servers.Postgres(t)
			before := loadOld(t, openPlain(t, target), c.from)
			if c.params != "" {
				target += "&" + strings.ReplaceAll(c.params, " ", "%20")
			}
			s := openWith(t, Options{URL: target, Schema: c.to})
			if err := s.Ping(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
				t.Errorf("ping before the migration: %v", err)
			}
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, rowsOf(t, s, c.to)); diff != "" {
				t.Errorf("rows have changed: %s", diff)
			}
			left := value[int](t, s, `SELECT count(*) FROM pg_class
				WHERE relnamespace = $1::text::regnamespace`, c.from)
			if c.from != c.to && left != 0 {
				t.Errorf("%d objects were left behind", left)
			}
			goesOn(t, s)
			// A database that was moved and a new one are the same.
			fresh := openWith(t, Options{URL: servers.Postgres(t), Schema: c.to})
			if err := fresh.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(objects(t, fresh), objects(t, s)); diff != "" {
				t.Errorf("the schemas differ: %s", diff)
			}
		})
	}
}

// objects describes the columns, indexes and constraints of a schema.
func objects(t *testing.T, s *Store) string {
	t.Helper()
	return value[string](t, s, `SELECT string_agg(d, E'\n' ORDER BY d) FROM (
		SELECT table_name || '.' || column_name || ' ' || ordinal_position || ' ' || coalesce(domain_name,
			data_type) || ' '
			|| is_nullable || ' ' || coalesce(column_default, '') || ' ' || coalesce(collation_name, '') AS d
			FROM information_schema.columns WHERE table_schema = $1
		UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = $1
		UNION ALL SELECT conrelid::regclass || ' ' || conname || ' '
			|| translate(pg_get_constraintdef(oid), '()', '') -- a dump changes them
			FROM pg_constraint WHERE connamespace = $1::text::regnamespace
		UNION ALL SELECT relname || ' ' || array_to_string(reloptions, ' ') FROM pg_class
			WHERE relnamespace = $1::text::regnamespace
	) AS all_of_them`, s.schema.name)
}

// goesOn uses the rows that were moved: a repeated key, a redrive, a delete, counts, a completion.
func goesOn(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	again := jobs.Submission{
		Jobs: []jobs.New{newJob(), newJob()}, Key: &jobs.Key{Scope: "scope", Key: "order-1", Fingerprint: [32]byte{1,
			2, 3}},
	}
	receipts, err := s.Insert(ctx, []jobs.Submission{again})
	if err != nil || receipts[0].Err != nil || !receipts[0].Replayed ||
		receipts[0].Jobs[0].ID != "01a21f3d-d662-7f3a-b988-8921fe64a4c6" {
		t.Errorf("a repeat of an old key: %+v, error %v", receipts, err)
	}
	stats, err := s.Stats(ctx)
	if err != nil || stats.Total != 15 || stats.Completed != 2 || stats.Failed != 3 || stats.Cancelled != 1 ||
		stats.Processing != 2 {
		t.Errorf("stats %+v, error %v", stats, err)
	}
	hints, err := s.Redrive(ctx, store.Redrive{DeadOnly: true, Limit: 10})
	if err != nil || len(hints) != 2 {
		t.Errorf("redrive: %+v, error %v", hints, err)
	}
	page, err := s.List(ctx, store.ListQuery{Status: jobs.Completed, Limit: 10})
	if err != nil || len(page.Jobs) != 2 {
		t.Fatalf("completed jobs: %+v, error %v", page, err)
	}
	if err := s.Delete(ctx, page.Jobs[0].ID); err != nil {
		t.Error(err)
	}
	// A session of the older process is still alive and completes its job.
	const worker, running = "01a21f3d-d62f-7b1b-8ad4-f2af53ddfd85", "01a21f3d-d64e-7afc-86c9-39dafc36ac83"
	settled, err := s.Settle(ctx, []store.Outcome{{ID: running, Fence: 1, Session: worker, Verb: store.VerbComplete}})
	if err != nil || settled[0].Result != store.Recorded {
		t.Errorf("settle: %+v, error %v", settled, err)
	}
	if stats, err := s.Stats(ctx); err != nil || stats.Total != 14 || stats.Completed != 2 || stats.Failed != 1 {
		t.Errorf("stats after a delete, a completion and a redrive: %+v, error %v", stats, err)
	}
	works(t, s)
}

// Tables that differ from older ones of ours in a column stay where they are.
func TestTablesThatAreNotQuiteOursAreNotMoved(t *testing.T) {
	target := servers.Postgres(t)
	outside := openPlain(t, target)
	loadOld(t, outside, "public")
	exec(t, outside, `ALTER TABLE public.leases ADD COLUMN of_mine text`)
	before := value[int](t, outside, `SELECT count(*) FROM public.jobs`)
	s := openURL(t, target)
	works(t, s)
	if n := value[int](t, outside, `SELECT count(*) FROM public.jobs`); n != before {
		t.Errorf("%d jobs in the foreign table, want %d", n, before)
	}
}

// role makes a role that may connect to the database of a URL, with the same password as the URL's user, and returns a
// URL for it.
func role(t *testing.T, admin *Store, target, options string) (name, as string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	name = "app_" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
	exec(t, admin, `CREATE ROLE `+name+` LOGIN PASSWORD '`+password+`' `+options)
	t.Cleanup(func() {
		_, _ = admin.maintenance.Exec(context.WithoutCancel(t.Context()),
			`DROP OWNED BY `+name+` CASCADE; DROP ROLE `+name)
	})
	u.User = url.UserPassword(name, password)
	return name, u.String()
}

func mayMakeSchemas(t *testing.T, admin *Store, role string) {
	t.Helper()
	database := value[string](t, admin, "SELECT quote_ident(current_database())")
	exec(t, admin, `GRANT CREATE ON DATABASE `+database+` TO `+role)
}

// A migration that cannot succeed is a permanent error with the way out, and not ErrUnavailable.
func TestMigrationThatCannotSucceed(t *testing.T) {
	refused := func(t *testing.T, s *Store, words ...string) {
		t.Helper()
		err := s.Migrate(t.Context())
		var permanent interface{ Permanent() bool }
		if errors.Is(err, jobs.ErrUnavailable) || !errors.As(err, &permanent) || !permanent.Permanent() {
			t.Fatalf("migrate: %v, want a permanent error", err)
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("migrate: %q does not say %q", err, w)
			}
		}
		if err := s.Ping(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("ping: %v, want ErrUnavailable", err)
		}
	}
	t.Run("MayNotMakeTheSchema", func(t *testing.T) {
		target := servers.Postgres(t)
		admin := openPlain(t, target)
		name, as := role(t, admin, target, "")
		s := openPlain(t, as)
		refused(t, s, "permission denied", "GRANT CREATE ON DATABASE", name, "windlass migrate up")
		mayMakeSchemas(t, admin, name)
		migrate(t, s)
	})
	t.Run("MayNotMakeTables", func(t *testing.T) {
		target := servers.Postgres(t)
		admin := openPlain(t, target)
		exec(t, admin, `CREATE SCHEMA windlass`)
		name, as := role(t, admin, target, "")
		s := openPlain(t, as)
		refused(t, s, "permission denied", name)
		exec(t, admin, `GRANT USAGE, CREATE ON SCHEMA windlass TO `+name) // the right to make schemas is not needed
		migrate(t, s)
	})
	t.Run("ForeignTables", func(t *testing.T) {
		s := open0(t)
		exec(t, s, `CREATE SCHEMA windlass; CREATE TABLE windlass.job_attempts (id int)`)
		refused(t, s, "already exists", "DATABASE_SCHEMA")
		if n := value[int](t, s, `SELECT count(*) FROM pg_tables WHERE schemaname = 'windlass'
			AND tablename = 'jobs'`); n != 0 {
			t.Error("half of a migration was kept")
		}
	})
}

// open0 is a Store on a fresh database, nothing migrated.
func open0(t testing.TB) *Store {
	t.Helper()
	return openPlain(t, servers.Postgres(t))
}

func migrate(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The grants in docs/operations.md are enough: for a role that owns the tables and migrates, and for one that only
// works with them.
func TestRolesOfTheManual(t *testing.T) {
	manual, err := os.ReadFile("../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(manual), "```sql\n-- as an administrator of the server")
	block, _, _ := strings.Cut(after, "```")
	byAdmin, byOwner, ok2 := strings.Cut(block, "-- as windlass_owner")
	if !ok || !ok2 {
		t.Fatal("docs/operations.md has lost its statements")
	}
	byAdmin, byOwner = "--"+byAdmin, "--"+byOwner
	target := servers.Postgres(t)
	admin := openPlain(t, target)
	owner, asOwner := role(t, admin, target, "")
	app, asApp := role(t, admin, target, "")
	names := strings.NewReplacer(
		"windlass_owner", owner, "windlass_app", app, "DATABASE shop", "DATABASE "+value[string](t, admin,
			"SELECT quote_ident(current_database())"))
	statements := func(text string) string { // those that make the roles are ours above
		var kept []string
		for line := range strings.Lines(names.Replace(text)) {
			if !strings.HasPrefix(line, "CREATE ROLE") {
				kept = append(kept, line)
			}
		}
		return strings.Join(kept, "")
	}
	exec(t, admin, statements(byAdmin))
	o := openPlain(t, asOwner)
	migrate(t, o)
	exec(t, o, statements(byOwner))

	s := openPlain(t, asApp)
	migrate(t, s) // nothing is pending, so no right is missing
	works(t, s)
	for name, call := range everyCall(t, s) {
		if err := call(); err != nil && !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	tx := beginPgx(t, asApp)
	if _, err := s.InsertTx(t.Context(), tx.tx, []jobs.Submission{{Jobs: []jobs.New{newJob()}}}); err != nil {
		t.Errorf("insert in a transaction: %v", err)
	}
	_ = tx.rollback()
	// The tables of a later migration are granted too.
	exec(t, o, `CREATE TABLE windlass.of_the_future (id int)`)
	value[int](t, s, `SELECT count(*) FROM windlass.of_the_future`)
	if _, err := s.maintenance.Exec(t.Context(), `DROP TABLE windlass.jobs`); err == nil {
		t.Error("the role that only works with the tables may drop them")
	}
}

func TestStatusAndDryRun(t *testing.T) {
	s := open0(t)
	status, err := s.Status(t.Context())
	if err != nil || len(status.Applied) != 0 || len(status.Pending) != len(migrations) || status.Newest != newest {
		t.Fatalf("status before: %+v, error %v", status, err)
	}
	text, err := s.SQL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := value[int](t, s, `SELECT count(*) FROM pg_namespace WHERE nspname = 'windlass'`); n != 0 {
		t.Fatal("a dry run has made the schema")
	}
	exec(t, s, text) // as an administrator would by hand
	migrate(t, s)
	works(t, s)
	status, err = s.Status(t.Context())
	if err != nil || len(status.Pending) != 0 || len(status.Applied) != len(migrations) ||
		status.Applied[0].Name != "0001_jobs" || time.Since(status.Applied[0].AppliedAt) > time.Minute {
		t.Errorf("status after: %+v, error %v", status, err)
	}
	if text, err := s.SQL(t.Context()); err != nil || text != "" {
		t.Errorf("a dry run with nothing pending: %q, error %v", text, err)
	}
	byMigrate := open(t)
	exec(t, byMigrate, `DROP TRIGGER watch_jobs ON windlass.jobs`)
	if diff := cmp.Diff(objects(t, byMigrate), objects(t, s)); diff != "" {
		t.Errorf("by hand and by Migrate: %s", diff)
	}
	// A schema of this version or a newer one is ready.
	exec(t, s, `UPDATE windlass.schema_version SET version = version + 1000`)
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("ping of a newer schema: %v", err)
	}
	exec(t, s, `UPDATE windlass.schema_version SET version = version - 2000`)
	if err := s.Ping(t.Context()); !errors.Is(err, jobs.ErrUnavailable) || !strings.Contains(err.Error(), "migration") {
		t.Errorf("ping of an older schema: %v", err)
	}
}

// Migrate takes no lock where nothing is pending, so a process can start while another one holds the lock.
func TestCurrentSchemaTakesNoLock(t *testing.T) {
	s := open(t)
	other := second(t, s)
	tx, err := other.work.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), `SELECT pg_advisory_xact_lock($1)`, int64(migrationLock)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Migrate(ctx); err != nil {
		t.Error(err)
	}
}

// The table of migration 4 is granted to whoever may write to its sister, also where nobody has set default privileges:
// a role that only uses the tables could settle no failure otherwise.
func TestCountsAreGrantedLikeTheirSister(t *testing.T) {
	target := servers.Postgres(t)
	s := openPlain(t, target)
	migrate(t, s)
	app, _ := role(t, s, target, "")
	exec(t, s, `GRANT SELECT, INSERT, UPDATE, DELETE ON windlass.completed_counts TO `+app)
	exec(t, s, `DROP TABLE windlass.ended_counts; DELETE FROM windlass.schema_version WHERE version = 4`)
	migrate(t, s)
	for _, right := range []string{"SELECT", "INSERT", "UPDATE", "DELETE"} {
		if !value[bool](t, s, `SELECT has_table_privilege($1::text, 'windlass.ended_counts', $2::text)`, app, right) {
			t.Errorf("%s is not granted", right)
		}
	}
}

// A parameter that the server does not know ends the start with its name: it would fail at each connection.
func TestParameterThatTheServerDoesNotKnow(t *testing.T) {
	target := servers.Postgres(t)
	sign := "?"
	if strings.Contains(target, "?") {
		sign = "&"
	}
	for parameter, want := range map[string]string{
		"no_such_setting=1": "no_such_setting", "work_mem=much": "work_mem", "max_connections=9": "max_connections",
	} {
		s := openPlain(t, target+sign+parameter)
		err := s.Migrate(t.Context())
		var permanent *MigrationError
		if !errors.As(err, &permanent) || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), "Take the parameter out of the database URL") {
			t.Errorf("%s: %v", parameter, err)
		}
	}
}
