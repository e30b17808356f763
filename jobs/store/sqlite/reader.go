package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/windlass-jobs/windlass/jobs"
)

// query runs a statement that answers with rows, in a transaction or in a view.
type query func(text string, args ...any) (*sql.Rows, error)

// view runs reads that see the database at one moment. They see all that was committed before, and end with ctx.
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
	defer func() { _ = tx.Rollback() }() // it has changed nothing
	return work(func(text string, args ...any) (*sql.Rows, error) {
		// Not from a cache of prepared statements: preparing one may need a second connection, which others that wait for the
		// cache may hold.
		return tx.QueryContext(ctx, text, args...)
	})
}

// each hands every row of an answer to scan, until scan says that it has enough.
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

// all reads every row of an answer.
func all[T any](q query, scan func(row *sql.Rows) (T, error), text string, args ...any) (list []T, err error) {
	err = each(q, func(row *sql.Rows) (bool, error) {
		v, err := scan(row)
		list = append(list, v)
		return true, err
	}, text, args...)
	return list, err
}

// first reads the first row of an answer into values. found is false where there is none.
func first(q query, values []any, text string, args ...any) (found bool, err error) {
	err = each(q, func(row *sql.Rows) (bool, error) {
		found = true
		return false, row.Scan(values...)
	}, text, args...)
	return found, err
}
