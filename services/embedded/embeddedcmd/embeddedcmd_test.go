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
	h := site(say("api"), say("pages"))
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
