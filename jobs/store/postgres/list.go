package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// walked is how many rows a call of List looks at, at most. It takes 2 to 3 ms, and mostly less than 20 on a busy
// machine.
const walked = 4_000

// route says by which index the rows of a list are read.
type route struct {
	where string // the condition of the index
	only  string // a condition on the rows, written so that the planner does not use another index for it
	small bool   // few enough to read and sort all of them
}

var (
	everything = route{where: "true"}
	failedOnes = route{where: "j.status = 'failed'"}
)

// stateFilters express the states by columns; see jobs.Job.State.
var stateFilters = map[jobs.State]string{
	jobs.StateScheduled:  "j.attempts = 0 AND j.run_at > now() AND j.run_at > j.created_at",
	jobs.StateWaiting:    "j.attempts = 0 AND NOT (j.run_at > now() AND j.run_at > j.created_at)",
	jobs.StateRetrying:   "j.attempts > 0",
	jobs.StateRunning:    "j.cancel_requested_at IS NULL",
	jobs.StateCancelling: "j.cancel_requested_at IS NOT NULL",
	jobs.StateCompleted:  "true",
	jobs.StateCancelled:  "j.failure_kind = 'cancelled'",
	jobs.StateDead:       "j.failure_kind <> 'cancelled'",
}

var stateStatus = map[jobs.State]jobs.Status{
	jobs.StateScheduled: jobs.Pending, jobs.StateWaiting: jobs.Pending, jobs.StateRetrying: jobs.Pending,
	jobs.StateRunning: jobs.Processing, jobs.StateCancelling: jobs.Processing,
	jobs.StateCompleted: jobs.Completed, jobs.StateCancelled: jobs.Failed, jobs.StateDead: jobs.Failed,
}

// List returns jobs that match. It walks an index in the order of the list, so a page far down costs as much as the
// first one.
func (s *Store) List(ctx context.Context, q store.ListQuery) (store.Page, error) {
	status, filter, ok := q.Status, []string{}, true
	if q.State != "" {
		of, known := stateStatus[q.State]
		ok = known && (status == "" || status == of)
		status, filter = of, append(filter, stateFilters[q.State])
	}
	if q.Due {
		ok = ok && (status == "" || status == jobs.Pending)
		status, filter = jobs.Pending, append(filter, "j.run_at <= now()")
	}
	before, bok := pgtype.UUID{Bytes: [16]byte(slices.Repeat([]byte{0xff}, 16)), Valid: true}, true
	if q.Before != "" {
		before, bok = parseID(q.Before)
	}
	if !ok || !bok || (status != "" && !slices.Contains(jobs.Statuses, status)) {
		return store.Page{}, nil // nothing can match
	}
	args := []any{before}
	where := func(condition string, value any) {
		args = append(args, value)
		filter = append(filter, fmt.Sprintf(condition, len(args)))
	}
	if q.Type != "" {
		where("j.type = $%d::text", q.Type)
	}
	if q.Queue != "" {
		where("j.queue = $%d::text", q.Queue)
	}
	if len(q.Metadata) > 0 {
		if fields.Named("metadata").CheckPairs(q.Metadata) != "" {
			return store.Page{}, nil // no job can have these; PostgreSQL would refuse some of them, such as U+0000
		}
		where("j.metadata @> $%d::jsonb", unescaped(fields.EncodePairs(q.Metadata)))
	}
	way, err := s.route(ctx, status)
	if err != nil {
		return store.Page{}, err
	}
	return s.page(ctx, way, filter, args, before, min(max(q.Limit, 1), 200))
}

// route chooses the index for a status. Failed jobs have an index in the order of the list. The indexes of pending and
// processing jobs have other orders. They are good for few rows, which are sorted. Many rows are found often enough on
// a walk along the primary key.
func (s *Store) route(ctx context.Context, status jobs.Status) (route, error) {
	switch status {
	case "":
		return everything, nil
	case jobs.Failed:
		return failedOnes, nil
	case jobs.Completed:
		return route{where: "true", only: "(j.status = 'completed') IS TRUE"}, nil
	}
	is := fmt.Sprintf("j.status = '%s'", status)
	var few bool
	err := s.work.read(ctx, "list jobs", statement{
		sql: fmt.Sprintf(`SELECT count(*) <= %d FROM (SELECT FROM windlass.jobs j
			WHERE %s LIMIT %d) AS n`, walked, is, walked+1),
		scan: one(&few),
	})
	if few {
		return route{where: is, small: true}, err
	}
	return route{where: "true", only: "(" + is + ") IS TRUE"}, err
}

// page reads one page along a route. args begin with the id that the page comes after.
func (s *Store) page(
	ctx context.Context, way route, filter []string, args []any, before pgtype.UUID, limit int,
) (store.Page, error) {
	if way.only != "" {
		filter = append(filter, way.only)
	}
	bound := ""
	if len(filter) > 0 && !way.small {
		// A filter passes over rows, so the walk needs an end. This statement finds it by the index alone. If that row
		// is deleted before the next statement, the walk is shorter.
		err := s.work.read(ctx, "list jobs", statement{
			sql: fmt.Sprintf(`SELECT j.id::text FROM windlass.jobs j WHERE j.id < $1::uuid AND %s
				ORDER BY j.id DESC OFFSET %d LIMIT 1`,
				way.where, walked-1),
			args: []any{before},
			scan: each(func(rows results) error { return rows.Scan(&bound) }),
		})
		if err != nil {
			return store.Page{}, err
		}
	}
	if bound != "" {
		last, _ := parseID(bound)
		args = append(args, last)
		filter = append(filter, fmt.Sprintf("j.id >= $%d::uuid", len(args)))
	}
	args = append(args, limit+1) // one more job says that there is a next page
	filter = append(filter, way.where, "j.id < $1::uuid")
	sql := fmt.Sprintf(`SELECT %s FROM windlass.jobs j WHERE %s ORDER BY j.id DESC LIMIT $%d::int`,
		listed, strings.Join(filter, " AND "), len(args))
	var page store.Page
	if err := s.work.read(ctx, "list jobs", statement{sql, args, newJobRow(inList).into(&page.Jobs)}); err != nil {
		return store.Page{}, err
	}
	page.Next = bound
	if len(page.Jobs) > limit {
		page.Jobs = page.Jobs[:limit]
		page.Next = page.Jobs[limit-1].ID
	}
	return page, nil
}
