package postgres

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/windlass-jobs/windlass/jobs"
)

// columns are jobs to be, column by column, as unnest wants them.
type columns struct {
	ids                       uuids
	types, queues, payloads   []string
	priorities, max, timeouts []int32
	runAt, delays             []int64 // microseconds: since 1970, 0 for none; from now
	firsts                    uuids   // the first job of the submission, where that has a key; else NULL
}

func (c *columns) add(n *jobs.New, first pgtype.UUID) error {
	id, ok := parseID(n.ID)
	if !ok {
		return fmt.Errorf("insert: the id of a job is no UUID: %w", jobs.ErrRejected)
	}
	at := int64(0)
	if !n.RunAt.IsZero() {
		at = max(n.RunAt.UnixMicro(), 1)
	}
	c.ids = append(c.ids, id)
	c.types = append(c.types, n.Type)
	c.queues = append(c.queues, n.Queue)
	c.payloads = append(c.payloads, string(n.Payload))
	c.priorities = append(c.priorities, int32(n.Priority))
	c.max = append(c.max, int32(n.MaxAttempts))
	c.timeouts = append(c.timeouts, int32(n.Timeout/time.Second))
	c.runAt = append(c.runAt, at)
	c.delays = append(c.delays, micros(n.Delay))
	c.firsts = append(c.firsts, first)
	return nil
}

func (c *columns) args() []any {
	return []any{c.ids, c.types, c.queues, c.payloads, c.priorities, c.max, c.timeouts, c.runAt, c.delays}
}

// grow makes room for all jobs.
func (c *columns) grow(subs []jobs.Submission) {
	n := 0
	for i := range subs {
		n += len(subs[i].Jobs)
	}
	c.ids, c.firsts, c.payloads = make(uuids, 0, n), make(uuids, 0, n), make([]string, 0, n)
	c.types, c.queues = make([]string, 0, n), make([]string, 0, n)
	c.priorities, c.max, c.timeouts = make([]int32, 0, n), make([]int32, 0, n), make([]int32, 0, n)
	c.runAt, c.delays = make([]int64, 0, n), make([]int64, 0, n)
}

// alike tells whether the jobs differ in nothing but their payloads.
func (c *columns) alike() bool {
	return len(c.ids) > 0 && same(c.types) && same(c.queues) && same(c.priorities) && same(c.max) && same(c.timeouts) && same(c.runAt) && same(c.delays)
}

func same[T comparable](list []T) bool {
	for _, v := range list {
		if v != list[0] {
			return false
		}
	}
	return true
}

func (c *columns) alikeArgs() []any {
	return []any{c.ids, c.types[0], c.queues[0], c.payloads, c.priorities[0], c.max[0], c.timeouts[0], c.runAt[0], c.delays[0]}
}

// stored is a job as it was just inserted. The statement computes run_at alike.
func stored(n *jobs.New, now time.Time) jobs.Job {
	runAt := now.Add(time.Duration(micros(n.Delay)) * time.Microsecond)
	if !n.RunAt.IsZero() {
		runAt = n.RunAt.Truncate(time.Microsecond).UTC()
		if runAt.Before(now) {
			runAt = now
		}
	}
	return jobs.Job{
		ID: n.ID, Type: n.Type, Queue: n.Queue, Payload: n.Payload, Status: jobs.Pending, Priority: n.Priority,
		MaxAttempts: n.MaxAttempts, Timeout: n.Timeout.Truncate(time.Second), RunAt: runAt, CreatedAt: now, UpdatedAt: now,
	}
}

// The jobs to be, as rows n, and how they are written.
const (
	newJobs = `unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::int[], $7::int[], $8::bigint[], $9::bigint[]`
	newCols = `n (id, type, queue, payload, priority, max_attempts, timeout_seconds, run_at, delay`

	insertJobs = `INSERT INTO windlass.jobs (id, type, queue, payload, priority, max_attempts, timeout_seconds, run_at)
		SELECT n.id, n.type, n.queue, n.payload::jsonb, n.priority, n.max_attempts, n.timeout_seconds,
			CASE WHEN n.run_at = 0 THEN now() + n.delay * interval '1 microsecond'
				ELSE greatest(now(), timestamptz 'epoch' + n.run_at * interval '1 microsecond') END`
)

// insertAlike is insertPlain for jobs that are alike, as most that come together are: a tenth cheaper.
const insertAlike = `WITH i AS (` + insertJobs + ` FROM (
		SELECT u.id, $2::text AS type, $3::text AS queue, u.payload, $5::int AS priority, $6::int AS max_attempts, $7::int AS timeout_seconds,
			$8::bigint AS run_at, $9::bigint AS delay
		FROM unnest($1::uuid[], $4::text[]) AS u (id, payload)
	) AS n) SELECT now()`

// insertPlain stores jobs.
const insertPlain = `WITH i AS (` + insertJobs + ` FROM ` + newJobs + `) AS ` + newCols + `)) SELECT now()`

// Insert stores submissions.
func (s *Store) Insert(ctx context.Context, subs []jobs.Submission) ([]jobs.Receipt, error) {
	if slices.ContainsFunc(subs, func(sub jobs.Submission) bool { return len(sub.Jobs) == 0 }) {
		return nil, fmt.Errorf("insert: a submission without a job: %w", jobs.ErrRejected)
	}
	if slices.ContainsFunc(subs, func(sub jobs.Submission) bool { return sub.Key != nil }) {
		return s.insertKeyed(ctx, subs)
	}
	var c columns
	c.grow(subs)
	for i := range subs {
		for k := range subs[i].Jobs {
			if err := c.add(&subs[i].Jobs[k], pgtype.UUID{}); err != nil {
				return nil, err
			}
		}
	}
	var now time.Time
	insert := statement{insertPlain, c.args(), one(&now)}
	if c.alike() {
		insert.sql, insert.args = insertAlike, c.alikeArgs()
	}
	if err := s.work.write(ctx, "insert", insert); err != nil {
		return nil, err
	}
	return created(subs, now.UTC(), nil), nil
}

// created answers for the submissions that this call stored: all of them, or those that won says.
func created(subs []jobs.Submission, now time.Time, won func(*jobs.Submission) bool) []jobs.Receipt {
	receipts := make([]jobs.Receipt, len(subs))
	for i := range subs {
		if won != nil && !won(&subs[i]) {
			continue
		}
		list := make([]jobs.Job, len(subs[i].Jobs))
		for k := range subs[i].Jobs {
			list[k] = stored(&subs[i].Jobs[k], now)
		}
		receipts[i].Jobs = list
	}
	return receipts
}

// insertWithKeys takes the keys that are unused or expired, and stores the jobs of these keys and those without a key. Who
// loses a key to another submission under way waits for its commit: that is why callers hand in keys in order.
const insertWithKeys = `
	WITH k AS (
		INSERT INTO windlass.idempotency_keys AS held (scope, key, fingerprint, job_ids, created_at, expires_at)
		SELECT n.scope, n.key, n.fingerprint, n.job_ids::uuid[], now(), now() + $15::bigint * interval '1 microsecond'
		FROM unnest($11::text[], $12::text[], $13::bytea[], $14::text[]) AS n (scope, key, fingerprint, job_ids)
		ON CONFLICT (scope, key) DO UPDATE SET fingerprint = excluded.fingerprint, job_ids = excluded.job_ids,
			created_at = excluded.created_at, expires_at = excluded.expires_at
		WHERE held.expires_at <= now()
		RETURNING job_ids[1] AS first
	), i AS (` + insertJobs + ` FROM ` + newJobs + `, $10::uuid[]) AS ` + newCols + `, first)
		WHERE n.first IS NULL OR n.first IN (SELECT k.first FROM k)
	)
	SELECT now(), k.first FROM (SELECT) AS always LEFT JOIN k ON true`

func (s *Store) insertKeyed(ctx context.Context, subs []jobs.Submission) ([]jobs.Receipt, error) {
	order := make([]*jobs.Submission, len(subs))
	for i := range subs {
		order[i] = &subs[i]
	}
	// All processes take keys in the same order, so that two of them never wait for each other in a circle.
	slices.SortStableFunc(order, func(a, b *jobs.Submission) int {
		switch {
		case a.Key == nil && b.Key == nil:
			return 0
		case a.Key == nil:
			return -1
		case b.Key == nil:
			return 1
		}
		return cmp.Or(cmp.Compare(a.Key.Scope, b.Key.Scope), cmp.Compare(a.Key.Key, b.Key.Key))
	})
	var c columns
	var scopes, keys, ids []string
	var fingerprints [][]byte
	for _, sub := range order {
		var first pgtype.UUID
		if sub.Key != nil {
			first, _ = parseID(sub.Jobs[0].ID)
			scopes, keys = append(scopes, sub.Key.Scope), append(keys, sub.Key.Key)
			fingerprints = append(fingerprints, sub.Key.Fingerprint[:])
			ids = append(ids, arrayOf(sub.Jobs))
		}
		for k := range sub.Jobs {
			if err := c.add(&sub.Jobs[k], first); err != nil {
				return nil, err
			}
		}
	}
	var now time.Time
	won := map[pgtype.UUID]bool{}
	err := s.work.write(ctx, "insert", statement{
		sql:  insertWithKeys,
		args: append(c.args(), c.firsts, scopes, keys, fingerprints, ids, jobs.KeyTTL.Microseconds()),
		scan: each(func(rows pgx.Rows) error {
			var first pgtype.UUID
			err := rows.Scan(&now, &first)
			won[first] = true
			return err
		}),
	})
	if err != nil {
		return nil, err
	}
	receipts := created(subs, now.UTC(), func(sub *jobs.Submission) bool {
		first, _ := parseID(sub.Jobs[0].ID)
		return sub.Key == nil || won[first]
	})
	s.replay(ctx, subs, receipts)
	return receipts, nil
}

// arrayOf writes the ids of a submission as an array literal.
func arrayOf(list []jobs.New) string {
	text := make([]byte, 0, 2+37*len(list))
	for i := range list {
		text = append(append(text, ','), list[i].ID...)
	}
	text[0] = '{'
	return string(append(text, '}'))
}

// heldKeys reads keys that were not to be had. It is a statement of its own because it needs a new snapshot: the one that
// lost a race for a key cannot see the winner.
const heldKeys = `SELECT n.nth, k.fingerprint, k.job_ids
	FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS n (scope, key, nth)
	CROSS JOIN LATERAL (
		SELECT k.fingerprint, k.job_ids FROM windlass.idempotency_keys k
		WHERE k.scope = n.scope AND k.key = n.key AND k.expires_at > now() OFFSET 0
	) AS k`

const jobsByID = `SELECT ` + whole + ` FROM windlass.jobs j WHERE j.id = ANY($1::uuid[])`

// heldKey is a key that an earlier submission has.
type heldKey struct {
	receipt *jobs.Receipt
	jobs    []pgtype.UUID
}

// replay answers for the submissions whose key is taken. By now others of the same call are stored, so whatever goes wrong here
// is told to those it concerns.
func (s *Store) replay(ctx context.Context, subs []jobs.Submission, receipts []jobs.Receipt) {
	var scopes, keys []string
	var losers []int
	for i := range subs {
		if receipts[i].Jobs == nil && subs[i].Key != nil {
			scopes, keys = append(scopes, subs[i].Key.Scope), append(keys, subs[i].Key.Key)
			losers = append(losers, i)
			// Unless the key is found below: its holder has gone in between, or is not through yet.
			receipts[i].Err = fmt.Errorf("insert: idempotency key: %w", jobs.ErrBusy)
		}
	}
	if len(losers) == 0 {
		return
	}
	var held []heldKey
	var wanted []pgtype.UUID
	err := s.work.read(ctx, "look up idempotency keys", statement{heldKeys, []any{scopes, keys}, each(func(rows pgx.Rows) error {
		var nth int
		var fingerprint []byte
		var ids []pgtype.UUID
		if err := rows.Scan(&nth, &fingerprint, &ids); err != nil {
			return err
		}
		i := losers[nth-1]
		if !bytes.Equal(fingerprint, subs[i].Key.Fingerprint[:]) {
			receipts[i].Err = fmt.Errorf("insert: %w", jobs.ErrKeyReused)
			return nil
		}
		held = append(held, heldKey{&receipts[i], ids})
		wanted = append(wanted, ids...)
		return nil
	})})
	found := map[string]jobs.Job{}
	if err == nil && len(held) > 0 {
		row := newJobRow(true)
		err = s.work.read(ctx, "look up submitted jobs", statement{jobsByID, []any{wanted}, each(func(rows pgx.Rows) error {
			j, err := row.scan(rows)
			found[j.ID] = j
			return err
		})})
	}
	if err != nil {
		for _, i := range losers {
			receipts[i].Err = err
		}
		return
	}
	for _, h := range held {
		h.answer(found)
	}
}

// answer hands out the jobs as they are now, in the order of their submission, if all of them are still there.
func (h heldKey) answer(found map[string]jobs.Job) {
	list := make([]jobs.Job, 0, len(h.jobs))
	for _, id := range h.jobs {
		j, ok := found[id.String()]
		if !ok {
			h.receipt.Err = fmt.Errorf("insert: %w", jobs.ErrKeyGone)
			return
		}
		list = append(list, j)
	}
	h.receipt.Jobs, h.receipt.Replayed, h.receipt.Err = list, true, nil
}
