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
	"testing"
	"time"

	_ "github.com/windlass-jobs/windlass/jobs/store/sqlite" // registers the driver that reads the file

	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// RunEmbedded does one run of the one-process mode. There is no network and no server, so all faults are faults of the
// process or its disk.
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
	w := &world{Setup: o.Setup, events: events, embedded: true}
	t.Cleanup(w.end)
	p := &place{program: startable(o.Setup, "embedded", "embedded")}
	if err := p.listen(); err != nil {
		return nil, err
	}
	data := filepath.Join(o.Dir, "data")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, err
	}
	if o.Disks {
		if w.dataDisk, w.diskless = newDisk(t, data, uint32(os.Getuid()), uint32(os.Getgid())); w.diskless != nil {
			o.Log("seed %d: no disk that can be filled, the size of files is limited instead: %v", o.Seed, w.diskless)
		}
		t.Cleanup(p.kill) // must run before the disk is unmounted
	}
	p.env = append(p.env, "DATA_DIR="+data)
	w.apis = []*place{p}
	if err := p.start(); err != nil {
		return nil, err
	}
	c := newClient([]string{p.url}, events, o.Seed, o.Rate, w.problem)
	// After a kill all running jobs are suspects, and the only worker runs one suspect at a time.
	c.shorter = true
	n := &nemesis{world: w, client: c, seed: o.Seed, faults: map[string]int{}}
	if err := w.ready(c); err != nil {
		return nil, err
	}
	o.Log("seed %d: faults in the one-process mode for %s", o.Seed, o.Faults.Round(time.Second))
	healed := n.breakAndHeal(t.Context(), o)

	e := &Evidence{Limit: o.Limit, Paused: true, Killed: !o.Calm}
	total := w.awaitMetrics(c, healed.Add(o.Limit))
	e.Took = time.Since(healed)
	if err := w.gatherEmbedded(e, c, total); err != nil {
		return nil, err
	}
	if err := e.readFile(filepath.Join(data, "windlass.db")); err != nil {
		return nil, err
	}
	if len(o.Lanes) == 0 {
		e.Met = w.met(e.Events)
	}
	if points := n.countPoints(); len(points) > 0 {
		o.Log("seed %d: crash points: %v", o.Seed, points)
	}
	o.Log("seed %d: %s", o.Seed, e.last())
	r := report(e, n)
	r.Seed, r.Duration = o.Seed, time.Since(begun)
	return r, nil
}

// embeddedLanes returns all faults of the one-process mode. Its clock is the Store's clock, so it is not moved.
func (w *world) embeddedLanes() []lane {
	full := fault{"files of embedded limited", 3, embeddedFilesLimited}
	if w.dataDisk != nil {
		full = fault{"disk of embedded full", 3, embeddedDiskFull}
	}
	list := []lane{
		{"processes", 600 * time.Millisecond, []fault{
			{"embedded killed", 5, embeddedKilled}, {"embedded frozen", 3, embeddedFrozen},
			{"embedded stopped in order", 2, embeddedStopped}, {"poison job", 1, poisonJob},
			{"job that takes all memory", 1, hogJob},
		}},
		{"disk", 1500 * time.Millisecond, []fault{full}},
	}
	if w.Programs.Faults {
		list = append(list, lane{"points", 1500 * time.Millisecond, []fault{{"", 1, pointsArmed}}})
	}
	return list
}

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

func embeddedDiskFull(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	if err := n.dataDisk.fill(); err != nil {
		n.problem("fill the disk of embedded: %v", err)
		return notDone, nil
	}
	return between(dice, 500*time.Millisecond, 2*time.Second), func() {
		if err := n.dataDisk.clear(); err != nil {
			n.problem("clear the disk of embedded: %v", err)
		}
	}
}

// embeddedFilesLimited limits the size of the process's files to the current size of the database. The history is a
// file of the same process and must stay smaller, so this fault waits until the database is large enough.
func embeddedFilesLimited(n *nemesis, dice *rand.Rand) (time.Duration, func()) {
	p := n.apis[0]
	size := uint64(0)
	for _, name := range []string{"windlass.db", "windlass.db-wal"} {
		if info, err := os.Stat(filepath.Join(n.Dir, "data", name)); err == nil {
			size = max(size, uint64(info.Size()))
		}
	}
	const least = 2 << 20
	pid := p.pid()
	if size < least || pid == 0 || p.historySize() > int64(size)/2 || limitFiles([]int{pid}, size) != nil {
		return notDone, nil
	}
	return between(dice, 500*time.Millisecond, 2*time.Second), func() { _ = limitFiles([]int{pid}, unlimited) }
}

// gatherEmbedded stops the process in order and starts it again, so that its maintenance mirrors the dead jobs. Then it
// reads the views and ends the process.
func (w *world) gatherEmbedded(e *Evidence, c *client, total int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	p := w.apis[0]
	for _, again := range []bool{true, false} {
		if err := p.terminate(30 * time.Second); err != nil {
			w.problem("orderly stop: %v", err)
		}
		if !again {
			break
		}
		if err := p.start(); err != nil {
			return err
		}
		e.DeadAPI = w.deadByAPI(ctx, c)
		e.Metrics = w.metrics(ctx, c, total)
		for e.DeadList == nil && wait(ctx, 50*time.Millisecond) {
			events, err := history.Read(w.Dir)
			if err != nil {
				return err
			}
			e.DeadList = lastMirror(events, p.historyPath())
		}
	}
	if bad := panics(p.log()); bad != "" {
		w.problem("%s", bad)
	}
	e.Problems = w.problems
	var err error
	e.Events, err = history.Read(w.Dir)
	return err
}

// lastMirror returns the last list of dead jobs that a process has mirrored, or nil if there is none.
func lastMirror(events []history.Event, process string) (ids []string) {
	for i := range events {
		if events[i].Kind == history.Mirrored && events[i].Worker == process {
			ids = append([]string{}, events[i].IDs...)
		}
	}
	return ids
}

// awaitMetrics waits until every job is over according to the API, and returns the number of jobs.
func (w *world) awaitMetrics(c *client, deadline time.Time) (total int64) {
	for time.Now().Before(deadline) {
		var m struct {
			Total     int64 `json:"total_jobs"`
			Completed int64 `json:"completed_jobs"`
			Failed    int64 `json:"failed_jobs"`
		}
		a := c.call(context.Background(), http.MethodGet, w.apis[0].url+"/metrics", nil, "")
		if a.err == nil && a.code == http.StatusOK && json.Unmarshal(a.body, &m) == nil && m.Total > 0 &&
			m.Total == m.Completed+m.Failed {
			return m.Total
		}
		if p := w.apis[0]; !p.running() {
			_ = p.start()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return 0
}

// readFile reads all rows of the Store from its file. The process must have ended.
func (e *Evidence) readFile(path string) error {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return err
	}
	defer db.Close()
	var integrity string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&integrity); err != nil || integrity != "ok" {
		return fmt.Errorf("the database is damaged: %s %w", integrity, err)
	}
	e.Started, e.Ended = map[string]time.Time{}, map[string]time.Time{}
	rows, err := db.Query(`SELECT id, type, payload ->> '$.key', status, coalesce(failure_kind, ''), attempts,
		max_attempts, releases, redrives, fence, coalesce(result ->> '$.fence', 0), coalesce(result ->> '$.key', ''),
		coalesce(finished_at, 0), timeout_seconds, coalesce(started_at, 0) FROM jobs`)
	if err != nil {
		return err
	}
	err = scanAll(rows, func() error {
		var r Row
		var finished, seconds, started int64
		err := rows.Scan(&r.ID, &r.Type, &r.Key, &r.Status, &r.Kind, &r.Attempts, &r.MaxAttempts, &r.Releases,
			&r.Redrives, &r.Fence, &r.ResultFence, &r.ResultKey, &finished, &seconds, &started)
		r.FinishedAt, r.Timeout = time.UnixMicro(finished), time.Duration(seconds)*time.Second
		e.Rows = append(e.Rows, r)
		e.Started[r.ID] = time.UnixMicro(started)
		return err
	})
	if err != nil {
		return err
	}
	rows, err = db.Query(`SELECT job_id, fence, attempt, outcome, worker_id, started_at, finished_at
		FROM job_attempts ORDER BY job_id, fence`)
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
