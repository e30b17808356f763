package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// Stats implements store.Client. Pending and processing jobs are counted from their indexes. Finished jobs are counted
// in the table totals when they end, so millions of them cost nothing here.
func (s *Store) Stats(ctx context.Context) (stats store.Stats, err error) {
	err = s.view(ctx, "stats", func(q query) error {
		// The first statement fixes what the view shows. The clock is read after it, so it is not behind that.
		ever := &stats.Ended
		if _, err := first(q, []any{&stats.Completed, &stats.Dead, &stats.Cancelled, &ever.Completed, &ever.Failed,
			&ever.TimedOut, &ever.LeaseLost, &ever.Dead, &ever.Cancelled, &stats.Recounted}, `SELECT completed, dead,
			cancelled, ever_completed, ever_failed, ever_timed_out, ever_lease_lost, ever_dead, ever_cancelled, recounted
			FROM totals`); err != nil {
			return err
		}
		now := s.now()
		queues := map[string]*store.QueueStats{}
		if err := countPending(q, now, &stats, queues); err != nil {
			return err
		}
		if err := countProcessing(q, now, &stats, queues); err != nil {
			return err
		}
		stats.Failed = stats.Dead + stats.Cancelled
		stats.Total += stats.Processing + stats.Completed + stats.Failed
		for _, q := range queues {
			stats.Queues = append(stats.Queues, *q)
		}
		slices.SortFunc(stats.Queues, func(a, b store.QueueStats) int { return a.Compare(&b) })
		stats.QueueRest = max(0, len(stats.Queues)-store.TopQueues)
		stats.Queues = slices.Clone(stats.Queues[:len(stats.Queues)-stats.QueueRest])
		stats.QueueDue = stats.Due
		for i := range stats.Queues {
			stats.QueueDue -= stats.Queues[i].Due
		}
		var lately store.Ended
		_, err := first(q, []any{&lately.Completed, &lately.Failed, &lately.TimedOut, &lately.LeaseLost, &lately.Dead,
			&lately.Cancelled}, `SELECT ifnull(sum(n), 0), ifnull(sum(failed), 0), ifnull(sum(timed_out), 0),
			ifnull(sum(lease_lost), 0), ifnull(sum(dead), 0), ifnull(sum(cancelled), 0) FROM completed_counts
			WHERE since > ?1`, now-time.Minute.Microseconds()-span/2)
		stats.LastMinute(lately)
		return err
	})
	if err != nil {
		return store.Stats{}, err
	}
	return stats, nil
}

// countPending reads only the index jobs_due. It sets stats.Total to the number of pending jobs.
func countPending(q query, now int64, stats *store.Stats, queues map[string]*store.QueueStats) error {
	oldest := int64(0)
	err := each(q, func(row *sql.Rows) (bool, error) {
		var name string
		var pending, due, retrying, scheduled, since int64
		if err := row.Scan(&name, &pending, &due, &retrying, &scheduled, &since); err != nil {
			return false, err
		}
		queue := &store.QueueStats{Name: name, Due: due, Later: pending - due}
		if due > 0 {
			queue.OldestDue = spanOf(now - since)
			if oldest == 0 || since < oldest {
				oldest = since
			}
		}
		queues[name] = queue
		stats.Total += pending
		stats.Due += due
		stats.Retrying += retrying
		stats.Scheduled += scheduled
		return true, nil
	}, `SELECT queue, count(*), count(*) FILTER (WHERE run_at <= ?1), count(*) FILTER (WHERE attempts > 0),
		count(*) FILTER (WHERE attempts = 0 AND run_at > ?1), min(run_at)
		FROM jobs INDEXED BY jobs_due WHERE status = 'pending' GROUP BY queue`, now)
	if stats.Due > 0 {
		stats.OldestDue = spanOf(now - oldest)
	}
	return err
}

// countProcessing counts processing jobs, and the orphans among them: their session is dead, missing or expired.
func countProcessing(q query, now int64, stats *store.Stats, queues map[string]*store.QueueStats) error {
	return each(q, func(row *sql.Rows) (bool, error) {
		var name string
		var n, orphans int64
		if err := row.Scan(&name, &n, &orphans); err != nil {
			return false, err
		}
		if queues[name] == nil {
			queues[name] = &store.QueueStats{Name: name}
		}
		queues[name].Processing = n
		stats.Processing += n
		stats.Orphans += orphans
		return true, nil
	}, `SELECT j.queue, count(*), count(*) FILTER (WHERE s.id IS NULL) FROM jobs j INDEXED BY jobs_owner
		LEFT JOIN worker_sessions s ON s.id = j.worker_id AND s.state <> 'dead' AND s.expires_at > ?1
		WHERE j.status = 'processing' GROUP BY j.queue`, now)
}
