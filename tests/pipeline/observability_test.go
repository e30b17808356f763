package pipeline

import (
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const (
	observability = "../../deploy/observability/"
	compose       = "../../docker-compose.yml"
)

// Prometheus itself checks its settings, and what each alert fires on.
func TestAlerts(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"check", "config", observability + "prometheus.yml"}, {"test", "rules", observability + "alerts_test.yml"},
	} {
		out, err := exec.Command("promtool", args...).CombinedOutput()
		if err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// Prometheus calls the api of docker-compose.yml by a name that it answers to. By its address it would get 421.
func TestApiAnswersToPrometheus(t *testing.T) {
	t.Parallel()
	allowed := regexp.MustCompile(`(?s)\n  api:\n.*?ALLOWED_HOSTS: ([^$\n]+)`).FindStringSubmatch(text(t, compose))
	job := regexp.MustCompile(`(?s)job_name: windlass-api\n(.*?)(\n  (- |#)|$)`).FindStringSubmatch(
		text(t, observability+"prometheus.yml"))
	if allowed == nil || job == nil {
		t.Fatalf("%s lacks the names of the api (%v), or Prometheus the api (%v)", compose, allowed, job)
	}
	targets := regexp.MustCompile(`targets: \["([^"]+)"\]`).FindStringSubmatch(job[1])
	if targets == nil || strings.Contains(job[1], "dns_sd_configs") {
		t.Fatalf("the api is not called by its name:\n%s", job[1])
	}
	d := deployProgram(t, "api", "ALLOWED_HOSTS="+allowed[1])
	request, err := http.NewRequest("GET", d.base+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = targets[1]
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("GET /metrics of %s: %s", targets[1], answer.Status)
	}
}

// Each alert has a test and a runbook, and its link leads there.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	alerts, tests := text(t, observability+"alerts.yml"), text(t, observability+"alerts_test.yml")
	docs := text(t, "../../docs/operations.md")
	found := regexp.MustCompile(`(?s)- alert: (\w+)\n.*?runbook_url: (\S+)`).FindAllStringSubmatch(alerts, -1)
	if n := strings.Count(alerts, "- alert:"); n == 0 || len(found) != n {
		t.Fatalf("%d alerts, %d of them with a link", n, len(found))
	}
	const page = "https://github.com/windlass-jobs/windlass/blob/main/docs/operations.md#"
	for _, alert := range found {
		name, link := alert[1], alert[2]
		if link != page+strings.ToLower(name) {
			t.Errorf("%s links to %s", name, link)
		}
		if !strings.Contains(docs, "\n### "+name+"\n") {
			t.Errorf("docs/operations.md has no runbook %s", name)
		}
		if !strings.Contains(tests, "alertname: "+name+"\n") {
			t.Errorf("alerts_test.yml does not test %s", name)
		}
	}
}

// Alerts, graphs and the autoscaling ask for metrics that there are.
func TestMetricsThatAreAskedFor(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	port := freePort(t)
	d.worker("HEALTH_PORT=" + port)
	d.submit(delayed(3600)) // a queue has a depth only where it has a job
	there := map[string]bool{}
	for _, base := range []string{d.base, "http://127.0.0.1:" + port} {
		a := &api{t: t, base: base}
		r := a.call("GET", "/metrics", "", "Accept", "text/plain")
		if r.code != http.StatusOK {
			t.Fatalf("GET %s/metrics: %d %v", base, r.code, r.err)
		}
		for _, m := range regexp.MustCompile(`(?m)^windlass_\w+`).FindAllString(r.body["text"].(string), -1) {
			there[m] = true
		}
	}
	asked := func(file, pattern string) {
		for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(text(t, file), -1) {
			if !there[found[1]] {
				t.Errorf("%s: no api and no worker has a metric %s", file, found[1])
			}
		}
	}
	for _, file := range []string{
		observability + "alerts.yml", observability + "alerts_test.yml",
		observability + "grafana/dashboards/windlass.json", "../../deploy/kubernetes/autoscaling.yaml",
	} {
		asked(file, `\b(windlass_\w+)`)
	}
	asked("../../docs/operations.md", `\b(windlass_\w+)[{\[]`) // roles of the database have such names too
}

func text(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
