package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/windlass-jobs/windlass/jobs/store"
)

const (
	// pruneCompleted walks the primary key, because no index has the time of completion. It stops at a job that was
	// created less than the retention ago: all later jobs have finished later. It returns where it stopped, or NULL at
	// the end.
	pruneCompleted = `
	WITH w AS MATERIALIZED (
		SELECT j.id, j.created_at,
			(j.status = 'completed' AND j.finished_at < now() - $2::bigint * interval '1 microsecond') IS TRUE AS past
		FROM windlass.jobs j WHERE j.id > $1::uuid ORDER BY j.id LIMIT $3::int
	), d AS (
		DELETE FROM windlass.jobs j WHERE j.id = ANY (ARRAY(SELECT w.id FROM w WHERE w.past))
			AND (j.status = 'completed') IS TRUE RETURNING j.id
	), a AS (
		DELETE FROM windlass.job_attempts a WHERE a.job_id = ANY (ARRAY(SELECT d.id FROM d))
	), t AS (` + addToCounts + ` SELECT ` + countsRow + `, 0, count(*) FROM d HAVING count(*) > 0 ` + mergeCounts + `)
	SELECT (SELECT count(*) FROM d), (
		SELECT w.id FROM w WHERE (SELECT count(*) FROM w) = $3::int
			AND NOT EXISTS (SELECT FROM w WHERE w.created_at >= now() - $2::bigint * interval '1 microsecond')
		ORDER BY w.id DESC LIMIT 1)`

	pruneFailed = `
	WITH d AS (
		DELETE FROM windlass.jobs j WHERE j.id = ANY (ARRAY(
			SELECT j.id FROM windlass.jobs j WHERE j.status = 'failed'
				AND j.finished_at < now() - $1::bigint * interval '1 microsecond'
			ORDER BY j.finished_at, j.id LIMIT $2::int FOR UPDATE SKIP LOCKED
		)) RETURNING j.id
	), a AS (
		DELETE FROM windlass.job_attempts a WHERE a.job_id = ANY (ARRAY(SELECT d.id FROM d))
	)
	SELECT count(*) FROM d`

	pruneKeys = `
	WITH d AS (
		DELETE FROM windlass.idempotency_keys k WHERE k.ctid = ANY (ARRAY( -- locked rows keep their ctid
			SELECT e.ctid FROM windlass.idempotency_keys e WHERE e.expires_at <= now()
				ORDER BY e.expires_at LIMIT $1::int FOR UPDATE SKIP LOCKED
		)) RETURNING 1
	)
	SELECT count(*) FROM d`

	pruneSessions = `
	WITH d AS (
		DELETE FROM windlass.worker_sessions w WHERE w.id = ANY (ARRAY(
			SELECT w.id FROM windlass.worker_sessions w WHERE w.state = 'dead'
				AND w.ended_at < now() - $1::bigint * interval '1 microsecond'
			LIMIT $2::int FOR UPDATE SKIP LOCKED
		)) RETURNING 1
	)
	SELECT count(*) FROM d`

	// pruneActions reads the index on the id: entries are written in about the order of their ids.
	pruneActions = `
	WITH d AS (
		DELETE FROM windlass.audit a WHERE a.id = ANY (ARRAY(
			SELECT a.id FROM windlass.audit a WHERE a.happened_at < now() - $1::bigint * interval '1 microsecond'
			ORDER BY a.id LIMIT $2::int FOR UPDATE SKIP LOCKED
		)) AND $1::bigint > 0 RETURNING 1
	)
	SELECT count(*) FROM d`

	// mergeOldCounts merges rows that are older than two minutes. Statements of this package add to younger rows only,
	// and Stats needs the last minute. A transaction of an application (CompleteTx) may have an older row locked for
	// long; SKIP LOCKED leaves it for a later call.
	mergeOldCounts = `
	WITH old AS (
		DELETE FROM windlass.completed_counts t WHERE t.ctid = ANY (ARRAY( -- locked rows keep their ctid
			SELECT c.ctid FROM windlass.completed_counts c
			WHERE c.at < now() - interval '2 minutes' AND c.at > '-infinity' FOR UPDATE SKIP LOCKED
		)) RETURNING t.completed, t.deleted
	)
	` + addToCounts + ` SELECT '-infinity', 0, sum(old.completed), sum(old.deleted) FROM old
		HAVING count(*) > 0 ` + mergeCounts

	mergeOldEnded = `
	WITH old AS (
		DELETE FROM windlass.ended_counts t WHERE t.ctid = ANY (ARRAY( -- locked rows keep their ctid
			SELECT c.ctid FROM windlass.ended_counts c
			WHERE c.at < now() - interval '2 minutes' AND c.at > '-infinity' FOR UPDATE SKIP LOCKED
		)) RETURNING t.failed, t.timed_out, t.lease_lost, t.dead, t.cancelled
	)
	` + addToEnded + ` SELECT '-infinity', 0, sum(old.failed), sum(old.timed_out), sum(old.lease_lost), sum(old.dead),
		sum(old.cancelled) FROM old HAVING count(*) > 0 ` + mergeEnded
)

// Prune removes what is past its retention. Its statements are one transaction.
func (s *Store) Prune(ctx context.Context, p store.Prune) (store.Pruned, error) {
	after := pgtype.UUID{Valid: true}
	if id, ok := parseID(p.After); ok {
		after = id
	}
	limit := int32(max(p.Limit, 1))
	var completed, failed int
	var pruned store.Pruned
	var next pgtype.UUID
	err := s.maintenance.write(ctx, "prune",
		statement{pruneCompleted, []any{after, micros(p.Completed), limit}, one(&completed, &next)},
		statement{pruneFailed, []any{micros(p.Failed), limit}, one(&failed)},
		statement{pruneKeys, []any{limit}, one(&pruned.Keys)},
		statement{pruneSessions, []any{micros(p.Sessions), limit}, one(&pruned.Sessions)},
		statement{pruneActions, []any{micros(p.Actions), limit}, one(&pruned.Actions)},
		statement{mergeOldCounts, nil, nil},
		statement{mergeOldEnded, nil, nil},
	)
	if err != nil {
		return store.Pruned{}, err
	}
	pruned.Jobs = completed + failed
	if next.Valid {
		pruned.Next = next.String()
	}
	return pruned, nil
}
