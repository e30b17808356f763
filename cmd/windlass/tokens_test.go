package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windlass-jobs/windlass/jobs/access"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
)

func TestTokensAreMadeInTheDatabase(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new") // before any process ran
	s := database(t, "DATA_DIR="+dir, "USER=ada")
	made := s.run("tokens", "create", "--name", "ops", "--role", "admin").wants(exitDone, "cannot be shown again")
	secret := strings.TrimSpace(made.out)
	if !access.WellFormed(secret) {
		t.Fatalf("the standard output is not the secret alone: %q", made.out)
	}
	s.run("tokens", "create", "--name", "ci", "--scopes", "submit,read", "--queues", "mail,slow",
		"--expires", "720h", "--json").
		wants(exitDone, `"secret"`)
	list := s.run("tokens", "ls").wants(exitDone, "ops", "admin", "ci", "submit,read", "mail,slow", "valid until", "never")
	if strings.Contains(list.out, secret) {
		t.Error("the list shows a secret")
	}

	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	found, err := db.TokenByHash(t.Context(), access.Hash(secret))
	if err != nil || found.Name != "ops" || found.CreatedBy != "command line (ada)" {
		t.Errorf("%+v, %v", found, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s.run("tokens", "revoke", found.ID).wants(exitDone, "revoked")
	s.run("tokens", "ls").wants(exitDone, "revoked")
	s.run("tokens", "revoke", "0192f000-0000-7000-8000-00000000ffff").wants(exitRefused, "no token")
	s.run("audit").wants(exitDone, "token.create", "token.revoke", found.ID, "command line (ada)")
	var log struct {
		Actions []struct{ Action, Target string }
	}
	raw := s.run("audit", "--action", "token.revoke", "--json").wants(exitDone).out
	if err := json.Unmarshal([]byte(raw), &log); err != nil || len(log.Actions) != 1 || log.Actions[0].Target != found.ID {
		t.Errorf("%s: %v", raw, err)
	}
}

func TestTokensThatCannotBe(t *testing.T) {
	s := database(t, "DATA_DIR="+t.TempDir())
	for _, line := range []string{"--name x", "--name x --role root", "--role admin",
		"--name x --role viewer --scopes read",
		"--name x --scopes fly", "--name x --role admin --queues mail", "--name x --role viewer --expires -1h",
		"--name x --role viewer --queues A!"} {
		s.run(append([]string{"tokens", "create"}, strings.Fields(line)...)...).wants(exitUsage)
	}
}

func TestTokenFromAFile(t *testing.T) {
	var got string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"job_types":[]}`))
	}))
	defer api.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("wl_x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := database(t, "WINDLASS_URL="+api.URL, "WINDLASS_TOKEN=other")
	s.run("types", "--token-file", file).wants(exitDone)
	if got != "Bearer wl_x" {
		t.Errorf("sent %q", got)
	}
	s.run("types", "--token-file", file, "--token", "y").wants(exitUsage)
	s.run("types", "--token-file", "/nowhere/at/all").wants(exitUsage)
}
