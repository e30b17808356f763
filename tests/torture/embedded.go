package torture

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "github.com/windlass-jobs/windlass/jobs/store/sqlite" // brings the driver to read the file with

	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// RunEmbedded tortures the one-process mode: there is no network and no server, so what can happen is what can happen to a process and
// its disk.
func RunEmbedded(t testing.TB, o Options) (*Report, error) {
	o.defaults()
	begun := time.Now()
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	events, err := history.Open(filepath.Join(o.Dir, "client.jsonl"))
	if err != nil {
		return nil, err
	}
	w := &world{Setup: o.Setup, events: events}
	t.Cleanup(w.end)
	p := &place{program: startable(o.Setup, "embedded", "embedded")}
	if err := p.listen(); err != nil {
		return nil, err
	}
	p.env = append(p.env, "DATA_DIR="+o.Dir)
	w.apis = []*place{p}
	if err := p.start(); err != nil {
		return nil, err
	}
	c := newClient([]string{p.url}, events, o.Seed, o.Rate, w.problem)
	n := &nemesis{world: w, client: c, seed: o.Seed, faults: map[string]int{}}
	if err := w.ready(c); err != nil {
		return nil, err
	}
	breaking, stopBreaking := context.WithTimeout(t.Context(), o.Faults)
	defer stopBreaking()
	last, stopClient := context.WithTimeout(context.Background(), o.Faults+o.Limit)
	defer stopClient()
	var client sync.WaitGroup
	client.Go(func() { c.run(breaking, last) })
	o.Log("seed %d: breaking the embedded mode for %s", o.Seed, o.Faults.Round(time.Second))
	n.run(breaking, []lane{embeddedLane})
	healed := time.Now()
	w.reviveAll(n)
	client.Wait()

	e := &Evidence{Limit: o.Limit, Paused: true, Killed: true}
	w.awaitMetrics(c, healed.Add(o.Limit))
	e.Took = time.Since(healed)
	if err := p.terminate(30 * time.Second); err != nil {
		w.problem("orderly stop: %v", err)
	}
	if bad := panics(p.log()); bad != "" {
		w.problem("%s", bad)
	}
	e.Problems = w.problems
	if e.Events, err = history.Read(o.Dir); err != nil {
		return nil, err
	}
	if err := e.readFile(filepath.Join(o.Dir, "windlass.db")); err != nil {
		return nil, err
	}
	o.Log("seed %d: %s", o.Seed, e.last())
	r := report(e, n)
	r.Seed, r.Duration = o.Seed, time.Since(begun)
	return r, nil
}

var embeddedLane = lane{"embedded", 600 * time.Millisecond, []fault{
	{"embedded killed", 5, embeddedKilled}, {"embedded frozen", 3, embeddedFrozen}, {"embedded stopped in order", 2, embeddedStopped},
	{"disk of embedded full", 3, embeddedDiskFull},
}}

func embeddedKilled(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := n.apis[0]
	p.kill()
	return between(dice, 50*time.Millisecond, time.Second), func() { n.revive(p) }
}

func embeddedFrozen(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := n.apis[0]
	p.freeze()
	return between(dice, time.Second, 2*n.TTL), p.thaw
}

func embeddedStopped(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := n.apis[0]
	if err := p.terminate(30 * time.Second); err != nil {
		n.problem("orderly stop: %v", err)
	}
	return between(dice, 50*time.Millisecond, time.Second), func() { n.revive(p) }
}

// embeddedDiskFull keeps the files of the database from growing. The history, which is a file of the same process, has to stay below
// that, so it waits until the database is large enough.
func embeddedDiskFull(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := n.apis[0]
	size := uint64(0)
	for _, name := range []string{"windlass.db", "windlass.db-wal"} {
		if info, err := os.Stat(filepath.Join(n.Dir, name)); err == nil {
			size = max(size, uint64(info.Size()))
		}
	}
	const least = 2 << 20
	pid := p.pid()
	if size < least || pid == 0 || p.historySize() > int64(size)/2 || limitFiles([]int{pid}, size) != nil {
		return 0, nil
	}
	return between(dice, 500*time.Millisecond, 2*time.Second), func() { _ = limitFiles([]int{pid}, unlimited) }
}

// awaitMetrics waits until the API says that every job is over.
func (w *world) awaitMetrics(c *client, late time.Time) {
	for time.Now().Before(late) {
		var m struct {
			Total     int64 `json:"total_jobs"`
			Completed int64 `json:"completed_jobs"`
			Failed    int64 `json:"failed_jobs"`
		}
		a := c.call(context.Background(), http.MethodGet, w.apis[0].url+"/metrics", nil, "")
		if a.err == nil && a.code == http.StatusOK && json.Unmarshal(a.body, &m) == nil && m.Total > 0 && m.Total == m.Completed+m.Failed {
			return
		}
		if p := w.apis[0]; !p.running() {
			_ = p.start()
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// readFile reads what the Store holds from its file. A process has it no more.
func (e *Evidence) readFile(path string) error {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return err
	}
	defer db.Close()
	var whole string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&whole); err != nil || whole != "ok" {
		return fmt.Errorf("the database is damaged: %s %w", whole, err)
	}
	e.Started, e.Ended = map[string]time.Time{}, map[string]time.Time{}
	rows, err := db.Query(`SELECT id, type, payload ->> '$.key', status, coalesce(failure_kind, ''), attempts, max_attempts, releases, redrives, fence,
		coalesce(result ->> '$.fence', 0), coalesce(result ->> '$.key', ''), coalesce(finished_at, 0), timeout_seconds, coalesce(started_at, 0) FROM jobs`)
	if err != nil {
		return err
	}
	err = scanAll(rows, func() error {
		var r Row
		var finished, seconds, started int64
		err := rows.Scan(&r.ID, &r.Type, &r.Key, &r.Status, &r.Kind, &r.Attempts, &r.MaxAttempts, &r.Releases, &r.Redrives, &r.Fence,
			&r.ResultFence, &r.ResultKey, &finished, &seconds, &started)
		r.FinishedAt, r.Timeout = time.UnixMicro(finished), time.Duration(seconds)*time.Second
		e.Rows = append(e.Rows, r)
		e.Started[r.ID] = time.UnixMicro(started)
		return err
	})
	if err != nil {
		return err
	}
	rows, err = db.Query(`SELECT job_id, fence, attempt, outcome, worker_id, started_at, finished_at FROM job_attempts ORDER BY job_id, fence`)
	if err != nil {
		return err
	}
	err = scanAll(rows, func() error {
		var a Attempt
		var started, finished int64
		err := rows.Scan(&a.Job, &a.Fence, &a.Attempt, &a.Outcome, &a.Worker, &started, &finished)
		a.StartedAt, a.FinishedAt = time.UnixMicro(started), time.UnixMicro(finished)
		e.Attempts = append(e.Attempts, a)
		return err
	})
	if err != nil {
		return err
	}
	rows, err = db.Query(`SELECT id, dead_at FROM worker_sessions WHERE state = 'dead'`)
	if err != nil {
		return err
	}
	return scanAll(rows, func() error {
		var id string
		var dead int64
		err := rows.Scan(&id, &dead)
		e.Ended[id] = time.UnixMicro(dead)
		return err
	})
}

func scanAll(rows *sql.Rows, scan func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(); err != nil {
			return err
		}
	}
	return rows.Err()
}
