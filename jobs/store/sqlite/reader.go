package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/windlass-jobs/windlass/jobs"
)

// query runs a statement that returns rows, in a transaction or in a view.
type query func(text string, args ...any) (*sql.Rows, error)

// view runs reads on a snapshot of the database, which holds everything that was committed before. They end with ctx.
func (s *Store) view(ctx context.Context, what string, work func(q query) error) error {
	err := s.look(ctx, work)
	switch {
	case err == nil:
		return nil
	case s.closed.Load():
		return fmt.Errorf("%s: %w: closed", what, jobs.ErrUnavailable)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, ctx.Err())
	default:
		return fmt.Errorf("%s: %w", what, translate(err))
	}
}

func (s *Store) look(ctx context.Context, work func(q query) error) error {
	tx, err := s.read.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // there is nothing to undo
	return work(func(text string, args ...any) (*sql.Rows, error) {
		// No cached prepared statements here. To prepare one may take a second connection, and all of them may be held
		// by readers that wait for the cache: a deadlock.
		return tx.QueryContext(ctx, text, args...)
	})
}

// each passes every row of a result to scan, until scan returns more = false.
func each(q query, scan func(row *sql.Rows) (more bool, err error), text string, args ...any) error {
	rows, err := q(text, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // its error is Err's
	for rows.Next() {
		more, err := scan(rows)
		if err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

// all reads every row of a result.
func all[T any](q query, scan func(row *sql.Rows) (T, error), text string, args ...any) (list []T, err error) {
	err = each(q, func(row *sql.Rows) (bool, error) {
		v, err := scan(row)
		list = append(list, v)
		return true, err
	}, text, args...)
	return list, err
}

// first reads the first row of a result into values. found is false if there is none.
func first(q query, values []any, text string, args ...any) (found bool, err error) {
	err = each(q, func(row *sql.Rows) (bool, error) {
		found = true
		return false, row.Scan(values...)
	}, text, args...)
	return found, err
}
