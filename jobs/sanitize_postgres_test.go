package jobs_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/tests/servers"
)

// FuzzSanitizedErrorIsStored: whatever a handler's error says, PostgreSQL takes what SanitizeError makes of it, and
// gives it back unchanged. Else a failure could not be recorded, for the sake of its text.
func FuzzSanitizedErrorIsStored(f *testing.F) {
	for _, text := range []string{
		"", "plain", "nul \x00 here", "\xff\xfe\xc0\x80", "\xed\xa0\x80 half a pair", "\u009b31m\x1b]0;title\a\x1b[2J",
		"tab\tline\n",
		"\ufeff\uffff\U0010ffff", "\xf4\x90\x80\x80 too high", string(make([]byte, 5000)),
	} {
		f.Add(text)
	}
	conn, err := pgx.Connect(f.Context(), servers.Postgres(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { conn.Close(context.Background()) })
	f.Fuzz(func(t *testing.T, text string) {
		clean := jobs.SanitizeError(text)
		var stored string
		if err := conn.QueryRow(t.Context(), `SELECT $1::text`, clean).Scan(&stored); err != nil {
			t.Fatalf("%q became %q, which PostgreSQL refuses: %v", text, clean, err)
		}
		if stored != clean {
			t.Errorf("%q became %q, and came back as %q", text, clean, stored)
		}
		if len(clean) > jobs.MaxErrorBytes {
			t.Errorf("%d bytes", len(clean))
		}
	})
}
