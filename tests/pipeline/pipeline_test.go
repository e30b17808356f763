package pipeline

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/tests/servers"
)

// deployment is an api process with its own PostgreSQL and Redis.
type deployment struct {
	*api
	postgres *servers.PostgresServer
	redis    *servers.RedisServer
	url      string // of the database
	apiProc  *process
}

// leaseTTL is short, so that the loss of a worker is detected soon.
const leaseTTL = "3s"

func deploy(t *testing.T) *deployment {
	t.Helper()
	return deployProgram(t, "api")
}

// deployProgram is deploy with another build of the api, and more settings.
func deployProgram(t *testing.T, program string, env ...string) *deployment {
	t.Helper()
	d := &deployment{postgres: servers.StartPostgres(t), redis: servers.StartRedis(t)}
	d.url = d.postgres.Database(t)
	port := freePort(t)
	d.api = &api{t: t, base: "http://127.0.0.1:" + port}
	d.apiProc = launch(t, program, append(append(d.env(), "PORT="+port), env...)...)
	d.awaitReady(http.StatusOK)
	return d
}

func (d *deployment) env() []string {
	return []string{"DATABASE_URL=" + d.url, "REDIS_URL=" + d.redis.URL, "LEASE_TTL=" + leaseTTL, "FAIL_RATE=0"}
}

// worker starts a worker process and waits until the api lists it.
func (d *deployment) worker(env ...string) *process {
	d.t.Helper()
	known := len(d.get("/workers")["workers"].([]any))
	p := launch(d.t, "worker", append(append(d.env(), "HEALTH_PORT=0"), env...)...)
	eventually(d.t, "the worker in /workers", func() bool { return len(d.get("/workers")["workers"].([]any)) > known })
	return p
}

func TestDistributed(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.worker()
	life(t, d.api)
}

// life takes jobs through all their states. It is the same for the distributed and the one-process mode.
func life(t *testing.T, a *api) {
	// A job that succeeds.
	id := a.submit(`{"type":"email",
		"payload":{"to":"a@example.com","duration_ms":0,"fail_rate":0,"n":12345678901234567890}}`)
	if job := a.await(id, "completed"); number(t, job["attempts"]) != 1 || job["worker_id"] == nil ||
		job["error_message"] != nil {
		t.Errorf("completed job %v", job)
	}
	completed := id

	// A job that fails, waits at least two seconds, fails again, and is dead.
	id = a.submit(`{"type":"report","max_attempts":2,"payload":{"duration_ms":0,"fail_rate":1}}`)
	job := a.await(id, "retrying")
	if wait := moment(t, job["run_at"]).Sub(moment(t, job["updated_at"])); wait < 2*time.Second ||
		wait > 2300*time.Millisecond {
		t.Errorf("the first retry comes after %s, want 2 to 2.3 s", wait)
	}
	job = a.await(id, "dead")
	history := job["history"].([]any)
	if job["status"] != "failed" || job["failure_kind"] != "error" || job["error_message"] == "" || len(history) != 2 {
		t.Errorf("dead job %v", job)
	}
	first, second := history[0].(map[string]any), history[1].(map[string]any)
	if gap := moment(t, second["started_at"]).Sub(moment(t, first["finished_at"])); gap < 2*time.Second {
		t.Errorf("the second attempt began %s after the first", gap)
	}

	// It is in the dead-letter queue, and a manual retry runs it again.
	dead := a.get("/dlq")["jobs"].([]any)
	if len(dead) != 1 || dead[0].(map[string]any)["id"] != id {
		t.Errorf("dead-letter queue %v", dead)
	}
	// A worker may have started its next attempt before the answer was read.
	r := a.call("POST", "/jobs/"+id+"/retry", "")
	if state := r.body["state"]; r.code != http.StatusOK ||
		(state != "waiting" && state != "running" && state != "retrying") || number(t, r.body["attempts"]) > 1 {
		t.Errorf("retry: %d %v", r.code, r.body)
	}
	if r := a.call("POST", "/jobs/"+completed+"/retry", ""); r.code != http.StatusConflict {
		t.Errorf("retry of a job that is not failed: %d %v", r.code, r.body)
	}
	eventually(t, "four attempts in the history",
		func() bool { return len(a.get("/jobs/" + id)["history"].([]any)) == 4 })
	a.await(id, "dead")

	// A job that is cancelled while it runs.
	id = a.submit(`{"type":"image","payload":{"duration_ms":600000,"fail_rate":0}}`)
	a.await(id, "running")
	if r := a.call("POST", "/jobs/"+id+"/cancel", ""); r.code != http.StatusAccepted {
		t.Errorf("cancel: %d %v", r.code, r.body)
	}
	if job := a.await(id, "cancelled"); !slices.Equal(outcomes(job), []string{"cancelled"}) {
		t.Errorf("cancelled job %v", job)
	}

	// The same key returns the same job.
	body := `{"type":"email","payload":{"duration_ms":0,"fail_rate":0}}`
	id = a.submit(body, "Idempotency-Key", "order-1")
	if r := a.call("POST", "/jobs", body, "Idempotency-Key", "order-1"); r.code != http.StatusOK || r.body["id"] != id ||
		r.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("replay: %d %v", r.code, r.body)
	}
	a.await(id, "completed")

	// The metrics count all of these jobs.
	eventually(t, "the metrics", func() bool {
		m := a.get("/metrics")
		return number(t, m["total_jobs"]) == 4 && number(t, m["failed_jobs"]) == 2 && number(t, m["active_jobs"]) == 0 &&
			number(t, m["queue_length"]) == 0 && number(t, m["dead"]) == 1 && number(t, m["cancelled"]) == 1
	})
}

func moment(t *testing.T, v any) time.Time {
	t.Helper()
	s, _ := v.(string)
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatalf("%v is not a time: %v", v, err)
	}
	return at
}

func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	victim := d.worker("WORKER_CONCURRENCY=1")
	id := d.submit(`{"type":"report","payload":{"duration_ms":8000,"fail_rate":0}}`)
	d.await(id, "running")
	var others []string
	for range 20 {
		others = append(others, d.submit(`{"type":"email","payload":{"duration_ms":10,"fail_rate":0}}`))
	}
	d.worker()
	victim.kill()
	for _, other := range others {
		d.await(other, "completed")
	}
	job := d.await(id, "completed")
	if !slices.Equal(outcomes(job), []string{"lease_lost"}) || number(t, job["attempts"]) != 2 {
		t.Errorf("job %v", job)
	}
}

func TestAPIKilled(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.worker()
	body := `{"type":"email","payload":{"duration_ms":0,"fail_rate":0}}`
	// Submit without a pause, and kill the api half-way. Some submissions then get no answer.
	const n = 200
	accepted := map[string]string{} // by key
	var open []string
	killed := make(chan struct{})
	for i := range n {
		key := fmt.Sprint("key-", i)
		if i == n/2 {
			go func() { d.apiProc.kill(); close(killed) }()
		}
		if r := d.call("POST", "/jobs", body, "Idempotency-Key", key); r.code == http.StatusCreated {
			accepted[key] = r.body["id"].(string)
		} else {
			open = append(open, key)
		}
	}
	<-killed
	if len(accepted) < n/2 || len(open) == 0 {
		t.Fatalf("%d accepted, %d without an answer: the test proves nothing", len(accepted), len(open))
	}
	d.apiProc.start()
	d.awaitReady(http.StatusOK)
	for _, key := range open { // a client without an answer repeats its request
		r := d.call("POST", "/jobs", body, "Idempotency-Key", key)
		if r.code != http.StatusCreated && r.code != http.StatusOK {
			t.Fatalf("repeated: %d %v %v", r.code, r.body, r.err)
		}
		accepted[key] = r.body["id"].(string)
	}
	distinct := map[string]bool{}
	for key, id := range accepted {
		distinct[id] = true
		if r := d.call("POST", "/jobs", body, "Idempotency-Key", key); r.code != http.StatusOK || r.body["id"] != id {
			t.Errorf("key %s: %d %v, want job %s", key, r.code, r.body, id)
		}
		d.await(id, "completed")
	}
	if m := d.get("/metrics"); len(distinct) != n || number(t, m["total_jobs"]) != n {
		t.Errorf("%d keys, %d jobs, metrics %v", n, len(distinct), m)
	}
}

func TestRedisFlushed(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	var ids []string
	for i := range 60 {
		ids = append(ids, d.submit(delayed([]int{0, 0, 1}[i%3])))
	}
	flush(t, d.redis.URL)
	d.worker()
	for _, id := range ids[:30] {
		d.await(id, "completed")
	}
	flush(t, d.redis.URL) // again, now while a worker waits
	ids = append(ids, d.submit(`{"type":"email","payload":{"duration_ms":0,"fail_rate":0}}`))
	for _, id := range ids {
		if job := d.await(id, "completed"); number(t, job["attempts"]) != 1 {
			t.Errorf("job %v", job)
		}
	}
}

// delayed is a submission of a job without work that is due after some seconds.
func delayed(seconds int) string {
	return fmt.Sprintf(`{"type":"email","delay_seconds":%d,"payload":{"duration_ms":0,"fail_rate":0}}`, seconds)
}

func TestRedisDown(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.worker()
	d.worker()
	d.redis.Kill()
	var ids []string
	for i := range 40 {
		begin := time.Now()
		ids = append(ids, d.submit(delayed([]int{0, 2}[i%2])))
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("a submit took %s", took)
		}
	}
	for _, id := range ids {
		d.await(id, "completed")
	}
	eventually(t, "/readyz to report Redis as degraded", func() bool { return d.get("/readyz")["redis"] == "degraded" })
	// Without Redis a cancel reaches the worker only with its heartbeat.
	id := d.submit(`{"type":"image","payload":{"duration_ms":600000,"fail_rate":0}}`)
	d.await(id, "running")
	d.call("POST", "/jobs/"+id+"/cancel", "")
	d.await(id, "cancelled")
	d.redis.Start()
	eventually(t, "/readyz to report Redis as ok", func() bool { return d.get("/readyz")["redis"] == "ok" })
	d.await(d.submit(`{"type":"email","payload":{"duration_ms":0,"fail_rate":0}}`), "completed")
}

func TestPostgresRestarted(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.worker()
	running := d.submit(`{"type":"report","max_attempts":1,"payload":{"duration_ms":6000,"fail_rate":0}}`)
	waiting := d.submit(`{"type":"email","delay_seconds":1,"payload":{"duration_ms":0,"fail_rate":0}}`)
	d.await(running, "running")
	d.postgres.Kill()
	begin := time.Now()
	r := d.call("POST", "/jobs", `{"type":"email"}`)
	if took := time.Since(begin); r.code != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" ||
		took > 6*time.Second {
		t.Errorf("without PostgreSQL: %d %v after %s", r.code, r.body, took)
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("the error has Content-Type %s, want application/problem+json", got)
	}
	d.awaitReady(http.StatusServiceUnavailable)
	if r := d.call("GET", "/livez", ""); r.code != http.StatusOK {
		t.Errorf("/livez: %d", r.code)
	}
	d.postgres.Start()
	d.awaitReady(http.StatusOK)
	d.await(d.submit(`{"type":"email","payload":{"duration_ms":0,"fail_rate":0}}`), "completed")
	d.await(waiting, "completed")
	if job := d.await(running, "completed"); number(t, job["attempts"]) != 1 {
		t.Errorf("the job that ran during the restart: %v", job)
	}
}

func TestWorkerTerminated(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	drains := d.worker()
	id := d.submit(`{"type":"report","payload":{"duration_ms":5000,"fail_rate":0}}`)
	d.await(id, "running")
	if code := drains.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if job := d.get("/jobs/" + id); job["state"] != "completed" || number(t, job["attempts"]) != 1 {
		t.Errorf("the job that had time to finish: %v", job)
	}

	handsBack := d.worker("SHUTDOWN_TIMEOUT=0s")
	id = d.submit(`{"type":"report","max_attempts":1,"payload":{"duration_ms":600000,"fail_rate":0}}`)
	d.await(id, "running")
	begin := time.Now()
	if code := handsBack.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("with SHUTDOWN_TIMEOUT=0s it took %s to stop", took)
	}
	if job := d.get("/jobs/" + id); job["status"] != "pending" || number(t, job["attempts"]) != 0 ||
		!slices.Equal(outcomes(job), []string{"released"}) {
		t.Errorf("the job that had no time to finish: %v", job)
	}
	if list := d.get("/workers")["workers"].([]any); len(list) != 0 {
		// The list may be two seconds old.
		eventually(t, "no workers", func() bool { return len(d.get("/workers")["workers"].([]any)) == 0 })
	}
	d.worker()
	d.await(id, "running")
}

func TestAPITerminated(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	if code := d.apiProc.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// During SHUTDOWN_DELAY only /readyz fails, so that load balancers stop sending requests. Everything else works.
func TestShutdownDelay(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	port, health := freePort(t), freePort(t)
	a := &api{t: t, base: "http://127.0.0.1:" + port}
	second := launch(t, "api", append(d.env(), "PORT="+port, "SHUTDOWN_DELAY=5s")...)
	a.awaitReady(http.StatusOK)
	w := &api{t: t, base: "http://127.0.0.1:" + health}
	worker := d.worker("HEALTH_PORT="+health, "SHUTDOWN_DELAY=5s")
	w.awaitReady(http.StatusOK)

	second.cmd.Process.Signal(syscall.SIGTERM)
	a.awaitReady(http.StatusServiceUnavailable)
	worker.cmd.Process.Signal(syscall.SIGTERM)
	w.awaitReady(http.StatusServiceUnavailable)
	id := a.submit(`{"type":"report","payload":{"duration_ms":0,"fail_rate":0}}`)
	d.await(id, "completed")
	if code := second.terminated(); code != 0 {
		t.Errorf("exit code %d of the api", code)
	}
	if code := worker.terminated(); code != 0 {
		t.Errorf("exit code %d of the worker", code)
	}
}

// With AUTO_MIGRATE=false a process waits until the migration is done by other means, and logs how.
func TestAutoMigrateOff(t *testing.T) {
	t.Parallel()
	d := &deployment{postgres: servers.StartPostgres(t), redis: servers.StartRedis(t)}
	d.url = d.postgres.Database(t)
	port, health := freePort(t), freePort(t)
	d.api = &api{t: t, base: "http://127.0.0.1:" + port}
	waiting := launch(t, "api", append(d.env(), "PORT="+port, "AUTO_MIGRATE=false")...)
	worker := launch(t, "worker", append(d.env(), "HEALTH_PORT="+health, "AUTO_MIGRATE=false")...)
	for _, p := range []*process{waiting, worker} {
		eventually(t, p.name+" to log what it waits for", func() bool {
			return strings.Contains(p.log.String(), "windlass migrate up")
		})
	}
	d.awaitReady(http.StatusServiceUnavailable)

	migrate := exec.Command(filepath.Join(bin, "api"), "migrate", "up")
	migrate.Env = d.env()
	if text, err := migrate.CombinedOutput(); err != nil {
		t.Fatalf("migrate up: %v\n%s", err, text)
	}
	d.awaitReady(http.StatusOK)
	d.await(d.submit(`{"type":"report","payload":{"duration_ms":0,"fail_rate":0}}`), "completed")
}

// Two installations on one Redis are warned of each other, unless each has a prefix.
func TestTwoInstallationsOnOneRedis(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	other := d.postgres.Database(t)
	second := launch(t, "api", "DATABASE_URL="+other, "REDIS_URL="+d.redis.URL, "PORT=0")
	third := launch(t, "api",
		"DATABASE_URL="+other, "DATABASE_SCHEMA=third", "REDIS_URL="+d.redis.URL, "PORT=0", "REDIS_PREFIX=third")
	for _, p := range []*process{d.apiProc, second} {
		eventually(t, "a warning", func() bool {
			return strings.Contains(p.log.String(), "another installation of Windlass")
		})
	}
	eventually(t, "the third to work", func() bool {
		return strings.Contains(third.log.String(), "maintenance taken over")
	})
	if strings.Contains(third.log.String(), "another installation") {
		t.Errorf("one with a prefix of its own is warned:\n%s", third.log)
	}
}

// A parameter that the server refuses stops a process: every connection would fail, for ever.
func TestUnknownParameterOfTheDatabase(t *testing.T) {
	t.Parallel()
	d := &deployment{postgres: servers.StartPostgres(t), redis: servers.StartRedis(t)}
	url := d.postgres.Database(t) + "&nonsense=1&pgbouncer=true"
	for migrate, want := range map[string]string{
		"true": "Take the parameter out of the database URL", "false": "does not know a parameter of DATABASE_URL, remove it",
	} {
		p := launch(t, "api", "DATABASE_URL="+url, "REDIS_URL="+d.redis.URL, "PORT=0", "AUTO_MIGRATE="+migrate)
		<-p.exited
		log := p.log.String()
		if p.code != 1 || !strings.Contains(log, want) || !strings.Contains(log, "nonsense") ||
			!strings.Contains(log, `"names":["pgbouncer"]`) {
			t.Errorf("AUTO_MIGRATE=%s: exit code %d, log:\n%s", migrate, p.code, log)
		}
	}
}
