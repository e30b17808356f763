package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var _ store.Auditor = (*Store)(nil)

// unhurried are the settings of a transaction that reads whole tables. The usual ones are for statements of
// milliseconds.
const unhurried = `SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true),
	set_config('lock_timeout', '10000', true), set_config('enable_seqscan', 'on', true), set_config('enable_nestloop', 'on', true),
	set_config('plan_cache_mode', 'auto', true)`

// unhurriedly calls f in a transaction without time limits, and commits it. Its error has a meaning of package jobs.
func (s *Store) unhurriedly(ctx context.Context, what string, options pgx.TxOptions, f func(tx pgx.Tx) error) error {
	began, err := s.maintenance.transaction(ctx, options, unhurried, f)
	var own *ownError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return fmt.Errorf("%s: %w", what, own.error)
	}
	return classify(what, err, began, options.AccessMode != pgx.ReadOnly)
}

// ownError is one that did not come from the database, so there is no more to find out about it.
type ownError struct{ error }

// ask reads the one row of a statement.
func (s *Store) ask(ctx context.Context, tx pgx.Tx, sql string, dest ...any) error {
	return tx.QueryRow(ctx, s.schema.in(sql)).Scan(dest...)
}

// The rules of a job, each with the condition that breaks it. The table has a constraint as well, so a row can break
// one only where somebody has dropped that, or a disk is damaged. Nothing here may be NULL.
var rules = [...]struct{ rule, broken string }{
	{"a pending job has neither a deadline nor an end", `j.status = 'pending' AND (j.deadline_at IS NOT NULL OR j.finished_at IS NOT NULL
		OR j.failure_kind IS NOT NULL OR j.result IS NOT NULL)`},
	{"a processing job has a session, a start and a deadline, and no end", `j.status = 'processing' AND (j.worker_id IS NULL OR j.started_at IS NULL
		OR j.deadline_at IS NULL OR j.finished_at IS NOT NULL OR j.failure_kind IS NOT NULL OR j.result IS NOT NULL)`},
	{"a completed job has an end, and neither a deadline nor an error", `j.status = 'completed' AND (j.finished_at IS NULL OR j.deadline_at IS NOT NULL
		OR j.failure_kind IS NOT NULL OR j.error_message IS NOT NULL)`},
	{"a failed job has an end and a kind of failure, and neither a deadline nor a result", `j.status = 'failed' AND (j.finished_at IS NULL
		OR j.deadline_at IS NOT NULL OR j.result IS NOT NULL
		OR coalesce(j.failure_kind, '') NOT IN ('error', 'timeout', 'worker_lost', 'permanent', 'cancelled'))`},
	{"a job has one of the four statuses", `j.status NOT IN ('pending', 'processing', 'completed', 'failed')`},
	{"a job's attempts are 0 to its most", `j.attempts NOT BETWEEN 0 AND j.max_attempts`},
}

// countRows reads every row of jobs once. All conditions but the first are on the columns at the front of a row.
var countRows = func() string {
	sql := `SELECT count(*),
		count(*) FILTER (WHERE j.status = 'pending' AND j.attempts = 0 AND j.run_at <= now()),
		count(*) FILTER (WHERE j.status = 'pending' AND j.attempts = 0 AND j.run_at > now()),
		count(*) FILTER (WHERE j.status = 'pending' AND j.attempts > 0),
		count(*) FILTER (WHERE j.status = 'processing'),
		count(*) FILTER (WHERE j.status = 'completed'),
		count(*) FILTER (WHERE j.status = 'failed' AND j.failure_kind IS DISTINCT FROM 'cancelled'),
		count(*) FILTER (WHERE j.status = 'failed' AND j.failure_kind = 'cancelled')`
	for _, r := range rules {
		sql += `,
		count(*) FILTER (WHERE ` + r.broken + `)`
	}
	return sql + ` FROM windlass.jobs j`
}()

// audited are the states in the order of countRows.
var audited = [...]jobs.State{
	jobs.StateWaiting, jobs.StateScheduled, jobs.StateRetrying, jobs.StateRunning, jobs.StateCompleted, jobs.StateDead,
	jobs.StateCancelled,
}

const (
	// countBeside counts what is not in jobs itself. A key that is in doubt may name many jobs.
	countBeside = `SELECT now(),
		(SELECT coalesce(sum(t.completed - t.deleted), 0)::bigint FROM windlass.completed_counts t),
		(SELECT coalesce(sum(t.deleted), 0)::bigint FROM windlass.completed_counts t),
		(SELECT count(*) FROM windlass.jobs j WHERE j.status = 'processing' AND NOT EXISTS (
			SELECT FROM windlass.worker_sessions w WHERE w.id = j.worker_id AND w.state <> 'dead' AND w.expires_at > now())),
		(SELECT count(*) FROM windlass.job_attempts a WHERE NOT EXISTS (SELECT FROM windlass.jobs j WHERE j.id = a.job_id)),
		(SELECT count(*) FROM windlass.idempotency_keys k WHERE k.expires_at > now() AND EXISTS (
			SELECT FROM unnest(k.job_ids) AS u (id) WHERE NOT EXISTS (SELECT FROM windlass.jobs j WHERE j.id = u.id))),
		(SELECT count(*) FROM windlass.idempotency_keys k WHERE k.expires_at <= now()),
		(SELECT count(*) FROM windlass.worker_sessions w WHERE w.state <> 'dead' AND w.expires_at <= now())`

	heldRoles = `SELECT l.role, l.holder, l.expires_at FROM windlass.leases l ORDER BY l.role`

	examples = 5 // ids of broken rows
)

// Audit counts every row, in one snapshot. See store.Auditor.
func (s *Store) Audit(ctx context.Context) (store.Audit, error) {
	var a store.Audit
	if err := s.auditServer(ctx, &a); err != nil {
		return store.Audit{}, err
	}
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := s.unhurriedly(ctx, "audit", snapshot, func(tx pgx.Tx) error {
		var kept int64
		err := s.ask(ctx, tx, countBeside, &a.At, &kept, &a.Deleted, &a.Orphans, &a.LostAttempts, &a.SpentKeys,
			&a.ExpiredKeys, &a.Expired)
		if err != nil {
			return err
		}
		a.At = a.At.UTC()
		var states [len(audited)]int64
		var broken [len(rules)]int64
		dest := []any{&a.Rows}
		for i := range states {
			dest = append(dest, &states[i])
		}
		for i := range broken {
			dest = append(dest, &broken[i])
		}
		if err := s.ask(ctx, tx, countRows, dest...); err != nil {
			return err
		}
		a.States = map[jobs.State]int64{}
		for i, state := range audited {
			a.States[state] = states[i]
		}
		a.Kept = []store.Kept{{State: jobs.StateCompleted, Kept: kept, Counted: a.States[jobs.StateCompleted]}}
		for i, n := range broken {
			if n == 0 {
				continue
			}
			rows, _ := tx.Query(ctx, s.schema.in(`SELECT j.id::text FROM windlass.jobs j WHERE `+rules[i].broken+` LIMIT `+strconv.Itoa(examples)))
			ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return err
			}
			a.Broken = append(a.Broken, store.Broken{Rule: rules[i].rule, Rows: n, IDs: ids})
		}
		rows, _ := tx.Query(ctx, s.schema.in(heldRoles))
		roles, err := pgx.CollectRows(rows, pgx.RowToStructByPos[store.Role])
		if err != nil {
			return err
		}
		for _, r := range roles {
			r.ExpiresAt = r.ExpiresAt.UTC()
			a.Roles = append(a.Roles, r)
		}
		return nil
	})
	if err == nil {
		a.Sessions, err = s.Sessions(ctx)
	}
	if err != nil {
		return store.Audit{}, err
	}
	return a, nil
}

// serverSettings are read outside of the audit's transaction, which is read-only itself.
const serverSettings = `SELECT clock_timestamp(), current_setting('server_version_num')::int, current_setting('server_version'),
	current_setting('server_encoding'), current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),
	current_setting('autovacuum'), pg_is_in_recovery()`

// auditServer looks at the server's settings and at its clock.
func (s *Store) auditServer(ctx context.Context, a *store.Audit) error {
	var clock time.Time
	var version int
	var name, encoding, fsync, pages, commit, vacuum string
	var readOnly bool
	var sent, answered time.Time
	for range 3 { // the first may have to connect; the quickest answer tells most about the clock
		begun := time.Now()
		var at time.Time
		err := s.maintenance.read(ctx, "read the server's settings", statement{serverSettings, nil,
			one(&at, &version, &name, &encoding, &fsync, &pages, &commit, &vacuum, &readOnly)})
		if err != nil {
			return err
		}
		if now := time.Now(); sent.IsZero() || now.Sub(begun) < answered.Sub(sent) {
			sent, answered, clock = begun, now, at
		}
	}
	a.Uncertain = answered.Sub(sent) / 2
	a.ClockAhead = clock.Sub(sent.Add(a.Uncertain))
	add := func(name, value string, bad bool, grade store.Grade, advice string) {
		if !bad {
			grade, advice = store.GradeOK, ""
		}
		a.Settings = append(a.Settings, store.Setting{Name: name, Value: value, Grade: grade, Advice: advice})
	}
	add("server_version", name, version < 140000, store.GradeFail, "Windlass needs PostgreSQL 14 or newer.")
	add("server_encoding", encoding, !slices.Contains(encodings, encoding), store.GradeFail, encodingWayOut)
	add("read-only", map[bool]string{true: "yes", false: "no"}[readOnly], readOnly, store.GradeFail,
		"No job can be accepted: connect to the primary.")
	add("fsync", fsync, fsync == "off", store.GradeFail, "A crash of the machine may destroy all data: set fsync = on.")
	add("full_page_writes", pages, pages == "off", store.GradeFail,
		"A crash of the machine may damage tables: set full_page_writes = on.")
	add("synchronous_commit", commit, commit == "off", store.GradeFail,
		"A job that was accepted may be gone after a crash: take synchronous_commit = off out of the URL.")
	add("autovacuum", vacuum, vacuum == "off", store.GradeWarn,
		"Tables grow and get slower and slower: set autovacuum = on.")
	return nil
}

const (
	// repairLock makes one Repair wait for another: two that see the same difference would add it twice. Each schema
	// has its own.
	repairLock = `SELECT pg_advisory_xact_lock(2003397220, hashtext('windlass.completed_counts'))` // "windl"

	// recount adds what is missing to the kept counts. One statement sees both numbers at one moment, and whoever
	// completes or deletes a job changes both in one transaction. So the difference is right whatever is committed
	// meanwhile; it is added, so nothing is overwritten. The time -infinity keeps it out of the last minute of Stats.
	// Rows that somebody has deleted count as deleted.
	recount = `WITH c AS MATERIALIZED (
			SELECT (SELECT count(*) FROM windlass.jobs j WHERE j.status = 'completed') AS counted,
				(SELECT coalesce(sum(t.completed - t.deleted), 0)::bigint FROM windlass.completed_counts t) AS kept
		), w AS (` + addToCounts + ` SELECT ` + recountedRow + `, greatest(c.counted - c.kept, 0), greatest(c.kept - c.counted, 0) FROM c
			WHERE c.counted <> c.kept ` + mergeCounts + `)
		SELECT c.counted, c.kept FROM c`

	// An attempt is inserted by a transaction that finds its job there, so a snapshot that shows an attempt shows its
	// job as well.
	dropAttempts = `DELETE FROM windlass.job_attempts a WHERE NOT EXISTS (SELECT FROM windlass.jobs j WHERE j.id = a.job_id)`

	// A key that has expired may be taken over by a submission at this moment: the condition is looked at again when
	// its lock is had.
	dropKeys = `DELETE FROM windlass.idempotency_keys k WHERE k.expires_at <= now()`
)

// Repair recounts and cleans. See store.Auditor. Its statements are transactions of their own, so that no lock is held
// while rows are read.
func (s *Store) Repair(ctx context.Context) (store.Repaired, error) {
	var r store.Repaired
	// Under any other level the second statement would see the time before the lock was had.
	committed := pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}
	err := s.unhurriedly(ctx, "recount", committed, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.schema.in(repairLock)); err != nil {
			return err
		}
		kept := store.Kept{State: jobs.StateCompleted}
		if err := s.ask(ctx, tx, recount, &kept.Counted, &kept.Kept); err != nil {
			return err
		}
		if kept.Counted != kept.Kept {
			r.Recounted = []store.Kept{kept}
		}
		return nil
	})
	if err != nil {
		return store.Repaired{}, err
	}
	for _, d := range []struct {
		what, sql string
		n         *int64
	}{
		{"delete attempts without a job", dropAttempts, &r.Attempts}, {"delete expired keys", dropKeys, &r.Keys},
	} {
		err := s.unhurriedly(ctx, d.what, committed, func(tx pgx.Tx) error {
			var tag pgconn.CommandTag
			tag, err := tx.Exec(ctx, s.schema.in(d.sql))
			*d.n = tag.RowsAffected()
			return err
		})
		if err != nil {
			return store.Repaired{}, err
		}
	}
	return r, nil
}
