package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var _ store.Transactional = (*Store)(nil)

// callersTx is a transaction of the application: a pgx.Tx, or a *sql.Tx of any PostgreSQL driver. It runs the same
// statements as a pool. Arrays are sent as text, which every driver can do.
type callersTx struct {
	schema *schema
	query  func(ctx context.Context, sql string, args []any) (results, func(), error)

	// The settings of the application that this Store has replaced, to be given back.
	replaced, was []string
}

// txOver are the errors of a transaction that was committed or rolled back.
var txOver = []error{pgx.ErrTxClosed, sql.ErrTxDone}

// InsertTx stores submissions in a transaction of the application on the database of this Store: a pgx.Tx, or a *sql.Tx
// of any PostgreSQL driver. See store.Transactional. It takes two round trips, and three if a submission has a key.
//
// Where settings of the application would change what the statements mean, such as datestyle or search_path, others
// hold for the time of the call, which takes a third round trip. The application's isolation, durability and limits
// of time remain, and a transaction that is read-only is store.ErrForeignTx.
//
// Where another open transaction has inserted one of the keys, it waits for the end of that transaction: as long as the
// lock_timeout of tx allows, or 2 s where that is not set.
func (s *Store) InsertTx(ctx context.Context, tx any, subs []jobs.Submission) ([]jobs.Receipt, error) {
	waits := false
	for i := range subs {
		waits = waits || subs[i].Key != nil
	}
	t, err := s.within(ctx, tx, waits)
	if err != nil {
		return nil, fmt.Errorf("insert in a transaction: %w", err)
	}
	receipts, err := s.insert(ctx, t, subs)
	if err := t.giveBack(ctx, err); err != nil {
		return nil, err
	}
	return receipts, nil
}

// CompleteTx completes a job in such a transaction; see InsertTx and store.Transactional. For a result of more than
// jobs.MaxResultBytes it returns jobs.ErrRejected and sends nothing. It takes three round trips.
func (s *Store) CompleteTx(ctx context.Context, tx any, o store.Outcome) error {
	switch {
	case o.Verb != store.VerbComplete:
		return fmt.Errorf("complete in a transaction: the verb is %q: %w", o.Verb, jobs.ErrRejected)
	case len(o.Result) > jobs.MaxResultBytes:
		return fmt.Errorf("complete in a transaction: the result has more than %d bytes: %w", jobs.MaxResultBytes,
			jobs.ErrRejected)
	}
	id, ok := parseID(o.ID)
	if !ok {
		return fmt.Errorf("complete in a transaction: %w", jobs.ErrStale)
	}
	t, err := s.within(ctx, tx, true)
	if err != nil {
		return fmt.Errorf("complete in a transaction: %w", err)
	}
	var done guarded
	done.add(id, &o)
	completed := 0
	err = t.write(ctx, "complete in a transaction", statement{completeJobs, append(done.args(),
		[]string{string(o.Result)}), each(func(results) error {
		completed++
		return nil
	})})
	if err := t.giveBack(ctx, err); err != nil {
		return err
	}
	if completed == 0 {
		return fmt.Errorf("complete job %s in a transaction: %w", o.ID, jobs.ErrStale)
	}
	return nil
}

const committedJobs = `SELECT ` + hinted + ` FROM windlass.jobs j WHERE j.id = ANY ($1::uuid[])
	AND (j.status = 'pending') IS TRUE`

// Committed returns hints for those of the ids that are pending.
func (s *Store) Committed(ctx context.Context, ids []string) ([]jobs.Hint, error) {
	var hints []jobs.Hint
	err := s.work.read(ctx, "look for committed jobs", statement{committedJobs, []any{parseIDs(ids)},
		(&hintRow{}).into(&hints)})
	return hints, err
}

// database identifies a database, also among servers that have databases of the same name.
type database struct {
	server int64
	oid    int64
}

const thisDatabase = `(SELECT c.system_identifier FROM pg_catalog.pg_control_system() c),
	(SELECT d.oid::pg_catalog.int8 FROM pg_catalog.pg_database d
		WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())`

// lookAround checks a transaction before anything is written. It reads the catalogue, because a statement that names a
// missing table would abort the transaction. rights is NULL where the table is missing.
//
// It replaces those settings of the application that would change what our statements mean or how values look, for
// this transaction, and returns what they were. They are few, and mostly as they should be. Where the application has
// set no lock_timeout and the statements may wait for locks ($2), that is replaced too.
//
// The search_path is the application's until then, so the schema of every name is in the text.
var lookAround = `WITH r AS MATERIALIZED (
		SELECT s.name, s.value, pg_catalog.current_setting(s.name) AS was FROM ` + rows(inCallers, "") + `
		WHERE pg_catalog.current_setting(s.name) OPERATOR(pg_catalog.<>) s.value
		UNION ALL SELECT 'lock_timeout', '` + callersLockTimeout + `', '0'
		WHERE $2::pg_catalog.bool AND pg_catalog.current_setting('lock_timeout') OPERATOR(pg_catalog.=) '0'
	) SELECT ` + thisDatabase + `, (
		SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(t.oid, 'INSERT')
			AND pg_catalog.has_table_privilege(t.oid, 'UPDATE')
		FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.relnamespace
		WHERE n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.text AND t.relname OPERATOR(pg_catalog.=) 'jobs'
	), pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) 'on', (
		SELECT pg_catalog.json_agg(pg_catalog.json_build_array(r.name, r.was,
			pg_catalog.set_config(r.name, r.value, true))) FROM r)::pg_catalog.text`

const callersLockTimeout = "2s"

// within checks a transaction of the application and prepares it for our statements. waits: they may wait for locks.
func (s *Store) within(ctx context.Context, tx any, waits bool) (*callersTx, error) {
	t := &callersTx{schema: s.schema}
	if v := reflect.ValueOf(tx); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, fmt.Errorf("the transaction is nil: %w", store.ErrForeignTx)
	}
	switch tx := tx.(type) {
	case pgx.Tx:
		t.query = func(ctx context.Context, sql string, args []any) (results, func(), error) {
			rows, err := tx.Query(ctx, sql, args...)
			if err != nil {
				return nil, nil, err
			}
			return rows, rows.Close, nil
		}
	case *sql.Tx:
		t.query = func(ctx context.Context, sql string, args []any) (results, func(), error) {
			rows, err := tx.QueryContext(ctx, sql, args...)
			if err != nil {
				return nil, nil, err
			}
			return rows, func() { _ = rows.Close() }, nil
		}
	default:
		return nil, fmt.Errorf("a pgx.Tx or a *sql.Tx was expected, not %T: %w", tx, store.ErrForeignTx)
	}
	ours, err := s.database(ctx)
	if err != nil {
		return nil, err
	}
	var theirs database
	var rights *bool
	var readOnly bool
	var replaced *string
	err = t.exchange(ctx, statement{lookAround, []any{s.schema.name, waits}, one(&theirs.server, &theirs.oid, &rights,
		&readOnly, &replaced)})
	if err == nil && replaced != nil {
		err = t.remember(*replaced)
	}
	switch {
	case err != nil:
		return nil, notOurs(err)
	case theirs != ours:
		err = fmt.Errorf("it belongs to another database: %w", store.ErrForeignTx)
	case rights == nil:
		err = fmt.Errorf("the schema %q has no tables of Windlass: %w", s.schema.name, store.ErrForeignTx)
	case !*rights:
		err = fmt.Errorf("its role may not write to the schema %q: %w", s.schema.name, store.ErrForeignTx)
	case readOnly:
		err = fmt.Errorf("it is read-only: %w", store.ErrForeignTx)
	}
	if err != nil {
		return nil, t.giveBack(ctx, err)
	}
	return t, nil
}

// remember keeps what lookAround has replaced: the name of each setting, its value before, and its value now.
func (t *callersTx) remember(replaced string) error {
	var list [][3]string
	if err := json.Unmarshal([]byte(replaced), &list); err != nil {
		return fmt.Errorf("read the settings of the transaction: %w", err)
	}
	for _, s := range list {
		t.replaced, t.was = append(t.replaced, s[0]), append(t.was, s[1])
	}
	return nil
}

// database returns the database of this Store. It is read once.
func (s *Store) database(ctx context.Context) (database, error) {
	if known := s.home.Load(); known != nil {
		return *known, nil
	}
	var d database
	err := s.work.read(ctx, "look where this is", statement{`SELECT ` + thisDatabase, nil, one(&d.server, &d.oid)})
	if err == nil {
		s.home.Store(&d)
	}
	return d, err
}

// notOurs wraps an error of lookAround. Nothing was written, and the transaction is as usable as before.
func notOurs(err error) error {
	state, refused := stateOf(err)
	switch {
	case refused && state == "25P02":
		return fmt.Errorf("a statement in it has failed before: %w: %w", store.ErrForeignTx, err)
	case refused && !strings.HasPrefix(state, "42") && !strings.HasPrefix(state, "0A"):
		return fmt.Errorf("%w: %w", refusal(state), err)
	case !refused && lost(err):
		return fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", store.ErrForeignTx, err) // over, or no PostgreSQL at all
}

// stateOf returns the SQLSTATE of an error that the server reported, for any driver.
func stateOf(err error) (string, bool) {
	var reported interface{ SQLState() string }
	if !errors.As(err, &reported) {
		return "", false
	}
	return reported.SQLState(), true
}

// lost reports whether the connection broke or the context ended.
func lost(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err,
		net.ErrClosed) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, context.Canceled) || errors.Is(err,
		context.DeadlineExceeded)
}

// giveBack restores the settings of the application, and returns failed, if that is an error. After a statement that
// the server has refused the end of the transaction restores them.
func (t *callersTx) giveBack(ctx context.Context, failed error) error {
	if _, refused := stateOf(failed); refused || lost(failed) || len(t.replaced) == 0 {
		return failed
	}
	err := t.write(ctx, "restore the settings of the transaction", statement{
		`SELECT pg_catalog.set_config(s.name, s.value, true) FROM unnest($1::text[], $2::text[]) AS s (name, value)`,
		[]any{t.replaced, t.was}, nil,
	})
	if failed != nil {
		return failed
	}
	return err
}

// write runs statements in the transaction. It is not committed yet, so no error leaves an outcome unknown.
func (t *callersTx) write(ctx context.Context, what string, statements ...statement) error {
	for _, st := range ablated(statements) {
		err := t.exchange(ctx, st)
		if err == nil {
			continue
		}
		meaning := jobs.ErrUnavailable
		state, refused := stateOf(err)
		switch {
		case refused:
			meaning = refusal(state)
		case errors.Is(err, txOver[0]) || errors.Is(err, txOver[1]):
			meaning = store.ErrForeignTx
		}
		return fmt.Errorf("%s: %w: %w", what, meaning, err)
	}
	return nil
}

func (t *callersTx) read(ctx context.Context, what string, statements ...statement) error {
	return t.write(ctx, what, statements...)
}

// exchange sends a statement and reads the answer to the end.
func (t *callersTx) exchange(ctx context.Context, st statement) error {
	args := make([]any, len(st.args))
	for i, arg := range st.args {
		args[i] = portable(arg)
	}
	rows, closed, err := t.query(ctx, t.schema.in(st.sql), args)
	if err != nil {
		return err
	}
	defer closed()
	if st.scan != nil {
		err = st.scan(rows)
	}
	for err == nil && rows.Next() {
	}
	if rerr := rows.Err(); rerr != nil {
		return rerr
	}
	return err
}

// portable converts an argument to what every driver can send. An array becomes text: the SQL says of which type it is.
func portable(arg any) any {
	switch v := arg.(type) {
	case uuids:
		return array(v, func(text []byte, u pgtype.UUID) []byte {
			if !u.Valid {
				return append(text, "NULL"...)
			}
			return append(text, u.String()...)
		})
	case []string:
		return array(v, appendQuoted)
	case [][]byte:
		return array(v, func(text, b []byte) []byte {
			return append(hex.AppendEncode(append(text, `"\\x`...), b),
				'"')
		})
	case []int32:
		return array(v, func(text []byte, n int32) []byte { return strconv.AppendInt(text, int64(n), 10) })
	case []int64:
		return array(v, func(text []byte, n int64) []byte { return strconv.AppendInt(text, n, 10) })
	}
	return arg
}

func array[T any](list []T, add func([]byte, T) []byte) string {
	text := []byte{'{'}
	for i, v := range list {
		if i > 0 {
			text = append(text, ',')
		}
		text = add(text, v)
	}
	return string(append(text, '}'))
}

func appendQuoted(text []byte, s string) []byte {
	text = append(text, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			text = append(text, '\\')
		}
		text = append(text, s[i])
	}
	return append(text, '"')
}
