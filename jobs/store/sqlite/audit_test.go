package sqlite

import (
	"context"
	"database/sql"
	"strings"
	"testing"
)

// byHand runs SQL on a connection of its own, which knows neither foreign keys nor checks.
func byHand(t testing.TB, s *Store, text string) {
	t.Helper()
	var seq int
	var name, file string
	if err := s.conn.QueryRowContext(t.Context(), "PRAGMA database_list").Scan(&seq, &name, &file); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", dsn(file, "immediate", "ignore_check_constraints(1)"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	text = strings.ReplaceAll(text, "windlass.", "")
	if _, err := db.ExecContext(context.WithoutCancel(t.Context()), text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}
