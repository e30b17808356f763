package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// owned guards every write of a worker: the job is still processing, with this fence, for this session. "IS TRUE" keeps
// the planner from using a partial index instead of the primary key.
const owned = `j.id = o.id AND j.fence = o.fence AND j.worker_id = o.session AND (j.status = 'processing') IS TRUE`

const (
	toCompleted = `UPDATE windlass.jobs j SET status = 'completed', finished_at = now(), updated_at = now(),
		deadline_at = NULL, error_message = NULL,
		lease_losses = 0, result = `
	countCompleted = `, t AS (` + addToCounts + ` SELECT ` + countsRow + `, count(*), 0 FROM u
		HAVING count(*) > 0 ` + mergeCounts + `)
	`

	completeJobs = `WITH u AS (` + toCompleted + `nullif(o.result, '')::jsonb
		FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[]) AS o (id, fence, session, result)
		WHERE ` + owned + ` AND j.id = ANY ($1::uuid[]) RETURNING j.id
	)` + countCompleted + `SELECT u.id FROM u`

	// completeAlike is for jobs without a result that have the same fence and the same session. Most first attempts end
	// so, and the server needs a quarter less CPU for it than for completeJobs. It answers with one row (true) where it
	// has completed all of them, and with their ids where it has not.
	completeAlike = `WITH u AS (` + toCompleted + `NULL
		WHERE j.id = ANY ($1::uuid[]) AND ` + ownedAlike + ` RETURNING j.id
	), n AS (SELECT count(*) = cardinality($1::uuid[]) AS whole FROM u)` + countCompleted + `SELECT n.whole, u.id
		FROM n LEFT JOIN u ON NOT n.whole`

	ownedAlike = `j.fence = $2::bigint AND j.worker_id = $3::uuid AND (j.status = 'processing') IS TRUE`
)

// endAttempts is for all other outcomes. The rows are locked first, because what becomes of a job depends on its
// columns, and the history needs them too.
//
// Attempts that failed and jobs that ended are added to ended_counts. outcome is what the history says of the attempt.
//
// A release gives the attempt back, unless the job was released too often. Where a cancel was requested, the job
// becomes failed.
const endAttempts = `
	WITH l AS MATERIALIZED (
		SELECT j.*, o.verb, o.attempt, o.kind, o.error, o.delay,
			NOT j.cancelled AND (o.verb = 'snooze' OR (o.verb = 'release' AND j.releases < $9::int)) AS given_back
		FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
			AS o (id, fence, session, verb, attempt, kind, error, delay)
		CROSS JOIN LATERAL (
			SELECT j.id, j.fence, j.worker_id, j.attempts, j.max_attempts, j.releases, j.started_at,
				j.cancel_requested_at IS NOT NULL AS cancelled
			FROM windlass.jobs j WHERE ` + owned + ` FOR UPDATE
		) AS j
	), n AS (
		SELECT l.*, CASE
			WHEN l.cancelled THEN 'cancelled'
			WHEN l.verb = 'fail' THEN coalesce(nullif(l.kind, ''), 'error')
			WHEN l.given_back OR l.attempts < l.max_attempts THEN NULL
			WHEN l.verb = 'release' THEN 'worker_lost'
			WHEN l.attempt = 'timeout' THEN 'timeout'
			ELSE 'error' END AS failure, CASE
			WHEN l.cancelled THEN 'cancelled'
			WHEN l.verb = 'snooze' THEN NULL
			WHEN l.verb = 'release' THEN 'released'
			ELSE coalesce(nullif(l.attempt, ''), 'failed') END AS outcome
		FROM l
	), u AS (
		UPDATE windlass.jobs j SET
			status = CASE WHEN n.failure IS NULL THEN 'pending' ELSE 'failed' END,
			failure_kind = n.failure,
			finished_at = CASE WHEN n.failure IS NOT NULL THEN now() END,
			run_at = CASE WHEN n.failure IS NULL THEN now() + n.delay * interval '1 microsecond' ELSE j.run_at END,
			attempts = j.attempts - n.given_back::int,
			fence = j.fence + (n.verb = 'release')::int,
			releases = j.releases + (n.verb = 'release')::int,
			lease_losses = CASE WHEN n.verb = 'release' THEN j.lease_losses ELSE 0 END,
			error_message = CASE WHEN n.verb = 'snooze' OR n.error = '' THEN j.error_message ELSE n.error END,
			deadline_at = NULL, updated_at = now()
		FROM n WHERE j.id = n.id AND j.id = ANY (ARRAY(SELECT n.id FROM n))
		RETURNING ` + hinted + `, j.status, coalesce(j.failure_kind, '')
	), h AS (
		INSERT INTO windlass.job_attempts (job_id, fence, worker_id, started_at, finished_at, attempt, outcome, error)
		SELECT n.id, n.fence, n.worker_id, n.started_at, now(), n.attempts, n.outcome, n.error
		FROM n WHERE n.outcome IS NOT NULL
	), t AS (` + addToEnded + ` SELECT ` + countsRow + `, count(*) FILTER (WHERE n.outcome = 'failed'),
			count(*) FILTER (WHERE n.outcome = 'timeout'), 0, count(*) FILTER (WHERE n.failure <> 'cancelled'),
			count(*) FILTER (WHERE n.failure = 'cancelled')
		FROM n WHERE n.outcome IN ('failed', 'timeout') OR n.failure IS NOT NULL HAVING count(*) > 0 ` + mergeEnded + `)
	SELECT * FROM u`

// Settle records how attempts ended.
func (s *Store) Settle(ctx context.Context, outcomes []store.Outcome) ([]store.Settled, error) {
	settled := make([]store.Settled, len(outcomes))
	for i := range settled {
		settled[i].Result = store.Stale // unless a row is returned for it
	}
	at := places{outcomes: outcomes}
	recorded := 0
	complete := func(i int) {
		settled[i] = store.Settled{Result: store.Recorded, Status: jobs.Completed}
		recorded++
	}
	alike, done, ended := sortOut(outcomes)
	var statements []statement
	if len(alike.ids) > 0 {
		statements = append(statements, statement{completeAlike, []any{alike.ids, alike.fences[0], alike.sessions[0]},
			each(func(rows results) error {
				var whole bool
				var id pgtype.UUID
				err := rows.Scan(&whole, &id)
				switch {
				case whole:
					for _, i := range alike.of {
						complete(i)
					}
				case id.Valid:
					complete(at.of(id))
				}
				return err
			})})
	}
	if len(done.ids) > 0 {
		statements = append(statements, statement{completeJobs, append(done.args(), done.results),
			each(func(rows results) error {
				var id pgtype.UUID
				err := rows.Scan(&id)
				complete(at.of(id))
				return err
			})})
	}
	if len(ended.ids) > 0 {
		args := append(ended.args(), ended.verbs, ended.attempts, ended.kinds, ended.errors, ended.delays,
			int32(jobs.MaxReleases))
		statements = append(statements, statement{endAttempts, args, func(rows results) error {
			n, err := scanEnded(rows, &at, settled, store.Recorded)
			recorded += n
			return err
		}})
	}
	if len(statements) == 0 {
		return settled, nil
	}
	if err := s.work.write(ctx, "settle", statements...); err != nil {
		return nil, err
	}
	if recorded == len(outcomes) {
		return settled, nil
	}
	return settled, s.recognise(ctx, outcomes, settled)
}

// places finds the outcome of a job. The map is made when it is first needed: mostly all outcomes are recorded at once.
type places struct {
	outcomes []store.Outcome
	at       map[pgtype.UUID]int
}

func (p *places) of(id pgtype.UUID) int {
	if p.at == nil {
		p.at = make(map[pgtype.UUID]int, len(p.outcomes))
		for i := range p.outcomes {
			if id, ok := parseID(p.outcomes[i].ID); ok {
				p.at[id] = i
			}
		}
	}
	return p.at[id]
}

// completions and endings are outcomes, one slice for each column.
type (
	completions struct {
		guarded
		results []string
	}
	endings struct {
		guarded
		verbs, attempts, kinds, errors []string
		delays                         []int64
	}
)

// sortOut decides by which statement each outcome is recorded, in the order of the ids: statements that change several
// jobs and wait for locks all use this order. It leaves out ids that are no UUIDs.
func sortOut(outcomes []store.Outcome) (alike guarded, done completions, ended endings) {
	order := make([]int, len(outcomes))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(outcomes[a].ID, outcomes[b].ID) })
	common := commonKind(outcomes)
	alike.grow(len(outcomes))
	for _, i := range order {
		o := &outcomes[i]
		id, ok := parseID(o.ID)
		switch k, plain := kindOf(o); {
		case !ok:
		case plain && k == common:
			alike.add(id, o)
			alike.of = append(alike.of, i)
		case o.Verb == store.VerbComplete:
			done.add(id, o)
			done.results = append(done.results, string(o.Result))
		default:
			ended.add(id, o)
			ended.verbs, ended.attempts = append(ended.verbs, string(o.Verb)), append(ended.attempts, string(o.Attempt))
			ended.kinds, ended.errors = append(ended.kinds, string(o.Kind)), append(ended.errors, o.Error)
			delay := o.Delay
			if o.Verb != store.VerbRetry && o.Verb != store.VerbSnooze {
				delay = 0
			}
			ended.delays = append(ended.delays, micros(delay))
		}
	}
	return alike, done, ended
}

// kind is what completions must have in common for completeAlike.
type kind struct {
	fence   int64
	session string
}

func kindOf(o *store.Outcome) (k kind, plain bool) {
	return kind{o.Fence, o.Session}, o.Verb == store.VerbComplete && len(o.Result) == 0
}

// commonKind is the most frequent kind of the outcomes.
func commonKind(outcomes []store.Outcome) kind {
	var first, common kind
	firsts := 0
	var others map[kind]int
	for i := range outcomes {
		k, plain := kindOf(&outcomes[i])
		switch {
		case !plain:
		case firsts == 0 || k == first:
			first = k
			firsts++
		default:
			if others == nil {
				others = map[kind]int{}
			}
			if others[k]++; others[k] > others[common] {
				common = k
			}
		}
	}
	if firsts >= others[common] {
		return first
	}
	return common
}

// guarded are the columns of the guard.
type guarded struct {
	ids      uuids
	fences   []int64
	sessions uuids
	last     string // the session that was parsed last
	of       []int  // the index of each outcome; only filled in for completeAlike
}

func (g *guarded) grow(n int) {
	g.ids, g.fences, g.sessions, g.of = slices.Grow(g.ids, n), slices.Grow(g.fences, n), slices.Grow(g.sessions, n),
		slices.Grow(g.of, n)
}

func (g *guarded) add(id pgtype.UUID, o *store.Outcome) {
	var session pgtype.UUID
	if n := len(g.sessions); n > 0 && o.Session == g.last {
		session = g.sessions[n-1]
	} else {
		session, _ = parseID(o.Session) // NULL where it is no UUID: no row matches
	}
	g.ids, g.fences, g.sessions, g.last = append(g.ids, id), append(g.fences, o.Fence), append(g.sessions, session),
		o.Session
}

func (g *guarded) args() []any { return []any{g.ids, g.fences, g.sessions} }

// scanEnded reads jobs whose attempts have ended, and returns how many there were.
func scanEnded(rows results, at *places, settled []store.Settled, result store.SettleResult) (int, error) {
	var row hintRow
	var status jobs.Status
	var kind jobs.FailureKind
	dest, n := append(row.dest(), &status, &kind), 0
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return n, err
		}
		id, _ := parseID(row.hint.ID)
		answer := store.Settled{Result: result, Status: status, Kind: kind}
		if result == store.Recorded && status == jobs.Pending {
			h := row.value()
			answer.Hint = &h
		}
		settled[at.of(id)] = answer
		n++
	}
	return n, rows.Err()
}

// earlierSettled finds outcomes that this session has recorded before: the job has not changed since. A release has
// raised the fence by one.
const earlierSettled = `SELECT ` + hinted + `, j.status, coalesce(j.failure_kind, '')
	FROM unnest($1::uuid[], $2::bigint[], $3::uuid[]) AS o (id, fence, session)
	CROSS JOIN LATERAL (
		SELECT j.id, j.fence, j.queue, j.type, j.priority, j.run_at, j.lease_losses, j.status, j.failure_kind
			FROM windlass.jobs j
		WHERE j.id = o.id AND j.worker_id = o.session AND (j.status <> 'processing') IS TRUE OFFSET 0
	) AS j
	WHERE j.fence = o.fence OR (j.fence = o.fence + 1 AND (
		SELECT a.outcome IN ('released', 'cancelled') FROM windlass.job_attempts a
		WHERE a.job_id = o.id AND a.fence = o.fence AND a.worker_id = o.session))`

// recognise separates outcomes that were recorded by an earlier call from stale ones. It needs a statement of its own:
// an earlier call whose connection broke may have still been running, and only a new snapshot sees its commit.
func (s *Store) recognise(ctx context.Context, outcomes []store.Outcome, settled []store.Settled) error {
	at := places{outcomes: outcomes}
	var unsure guarded
	for i := range outcomes {
		if id, ok := parseID(outcomes[i].ID); ok && settled[i].Result == store.Stale {
			unsure.add(id, &outcomes[i])
		}
	}
	err := s.work.read(ctx, "recognise outcomes", statement{earlierSettled, unsure.args(), func(rows results) error {
		_, err := scanEnded(rows, &at, settled, store.Already)
		return err
	}})
	if err != nil {
		// Other outcomes of this call are recorded. The caller repeats the call, and then they are recognised too.
		return fmt.Errorf("settle: %w: %w", jobs.ErrOutcomeUnknown, err)
	}
	return nil
}

const noteProgress = `
	WITH l AS MATERIALIZED (
		SELECT j.id, o.percent, o.message
		FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::float8[], $5::text[])
			AS o (id, fence, session, percent, message)
		CROSS JOIN LATERAL (SELECT j.id FROM windlass.jobs j WHERE ` + owned + ` FOR UPDATE SKIP LOCKED) AS j
	)
	UPDATE windlass.jobs j SET progress_percent = l.percent, progress_message = l.message, progress_at = now(),
		updated_at = now()
	FROM l WHERE j.id = l.id AND j.id = ANY (ARRAY(SELECT l.id FROM l))`

// Progress records how far jobs are. A locked job is skipped: most likely its outcome is being recorded.
func (s *Store) Progress(ctx context.Context, notes []store.ProgressNote) error {
	if len(notes) == 0 {
		return nil
	}
	var g guarded
	percents := make([]float64, 0, len(notes))
	messages := make([]string, 0, len(notes))
	for _, n := range notes {
		if id, ok := parseID(n.ID); ok {
			g.add(id, &store.Outcome{ID: n.ID, Fence: n.Fence, Session: n.Session})
			percents, messages = append(percents, n.Percent), append(messages, n.Message)
		}
	}
	return s.work.write(ctx, "note progress", statement{noteProgress, append(g.args(), percents, messages), nil})
}
