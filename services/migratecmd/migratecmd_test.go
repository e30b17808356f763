package migratecmd

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/windlass-jobs/windlass/jobs/store/postgres"
	"github.com/windlass-jobs/windlass/tests/servers"
)

func TestMain(m *testing.M) {
	code := m.Run()
	servers.StopShared()
	os.Exit(code)
}

// migrate runs a command and returns what it prints.
func migrate(t *testing.T, environ []string, asJSON bool, wantCode int, args ...string) string {
	t.Helper()
	var out, faults bytes.Buffer
	code := run(t.Context(), environ, args, asJSON, &out, &faults)
	if code != wantCode || (faults.Len() > 0) != (code > 1) {
		t.Fatalf("migrate %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, wantCode, &out, &faults)
	}
	if strings.Contains(faults.String(), "hush") {
		t.Errorf("it tells the password: %s", &faults)
	}
	return out.String() + faults.String()
}

func TestMigrate(t *testing.T) {
	environ := []string{"DATABASE_URL=" + servers.Postgres(t), "DATABASE_SCHEMA=shop"}
	contains := func(text string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	}
	contains(migrate(t, environ, false, exitRefused, "status"), "VERSION", "0001_", "pending")
	sql := migrate(t, environ, false, exitDone, "sql")
	contains(sql, "CREATE SCHEMA", "shop", "CREATE TABLE")
	contains(migrate(t, environ, false, exitRefused, "status"), "pending") // sql has changed nothing
	contains(migrate(t, environ, false, exitDone, "up"), "applied 0001_", "the schema shop is up to date, at version ")
	if again := migrate(t, environ, false, exitDone, "up"); strings.Contains(again, "applied") {
		t.Errorf("the second time it says %q", again)
	}
	if sql := migrate(t, environ, false, exitDone, "sql"); sql != "" {
		t.Errorf("with nothing pending it prints %q", sql)
	}
	if text := migrate(t, environ, false, exitDone, "status"); strings.Contains(text, "pending") {
		t.Errorf("status says %q", text)
	}
	var status struct {
		Schema     string
		Pending    int
		Migrations []struct {
			Version   int64
			Name      string
			AppliedAt *string `json:"applied_at"`
		}
	}
	if err := json.Unmarshal([]byte(migrate(t, environ, true, exitDone, "status")), &status); err != nil {
		t.Fatal(err)
	}
	if status.Schema != "shop" || status.Pending != 0 || len(status.Migrations) == 0 ||
		status.Migrations[0].AppliedAt == nil {
		t.Errorf("as JSON: %+v", status)
	}

	s, err := postgres.Open(t.Context(), postgres.Options{URL: strings.TrimPrefix(environ[0], "DATABASE_URL="),
		Schema: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("a store does not find what was migrated: %v", err)
	}
}

func TestMigrateRefuses(t *testing.T) {
	const url = "DATABASE_URL=postgres://app:hush@127.0.0.1:1/nowhere"
	for _, test := range []struct {
		environ []string
		args    []string
		code    int
		want    string
	}{
		{[]string{url}, nil, exitUsage, "usage"},
		{[]string{url}, []string{"down"}, exitUsage, "usage"},
		{[]string{url}, []string{"up", "now"}, exitUsage, "usage"},
		{nil, []string{"up"}, exitUsage, "DATABASE_URL is needed"},
		{[]string{url, "DATABASE_SCHEMA=pg_x"}, []string{"up"}, exitUsage, "DATABASE_SCHEMA must be"},
		{[]string{url}, []string{"up"}, exitUnavailable, "refused"},
		{[]string{url}, []string{"status"}, exitUnavailable, "refused"},
		{[]string{url}, []string{"sql"}, exitUnavailable, "refused"},
	} {
		if got := migrate(t, test.environ, false, test.code, test.args...); !strings.Contains(got, test.want) {
			t.Errorf("%v says %q, want %q", test.args, got, test.want)
		}
	}
}
