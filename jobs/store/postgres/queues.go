package postgres

import (
	"context"
	"slices"

	"github.com/windlass-jobs/windlass/jobs/store"
)

const (
	// touchQueues notes the use of known queues where that was noted long ago, and returns the names that are not known.
	// It takes no lock where there is nothing to note.
	touchQueues = `
	WITH u AS (
		UPDATE windlass.queues q SET last_used_at = now() WHERE q.name = ANY (ARRAY(
			SELECT q.name FROM windlass.queues q
			WHERE q.name = ANY ($1::text[]) AND q.last_used_at < now() - interval '30 minutes'
			ORDER BY q.name FOR UPDATE SKIP LOCKED
		))
	)
	SELECT n.name FROM unnest($1::text[]) AS n (name)
	WHERE n.name <> ALL (ARRAY(SELECT q.name FROM windlass.queues q WHERE q.name = ANY ($1::text[])))`

	// Processes that add names wait for each other, so that they do not exceed the limit together. The statement that
	// counts comes after the one that locks: it must see what the one before has committed.
	lockQueues = `SELECT pg_advisory_xact_lock(2003397220, hashtext('windlass.queues'))` // "windl"

	addQueues = `
	INSERT INTO windlass.queues (name)
	SELECT n.name FROM unnest($1::text[]) AS n (name)
	WHERE n.name <> ALL (ARRAY(SELECT q.name FROM windlass.queues q WHERE q.name = ANY ($1::text[])))
	LIMIT greatest(0, $2::bigint - (SELECT count(*) FROM windlass.queues))
	ON CONFLICT (name) DO NOTHING`

	unknownQueues = `SELECT n.name FROM unnest($1::text[]) AS n (name)
	WHERE n.name <> ALL (ARRAY(SELECT q.name FROM windlass.queues q WHERE q.name = ANY ($1::text[])))`
)

// UseQueues notes that jobs are about to be submitted to queues.
func (s *Store) UseQueues(ctx context.Context, names []string, most int) (refused []string, err error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	var unknown []string
	if err := s.work.write(ctx, "use queues", statement{touchQueues, []any{names}, texts(&unknown)}); err != nil {
		return nil, err
	}
	if len(unknown) == 0 {
		return nil, nil
	}
	err = s.work.write(ctx, "add queues",
		statement{lockQueues, nil, nil},
		statement{addQueues, []any{unknown, int64(most)}, nil},
		statement{unknownQueues, []any{unknown}, texts(&refused)})
	return refused, err
}

// texts reads rows of one text.
func texts(list *[]string) func(results) error {
	return each(func(rows results) error {
		var text string
		err := rows.Scan(&text)
		*list = append(*list, text)
		return err
	})
}

// UseQueuesTx notes the names in a transaction of its own. In that of the caller new names would keep the lock for as
// long as it is open, and other processes would wait.
func (s *Store) UseQueuesTx(ctx context.Context, _ any, names []string, most int) (known, refused []string, err error) {
	if refused, err = s.UseQueues(ctx, names, most); err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		if !slices.Contains(refused, name) {
			known = append(known, name)
		}
	}
	return known, refused, nil
}

// countQueues has a row for each queue that is known or has pending or processing jobs.
const countQueues = `
	WITH p AS (` + pendingByQueue + `), r AS (` + processingByQueue + `)
	SELECT queue, coalesce(p.due, 0), coalesce(p.later, 0), coalesce(r.running, 0),
		coalesce(greatest(0, extract(epoch FROM now() - p.first) * 1000000), 0)::bigint
	FROM (SELECT q.name AS queue FROM windlass.queues q) AS q FULL JOIN p USING (queue) FULL JOIN r USING (queue)
	ORDER BY queue`

// Queues counts the jobs of each queue.
func (s *Store) Queues(ctx context.Context) ([]store.QueueStats, error) {
	var list []store.QueueStats
	err := s.work.read(ctx, "count queues", statement{countQueues, nil, each(func(rows results) error {
		var q store.QueueStats
		var oldest int64
		err := rows.Scan(&q.Name, &q.Due, &q.Later, &q.Processing, &oldest)
		q.OldestDue = duration(oldest)
		list = append(list, q)
		return err
	})})
	return list, err
}

const (
	// tidyQueues notes the queues of the next $3 places, and returns the last of these places. Rows that need no change
	// are left out before the insert, for a conflict would write to them.
	tidyQueues = `WITH RECURSIVE ` + duePlaces + `, i AS (
		INSERT INTO windlass.queues AS q (name)
		SELECT DISTINCT p.queue FROM p WHERE p.nth > 0 AND p.queue NOT IN (
			SELECT q.name FROM windlass.queues q WHERE q.last_used_at > now() - interval '1 hour')
		ORDER BY p.queue
		ON CONFLICT (name) DO UPDATE SET last_used_at = now()
		RETURNING q.first_seen_at = now() AS added
	)
	SELECT coalesce(p.queue, ''), coalesce(p.priority, 0), (SELECT count(*) FROM i WHERE i.added)
	FROM (SELECT) AS always LEFT JOIN p ON p.nth = $3::int`

	// forgetQueues asks for a pending job queue by queue: a join would read all of them.
	forgetQueues = `
	WITH d AS (
		DELETE FROM windlass.queues q WHERE q.name = ANY (ARRAY(
			SELECT q.name FROM windlass.queues q
			WHERE q.last_used_at < now() - $1::bigint * interval '1 microsecond' AND (
				SELECT count(*) FROM (SELECT FROM windlass.jobs j WHERE j.status = 'pending' AND j.queue = q.name LIMIT 1) AS j
			) = 0
			ORDER BY q.name LIMIT 1000 FOR UPDATE SKIP LOCKED
		)) RETURNING q.name
	)
	SELECT count(*) FROM d`
)

// TidyQueues brings the names of queues up to date.
func (s *Store) TidyQueues(ctx context.Context, t store.TidyQueues) (store.TidiedQueues, error) {
	var done store.TidiedQueues
	err := s.maintenance.write(ctx, "tidy queues", statement{
		tidyQueues, []any{t.After.Queue, int32(t.After.Priority), int32(min(max(t.Limit, 1), 25_000))},
		one(&done.Next.Queue, &done.Next.Priority, &done.Added),
	})
	if err == nil && done.Next == (store.Place{}) {
		err = s.maintenance.write(ctx, "forget queues", statement{forgetQueues, []any{micros(t.Unused)}, one(&done.Removed)})
	}
	if err != nil {
		return store.TidiedQueues{}, err
	}
	return done, nil
}
