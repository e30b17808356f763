package torture

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// Row is a job in the Store at the end of the run.
type Row struct {
	ID, Type, Key, Status, Kind string
	Attempts, MaxAttempts       int
	Releases, Redrives          int
	Fence                       int64
	ResultFence                 int64  // 0: no result
	ResultKey                   string // empty: no result
	FinishedAt                  time.Time
	Timeout                     time.Duration
}

// Terminal reports whether the job is over.
func (r *Row) Terminal() bool { return r.Status == "completed" || r.Status == "failed" }

// Attempt is an unsuccessful attempt in the Store.
type Attempt struct {
	Job, Outcome, Worker string
	Fence                int64
	Attempt              int
	StartedAt            time.Time
	FinishedAt           time.Time
}

// Evidence is everything that Check looks at.
type Evidence struct {
	Events   []history.Event
	Rows     []Row
	Attempts []Attempt            // by job and fence
	Started  map[string]time.Time // start of the newest attempt, by job
	Ended    map[string]time.Time // when a session was marked dead, by session
	DeadAPI  []string             // ids in the API's dead-letter queue
	DeadList []string             // ids in the Queue's mirror of it, which holds only the newest
	Metrics  map[string]int64     // of the API; nil: the views were not read
	Leaks    []Leak
	Met      map[string]int // how often each required event happened
	Took     time.Duration  // from the end of the faults to the last terminal state
	Limit    time.Duration  // maximum of Took
	Paused   bool           // some faults delayed a process, or cut it off, for longer than its lease
	Killed   bool           // some faults killed a process
	Problems []string       // errors that no fault explains
}

// Leak is a number that must not be above its limit at the end.
type Leak struct {
	Name       string
	Got, Limit int
}

// readStore reads all rows of the Store.
func (e *Evidence) readStore(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	e.Started, e.Ended = map[string]time.Time{}, map[string]time.Time{}
	rows, _ := conn.Query(ctx, `SELECT id::text, type, payload->>'key', status, coalesce(failure_kind, ''), attempts,
		max_attempts, releases, redrives, fence, coalesce((result->>'fence')::bigint, 0), coalesce(result->>'key', ''),
		coalesce(finished_at, 'epoch'), timeout_seconds,
		coalesce(started_at, 'epoch') FROM windlass.jobs`)
	var r Row
	var seconds int
	var started time.Time
	_, err = pgx.ForEachRow(rows, []any{
		&r.ID, &r.Type, &r.Key, &r.Status, &r.Kind, &r.Attempts, &r.MaxAttempts, &r.Releases,
		&r.Redrives, &r.Fence, &r.ResultFence, &r.ResultKey, &r.FinishedAt, &seconds, &started,
	}, func() error {
		r.Timeout = time.Duration(seconds) * time.Second
		e.Rows = append(e.Rows, r)
		e.Started[r.ID] = started
		return nil
	})
	if err != nil {
		return err
	}
	rows, _ = conn.Query(ctx, `SELECT job_id::text, fence, attempt, outcome, worker_id::text, started_at, finished_at
		FROM windlass.job_attempts ORDER BY job_id, fence`)
	var a Attempt
	_, err = pgx.ForEachRow(rows, []any{&a.Job, &a.Fence, &a.Attempt, &a.Outcome, &a.Worker, &a.StartedAt, &a.FinishedAt},
		func() error {
			e.Attempts = append(e.Attempts, a)
			return nil
		})
	if err != nil {
		return err
	}
	rows, _ = conn.Query(ctx, `SELECT id::text, ended_at FROM windlass.worker_sessions WHERE state = 'dead'`)
	var session string
	var ended time.Time
	_, err = pgx.ForEachRow(rows, []any{&session, &ended}, func() error {
		e.Ended[session] = ended
		return nil
	})
	return err
}

// count counts the events of a kind. An event with N counts N times.
func (e *Evidence) count(kind history.Kind) int {
	n := 0
	for i := range e.Events {
		if e.Events[i].Kind == kind {
			n += max(1, e.Events[i].N)
		}
	}
	return n
}

// last describes the job that was over last, with its attempts, to show why it took so long.
func (e *Evidence) last() string {
	if len(e.Rows) == 0 {
		return "there are no jobs"
	}
	r := slices.MaxFunc(e.Rows, func(a, b Row) int { return a.FinishedAt.Compare(b.FinishedAt) })
	text := fmt.Sprintf("the last job was %s, %s after %d attempts", r.Type, r.Status, r.Attempts)
	for _, a := range e.Attempts {
		if a.Job == r.ID {
			text += fmt.Sprintf("; %s after %s", a.Outcome, a.FinishedAt.Sub(a.StartedAt).Round(100*time.Millisecond))
		}
	}
	return text
}
