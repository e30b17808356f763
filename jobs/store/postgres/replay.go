package postgres

import (
	"bytes"
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/windlass-jobs/windlass/jobs"
)

// heldKeys reads keys that were not to be had. It is a statement of its own because it needs a new snapshot: the one that
// lost a race for a key cannot see the winner.
const heldKeys = `SELECT n.nth, k.fingerprint, k.job_ids
	FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS n (scope, key, nth)
	CROSS JOIN LATERAL (
		SELECT k.fingerprint, k.job_ids FROM idempotency_keys k
		WHERE k.scope = n.scope AND k.key = n.key AND k.expires_at > now() OFFSET 0
	) AS k`

const jobsByID = `SELECT ` + whole + ` FROM jobs j WHERE j.id = ANY($1::uuid[])`

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
