package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/windlass-jobs/windlass/jobs"
)

// Insert implements store.Client.
func (s *Store) Insert(ctx context.Context, subs []jobs.Submission) ([]jobs.Receipt, error) {
	if err := checkSubmissions(subs); err != nil {
		return nil, fmt.Errorf("insert: %w", err)
	}
	receipts := make([]jobs.Receipt, len(subs))
	err := s.change(ctx, "insert", func(tx *tx) error { return tx.insert(subs, receipts) })
	if err != nil {
		return nil, err
	}
	return receipts, nil
}

// insert stores submissions and fills in the receipts.
func (tx *tx) insert(subs []jobs.Submission, receipts []jobs.Receipt) error {
	var rows []jobs.Job
	for i, sub := range subs {
		if sub.Key != nil {
			known, err := tx.replay(sub, &receipts[i])
			if err != nil {
				return err
			}
			if known {
				continue
			}
		}
		receipts[i].Jobs = make([]jobs.Job, len(sub.Jobs))
		for k := range sub.Jobs {
			fillIn(&receipts[i].Jobs[k], &sub.Jobs[k], timeOf(tx.now))
		}
		rows = append(rows, receipts[i].Jobs...)
	}
	return tx.insertJobs(rows)
}

func checkSubmissions(subs []jobs.Submission) error {
	for _, sub := range subs {
		if sub.Key != nil {
			if err := checkText("idempotency key", sub.Key.Scope, sub.Key.Key); err != nil {
				return err
			}
		}
		for _, n := range sub.Jobs {
			if err := checkText("id, type or queue", n.ID, n.Type, n.Queue); err != nil {
				return err
			}
			if n.Payload == nil {
				return fmt.Errorf("%w: no payload", jobs.ErrRejected)
			}
			if err := checkJSON("payload", n.Payload); err != nil {
				return err
			}
		}
	}
	return nil
}

// replay answers a submission whose key is known. If the key is not known, it takes the key and known is false.
func (tx *tx) replay(sub jobs.Submission, r *jobs.Receipt) (known bool, err error) {
	key := sub.Key
	var fingerprint []byte
	var ids string
	known, err = first(tx.query, []any{&fingerprint, &ids},
		`SELECT fingerprint, job_ids FROM idempotency_keys
			WHERE scope = ?1 AND key = ?2 AND expires_at > ?3`, key.Scope, key.Key, tx.now)
	switch {
	case err != nil:
		return false, err
	case known && !bytes.Equal(fingerprint, key.Fingerprint[:]):
		r.Err = jobs.ErrKeyReused
		return true, nil
	case known:
		r.Jobs, r.Err, err = tx.submitted(ids)
		r.Replayed = r.Err == nil
		return true, err
	}
	order := make([]string, len(sub.Jobs))
	for i, n := range sub.Jobs {
		order[i] = n.ID
	}
	_, err = tx.exec(`INSERT INTO idempotency_keys (scope, key, fingerprint, job_ids, expires_at)
		VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (scope, key) DO UPDATE SET fingerprint = excluded.fingerprint, job_ids = excluded.job_ids,
			expires_at = excluded.expires_at
		WHERE expires_at <= ?6`,
		key.Scope, key.Key, key.Fingerprint[:], list(order), tx.now+jobs.KeyTTL.Microseconds(), tx.now)
	return false, err
}

// submitted returns the jobs of an earlier submission as they are now, in the order of submission. gone is
// jobs.ErrKeyGone if one of them is missing.
func (tx *tx) submitted(idList string) (list []jobs.Job, gone, err error) {
	var order []string
	if err := json.Unmarshal([]byte(idList), &order); err != nil {
		return nil, nil, fmt.Errorf("job ids of a key: %w", err)
	}
	found := newJobRow(inReplay) // without the result: see jobs.Receipt
	byID := make(map[string]jobs.Job, len(order))
	err = each(tx.query, func(row *sql.Rows) (bool, error) {
		j, err := found.scan(row)
		byID[j.ID] = j
		return true, err
	}, `SELECT `+replayed+` FROM jobs WHERE id IN (SELECT value FROM json_each(?1))`, idList)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range order {
		j, ok := byID[id]
		if !ok {
			return nil, jobs.ErrKeyGone, nil
		}
		list = append(list, j)
	}
	return list, nil, nil
}

func (tx *tx) insertJobs(rows []jobs.Job) error {
	args := make([]any, len(inserted))
	for i := range rows {
		for k := range inserted {
			args[k] = inserted[k].write(&rows[i])
		}
		if _, err := tx.exec(insertJob, args...); err != nil {
			return fmt.Errorf("job %s: %w", rows[i].ID, err)
		}
	}
	return nil
}
