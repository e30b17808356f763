package storecmd

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	goredis "github.com/redis/go-redis/v9"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue/redis"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/jobs/store/postgres"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
	"github.com/windlass-jobs/windlass/jobs/store/storetest"
	"github.com/windlass-jobs/windlass/tests/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

// place is a database that commands are pointed to.
type place struct {
	t   *testing.T
	env map[string]string
}

func inSQLite(t *testing.T) place { return place{t, map[string]string{"DATA_DIR": t.TempDir()}} }

func inPostgres(t *testing.T) place {
	return place{t, map[string]string{"DATABASE_URL": servers.Postgres(t), "DATABASE_SCHEMA": "shop"}}
}

func (p place) getenv(name string) string { return p.env[name] }

// with calls f with the store, which is closed afterwards: SQLite lets nobody else in.
func (p place) with(f func(s store.Store)) {
	p.t.Helper()
	if dir := p.env["DATA_DIR"]; dir != "" {
		s, err := sqlite.Open(p.t.Context(), sqlite.Options{Dir: dir})
		p.check(err)
		defer s.Close()
		f(s)
		return
	}
	s, err := postgres.Open(p.t.Context(), postgres.Options{
		URL: p.env["DATABASE_URL"], Schema: p.env["DATABASE_SCHEMA"], Log: slog.New(slog.DiscardHandler),
	})
	p.check(err)
	defer s.Close()
	p.check(s.Migrate(p.t.Context()))
	f(s)
}

func (p place) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// exec runs SQL by hand in PostgreSQL.
func (p place) exec(sql string) {
	p.t.Helper()
	conn, err := pgx.Connect(p.t.Context(), p.env["DATABASE_URL"])
	p.check(err)
	defer conn.Close(context.WithoutCancel(p.t.Context()))
	_, err = conn.Exec(p.t.Context(), sql)
	p.check(err)
}

// options are those of a command that nobody watches. What it warns of goes to the test's log.
func (p place) options(file string) Options {
	return Options{
		Getenv: p.getenv, File: file, Stdin: strings.NewReader(""), Stdout: io.Discard,
		Warn: func(sentence string) { p.t.Log(sentence) },
	}
}

func (p place) doctor(repair bool) *Report {
	p.t.Helper()
	r, err := Doctor(p.t.Context(), p.getenv, repair, func(string) {})
	p.check(err)
	return r
}

// says checks the result of a check, and returns what it found.
func (r *Report) says(t *testing.T, name string, want store.Grade) string {
	t.Helper()
	i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("there is no check %q in %+v", name, r.Checks)
	}
	c := r.Checks[i]
	if c.Result != want || (c.Advice == "") != (want == store.GradeOK) {
		t.Errorf("%s is %s, want %s: %s (%s)", name, c.Result, want, c.Detail, c.Advice)
	}
	return c.Detail
}

// From each driver to the other, by way of files, and what arrives is what went.
func TestMoveBetweenDrivers(t *testing.T) {
	for _, test := range []struct {
		name     string
		from, to func(*testing.T) place
		file     string
	}{
		{"SQLiteToPostgreSQL", inSQLite, inPostgres, "jobs.jsonl"},
		{"PostgreSQLToSQLite", inPostgres, inSQLite, "jobs.jsonl.gz"},
		{"PostgreSQLToPostgreSQL", inPostgres, inPostgres, "jobs.gz"},
	} {
		t.Run(test.name, func(t *testing.T) {
			from, to := test.from(t), test.to(t)
			file := filepath.Join(t.TempDir(), test.file)
			var filled storetest.Populated
			from.with(func(s store.Store) { filled = storetest.Populate(t, s) })
			out, err := Export(t.Context(), from.options(file))
			from.check(err)
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the file: %v, error %v", info, err)
			}
			in, err := Import(t.Context(), to.options(file))
			to.check(err)
			if out.Jobs != int64(len(filled.IDs)) || in.Jobs != out.Jobs ||
				in.Types != out.Types || in.Keys != 1 || in.Same != 0 {
				t.Errorf("exported %+v, imported %+v", out, in)
			}
			again, err := Import(t.Context(), to.options(file))
			to.check(err)
			if again.Jobs != 0 || again.Same != in.Jobs+in.Types+in.Keys {
				t.Errorf("imported again: %+v", again)
			}
			report := to.doctor(false)
			if !report.OK {
				t.Errorf("after the import: %+v", report)
			}

			// The file of the new place has the same records.
			second := filepath.Join(t.TempDir(), "again.jsonl")
			_, err = Export(t.Context(), to.options(second))
			to.check(err)
			if a, b := records(t, file), records(t, second); a != b {
				t.Errorf("exported\n%s\nand from where it was imported\n%s", a, b)
			}
			from.with(func(a store.Store) { to.with(func(b store.Store) { storetest.Arrived(t, a, b, filled) }) })
		})
	}
}

// records are the lines of a file but for the header.
func records(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(file, ".gz") {
		unpacked, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if raw, err = io.ReadAll(unpacked); err != nil {
			t.Fatal(err)
		}
	}
	_, rest, _ := strings.Cut(string(raw), "\n")
	return rest
}

// Both drivers have the same columns in what they copy, of the same kinds: a new one must not be lost on the way. A new
// column with JSON needs to be known by holdsJSON of the SQLite driver.
func TestDriversHaveTheSameColumns(t *testing.T) {
	var found [2]map[string]string
	for i, p := range []place{inSQLite(t), inPostgres(t)} {
		found[i] = map[string]string{}
		p.with(func(s store.Store) {
			storetest.Populate(t, s)
			p.check(s.(store.Transfer).Export(t.Context(), func(r store.Record) error {
				for name, raw := range r.Row {
					kind := "text"
					switch {
					case raw[0] == '{' || raw[0] == '[' || name == "result":
						kind = "JSON"
					case raw[0] != '"':
						kind = "number"
					case bytes.HasSuffix(raw, []byte(`Z"`)) && bytes.Count(raw, []byte(":")) == 2:
						kind = "time"
					}
					found[i][string(r.Kind)+"."+name] = kind
				}
				return nil
			}))
		})
	}
	if !maps.Equal(found[0], found[1]) {
		t.Errorf("SQLite %v\nPostgreSQL %v", found[0], found[1])
	}
	if len(found[0]) < 30 {
		t.Errorf("only %d columns hold anything: %v", len(found[0]), found[0])
	}
}

func TestExportRefuses(t *testing.T) {
	p := inSQLite(t)
	file := filepath.Join(t.TempDir(), "jobs.jsonl")
	var wrong *SettingsError
	if _, err := Export(t.Context(), p.options(file)); !errors.As(err, &wrong) ||
		!strings.Contains(err.Error(), "there is no database") {
		t.Errorf("without a database: %v", err)
	}
	if _, err := os.Stat(filepath.Join(p.env["DATA_DIR"], "windlass.db")); err == nil {
		t.Error("an export has made a database")
	}
	p.with(func(s store.Store) {
		storetest.Populate(t, s)
		if _, err := Export(t.Context(), p.options(file)); !errors.Is(err, jobs.ErrUnavailable) ||
			!strings.Contains(err.Error(), "in use") {
			t.Errorf("while another has it: %v", err)
		}
	})
	p.check(os.WriteFile(file, []byte("precious"), 0o600))
	if _, err := Export(t.Context(), p.options(file)); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("a file that is there: %v", err)
	}
	if raw, err := os.ReadFile(file); err != nil || string(raw) != "precious" {
		t.Errorf("it is %q now, error %v", raw, err)
	}
	empty := inPostgres(t)
	if _, err := Export(t.Context(), empty.options(file+"2")); err == nil || !strings.Contains(err.Error(), "no tables") {
		t.Errorf("a database without tables: %v", err)
	}
	both := place{t, map[string]string{"DATA_DIR": "a", "DATABASE_URL": "postgres://u:hush@host/db"}}
	if _, err := Export(t.Context(), both.options(file+"3")); !errors.As(err, &wrong) ||
		strings.Contains(err.Error(), "hush") {
		t.Errorf("both settings: %v", err)
	}
	left, err := filepath.Glob(file + "?*")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	// A disk that is full leaves nothing that could be taken for an export.
	ended, cancel := context.WithCancel(t.Context())
	options := p.options(file + "4")
	options.Progress = func(int64, int64) { cancel() }
	if _, err := Export(ended, options); err == nil {
		t.Error("an export that was interrupted succeeded")
	}
	if left, _ := filepath.Glob(file + "4*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestExportWarnsOfWorkers(t *testing.T) {
	p := inPostgres(t)
	p.with(func(s store.Store) { storetest.Populate(t, s) })
	warned := ""
	options := p.options("-")
	options.Warn = func(sentence string) { warned += sentence }
	var out bytes.Buffer
	options.Stdout = &out
	_, err := Export(t.Context(), options)
	p.check(err)
	if !strings.Contains(warned, "in use by 3 workers") || strings.Contains(out.String(), "Warning") {
		t.Errorf("warned %q", warned)
	}
}

func TestImportRefusesFiles(t *testing.T) {
	from := inSQLite(t)
	from.with(func(s store.Store) { storetest.Populate(t, s) })
	var out bytes.Buffer
	options := from.options("-")
	options.Stdout = &out
	_, err := Export(t.Context(), options)
	from.check(err)
	whole := out.String()
	lines := strings.SplitAfter(strings.TrimSuffix(whole, "\n"), "\n")
	n := len(lines)
	without := func(i int) string { return strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "") }
	for name, test := range map[string]struct{ text, want string }{
		"empty":              {"", "no export of Windlass"},
		"something else":     {"root:x:0:0\n", "no export of Windlass"},
		"other JSON":         {`{"kind":"job"}` + "\n", "no export of Windlass"},
		"without a header":   {without(0), "no export of Windlass"},
		"a newer format":     {strings.Replace(whole, `"version":1`, `"version":2`, 1), "format 2"},
		"without its end":    {without(n - 1), "the end is missing"},
		"half a line":        {whole[:len(whole)-len(lines[n-1])-20], "in the middle of this line"},
		"a line is missing":  {without(5), "lines are missing"},
		"a line is damaged":  {strings.Replace(whole, `{"kind":"job"`, `{"kind":job`, 1), "no JSON object"},
		"it goes on":         {whole + "\n" + lines[3], "follows the end"},
		"a column is new":    {strings.Replace(whole, `"attempts":`, `"colour":1,"attempts":`, 1), "colour"},
		"half a packed file": {packed(t, whole)[:1000], "in the middle of this line"},
	} {
		to := inSQLite(t)
		options := to.options("-")
		options.Stdin = strings.NewReader(test.text)
		_, err := Import(t.Context(), options)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		// What is whole finishes the job.
		options.Stdin = strings.NewReader(whole)
		_, err = Import(t.Context(), options)
		to.check(err)
		if r := to.doctor(false); !r.OK || r.Accounts.Rows != int64(strings.Count(whole, `{"kind":"job"`)) {
			t.Errorf("%s, and then the whole: %+v", name, r)
		}
	}
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDoctorOnSQLite(t *testing.T) {
	p := inSQLite(t)
	p.with(func(s store.Store) {
		storetest.Populate(t, s)
		if _, err := Doctor(t.Context(), p.getenv, false, func(string) {}); !errors.Is(err, jobs.ErrUnavailable) ||
			!strings.Contains(err.Error(), "in use") {
			t.Errorf("while another has it: %v", err)
		}
	})
	r := p.doctor(false)
	r.says(t, "kept completed", store.GradeOK)
	r.says(t, "orphans", store.GradeWarn) // opening it has ended the sessions
	if !r.OK || r.Accounts.Deleted != nil {
		t.Errorf("%+v", r)
	}
	raw, err := json.Marshal(r)
	p.check(err)
	if !bytes.Contains(raw, []byte(`"deleted":null`)) {
		t.Errorf("%s", raw)
	}
}

func TestDoctorFindsWhatIsBroken(t *testing.T) {
	p := inPostgres(t)
	r := p.doctor(false)
	r.says(t, "migrations", store.GradeFail)
	r.says(t, "rows", store.GradeFail)

	var filled storetest.Populated
	p.with(func(s store.Store) { filled = storetest.Populate(t, s) })
	r = p.doctor(false)
	r.says(t, "redis", store.GradeWarn) // REDIS_URL is not set
	for _, name := range []string{
		"migrations", "states", "kept completed", "rows", "orphans", "history", "keys", "workers", "clock", "server_encoding",
	} {
		r.says(t, name, store.GradeOK)
	}
	r.says(t, "maintenance", store.GradeWarn) // workers, and nobody does it
	if r.Accounts.Rows != int64(len(filled.IDs)) {
		t.Errorf("%d rows, and there are %d jobs", r.Accounts.Rows, len(filled.IDs))
	}

	p.exec(`DELETE FROM shop.jobs WHERE status = 'completed'`)
	if got := p.doctor(false).says(t, "kept completed", store.GradeFail); got != "kept 6, counted 0" {
		t.Errorf("%q", got)
	}
	p.exec(`DELETE FROM shop.jobs WHERE id = '` + filled.Dead + `'`)
	p.doctor(false).says(t, "history", store.GradeWarn)
	r = p.doctor(true)
	r.says(t, "kept completed", store.GradeOK)
	r.says(t, "history", store.GradeOK)
	want := []string{
		"The kept count of completed jobs was 6 and is 0 now.",
		"1 attempt of jobs that are gone was deleted.",
	}
	if !slices.Equal(r.Repaired, want) {
		t.Errorf("repaired %q", r.Repaired)
	}
	if again := p.doctor(true).Repaired; !slices.Equal(again, []string{"There was nothing to repair."}) {
		t.Errorf("repaired again: %q", again)
	}

	p.exec(`UPDATE shop.completed_counts SET completed = completed + 5 WHERE at = '-infinity'`)
	p.doctor(false).says(t, "kept completed", store.GradeFail)
	p.doctor(true).says(t, "kept completed", store.GradeOK)

	p.exec(`ALTER TABLE shop.jobs DROP CONSTRAINT jobs_sound; UPDATE shop.jobs SET deadline_at = now() WHERE id = '` + filled.IDs[0] + `'`)
	if got := p.doctor(false).says(t, "rows", store.GradeFail); !strings.Contains(got, filled.IDs[0]) {
		t.Errorf("%q does not name the job", got)
	}
	p.exec(`UPDATE shop.jobs SET deadline_at = NULL WHERE id = '` + filled.IDs[0] + `'; UPDATE shop.worker_sessions SET state = 'dead', ended_at = now()`)
	p.doctor(false).says(t, "orphans", store.GradeWarn)

	p.exec(`INSERT INTO shop.schema_version (version, name) VALUES (900, '0900_of_a_newer_one')`)
	if got := p.doctor(false).says(t, "migrations", store.GradeFail); !strings.Contains(got, "missing") {
		t.Errorf("a gap: %q", got)
	}
	p.exec(`DELETE FROM shop.schema_version WHERE version = 900; INSERT INTO shop.schema_version (version, name)
		SELECT max(version) + 1, 'next' FROM shop.schema_version`)
	p.doctor(false).says(t, "migrations", store.GradeWarn)
	p.exec(`DELETE FROM shop.schema_version`)
	p.doctor(false).says(t, "migrations", store.GradeFail)
}

func TestDoctorLooksAtTheServer(t *testing.T) {
	p := inPostgres(t)
	p.with(func(store.Store) {})
	// What the database or the role says is not what our transactions have.
	p.exec(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database());
		EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database());
		EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$`)
	r := p.doctor(false)
	r.says(t, "synchronous_commit", store.GradeOK)
	r.says(t, "read-only", store.GradeOK)
	if !r.OK {
		t.Error("it is not in order")
	}
	// The URL is another matter: whoever writes that wants it.
	p.env["DATABASE_URL"] += "&synchronous_commit=off"
	p.doctor(false).says(t, "synchronous_commit", store.GradeFail)
}

func TestDoctorLooksAtRedis(t *testing.T) {
	p := inPostgres(t)
	server := servers.StartRedis(t)
	p.env["REDIS_URL"] = server.URL
	queue, err := redis.Open(t.Context(), redis.Options{URL: server.URL})
	p.check(err)
	defer queue.Close()
	installation := ""
	p.with(func(s store.Store) {
		storetest.Populate(t, s)
		installation, err = s.(store.Identified).Installation(t.Context())
		p.check(err)
		page, err := s.Due(t.Context(), store.Due{Queue: jobs.DefaultQueue, Limit: 100})
		p.check(err)
		_, err = queue.Push(t.Context(), page.Hints)
		p.check(err)
	})
	r := p.doctor(false)
	for _, name := range []string{"redis", "redis settings", "redis clock", "installation", "hints"} {
		r.says(t, name, store.GradeOK)
	}
	detail := r.says(t, "hints", store.GradeOK)
	if !strings.HasPrefix(detail, "0 of ") || strings.HasPrefix(detail, "0 of 0") {
		t.Errorf("hints: %q", detail)
	}

	var strangers []jobs.Hint
	for i := range 50 {
		id := uuid.Must(uuid.NewV7()).String()
		strangers = append(strangers, jobs.Hint{ID: id, Queue: fmt.Sprint("queue", i%3), RunAt: time.Now()})
	}
	_, err = queue.Push(t.Context(), strangers)
	p.check(err)
	p.doctor(false).says(t, "hints", store.GradeWarn)

	_, err = queue.Register(t.Context(), "another")
	p.check(err)
	p.doctor(false).says(t, "installation", store.GradeFail)
	_, err = queue.Register(t.Context(), installation)
	p.check(err)
	p.doctor(false).says(t, "installation", store.GradeWarn)

	target, err := goredis.ParseURL(server.URL)
	p.check(err)
	admin := goredis.NewClient(target)
	defer admin.Close()
	p.check(admin.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
	p.doctor(false).says(t, "redis settings", store.GradeWarn)
	server.Kill()
	r = p.doctor(false)
	r.says(t, "redis", store.GradeFail)
	if r.OK {
		t.Error("it is in order without Redis")
	}

	p.env["REDIS_URL"] = "redis://user:hush@127.0.0.1:1/0"
	raw, err := json.Marshal(p.doctor(false))
	p.check(err)
	if bytes.Contains(raw, []byte("hush")) {
		t.Errorf("it tells a password: %s", raw)
	}
}
