package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// countAll counts in one statement, so all numbers belong to one moment. Jobs that are not completed are counted by
// partial indexes. Completed jobs may be millions, so their number is the sum of completed_counts. What has ended
// lately, and ever, is the sum of it and of ended_counts. There is a row for each queue with pending or processing
// jobs; each has the sums too.
var countAll = `
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
	), c AS (
		SELECT coalesce(sum(t.completed - t.deleted), 0)::bigint AS completed,
			coalesce(sum(t.completed) FILTER (WHERE t.backend >= 0), 0)::bigint AS ever,
			coalesce(sum(t.completed + t.deleted) FILTER (WHERE t.backend = -1), 0)::bigint AS recounted,
			coalesce(sum(t.completed) FILTER (WHERE t.at > now() - interval '1 minute'), 0)::bigint AS lately
		FROM windlass.completed_counts t
	), e AS (
		SELECT ` + sums("t.failed", "t.timed_out", "t.lease_lost", "t.dead", "t.cancelled") + `
		FROM windlass.ended_counts t
	)
	SELECT f.failed, f.cancelled, c.completed, c.ever, c.recounted, c.lately, e.*, coalesce(queue, ''),
		coalesce(p.due, 0), coalesce(p.later, 0),
		coalesce(p.scheduled, 0), coalesce(p.retrying, 0), coalesce(r.running, 0), coalesce(r.orphans, 0),
		coalesce(greatest(0, extract(epoch FROM now() - p.first) * 1000000), 0)::bigint
	FROM f CROSS JOIN c CROSS JOIN e LEFT JOIN (p FULL JOIN r USING (queue)) ON true
	ORDER BY queue`

// sums returns the sum of each column, and then that of its last minute.
func sums(columns ...string) string {
	var all, lately []string
	for _, c := range columns {
		all = append(all, `coalesce(sum(`+c+`), 0)::bigint`)
		lately = append(lately, `coalesce(sum(`+c+`) FILTER (WHERE t.at > now() - interval '1 minute'), 0)::bigint`)
	}
	return strings.Join(append(all, lately...), ", ")
}

// Stats counts.
func (s *Store) Stats(ctx context.Context) (store.Stats, error) {
	var all store.Stats
	var lately store.Ended
	ever := &all.Ended
	err := s.work.read(ctx, "count jobs", statement{countAll, nil, each(func(rows results) error {
		var q store.QueueStats
		var scheduled, retrying, orphans, oldest int64
		err := rows.Scan(&all.Failed, &all.Cancelled, &all.Completed, &ever.Completed, &all.Recounted, &lately.Completed,
			&ever.Failed, &ever.TimedOut, &ever.LeaseLost, &ever.Dead, &ever.Cancelled,
			&lately.Failed, &lately.TimedOut, &lately.LeaseLost, &lately.Dead, &lately.Cancelled,
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
	all.LastMinute(lately)
	return all, err
}
