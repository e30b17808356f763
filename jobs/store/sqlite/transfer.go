package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var _ store.Transfer = (*Store)(nil)

// holdsJSON reports whether a column of jobs holds JSON. SQLite has no type for it; PostgreSQL has, and a test compares
// the two.
func holdsJSON(name string) bool {
	return name == "payload" || name == "result" ||
		slices.ContainsFunc(fields.Submission, func(f fields.Field) bool { return f.Name == name && f.Stored != nil })
}

// transferred is a column of a table as the database has it, so a new one is transferred without a change here, unless
// it holds JSON.
type transferred struct {
	store.Column
	real  bool
	value string // SQL for what is stored, of a parameter
}

// columnsOf reads what columns a table has.
func columnsOf(q query, table string) ([]transferred, error) {
	n := 0
	return all(q, func(row *sql.Rows) (c transferred, err error) {
		var kind string
		var required bool
		var otherwise sql.NullString
		if err := row.Scan(&c.Name, &kind, &required, &otherwise); err != nil {
			return c, err
		}
		n++
		c.value, c.real = fmt.Sprintf("?%d", n), kind == "REAL"
		if required && otherwise.Valid { // an older version did not have this column
			c.value = "ifnull(" + c.value + ", " + otherwise.String + ")"
		}
		switch {
		case kind == "INTEGER" && strings.HasSuffix(c.Name, "_at"):
			c.Kind = store.ColumnTime
		case kind == "INTEGER" || kind == "REAL":
			c.Kind = store.ColumnNumber
		case holdsJSON(c.Name):
			c.Kind = store.ColumnJSON
		}
		return c, nil
	}, `SELECT name, type, "notnull", dflt_value FROM pragma_table_info(?1) ORDER BY cid`, table)
}

func joined(columns []transferred, of func(transferred) string) string {
	texts := make([]string, len(columns))
	for i, c := range columns {
		texts[i] = of(c)
	}
	return strings.Join(texts, ", ")
}

func columnName(c transferred) string  { return c.Name }
func columnValue(c transferred) string { return c.value }

func plainColumns(columns []transferred) []store.Column {
	list := make([]store.Column, len(columns))
	for i, c := range columns {
		list[i] = c.Column
	}
	return list
}

// put writes a value of the database into a row.
func put(row store.Row, c store.Column, value any) error {
	text := ""
	switch v := value.(type) {
	case nil:
		return nil
	case int64:
		text = strconv.FormatInt(v, 10)
		if c.Kind == store.ColumnTime {
			text = time.UnixMicro(v).UTC().Format(store.TimeLayout)
		}
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		text = v
	case []byte:
		text = string(v)
	case json.Number:
		n, err := v.Int64()
		if err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
		return put(row, c, n)
	default:
		return fmt.Errorf("column %s holds a %T", c.Name, value)
	}
	return row.Put(c, text)
}

// take reads a value as it is stored.
func take(row store.Row, c store.Column, real bool) (any, error) {
	text, err := row.Take(c)
	switch {
	case err != nil:
		return nil, err
	case text == nil:
		return nil, nil
	case c.Kind == store.ColumnTime:
		at, err := time.Parse(store.TimeLayout, *text)
		return at.UnixMicro(), err
	case c.Kind == store.ColumnNumber && real:
		return strconv.ParseFloat(*text, 64)
	case c.Kind == store.ColumnNumber:
		return strconv.ParseInt(*text, 10, 64)
	}
	return *text, checkText("column "+c.Name, *text)
}

// takeAll reads the values of a row as arguments.
func takeAll(row store.Row, columns []transferred) ([]any, error) {
	if err := row.Knows(plainColumns(columns)); err != nil {
		return nil, err
	}
	args := make([]any, len(columns))
	for i, c := range columns {
		var err error
		if args[i], err = take(row, c.Column, c.real); err != nil {
			return nil, err
		}
	}
	return args, nil
}

// inOrder writes the names of objects of texts in order, as Insert does. Otherwise the same object could look like
// another one.
func inOrder(row store.Row) {
	for i := range fields.Submission {
		f := &fields.Submission[i]
		raw, there := row[f.Name]
		if f.Stored == nil || !there {
			continue
		}
		if row[f.Name] = json.RawMessage(fields.EncodePairs(fields.DecodePairs(raw))); len(row[f.Name]) == 0 {
			delete(row, f.Name)
		}
	}
}

// Export reads all that belongs to jobs, at one moment. See store.Transfer.
func (s *Store) Export(ctx context.Context, each func(store.Record) error) error {
	return s.view(ctx, "export", func(q query) error {
		// A key of a job that is inserted after this view begins is not in it, whatever the clock says.
		if err := exportTypes(q, each); err != nil {
			return err
		}
		if err := exportJobs(q, each); err != nil {
			return err
		}
		return exportKeys(q, s.now(), each)
	})
}

func exportTypes(q query, each func(store.Record) error) error {
	return exportRows(q, store.RecordType, store.TypeColumns, nil, each, `SELECT name, description, queue, max_attempts, timeout_seconds,
		payload_schema, example, seen_at FROM job_types ORDER BY name`)
}

func exportJobs(q query, each func(store.Record) error) error {
	columns, err := columnsOf(q, "jobs")
	if err != nil {
		return err
	}
	attempts, err := columnsOf(q, "job_attempts")
	if err != nil {
		return err
	}
	text := fmt.Sprintf(`SELECT %s, (SELECT json_group_array(json(history)) FROM (
			SELECT json_array(%s) AS history FROM job_attempts a WHERE a.job_id = j.id ORDER BY a.fence))
		FROM jobs j ORDER BY id`, joined(columns, columnName), joined(attempts, func(c transferred) string { return "a." + c.Name }))
	return exportRows(q, store.RecordJob, plainColumns(columns), plainColumns(attempts), each, text)
}

func exportKeys(q query, now int64, each func(store.Record) error) error {
	// A key expires a fixed time after its submission, so when that was need not be stored.
	return exportRows(q, store.RecordKey, store.KeyColumns, nil, each, `SELECT scope, key, lower(hex(fingerprint)), job_ids, expires_at - ?2, expires_at
		FROM idempotency_keys WHERE expires_at > ?1 ORDER BY scope, key`, now, jobs.KeyTTL.Microseconds())
}

// exportRows hands on the rows of a query. With attempts, its last column has the history.
func exportRows(
	q query, kind store.RecordKind, columns, attempts []store.Column, each func(store.Record) error,
	text string, args ...any,
) error {
	rows, err := q(text, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // its error is Err's
	values := make([]any, len(columns), len(columns)+1)
	if attempts != nil {
		values = append(values, nil)
	}
	dest := make([]any, len(values))
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		r := store.Record{Kind: kind}
		if r.Row, err = rowOf(columns, values); err != nil {
			return err
		}
		if attempts != nil {
			if r.Attempts, err = historyOf(attempts, fmt.Sprint(values[len(columns)])); err != nil {
				return err
			}
		}
		if err := each(r); err != nil {
			return err
		}
	}
	return rows.Err()
}

func rowOf(columns []store.Column, values []any) (store.Row, error) {
	row := make(store.Row, len(columns))
	for i, c := range columns {
		if err := put(row, c, values[i]); err != nil {
			return nil, err
		}
	}
	return row, nil
}

// historyOf reads attempts, each an array of values.
func historyOf(columns []store.Column, text string) (list []store.Row, err error) {
	if text == "[]" {
		return nil, nil
	}
	var history [][]any
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&history); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	for _, values := range history {
		row, err := rowOf(columns, values)
		if err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, nil
}

// Import stores records of another Store. See store.Transfer.
func (s *Store) Import(ctx context.Context, records iter.Seq2[store.Record, error]) (done store.Imported, err error) {
	err = store.InBatches(records, func(kind store.RecordKind, batch []store.Record) error {
		var stored int64
		err := s.change(ctx, "import", func(tx *tx) error {
			var one func(store.Record) (bool, error)
			switch kind {
			case store.RecordType:
				one = tx.importType
			case store.RecordJob:
				columns, err := columnsOf(tx.query, "jobs")
				if err != nil {
					return err
				}
				attempts, err := columnsOf(tx.query, "job_attempts")
				if err != nil {
					return err
				}
				one = func(r store.Record) (bool, error) { return tx.importJob(r, columns, attempts) }
			case store.RecordKey:
				one = tx.importKey
			default:
				return fmt.Errorf("%w: a record of the unknown kind %q", jobs.ErrRejected, kind)
			}
			for _, r := range batch {
				fresh, err := one(r)
				if err != nil {
					return err
				}
				if fresh {
					stored++
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		done.Add(kind, len(batch), stored)
		return nil
	})
	return done, err
}

// rejected says which row cannot be stored.
func rejected(row store.Row, err error) error {
	for _, name := range []string{"id", "job_id", "key", "name"} {
		if raw, there := row[name]; there {
			return fmt.Errorf("%w: %s %s: %w", jobs.ErrRejected, name, raw, err)
		}
	}
	return fmt.Errorf("%w: %w", jobs.ErrRejected, err)
}

// differs is the error for a row that is there and is not the same.
func differs(what, id string) error {
	return fmt.Errorf("%w: %s %s is there already and differs; nothing is overwritten", jobs.ErrConflict, what, id)
}

// insertOrCompare stores a row, or compares it with the one that is there. id is the SQL that finds it by the same
// parameters.
func (tx *tx) insertOrCompare(
	table string, columns []transferred, id string, args []any,
) (fresh, same bool, err error) {
	n, err := tx.exec(`INSERT INTO `+table+` (`+joined(columns, columnName)+`) VALUES (`+joined(columns, columnValue)+`) ON CONFLICT DO NOTHING`, args...)
	if err != nil || n == 1 {
		return n == 1, true, err
	}
	equal := make([]string, len(columns))
	for i, c := range columns {
		equal[i] = c.Name + " IS " + c.value
	}
	_, err = first(tx.query, []any{&same}, `SELECT `+strings.Join(equal, " AND ")+` FROM `+table+` WHERE `+id, args...)
	return false, same, err
}

// at is the place of a column among the parameters.
func at(columns []transferred, name string) string {
	return fmt.Sprintf("?%d", 1+slices.IndexFunc(columns, func(c transferred) bool { return c.Name == name }))
}

func (tx *tx) importJob(r store.Record, columns, attempts []transferred) (fresh bool, err error) {
	inOrder(r.Row)
	args, err := takeAll(r.Row, columns)
	if err != nil {
		return false, rejected(r.Row, err)
	}
	id, _ := args[slices.IndexFunc(columns, func(c transferred) bool { return c.Name == "id" })].(string)
	fresh, same, err := tx.insertOrCompare("jobs", columns, "id = "+at(columns, "id"), args)
	if err != nil {
		return false, fmt.Errorf("job %s: %w", id, err)
	}
	if !same {
		return false, differs("job", id)
	}
	for _, row := range r.Attempts {
		args, err := takeAll(row, attempts)
		if err != nil {
			return false, rejected(row, err)
		}
		key := "job_id = " + at(attempts, "job_id") + " AND fence = " + at(attempts, "fence")
		added, same, err := tx.insertOrCompare("job_attempts", attempts, key, args)
		switch {
		case err != nil:
			return false, fmt.Errorf("history of job %s: %w", id, err)
		case !same || added && !fresh: // what was added goes with the transaction
			return false, differs("the history of job", id)
		}
	}
	if !fresh {
		var n int
		if _, err := first(tx.query, []any{&n}, `SELECT count(*) FROM job_attempts WHERE job_id = ?1`, id); err != nil {
			return false, err
		}
		if n != len(r.Attempts) {
			return false, differs("the history of job", id)
		}
		return false, nil
	}
	var status, kind string
	if _, err := first(tx.query, []any{&status, &kind}, `SELECT status, ifnull(failure_kind, '') FROM jobs WHERE id = ?1`, id); err != nil {
		return false, err
	}
	switch jobs.Status(status) {
	case jobs.Completed:
		tx.ended.completed++ // but it has not happened here
	case jobs.Failed:
		tx.ended.failed(jobs.FailureKind(kind), 1)
	}
	return true, nil
}

func (tx *tx) importType(r store.Record) (bool, error) {
	args, err := takeAll(r.Row, plain(store.TypeColumns))
	if err != nil {
		return false, rejected(r.Row, err)
	}
	n, err := tx.exec(`INSERT INTO job_types (name, description, queue, max_attempts, timeout_seconds, payload_schema, example, seen_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING`, args...)
	return n == 1, err
}

// plain are columns that are read by their kind alone.
func plain(columns []store.Column) []transferred {
	list := make([]transferred, len(columns))
	for i, c := range columns {
		list[i].Column = c
	}
	return list
}

func (tx *tx) importKey(r store.Record) (bool, error) {
	args, err := takeAll(r.Row, plain(store.KeyColumns))
	if err != nil {
		return false, rejected(r.Row, err)
	}
	text, _ := args[2].(string)
	fingerprint, err := hex.DecodeString(text)
	if err != nil || len(fingerprint) != 32 {
		return false, rejected(r.Row, fmt.Errorf("the fingerprint is not 32 bytes in hexadecimal"))
	}
	scope, key, ids, expires := args[0], args[1], args[3], args[5]
	n, err := tx.exec(`INSERT INTO idempotency_keys (scope, key, fingerprint, job_ids, expires_at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING`,
		scope, key, fingerprint, ids, expires)
	if err != nil || n == 1 {
		return n == 1, err
	}
	same := false
	if _, err := first(tx.query, []any{&same}, `SELECT fingerprint IS ?3 AND job_ids IS ?4 OR expires_at <= ?5 FROM idempotency_keys
		WHERE scope = ?1 AND key = ?2`, scope, key, fingerprint, ids, tx.now); err != nil {
		return false, err
	}
	if !same {
		return false, differs("the idempotency key", fmt.Sprintf("%q", key))
	}
	return false, nil
}
