package postgres_test

import (
	"testing"

	"github.com/windlass-jobs/windlass/jobs/store/postgres"
	"github.com/windlass-jobs/windlass/tests/servers"
)

func TestInstallation(t *testing.T) {
	one, two := servers.Postgres(t), servers.Postgres(t)
	id := func(url, schema string) string {
		t.Helper()
		s, err := postgres.Open(t.Context(), postgres.Options{URL: url, Schema: schema})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		id, err := s.Installation(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	if a, again := id(one, ""), id(one, "windlass"); a == "" || a != again {
		t.Errorf("the same data is %q and %q", a, again)
	}
	if a, b := id(one, ""), id(one, "other"); a == b {
		t.Errorf("two schemas are both %q", a)
	}
	if a, b := id(one, ""), id(two, ""); a == b {
		t.Errorf("two databases are both %q", a)
	}
}
