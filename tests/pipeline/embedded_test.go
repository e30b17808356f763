package pipeline

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// embedded starts the one-process mode with a new data directory.
func embedded(t *testing.T, env ...string) (*process, *api) {
	t.Helper()
	port, web := freePort(t), freePort(t)
	p := launch(t, "embedded", append([]string{
		"PORT=" + port, "WEB_PORT=" + web, "DATA_DIR=" + t.TempDir(), "LEASE_TTL=" + leaseTTL, "FAIL_RATE=0"}, env...)...)
	a := &api{t: t, base: "http://127.0.0.1:" + port}
	a.awaitReady(http.StatusOK)
	ui := &api{t: t, base: "http://127.0.0.1:" + web}
	if r := ui.call("GET", "/api/livez", ""); r.code != http.StatusOK {
		t.Errorf("GET /api/livez on the web port: %d", r.code)
	}
	if r := ui.call("GET", "/", ""); r.code != http.StatusOK ||
		!strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
		t.Errorf("GET / on the web port: %d %v", r.code, r.header)
	}
	return p, a
}

func TestEmbedded(t *testing.T) {
	t.Parallel()
	p, a := embedded(t)
	life(t, a)

	// Beside the pages the API is under /api.
	for _, setting := range p.env {
		if port, is := strings.CutPrefix(setting, "WEB_PORT="); is {
			ui := &api{t: t, base: "http://127.0.0.1:" + port + "/api"}
			r := ui.call("POST", "/jobs", `{"type":"report","payload":{"duration_ms":0,"fail_rate":0}}`)
			if r.code != http.StatusCreated || r.header.Get("Location") != "/api/jobs/"+r.body["id"].(string) {
				t.Errorf("POST /api/jobs on the web port: %d, Location %q", r.code, r.header.Get("Location"))
			}
		}
	}
}

func TestEmbeddedKilled(t *testing.T) {
	t.Parallel()
	p, a := embedded(t, "WORKER_CONCURRENCY=2")
	// The first job runs long enough that the process is killed in the middle of it.
	ids := []string{a.submit(`{"type":"report","payload":{"duration_ms":6000,"fail_rate":0}}`)}
	for i := range 20 {
		ids = append(ids, a.submit(fmt.Sprintf(
			`{"type":"report","delay_seconds":%d,"payload":{"duration_ms":300,"fail_rate":0}}`, i%2)))
	}
	a.await(ids[0], "running")
	p.kill()
	p.start()
	a.awaitReady(http.StatusOK)
	lost := 0
	for _, id := range ids {
		lost += len(outcomes(a.await(id, "completed")))
	}
	if lost == 0 {
		t.Error("no job was running when the process was killed: the test proves nothing")
	}
}

func TestEmbeddedTerminated(t *testing.T) {
	t.Parallel()
	p, a := embedded(t)
	id := a.submit(`{"type":"report","payload":{"duration_ms":5000,"fail_rate":0}}`)
	a.await(id, "running")
	if code := p.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	p.start()
	a.awaitReady(http.StatusOK)
	if job := a.get("/jobs/" + id); job["state"] != "completed" || number(t, job["attempts"]) != 1 {
		t.Errorf("job %v", job)
	}
}

// A second process must not use the same data directory.
func TestEmbeddedTwice(t *testing.T) {
	t.Parallel()
	p, _ := embedded(t)
	second := launch(t, "embedded", p.env...)
	<-second.exited
	if second.code == 0 || !strings.Contains(second.log.String(), "in use") {
		t.Errorf("exit code %d, log:\n%s", second.code, second.log)
	}
}
