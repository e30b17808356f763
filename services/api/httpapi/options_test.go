package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/windlass-jobs/windlass/jobs/engine"
	"github.com/windlass-jobs/windlass/services/api/httpapi"
)

// TestOptions leaves out or spoils one option after the other: the error has to name it.
func TestOptions(t *testing.T) {
	s := newSystem(t)
	good := httpapi.Options{Client: s.client, Ping: func(context.Context) error { return nil }}
	if _, err := httpapi.New(good); err != nil {
		t.Fatal(err)
	}
	taken := prometheus.NewRegistry()
	taken.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "windlass_http_requests_total"}))
	for name, change := range map[string]func(*httpapi.Options){
		"Client":          func(o *httpapi.Options) { o.Client = nil },
		"Client ":         func(o *httpapi.Options) { o.Client = (*engine.Client)(nil) },
		"Ping":            func(o *httpapi.Options) { o.Ping = nil },
		"Registry":        func(o *httpapi.Options) { o.Registry = taken },
		"MaxPayloadBytes": func(o *httpapi.Options) { o.MaxPayloadBytes = -1 },
		"AllowedHosts":    func(o *httpapi.Options) { o.AllowedHosts = []string{"localhost", "http://localhost"} },
		"AllowedHosts ":   func(o *httpapi.Options) { o.AllowedHosts = []string{""} },
		"TrustedOrigins":  func(o *httpapi.Options) { o.TrustedOrigins = []string{"https://ui.example", "ui.example"} },
		"TrustedOrigins ": func(o *httpapi.Options) { o.TrustedOrigins = []string{"https://ui.example/path"} },
		"BasePath":        func(o *httpapi.Options) { o.BasePath = "/" },
		"BasePath  ":      func(o *httpapi.Options) { o.BasePath = "windlass" },
		"BasePath   ":     func(o *httpapi.Options) { o.BasePath = "/windlass/" },
		"BasePath    ":    func(o *httpapi.Options) { o.BasePath = "/a/../b" },
		"BasePath     ":   func(o *httpapi.Options) { o.BasePath = "/{id}" },
		"BasePath      ":  func(o *httpapi.Options) { o.BasePath = "//evil.example" },
	} {
		opts := good
		change(&opts)
		_, err := httpapi.New(opts)
		var wrong *httpapi.OptionError
		if !errors.As(err, &wrong) || wrong.Option != strings.TrimSpace(name) ||
			!strings.Contains(err.Error(), "Options."+wrong.Option) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := httpapi.New(httpapi.Options{})
	if err == nil || !strings.Contains(err.Error(), "Options.Client is missing") ||
		!strings.Contains(err.Error(), "Options.Ping is missing") {
		t.Errorf("not all that is missing: %v", err)
	}
}

// TestSharedRegistry has two APIs in one process, at the root and beneath a prefix: their requests are counted
// together.
func TestSharedRegistry(t *testing.T) {
	registry := prometheus.NewRegistry()
	s := newSystem(t, func(o *httpapi.Options) { o.Registry = registry })
	other := newSystem(t, func(o *httpapi.Options) { o.Registry, o.BasePath = registry, "/windlass/api" })
	s.do("GET", "/queues", "")
	other.do("GET", "/windlass/api/queues", "")
	r := s.do("GET", "/metrics", "", "Accept", "text/plain")
	if !strings.Contains(r.body, `windlass_http_requests_total{code="200",method="GET",route="/queues"} 2`) {
		t.Errorf("%.3000s", r.body)
	}
}

func TestBasePath(t *testing.T) {
	const base = "/windlass/api"
	s := newSystem(t, func(o *httpapi.Options) { o.BasePath = base })
	created := s.do("POST", base+"/jobs", `{"type":"email"}`, "Idempotency-Key", "k")
	location := created.header.Get("Location")
	if created.status != 201 || location != base+"/jobs/"+created.field("id").(string) {
		t.Fatalf("%d, Location %q: %s", created.status, location, created.body)
	}
	if r := s.do("GET", location, ""); r.status != 200 {
		t.Errorf("GET %s: %d", location, r.status)
	}
	for _, path := range []string{"/jobs", "/", base, base + "/", "/windlass/apix/jobs", "/windlass/jobs", "/docs",
		"/openapi.json"} {
		s.refused(s.do("GET", path, ""), 404)
	}
	if r := s.do("PUT", base+"/jobs", ""); r.status != 405 || !strings.Contains(r.header.Get("Allow"), "POST") {
		t.Errorf("PUT: %d %v", r.status, r.header)
	}
	if r := s.do("GET", base+"//jobs", ""); r.status != 307 || r.header.Get("Location") != base+"/jobs" {
		t.Errorf("a path that is not clean: %d %v", r.status, r.header)
	}

	document := s.do("GET", base+"/openapi.json", "")
	var openapi struct {
		Servers []struct{ URL string }
		Paths   map[string]any
	}
	if err := json.Unmarshal([]byte(document.body), &openapi); err != nil {
		t.Fatalf("%v: %.200s", err, document.body)
	}
	if len(openapi.Servers) != 1 || openapi.Servers[0].URL != base || openapi.Paths["/jobs/{id}"] == nil {
		t.Errorf("servers %v", openapi.Servers)
	}
	page := s.do("GET", base+"/docs", "")
	at := httptest.NewRequest("GET", base+"/docs", nil).URL
	links := regexp.MustCompile(`(?:src|href|spec-url)="([^":]+)"`).FindAllStringSubmatch(page.body, -1)
	for _, link := range links {
		to, err := at.Parse(link[1])
		if err != nil {
			t.Fatal(err)
		}
		if r := s.do("GET", to.Path, ""); r.status != 200 {
			t.Errorf("%s: %d", to.Path, r.status)
		}
	}
	if len(links) < 3 {
		t.Errorf("links %q", links)
	}
}
