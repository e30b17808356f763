package torture

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/windlass-jobs/windlass/tests/torture/history"
	"github.com/windlass-jobs/windlass/tests/torture/recording"
)

// Crash points: each test ends, freezes or cuts off a process at one named point of its code, and checks that the
// damage is repaired in time. The times are those of docs/guarantees.md for a lease of 30 s. Times that depend on the
// lease are scaled to the lease here. slack is for a busy machine. Faults of the servers are tested elsewhere: a flush
// or a loss of Redis and a restart of PostgreSQL in tests/pipeline; a commit during which PostgreSQL ends, and a
// repeated hint, with the drivers.

const (
	pointTTL  = 3 * time.Second
	slack     = 4 * time.Second
	hintDelay = 6 * time.Second // until a lost hint is pushed again
	backoff   = 2200 * time.Millisecond
)

// scaled converts a time for a lease of 30 s to the lease here.
func scaled(of30 time.Duration) time.Duration { return of30 / (30 * time.Second / pointTTL) }

// scene is a small system in which a fault hits one process.
type scene struct {
	*testing.T
	*world
	client *client
}

func newScene(t *testing.T, changes ...func(*Setup)) *scene {
	t.Helper()
	bin, dir := startSlowTest(t)
	set := Setup{Bin: bin, Dir: dir, TTL: pointTTL, Slots: 4, APIs: 1}
	for _, change := range changes {
		change(&set)
	}
	w, err := newWorld(t, set)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{T: t, world: w, client: newClient([]string{w.apis[0].url}, w.events, 1, 100, t.Errorf)}
	t.Cleanup(func() {
		if t.Failed() {
			for _, p := range w.all() {
				t.Logf("%s:\n%s", p.name, p.tail(3<<10))
			}
		}
	})
	// The job types are known after a worker has announced them.
	announcer := s.worker("announcer", "TORTURE_MAINTENANCE=off")
	if err := w.ready(s.client); err != nil {
		t.Fatal(err)
	}
	if err := announcer.terminate(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	return s
}

// worker starts one more worker.
func (s *scene) worker(name string, env ...string) *place {
	s.Helper()
	p, err := s.place(name, "worker")
	if err != nil {
		s.Fatal(err)
	}
	p.env = append(p.env, "WORKER_CONCURRENCY=4", "SHUTDOWN_TIMEOUT=1s")
	s.workers = append(s.workers, p)
	if err := p.start(env...); err != nil {
		s.Fatal(err)
	}
	return p
}

// healthy starts a worker without faults. It leaves the maintenance to the api.
func (s *scene) healthy() *place { return s.worker("healthy", "TORTURE_MAINTENANCE=off") }

// victim starts a worker with a crash point.
func (s *scene) victim(fault string) *place {
	return s.worker("victim", "TORTURE_MAINTENANCE=off", "WINDLASS_FAULT="+fault)
}

// api starts one more api, with a crash point. It first waits until the first api does the maintenance.
func (s *scene) api(fault string) *place {
	s.Helper()
	s.until("the first api does the maintenance", 30*time.Second,
		func() bool { return s.number(`SELECT count(*) FROM windlass.leases`) == 1 })
	p, err := s.place("api-victim", "api")
	if err != nil {
		s.Fatal(err)
	}
	if err := p.listen(); err != nil {
		s.Fatal(err)
	}
	s.apis = append(s.apis, p)
	if err := p.start("WINDLASS_FAULT=" + fault); err != nil {
		s.Fatal(err)
	}
	s.until("the api answers", 30*time.Second, func() bool {
		return s.client.call(s.Context(), http.MethodGet, p.url+"/readyz", nil, "").code == http.StatusOK
	})
	return p
}

func (s *scene) until(what string, within time.Duration, ok func() bool) time.Duration {
	s.Helper()
	begun := time.Now()
	for !ok() {
		if time.Since(begun) > within {
			s.Fatalf("timed out after %s waiting until %s", within, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(begun)
}

func (s *scene) number(sql string) (n int) {
	s.Helper()
	if err := s.scalar(s.Context(), sql, &n); err != nil {
		s.Fatalf("%s: %v", sql, err)
	}
	return n
}

// hit waits until the crash point has fired.
func (s *scene) hit(p *place) {
	s.Helper()
	s.until("the crash point fires", 30*time.Second,
		func() bool { return strings.Contains(string(p.log()), "fault: ") })
}

// job is the part of a row that the tests check.
type job struct {
	status, kind string
	attempts     int
	fence        int64
}

func (s *scene) job(id string) (j job) {
	s.Helper()
	err := s.asAdmin(s.Context(), func(c *pgx.Conn) error {
		return c.QueryRow(s.Context(), `SELECT status, coalesce(failure_kind, ''), attempts, fence
			FROM windlass.jobs WHERE id = $1`, id).
			Scan(&j.status, &j.kind, &j.attempts, &j.fence)
	})
	if err != nil {
		s.Fatal(err)
	}
	return j
}

// submit sends a job to an api and returns the answer.
func (s *scene) submit(p *place, kind, key string, fields map[string]any) answer {
	s.Helper()
	body := map[string]any{"type": kind, "payload": map[string]any{"key": key + "#0", "millis": fields["millis"]}}
	for name, v := range fields {
		if name != "millis" {
			body[name] = v
		}
	}
	if fields["millis"] == nil {
		body["payload"] = map[string]any{"key": key + "#0"}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		s.Fatal(err)
	}
	return s.client.call(s.Context(), http.MethodPost, p.url+"/jobs", raw, key)
}

// accepted submits a job to the first api, which has no faults, and returns its id.
func (s *scene) accepted(kind, key string, fields map[string]any) string {
	s.Helper()
	a := s.submit(s.apis[0], kind, key, fields)
	ids := stored(a.body)
	if a.code != http.StatusCreated || len(ids) != 1 {
		s.Fatalf("submit: %d %s %v", a.code, a.body, a.err)
	}
	return ids[0]
}

// completed waits until the job is completed, at most for the given time and the slack, and checks its attempts.
func (s *scene) completed(id string, within time.Duration, attempts int) {
	s.Helper()
	took := s.until(fmt.Sprintf("job %s is completed", id), within+slack,
		func() bool { return s.job(id).status == "completed" })
	s.Logf("repaired after %s, the limit is %s", took.Round(10*time.Millisecond), within)
	if j := s.job(id); j.attempts != attempts {
		s.Errorf("%d attempts, want %d", j.attempts, attempts)
	}
}

// happened counts the events of a kind about a job.
func (s *scene) happened(kind history.Kind, id string) (n int) {
	s.Helper()
	events, err := history.Read(s.Dir)
	if err != nil {
		s.Fatal(err)
	}
	for _, e := range events {
		if e.Kind == kind && e.ID == id {
			n++
		}
	}
	return n
}

func (s *scene) starts(id string, want int) {
	s.Helper()
	if n := s.happened(history.Start, id); n != want {
		s.Errorf("the job was started %d times, want %d", n, want)
	}
}

// Row 1: the api dies before the commit.
func TestPointBeforeInsert(t *testing.T) {
	s := newScene(t)
	s.healthy()
	p := s.api("before-insert=exit")
	if a := s.submit(p, recording.Quick, "key", nil); a.err == nil {
		t.Fatalf("the api answered %d %s, want no answer", a.code, a.body)
	}
	s.hit(p)
	if n := s.number(`SELECT count(*) FROM windlass.jobs`); n != 0 {
		t.Errorf("%d jobs are stored, want 0", n)
	}
	s.completed(s.accepted(recording.Quick, "key", nil), hintDelay, 1)
}

// Row 2: the answer to the commit is lost.
func TestPointInsertAnswerLost(t *testing.T) {
	s := newScene(t)
	s.healthy()
	p := s.api("after-insert-commit=error")
	if a := s.submit(p, recording.Quick, "key", nil); a.kind != "outcome_unknown" {
		t.Fatalf("the api answered %d %s, want outcome_unknown", a.code, a.body)
	}
	s.repeat("key")
}

// repeat repeats a submission with an unknown outcome. It must be the same job, and the job must run once.
func (s *scene) repeat(key string) {
	s.Helper()
	begun := time.Now()
	a := s.submit(s.apis[0], recording.Quick, key, nil)
	if a.code != http.StatusOK {
		s.Fatalf("the repeated submission was answered %d %s, want 200", a.code, a.body)
	}
	id := stored(a.body)[0]
	s.completed(id, hintDelay-time.Since(begun), 1)
	if n := s.number(`SELECT count(*) FROM windlass.jobs`); n != 1 {
		s.Errorf("%d jobs are stored, want 1", n)
	}
	s.starts(id, 1)
}

// Row 3: the api dies between the commit and the push, or the push is lost.
func TestPointAfterInsert(t *testing.T) {
	s := newScene(t)
	s.healthy()
	p := s.api("after-insert-commit=exit")
	s.submit(p, recording.Quick, "key", nil)
	s.hit(p)
	s.repeat("key")
}

func TestPointPushLost(t *testing.T) {
	s := newScene(t)
	s.healthy()
	p := s.api("before-push=error")
	a := s.submit(p, recording.Quick, "key", nil)
	if a.code != http.StatusCreated {
		t.Fatalf("the api answered %d %s, want 201", a.code, a.body)
	}
	s.hit(p)
	s.completed(stored(a.body)[0], hintDelay, 1)
}

// Row 5: a worker dies between the pop and the claim.
func TestPointBeforeClaim(t *testing.T) {
	s := newScene(t)
	p := s.victim("before-claim=exit")
	id := s.accepted(recording.Quick, "key", nil)
	s.hit(p)
	s.healthy()
	s.completed(id, hintDelay, 1)
	s.starts(id, 1)
}

// Row 6: the answer to a claim is lost.
func TestPointClaimAnswerLost(t *testing.T) {
	s := newScene(t)
	p := s.victim("after-claim-commit=error")
	id := s.accepted(recording.Quick, "key", nil)
	s.hit(p)
	s.completed(id, scaled(10*time.Second)+hintDelay, 1)
	s.starts(id, 1)
	if s.happened(history.Phantom, id) != 1 {
		t.Error("the job was not handed back as a phantom")
	}
}

// Row 7: a worker dies in a handler.
func TestPointInHandler(t *testing.T) {
	s := newScene(t)
	p := s.victim("in-handler=exit")
	id := s.accepted(recording.Quick, "key", nil)
	s.hit(p)
	s.healthy()
	s.completed(id, scaled(32*time.Second)+backoff+hintDelay, 2)
}

// Row 8: a worker is frozen for longer than its lease, and then continues.
func TestPointFrozenInHandler(t *testing.T) {
	s := newScene(t)
	p := s.victim("in-handler=stop")
	id := s.accepted(recording.Quick, "key", nil)
	s.hit(p)
	s.healthy()
	s.completed(id, scaled(32*time.Second)+backoff+hintDelay, 2)
	before := s.job(id)
	p.thaw()
	s.until("both workers have started the job", 30*time.Second, func() bool { return s.happened(history.Start, id) == 2 })
	if err := p.terminate(30 * time.Second); err != nil {
		t.Error(err)
	}
	if after := s.job(id); after != before {
		t.Errorf("the zombie changed the job from %+v to %+v", before, after)
	}
}

// Row 9: the result cannot be recorded at first.
func TestPointBeforeSettle(t *testing.T) {
	s := newScene(t)
	p := s.victim("before-settle=error")
	id := s.accepted(recording.Quick, "key", nil)
	s.hit(p)
	s.completed(id, scaled(32*time.Second), 1)
	s.starts(id, 1)
}

// Row 10: the answer to the result is lost.
func TestPointSettleAnswerLost(t *testing.T) {
	s := newScene(t)
	p := s.victim("after-settle-commit=error")
	id := s.accepted(recording.Quick, "key", nil)
	s.hit(p)
	s.completed(id, hintDelay, 1)
	// The first answer was lost; the second one says that the outcome is already recorded.
	s.until("the worker has two answers", slack, func() bool { return s.happened(history.Acked, id) == 2 })
	s.starts(id, 1)
}

// Row 11: a worker dies after the result.
func TestPointAfterSettle(t *testing.T) {
	s := newScene(t)
	p := s.victim("after-settle-commit=exit")
	id := s.accepted(recording.Quick, "key", nil)
	s.hit(p)
	s.completed(id, 0, 1)
	s.healthy()
	s.completed(s.accepted(recording.Quick, "other", nil), hintDelay, 1)
	s.starts(id, 1)
}

// Row 12: a retry is committed, but its push is lost.
func TestPointRetryPushLost(t *testing.T) {
	s := newScene(t)
	p := s.victim("before-push=error")
	id := s.accepted(recording.Flaky, "key", nil)
	s.hit(p)
	s.completed(id, backoff+hintDelay, 2)
}

// Row 13: the process with the maintenance dies before it mirrors the dead jobs.
func TestPointBeforeMirror(t *testing.T) {
	s := newScene(t)
	s.healthy()
	id := s.accepted(recording.Permanent, "key", nil)
	s.until("the job is dead", slack, func() bool { return s.job(id).status == "failed" })
	p := s.worker("keeper", "WINDLASS_FAULT=before-mirror=exit")
	if err := s.apis[0].terminate(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	s.hit(p)
	if err := s.apis[0].start(); err != nil {
		t.Fatal(err)
	}
	s.until("the job is in the mirror", 60*time.Second, func() bool {
		var ids []string
		_ = s.redisDo(s.Context(), func(c *redis.Client) (err error) {
			ids, err = c.ZRange(s.Context(), "{windlass}:dead", 0, -1).Result()
			return err
		})
		return len(ids) == 1 && ids[0] == id
	})
}

// Row 14: an api dies after the commit of a redrive or of a cancel.
func TestPointAfterRedrive(t *testing.T) {
	s := newScene(t)
	id := s.accepted(recording.Quick, "key", map[string]any{"delay_seconds": 3600})
	a := s.client.call(t.Context(), http.MethodPost, s.apis[0].url+"/jobs/"+id+"/cancel", nil, "")
	if a.code != http.StatusOK {
		t.Fatalf("cancel: %d %s", a.code, a.body)
	}
	s.healthy()
	p := s.api("after-redrive-commit=exit")
	s.client.call(t.Context(), http.MethodPost, p.url+"/jobs/"+id+"/retry", nil, "")
	s.hit(p)
	s.completed(id, hintDelay, 1)
}

func TestPointAfterCancel(t *testing.T) {
	s := newScene(t)
	s.healthy()
	id := s.accepted(recording.Slow, "key", map[string]any{"millis": 19_000})
	s.until("the job runs", hintDelay, func() bool { return s.happened(history.Start, id) == 1 })
	p := s.api("after-cancel-commit=exit")
	s.client.call(t.Context(), http.MethodPost, p.url+"/jobs/"+id+"/cancel", nil, "")
	s.hit(p)
	s.until("the job is cancelled", scaled(5*time.Second)+slack, func() bool { return s.job(id).kind == "cancelled" })
}

// Row 15: the process with the maintenance dies after it has reaped, before it pushes the ids.
func TestPointAfterReap(t *testing.T) {
	s := newScene(t)
	keeper := s.worker("keeper", "TORTURE_TYPES="+recording.Doomed, "WINDLASS_FAULT=after-reap-commit=exit")
	sessions := func(want int) func() bool {
		return func() bool {
			return s.number(`SELECT count(*) FROM windlass.worker_sessions WHERE state = 'alive'`) == want
		}
	}
	s.until("the keeper runs", slack, sessions(1))
	if err := s.apis[0].terminate(30 * time.Second); err != nil { // the keeper then takes the maintenance over
		t.Fatal(err)
	}
	s.until("the keeper does the maintenance", takeOver+slack,
		func() bool { return s.number(`SELECT count(*) FROM windlass.leases WHERE expires_at > now()`) == 1 })
	if err := s.apis[0].start(); err != nil {
		t.Fatal(err)
	}
	if err := s.ready(s.client); err != nil {
		t.Fatal(err)
	}
	victim := s.victim("in-handler=exit")
	// A job whose type no worker serves would be delayed for half a minute.
	s.until("the victim runs", slack, sessions(2))
	id := s.accepted(recording.Quick, "key", nil)
	s.hit(victim)
	s.hit(keeper)
	s.healthy()
	s.completed(id, takeOver+backoff+hintDelay, 2)
}

// Row 18: all workers are dead, and the api takes their jobs back.
func TestPointNoWorkerLeft(t *testing.T) {
	s := newScene(t)
	p := s.victim("in-handler=exit")
	id := s.accepted(recording.Quick, "key", nil)
	s.hit(p)
	s.until("the job is pending", scaled(32*time.Second)+slack, func() bool { return s.job(id).status == "pending" })
	s.healthy()
	s.completed(id, backoff+hintDelay, 2)
}

// Row 19: a worker claims with a session that was reaped before the claim arrived.
func TestPointFrozenBeforeClaim(t *testing.T) {
	s := newScene(t)
	p := s.victim("before-claim=stop")
	id := s.accepted(recording.Quick, "key", nil)
	s.hit(p)
	s.until("the session is dead", scaled(32*time.Second)+slack, func() bool {
		return s.number(`SELECT count(*) FROM windlass.worker_sessions WHERE state <> 'dead'`) == 0
	})
	p.thaw()
	s.completed(id, hintDelay, 1)
	s.starts(id, 1)
}
