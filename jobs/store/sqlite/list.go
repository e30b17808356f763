package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// window is how many rows one call of List looks at, at most.
const window = 10_000

// filter is a ListQuery as SQL.
type filter struct {
	status jobs.Status // of all matches; empty: any
	where  []string
	args   []any // ?1 is always the id that results are below
}

// and adds a condition, in which each ? stands for one of args.
func (f *filter) and(condition string, args ...any) {
	parts := strings.Split(condition, "?")
	condition = parts[0]
	for i, arg := range args {
		f.args = append(f.args, arg)
		condition += fmt.Sprintf("?%d", len(f.args)) + parts[i+1]
	}
	f.where = append(f.where, condition)
}

// stateSQL tells a state from the others of its status; ? is the current time.
var stateSQL = map[jobs.State]struct {
	status    jobs.Status
	condition string
}{
	jobs.StateScheduled:  {jobs.Pending, `attempts = 0 AND run_at > ? AND run_at > created_at`},
	jobs.StateWaiting:    {jobs.Pending, `attempts = 0 AND NOT (run_at > ? AND run_at > created_at)`},
	jobs.StateRetrying:   {jobs.Pending, `attempts > 0`},
	jobs.StateRunning:    {jobs.Processing, `cancel_requested_at IS NULL`},
	jobs.StateCancelling: {jobs.Processing, `cancel_requested_at IS NOT NULL`},
	jobs.StateCompleted:  {jobs.Completed, `TRUE`},
	jobs.StateCancelled:  {jobs.Failed, `failure_kind = 'cancelled'`},
	jobs.StateDead:       {jobs.Failed, `failure_kind <> 'cancelled'`},
}

// filterOf turns a query into SQL. possible is false if nothing can match.
func filterOf(l store.ListQuery, now int64) (f filter, possible bool) {
	f = filter{status: l.Status}
	before := l.Before
	if before == "" {
		before = "\U0010FFFF" // greater than any id
	}
	f.and(`id < ?`, before)
	if l.State != "" {
		state, known := stateSQL[l.State]
		if !known || f.status != "" && f.status != state.status {
			return f, false
		}
		f.status = state.status
		if strings.Contains(state.condition, "?") {
			f.and(state.condition, now)
		} else {
			f.where = append(f.where, state.condition)
		}
	}
	if l.Due {
		if f.status != "" && f.status != jobs.Pending {
			return f, false
		}
		f.status = jobs.Pending
		f.and(`run_at <= ?`, now)
	}
	if l.Type != "" {
		f.and(`type = ?`, l.Type)
	}
	if l.Queue != "" {
		f.and(`queue = ?`, l.Queue)
	}
	if len(l.Metadata) > 0 && fields.Named("metadata").CheckPairs(l.Metadata) != "" {
		return f, false // no job can have these
	}
	for name, value := range l.Metadata {
		// A path would need the name within quotes of its own, and has no way to write some of them.
		f.and(`EXISTS (SELECT 1 FROM json_each(jobs.metadata) AS m WHERE m.key = ? AND m.type = 'text' AND m.value = ?)`,
			name, value)
	}
	return f, true
}

// statusIndex names the partial index that holds the jobs of a status. It is not sorted by id.
var statusIndex = map[jobs.Status]string{jobs.Pending: "jobs_due", jobs.Processing: "jobs_owner"}

// List implements store.Client. It reads down by id, a window of rows at most: failed jobs from an index of their own,
// other jobs from the primary key. If all pending or all processing jobs fit in a window, it reads only these: so a few
// of them are found at once among millions of finished jobs.
func (s *Store) List(ctx context.Context, l store.ListQuery) (page store.Page, err error) {
	err = s.view(ctx, "list", func(q query) error {
		f, possible := filterOf(l, s.now())
		if !possible {
			return nil
		}
		few, err := fewOf(q, f.status)
		if err != nil {
			return err
		}
		from, rest := `jobs`, ""
		switch {
		case few:
			from += ` INDEXED BY ` + statusIndex[f.status]
			f.where = append(f.where, fmt.Sprintf(`status = '%s'`, f.status))
		case f.status == jobs.Failed:
			from += ` INDEXED BY jobs_failed`
			f.where = append(f.where, `status = 'failed'`)
			rest, err = windowEnd(q, from+` WHERE status = 'failed' AND`, f.args[0])
		default:
			rest, err = windowEnd(q, from+` WHERE`, f.args[0])
			if f.status != "" {
				f.and(`+status = ?`, string(f.status)) // the plus keeps the planner from an index on status
			}
		}
		if err != nil {
			return err
		}
		if rest != "" {
			f.and(`id >= ?`, rest)
		}
		f.args = append(f.args, l.Limit+1)
		page.Jobs, err = all(q, newJobRow(inList).scan, fmt.Sprintf(`SELECT %s FROM %s WHERE %s ORDER BY id DESC LIMIT ?%d`,
			listed, from, strings.Join(f.where, " AND "), len(f.args)), f.args...)
		page.Next = rest
		if len(page.Jobs) > l.Limit {
			page.Jobs = page.Jobs[:l.Limit]
			page.Next = page.Jobs[l.Limit-1].ID
		}
		return err
	})
	if err != nil {
		return store.Page{}, err
	}
	return page, nil
}

// fewOf reports whether all jobs of a status fit in a window, for a status that has an index.
func fewOf(q query, status jobs.Status) (bool, error) {
	index := statusIndex[status]
	if index == "" {
		return false, nil
	}
	n := 0
	_, err := first(q, []any{&n}, fmt.Sprintf(`SELECT count(*) FROM (SELECT 1 FROM jobs INDEXED BY %s
		WHERE status = '%s' LIMIT %d)`,
		index, status, window+1))
	return n <= window, err
}

// windowEnd returns the last id of the window below an id. It is empty if no row follows. It reads only an index.
func windowEnd(q query, from string, before any) (last string, err error) {
	ids, err := all(q, scanText, `SELECT id FROM `+from+` id < ?1 ORDER BY id DESC LIMIT 2 OFFSET ?2`, before, window-1)
	if err != nil || len(ids) < 2 {
		return "", err
	}
	return ids[0], nil
}
