package embeddedcmd

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/windlass-jobs/windlass/services/internal/settings"
)

// Told to stop before it is up, it has not failed: a supervisor would take that for a crash.
func TestStoppedWhileStarting(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	config := settings.Config{Host: "127.0.0.1", DataDir: t.TempDir()}
	if err := run(ctx, config, slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
}

func TestSite_HasTheAPIUnderItsPrefix(t *testing.T) {
	say := func(who string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, who+" "+r.Method+" "+r.URL.Path)
		})
	}
	h := site(say("api"), say("pages"), []string{"example.com"})
	for path, want := range map[string]string{
		"/api/jobs": "api POST /api/jobs", "/": "pages POST /", "/jobs/x": "pages POST /jobs/x",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", path, nil))
		if got := w.Body.String(); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestSite_AnswersToItsOwnNamesOnly(t *testing.T) {
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	h := site(ok, ok, []string{"jobs.example"})
	for _, c := range []struct {
		host, forwarded string
		status          int
	}{
		{"jobs.example", "", 200}, {"JOBS.example:3000", "jobs.example", 200}, {"evil.example", "", 421},
		{"evil.example", "jobs.example", 421}, {"jobs.example", "evil.example", 421}, {"", "", 400},
	} {
		r := httptest.NewRequest("GET", "/create", nil)
		r.Host = c.host
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-Host", c.forwarded)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("Host %q, X-Forwarded-Host %q: %d, want %d", c.host, c.forwarded, w.Code, c.status)
		}
	}
}
