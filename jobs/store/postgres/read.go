package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/windlass-jobs/windlass/jobs"
)

// getJob reads a job with its history in one piece, so that the two belong together. Times travel as microseconds since 1970.
const getJob = `SELECT ` + whole + `, (
		SELECT json_agg(json_build_object(
			'Attempt', a.attempt, 'Fence', a.fence, 'WorkerID', a.worker_id, 'Outcome', a.outcome, 'Error', a.error,
			'Started', (extract(epoch FROM a.started_at) * 1000000)::bigint,
			'Finished', (extract(epoch FROM a.finished_at) * 1000000)::bigint) ORDER BY a.fence)
		FROM job_attempts a WHERE a.job_id = j.id)::text
	FROM jobs j WHERE j.id = $1::uuid`

// Get returns one job with its unsuccessful attempts.
func (s *Store) Get(ctx context.Context, id string) (jobs.Job, []jobs.Attempt, error) {
	var job jobs.Job
	var history *string
	found := false
	parsed, ok := parseID(id)
	if !ok {
		return jobs.Job{}, nil, fmt.Errorf("get: %w", jobs.ErrNotFound)
	}
	row := newJobRow(true, &history)
	err := s.work.read(ctx, "get job "+id, statement{getJob, []any{parsed}, each(func(rows pgx.Rows) (err error) {
		found = true
		job, err = row.scan(rows)
		return err
	})})
	if err == nil && !found {
		err = fmt.Errorf("get job %s: %w", id, jobs.ErrNotFound)
	}
	if err != nil || history == nil {
		return job, nil, err
	}
	var attempts []struct {
		jobs.Attempt
		Started, Finished int64
	}
	if err := json.Unmarshal([]byte(*history), &attempts); err != nil {
		return jobs.Job{}, nil, fmt.Errorf("history of job %s: %w", id, err)
	}
	list := make([]jobs.Attempt, len(attempts))
	for i, a := range attempts {
		list[i] = a.Attempt
		list[i].StartedAt, list[i].FinishedAt = time.UnixMicro(a.Started).UTC(), time.UnixMicro(a.Finished).UTC()
	}
	return job, list, nil
}

const allTypes = `SELECT name, description, queue, max_attempts, timeout_seconds, schema::text, example::text, seen_at
	FROM job_types ORDER BY name`

// Types returns what workers have announced.
func (s *Store) Types(ctx context.Context) ([]jobs.Type, error) {
	var types []jobs.Type
	err := s.work.read(ctx, "read job types", statement{allTypes, nil, each(func(rows pgx.Rows) error {
		var t jobs.Type
		var seconds int64
		var schema, example *string
		err := rows.Scan(&t.Name, &t.Description, &t.Queue, &t.MaxAttempts, &seconds, &schema, &example, &t.SeenAt)
		t.Timeout, t.SeenAt = time.Duration(seconds)*time.Second, t.SeenAt.UTC()
		t.Schema, t.Example = rawOf(schema), rawOf(example)
		types = append(types, t)
		return err
	})})
	return types, err
}

func rawOf(text *string) json.RawMessage {
	if text == nil {
		return nil
	}
	return json.RawMessage(*text)
}
