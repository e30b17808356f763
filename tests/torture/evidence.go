package torture

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// Row is a job as the Store has it in the end.
type Row struct {
	ID, Type, Key, Status, Kind string
	Attempts, MaxAttempts       int
	Releases, Redrives          int
	Fence                       int64
	ResultFence                 int64  // 0: there is no result
	ResultKey                   string // likewise
	FinishedAt                  time.Time
	Timeout                     time.Duration
}

// Terminal reports whether the job is over.
func (r *Row) Terminal() bool { return r.Status == "completed" || r.Status == "failed" }

// Attempt is an unsuccessful attempt, as the Store has it.
type Attempt struct {
	Job, Outcome, Worker string
	Fence                int64
	Attempt              int
	StartedAt            time.Time
	FinishedAt           time.Time
}

// Evidence is all that a verdict is found on.
type Evidence struct {
	Events   []history.Event
	Rows     []Row
	Attempts []Attempt            // by job and fence
	Started  map[string]time.Time // of the newest attempt, by job
	Ended    map[string]time.Time // when sessions were marked dead
	DeadAPI  []string             // ids that the dead-letter queue of the API lists
	DeadList []string             // ids in the Queue's mirror of it, at most the newest
	Metrics  map[string]int64     // of the API
	Leaks    []Leak
	Met      map[string]int // events that have to happen sometimes, and how often they did
	Took     time.Duration  // from the end of the faults to the last terminal state
	Limit    time.Duration  // that it may take
	Paused   bool           // there were faults that hold up a process, or cut it off, for longer than its lease
	Killed   bool           // there were faults that end a process with no warning
	Problems []string       // what went wrong though no fault explains it
}

// Leak is something that must be back at its level in the end.
type Leak struct {
	Name       string
	Got, Limit int
}

// readStore reads what the Store holds.
func (e *Evidence) readStore(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	e.Started, e.Ended = map[string]time.Time{}, map[string]time.Time{}
	rows, _ := conn.Query(ctx, `SELECT id::text, type, payload->>'key', status, coalesce(failure_kind, ''), attempts, max_attempts, releases,
		redrives, fence, coalesce((result->>'fence')::bigint, 0), coalesce(result->>'key', ''), coalesce(finished_at, 'epoch'), timeout_seconds,
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
	_, err = pgx.ForEachRow(rows, []any{&a.Job, &a.Fence, &a.Attempt, &a.Outcome, &a.Worker, &a.StartedAt, &a.FinishedAt}, func() error {
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

// count tells how many events of a kind there are, counting those that stand for several.
func (e *Evidence) count(kind history.Kind) int {
	n := 0
	for i := range e.Events {
		if e.Events[i].Kind == kind {
			n += max(1, e.Events[i].N)
		}
	}
	return n
}

// last tells of the job that was over last, and why so late.
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
