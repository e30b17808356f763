package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// The jobs of each queue that has any.
const (
	pendingByQueue = `SELECT j.queue, count(*) FILTER (WHERE j.run_at <= now()) AS due,
			count(*) FILTER (WHERE j.run_at > now()) AS later,
			count(*) FILTER (WHERE j.run_at > now() AND j.attempts = 0) AS scheduled,
			count(*) FILTER (WHERE j.attempts > 0) AS retrying,
			min(j.run_at) AS first
		FROM windlass.jobs j WHERE j.status = 'pending' GROUP BY j.queue`

	processingByQueue = `SELECT j.queue, count(*) AS running,
			count(*) FILTER (WHERE j.worker_id NOT IN (
				SELECT w.id FROM windlass.worker_sessions w WHERE w.state <> 'dead'
					AND w.expires_at > now())) AS orphans
		FROM windlass.jobs j WHERE j.status = 'processing' GROUP BY j.queue`
)

// countAll counts in one statement, so all numbers belong to one moment. Jobs that are not completed are counted by
// partial indexes. Completed jobs may be millions, so their number is the sum of completed_counts. What has ended
// lately, and ever, is the sum of it and of ended_counts. There is a row for each of the $1 queues with most work; each
// has the sums too.
var countAll = `
	WITH b AS MATERIALIZED (
		SELECT queue, coalesce(p.due, 0) AS due, coalesce(p.later, 0) AS later, coalesce(p.scheduled, 0) AS scheduled,
			coalesce(p.retrying, 0) AS retrying, coalesce(r.running, 0) AS running, coalesce(r.orphans, 0) AS orphans,
			coalesce(greatest(0, extract(epoch FROM now() - p.first) * 1000000), 0)::bigint AS oldest
		FROM (` + pendingByQueue + `) AS p FULL JOIN (` + processingByQueue + `) AS r USING (queue)
	), s AS (
		SELECT count(*) AS queues, coalesce(sum(b.due), 0)::bigint AS due, coalesce(sum(b.later), 0)::bigint AS later,
			coalesce(sum(b.scheduled), 0)::bigint AS scheduled, coalesce(sum(b.retrying), 0)::bigint AS retrying,
			coalesce(sum(b.running), 0)::bigint AS running, coalesce(sum(b.orphans), 0)::bigint AS orphans,
			coalesce(max(b.oldest), 0)::bigint AS oldest
		FROM b
	), t AS (
		SELECT b.* FROM b ORDER BY b.due DESC, b.running DESC, b.queue LIMIT $1::int
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
	SELECT f.failed, f.cancelled, c.completed, c.ever, c.recounted, c.lately, e.*,
		s.queues, s.due, s.later, s.scheduled, s.retrying, s.running, s.orphans, s.oldest,
		coalesce(t.queue, ''), coalesce(t.due, 0), coalesce(t.later, 0), coalesce(t.running, 0), coalesce(t.oldest, 0)
	FROM f CROSS JOIN c CROSS JOIN e CROSS JOIN s LEFT JOIN t ON true
	ORDER BY t.due DESC, t.running DESC, t.queue`

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
	var later, oldest int64
	ever := &all.Ended
	top := []any{int32(store.TopQueues)}
	err := s.work.read(ctx, "count jobs", statement{countAll, top, each(func(rows results) error {
		var q store.QueueStats
		var waiting int64
		err := rows.Scan(&all.Failed, &all.Cancelled, &all.Completed, &ever.Completed, &all.Recounted, &lately.Completed,
			&ever.Failed, &ever.TimedOut, &ever.LeaseLost, &ever.Dead, &ever.Cancelled,
			&lately.Failed, &lately.TimedOut, &lately.LeaseLost, &lately.Dead, &lately.Cancelled,
			&all.QueueRest, &all.Due, &later, &all.Scheduled, &all.Retrying, &all.Processing, &all.Orphans, &oldest,
			&q.Name, &q.Due, &q.Later, &q.Processing, &waiting)
		if err != nil || q.Name == "" {
			return err // no name: there is no such queue, and the row only has the sums
		}
		q.OldestDue = duration(waiting)
		all.Queues = append(all.Queues, q)
		return nil
	})})
	all.QueueRest -= len(all.Queues)
	all.QueueDue = all.Due
	for i := range all.Queues {
		all.QueueDue -= all.Queues[i].Due
	}
	all.OldestDue = duration(oldest)
	all.Total = all.Due + later + all.Processing
	all.Dead = all.Failed - all.Cancelled
	all.Total += all.Failed + all.Completed
	all.LastMinute(lately)
	return all, err
}

// duration is the reverse of micros.
func duration(micros int64) time.Duration { return time.Duration(micros) * time.Microsecond }
