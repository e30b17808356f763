package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var _ store.Auditor = (*Store)(nil)

// The rules of a job, each with the condition that breaks it. The table has constraints as well, so a row can break one
// only where somebody has switched them off, or a disk is damaged.
var rules = [...]struct{ rule, broken string }{
	{"a pending job has neither a deadline nor an end", `status = 'pending' AND (deadline_at IS NOT NULL OR finished_at IS NOT NULL
		OR failure_kind IS NOT NULL OR result IS NOT NULL)`},
	{"a processing job has a session, a start and a deadline, and no end", `status = 'processing' AND (worker_id IS NULL OR started_at IS NULL
		OR deadline_at IS NULL OR finished_at IS NOT NULL OR failure_kind IS NOT NULL OR result IS NOT NULL)`},
	{"a completed job has an end, and neither a deadline nor an error", `status = 'completed' AND (finished_at IS NULL OR deadline_at IS NOT NULL
		OR failure_kind IS NOT NULL OR error_message IS NOT NULL)`},
	{"a failed job has an end and a kind of failure, and neither a deadline nor a result", `status = 'failed' AND (finished_at IS NULL
		OR deadline_at IS NOT NULL OR result IS NOT NULL
		OR ifnull(failure_kind, '') NOT IN ('error', 'timeout', 'worker_lost', 'permanent', 'cancelled'))`},
	{"a job has one of the four statuses", `status NOT IN ('pending', 'processing', 'completed', 'failed')`},
	{"a job's attempts are 0 to its most", `attempts NOT BETWEEN 0 AND max_attempts`},
}

// countRows reads every row of jobs once.
var countRows = func() string {
	sql := `SELECT count(*),
		count(*) FILTER (WHERE status = 'pending' AND attempts = 0 AND run_at <= ?1),
		count(*) FILTER (WHERE status = 'pending' AND attempts = 0 AND run_at > ?1),
		count(*) FILTER (WHERE status = 'pending' AND attempts > 0),
		count(*) FILTER (WHERE status = 'processing'),
		count(*) FILTER (WHERE status = 'completed'),
		count(*) FILTER (WHERE status = 'failed' AND failure_kind IS NOT 'cancelled'),
		count(*) FILTER (WHERE status = 'failed' AND failure_kind IS 'cancelled')`
	for _, r := range rules {
		sql += `,
		count(*) FILTER (WHERE ` + r.broken + `)`
	}
	return sql + ` FROM jobs`
}()

// audited are the states in the order of countRows.
var audited = [...]jobs.State{
	jobs.StateWaiting, jobs.StateScheduled, jobs.StateRetrying, jobs.StateRunning, jobs.StateCompleted, jobs.StateDead,
	jobs.StateCancelled,
}

const (
	// countBeside counts what is not in jobs itself.
	countBeside = `SELECT
		(SELECT count(*) FROM jobs j WHERE j.status = 'processing' AND NOT EXISTS (
			SELECT 1 FROM worker_sessions s WHERE s.id = j.worker_id AND s.state <> 'dead' AND s.expires_at > ?1)),
		(SELECT count(*) FROM job_attempts a WHERE NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = a.job_id)),
		(SELECT count(*) FROM idempotency_keys k WHERE k.expires_at > ?1 AND EXISTS (
			SELECT 1 FROM json_each(k.job_ids) e WHERE NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = e.value))),
		(SELECT count(*) FROM idempotency_keys k WHERE k.expires_at <= ?1),
		(SELECT count(*) FROM worker_sessions s WHERE s.state <> 'dead' AND s.expires_at <= ?1)`

	keptTotals = `SELECT completed, dead, cancelled FROM totals`

	examples = 5 // ids of broken rows
)

// Audit counts every row, at one moment. See store.Auditor.
func (s *Store) Audit(ctx context.Context) (a store.Audit, err error) {
	a = store.Audit{States: map[jobs.State]int64{}, Deleted: -1}
	err = s.view(ctx, "audit", func(q query) error {
		var kept [3]int64
		if _, err := first(q, []any{&kept[0], &kept[1], &kept[2]}, keptTotals); err != nil {
			return err
		}
		now := s.now()
		a.At = timeOf(now)
		if err := countStates(q, now, &a); err != nil {
			return err
		}
		for i, state := range []jobs.State{jobs.StateCompleted, jobs.StateDead, jobs.StateCancelled} {
			a.Kept = append(a.Kept, store.Kept{State: state, Kept: kept[i], Counted: a.States[state]})
		}
		beside := []any{&a.Orphans, &a.LostAttempts, &a.SpentKeys, &a.ExpiredKeys, &a.Expired}
		if _, err := first(q, beside, countBeside, now); err != nil {
			return err
		}
		a.Roles, err = all(q, func(row *sql.Rows) (r store.Role, err error) {
			var at int64
			err = row.Scan(&r.Name, &r.Holder, &at)
			r.ExpiresAt = timeOf(at)
			return r, err
		}, `SELECT role, holder, expires_at FROM leases ORDER BY role`)
		return err
	})
	if err == nil {
		a.Sessions, err = s.Sessions(ctx)
	}
	if err == nil {
		err = s.auditFile(ctx, &a)
	}
	if err != nil {
		return store.Audit{}, err
	}
	return a, nil
}

// countStates counts the rows by state, and those that break a rule.
func countStates(q query, now int64, a *store.Audit) error {
	var states [len(audited)]int64
	var broken [len(rules)]int64
	dest := []any{&a.Rows}
	for i := range states {
		dest = append(dest, &states[i])
	}
	for i := range broken {
		dest = append(dest, &broken[i])
	}
	if _, err := first(q, dest, countRows, now); err != nil {
		return err
	}
	for i, state := range audited {
		a.States[state] = states[i]
	}
	for i, n := range broken {
		if n == 0 {
			continue
		}
		ids, err := all(q, scanText, fmt.Sprintf(`SELECT id FROM jobs WHERE %s LIMIT %d`, rules[i].broken, examples))
		if err != nil {
			return err
		}
		a.Broken = append(a.Broken, store.Broken{Rule: rules[i].rule, Rows: n, IDs: ids})
	}
	return nil
}

// auditFile looks at the file, and at the settings of the connection that writes.
func (s *Store) auditFile(ctx context.Context, a *store.Audit) error {
	var faults []string
	err := s.view(ctx, "check the file", func(q query) (err error) {
		// quick_check reads every page, as integrity_check does, but does not compare each index with its table: that
		// takes several times as long.
		faults, err = all(q, scanText, `PRAGMA quick_check(5)`)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.begin(ctx, "read the settings"); err != nil {
		return err
	}
	defer func() { <-s.turn }()
	var mode string
	var synchronous, foreign int
	for name, dest := range map[string]any{"journal_mode": &mode, "synchronous": &synchronous, "foreign_keys": &foreign} {
		if err := s.conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(dest); err != nil {
			return fmt.Errorf("read the settings: %w", translate(err))
		}
	}
	add := func(name, value string, bad bool, grade store.Grade, advice string) {
		if !bad {
			grade, advice = store.GradeOK, ""
		}
		a.Settings = append(a.Settings, store.Setting{Name: name, Value: value, Grade: grade, Advice: advice})
	}
	result := strings.Join(faults, "; ")
	add("quick_check", result, result != "ok", store.GradeFail,
		"The file is damaged: restore a backup, and check the disk.")
	add("journal_mode", mode, mode != "wal", store.GradeWarn,
		"The file system allows no write-ahead log,"+
			" so reading and writing wait for each other: use a local disk.")
	level := []string{"OFF", "NORMAL", "FULL", "EXTRA"}[min(max(synchronous, 0), 3)]
	add("synchronous", level, synchronous < 2, store.GradeFail, "A job that was accepted may be gone after a crash.")
	add("foreign_keys", []string{"off", "on"}[min(max(foreign, 0), 1)], foreign != 1, store.GradeFail,
		"Attempts outlive their jobs.")
	return nil
}

// Repair recounts and cleans. See store.Auditor.
func (s *Store) Repair(ctx context.Context) (r store.Repaired, err error) {
	s.repairing.Lock() // two that see the same difference would add it twice
	defer s.repairing.Unlock()
	// The rows are counted beside the writer, which would have to wait for seconds. What is added then is the
	// difference between two numbers of one moment; whatever ends or is deleted changes both in one transaction, so it
	// is right at any later moment as well.
	var missing ended
	err = s.view(ctx, "recount", func(q query) error {
		var a store.Audit
		a.States = map[jobs.State]int64{}
		var kept ended
		if _, err := first(q, []any{&kept.completed, &kept.dead, &kept.cancelled}, keptTotals); err != nil {
			return err
		}
		if err := countStates(q, s.now(), &a); err != nil {
			return err
		}
		for _, k := range []struct {
			state   jobs.State
			kept    int64
			missing *int64
		}{
			{jobs.StateCompleted, kept.completed, &missing.completed},
			{jobs.StateDead, kept.dead, &missing.dead},
			{jobs.StateCancelled, kept.cancelled, &missing.cancelled},
		} {
			if *k.missing = a.States[k.state] - k.kept; *k.missing != 0 {
				r.Recounted = append(r.Recounted, store.Kept{State: k.state, Kept: k.kept, Counted: a.States[k.state]})
			}
		}
		return nil
	})
	if err != nil {
		return store.Repaired{}, err
	}
	err = s.change(ctx, "repair", func(tx *tx) (err error) {
		if err := tx.correct(missing); err != nil {
			return err
		}
		if r.Attempts, err = tx.exec(`DELETE FROM job_attempts WHERE NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = job_id)`); err != nil {
			return err
		}
		r.Keys, err = tx.exec(`DELETE FROM idempotency_keys WHERE expires_at <= ?1`, tx.now)
		return err
	})
	if err != nil {
		return store.Repaired{}, err
	}
	return r, nil
}
