package postgres

import (
	"context"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// countAll counts in one statement, so all numbers belong to one moment. Jobs that are not completed are counted by
// partial indexes. Completed jobs may be millions, so their number is the sum of completed_counts. There is a row for
// each queue with pending or processing jobs; each has the sums too.
const countAll = `
	WITH p AS (
		SELECT j.queue, count(*) FILTER (WHERE j.run_at <= now()) AS due,
			count(*) FILTER (WHERE j.run_at > now()) AS later,
			count(*) FILTER (WHERE j.run_at > now() AND j.attempts = 0) AS scheduled,
			count(*) FILTER (WHERE j.attempts > 0) AS retrying,
			min(j.run_at) AS first
		FROM windlass.jobs j WHERE j.status = 'pending' GROUP BY j.queue
	), r AS (
		SELECT j.queue, count(*) AS running,
			count(*) FILTER (WHERE j.worker_id NOT IN (
				SELECT w.id FROM windlass.worker_sessions w WHERE w.state <> 'dead'
					AND w.expires_at > now())) AS orphans
		FROM windlass.jobs j WHERE j.status = 'processing' GROUP BY j.queue
	), f AS (
		SELECT count(*) AS failed, count(*) FILTER (WHERE j.failure_kind = 'cancelled') AS cancelled
		FROM windlass.jobs j WHERE j.status = 'failed'
	), g AS (
		SELECT count(*) AS lately FROM windlass.jobs j WHERE j.status = 'failed'
			AND j.finished_at > now() - interval '1 minute'
	), c AS (
		SELECT coalesce(sum(t.completed - t.deleted), 0)::bigint AS completed,
			coalesce(sum(t.completed) FILTER (WHERE t.at > now() - interval '1 minute'), 0)::bigint AS lately
		FROM windlass.completed_counts t
	)
	SELECT f.failed, f.cancelled, g.lately, c.completed, c.lately, coalesce(queue, ''),
		coalesce(p.due, 0), coalesce(p.later, 0),
		coalesce(p.scheduled, 0), coalesce(p.retrying, 0), coalesce(r.running, 0), coalesce(r.orphans, 0),
		coalesce(greatest(0, extract(epoch FROM now() - p.first) * 1000000), 0)::bigint
	FROM f CROSS JOIN g CROSS JOIN c LEFT JOIN (p FULL JOIN r USING (queue)) ON true
	ORDER BY queue`

// Stats counts.
func (s *Store) Stats(ctx context.Context) (store.Stats, error) {
	var all store.Stats
	err := s.work.read(ctx, "count jobs", statement{countAll, nil, each(func(rows results) error {
		var q store.QueueStats
		var scheduled, retrying, orphans, oldest int64
		err := rows.Scan(&all.Failed, &all.Cancelled, &all.FailedLastMinute, &all.Completed, &all.CompletedLastMinute,
			&q.Name, &q.Due, &q.Later, &scheduled, &retrying, &q.Processing, &orphans, &oldest)
		if err != nil || q.Name == "" {
			return err // no name: there is no such queue, and the row only has the sums
		}
		q.OldestDue = time.Duration(oldest) * time.Microsecond
		all.Queues = append(all.Queues, q)
		all.Due += q.Due
		all.Total += q.Due + q.Later + q.Processing
		all.Scheduled += scheduled
		all.Retrying += retrying
		all.Processing += q.Processing
		all.Orphans += orphans
		all.OldestDue = max(all.OldestDue, q.OldestDue)
		return nil
	})})
	all.Dead = all.Failed - all.Cancelled
	all.Total += all.Failed + all.Completed
	return all, err
}
