package process

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/windlass-jobs/windlass/services/internal/settings"
)

// minimal is what each service cannot do without.
var minimal = map[settings.Service][]string{
	settings.API:    {"DATABASE_URL=postgres://u:hush@db/w", "REDIS_URL=redis://:hush@cache:6379/0"},
	settings.Worker: {"DATABASE_URL=postgres://u:hush@db/w", "REDIS_URL=redis://:hush@cache:6379/0"},
}

// answering starts a server on host that answers /readyz with status, where the request is for the host name wanted.
// It returns the port.
func answering(t *testing.T, host, wanted string, status int) string {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skip("cannot listen on", host, err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, _ := strings.Cut(r.Host, ":"); r.URL.Path != "/readyz" || host != wanted {
			http.Error(w, r.Host+r.URL.Path, http.StatusMisdirectedRequest)
			return
		}
		w.WriteHeader(status)
		w.Write([]byte("{\"status\":\n\"so\"}\n"))
	}))
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

func TestHealthcheck(t *testing.T) {
	const insecure = "ALLOW_INSECURE_NO_AUTH=true"
	tests := []struct {
		name    string
		service settings.Service
		listen  string // address of the server
		wanted  string // name that it wants to be called by
		status  int
		setting string // of the port
		environ []string
		code    int
		says    string
	}{
		{"ready", settings.API, "127.0.0.1", "localhost", 200, "PORT", nil, 0, "api is ready"},
		{"embedded asks the API", settings.Embedded, "127.0.0.1", "localhost", 200, "PORT", []string{"WEB_PORT=0"}, 0,
			"embedded is ready"},
		{"worker on its health port", settings.Worker, "127.0.0.1", "localhost", 200, "HEALTH_PORT", []string{"PORT=1"},
			0, "worker is ready"},
		{"not ready", settings.Worker, "127.0.0.1", "localhost", 503, "HEALTH_PORT", nil, 1,
			"says 503 Service Unavailable {\"status\":; \"so\"}"},
		{"a redirect is no answer", settings.API, "127.0.0.1", "localhost", 302, "PORT", nil, 1, "says 302"},
		{"listening everywhere", settings.API, "127.0.0.1", "localhost", 200, "PORT", []string{"HOST=0.0.0.0", insecure},
			0, "api is ready"},
		{"listening everywhere, IPv6", settings.API, "::1", "localhost", 200, "PORT", []string{"HOST=::", insecure}, 0,
			"api is ready"},
		{"by a name that is let in", settings.API, "127.0.0.1", "jobs.example.com", 200, "PORT",
			[]string{"ALLOWED_HOSTS=jobs.example.com"}, 0, "api is ready"},
		{"no port", settings.Worker, "127.0.0.1", "localhost", 200, "PORT", []string{"HEALTH_PORT=0"}, 1, "HEALTH_PORT is 0"},
		{"wrong settings", settings.API, "127.0.0.1", "localhost", 200, "PORT", []string{"LEASE_TTL=soon",
			"LOG_FORMAT=xml"}, 1, "LEASE_TTL"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			port := answering(t, test.listen, test.wanted, test.status)
			environ := append([]string{test.setting + "=" + port}, minimal[test.service]...)
			var out bytes.Buffer
			code := Healthcheck(test.service, append(environ, test.environ...), &out)
			if code != test.code || !strings.Contains(out.String(), test.says) {
				t.Errorf("exit code %d and %q, want %d and %q", code, out.String(), test.code, test.says)
			}
			if strings.Count(out.String(), "\n") != 1 {
				t.Errorf("it said %q, want one line", out.String())
			}
			if strings.Contains(out.String(), "hush") {
				t.Errorf("it said a password: %q", out.String())
			}
		})
	}
}

func TestHealthcheckNobodyListens(t *testing.T) {
	var out bytes.Buffer
	// A port that was free a moment ago may be another test's by now.
	if code := Healthcheck(settings.API, append([]string{"PORT=1"}, minimal[settings.API]...),
		&out); code != 1 || !strings.Contains(out.String(), "refused") {
		t.Errorf("exit code %d and %q, want 1 and that the connection was refused", code, out.String())
	}
}
