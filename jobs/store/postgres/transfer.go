package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

var _ store.Transfer = (*Store)(nil)

// transferred is a column of a table as the catalog has it, so a new one is transferred without a change here.
type transferred struct {
	store.Column
	read  string // SQL for its value as a text; %s stands for the column
	value string // SQL for what is stored, of a text of that name in a row n
}

const catalog = `SELECT a.attname, format_type(a.atttypid, a.atttypmod), coalesce(b.typname, t.typname),
		CASE WHEN a.attnotnull THEN coalesce(pg_get_expr(d.adbin, d.adrelid), '') ELSE '' END
	FROM pg_catalog.pg_attribute a
	JOIN pg_catalog.pg_type t ON t.oid = a.atttypid LEFT JOIN pg_catalog.pg_type b ON b.oid = nullif(t.typbasetype, 0)
	LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	WHERE a.attrelid = 'windlass.%s'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
	ORDER BY a.attnum`

// timeText writes a time as store.TimeLayout.
const timeText = `to_char(%s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

// columnsOf reads what columns a table has.
func (s *Store) columnsOf(ctx context.Context, tx pgx.Tx, table string) ([]transferred, error) {
	rows, _ := tx.Query(ctx, s.schema.rewrite(fmt.Sprintf(catalog, table)))
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c transferred, err error) {
		var kind, base, otherwise string
		if err := row.Scan(&c.Name, &kind, &base, &otherwise); err != nil {
			return c, err
		}
		c.read, c.value = "%s::text", "n."+c.Name+"::"+kind
		if otherwise != "" { // an older version did not have this column
			c.value = "coalesce(" + c.value + ", " + otherwise + ")"
		}
		switch base {
		case "int2", "int4", "int8", "float4", "float8", "numeric":
			c.Kind = store.ColumnNumber
		case "timestamptz":
			c.Kind, c.read = store.ColumnTime, timeText
		case "json", "jsonb":
			c.Kind = store.ColumnJSON
		}
		return c, nil
	})
}

// plainColumns are the columns without SQL.
func plainColumns(columns []transferred) []store.Column {
	list := make([]store.Column, len(columns))
	for i, c := range columns {
		list[i] = c.Column
	}
	return list
}

// joined puts something of each column behind each other.
func joined(columns []transferred, of func(transferred) string) string {
	texts := make([]string, len(columns))
	for i, c := range columns {
		texts[i] = of(c)
	}
	return strings.Join(texts, ", ")
}

func columnName(c transferred) string  { return c.Name }
func columnValue(c transferred) string { return c.value }

// columnOf reads a column of a row.
func columnOf(row string) func(transferred) string {
	return func(c transferred) string { return fmt.Sprintf(c.read, row+"."+c.Name) }
}

const (
	exportTypes = `SELECT j.name, j.description, j.queue, j.max_attempts::text, j.timeout_seconds::text, j.schema::text, j.example::text, %s
		FROM windlass.job_types j ORDER BY j.name`
	exportKeys = `SELECT j.scope, j.key, encode(j.fingerprint, 'hex'), to_json(j.job_ids)::text, %s, %s
		FROM windlass.idempotency_keys j WHERE j.expires_at > now() ORDER BY j.scope, j.key`
	exportJobs = `SELECT %s, (SELECT json_agg(json_build_array(%s) ORDER BY a.fence)::text FROM windlass.job_attempts a WHERE a.job_id = j.id)
		FROM windlass.jobs j ORDER BY j.id`
)

// Export reads all that belongs to jobs, in one snapshot. See store.Transfer.
func (s *Store) Export(ctx context.Context, each func(store.Record) error) error {
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return s.unhurriedly(ctx, "export", snapshot, func(tx pgx.Tx) error {
		types := fmt.Sprintf(exportTypes, fmt.Sprintf(timeText, "j.seen_at"))
		if err := s.exportRows(ctx, tx, types, store.RecordType, store.TypeColumns, nil, each); err != nil {
			return err
		}
		columns, err := s.columnsOf(ctx, tx, "jobs")
		if err != nil {
			return err
		}
		attempts, err := s.columnsOf(ctx, tx, "job_attempts")
		if err != nil {
			return err
		}
		// The rows come by the primary key: nothing is sorted, and the first ones come at once.
		if _, err := tx.Exec(ctx, `SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)`); err != nil {
			return err
		}
		query := fmt.Sprintf(exportJobs, joined(columns, columnOf("j")), joined(attempts, columnOf("a")))
		err = s.exportRows(ctx, tx, query, store.RecordJob, plainColumns(columns), plainColumns(attempts), each)
		if err != nil {
			return err
		}
		keys := fmt.Sprintf(exportKeys, fmt.Sprintf(timeText, "j.created_at"), fmt.Sprintf(timeText, "j.expires_at"))
		return s.exportRows(ctx, tx, keys, store.RecordKey, store.KeyColumns, nil, each)
	})
}

// exportRows hands on the rows of a query. With attempts, its last column has the history.
func (s *Store) exportRows(
	ctx context.Context, tx pgx.Tx, query string, kind store.RecordKind, columns, attempts []store.Column,
	each func(store.Record) error,
) error {
	texts := make([]*string, len(columns), len(columns)+1)
	if attempts != nil {
		texts = append(texts, nil)
	}
	dest := make([]any, len(texts))
	for i := range texts {
		dest[i] = &texts[i]
	}
	rows, err := tx.Query(ctx, s.schema.rewrite(query))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		r := store.Record{Kind: kind}
		if r.Row, err = rowOf(columns, texts); err != nil {
			return &ownError{err}
		}
		if kind == store.RecordJob {
			inOrder(r.Row)
		}
		if attempts != nil && texts[len(columns)] != nil {
			var history [][]*string
			if err := json.Unmarshal([]byte(*texts[len(columns)]), &history); err != nil {
				return &ownError{err}
			}
			for _, a := range history {
				row, err := rowOf(attempts, a)
				if err != nil {
					return &ownError{err}
				}
				r.Attempts = append(r.Attempts, row)
			}
		}
		if err := each(r); err != nil {
			return &ownError{err}
		}
	}
	return rows.Err()
}

// inOrder writes the names of objects of texts in order, as SQLite keeps them. jsonb has an order of its own.
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

func rowOf(columns []store.Column, texts []*string) (store.Row, error) {
	row := make(store.Row, len(columns))
	for i, c := range columns {
		if texts[i] == nil {
			continue
		}
		if err := row.Put(c, *texts[i]); err != nil {
			return nil, err
		}
	}
	return row, nil
}

// Import stores records of another Store. See store.Transfer.
func (s *Store) Import(ctx context.Context, records iter.Seq2[store.Record, error]) (store.Imported, error) {
	var done store.Imported
	err := store.InBatches(records, func(kind store.RecordKind, batch []store.Record) error {
		var stored int64
		// Under any other level the comparison would not see what another import has stored meanwhile.
		committed := pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}
		err := s.unhurriedly(ctx, "import", committed, func(tx pgx.Tx) (err error) {
			switch kind {
			case store.RecordType:
				stored, err = s.importTypes(ctx, tx, batch)
			case store.RecordJob:
				stored, err = s.importJobs(ctx, tx, batch)
			case store.RecordKey:
				stored, err = s.importKeys(ctx, tx, batch)
			default:
				err = &ownError{fmt.Errorf("%w: a record of the unknown kind %q", jobs.ErrRejected, kind)}
			}
			return err
		})
		if err != nil {
			return err
		}
		done.Add(kind, len(batch), stored)
		return nil
	})
	return done, err
}

// textsOf turns rows into one array for each column.
func textsOf(columns []store.Column, rows []store.Row) ([]any, error) {
	args := make([]any, len(columns))
	for i, c := range columns {
		texts := make([]*string, len(rows))
		for k, row := range rows {
			text, err := row.Take(c)
			if err != nil {
				return nil, rejected(row, err)
			}
			texts[k] = text
		}
		args[i] = texts
	}
	for _, row := range rows {
		if err := row.Knows(columns); err != nil {
			return nil, rejected(row, err)
		}
	}
	return args, nil
}

// rejected says which row cannot be stored.
func rejected(row store.Row, err error) error {
	for _, name := range []string{"id", "job_id", "key", "name"} {
		if raw, there := row[name]; there {
			return &ownError{fmt.Errorf("%w: %s %s: %w", jobs.ErrRejected, name, raw, err)}
		}
	}
	return &ownError{fmt.Errorf("%w: %w", jobs.ErrRejected, err)}
}

// given are rows n of texts: one array for each column.
func given(columns []store.Column) string {
	arrays, names := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		arrays[i], names[i] = fmt.Sprintf("$%d::text[]", i+1), c.Name
	}
	return "unnest(" + strings.Join(arrays, ", ") + ") AS n (" + strings.Join(names, ", ") + ")"
}

// without are records without what belongs to them.
func without(batch []store.Record) []store.Row {
	rows := make([]store.Row, len(batch))
	for i, r := range batch {
		rows[i] = r.Row
	}
	return rows
}

// texts reads the rows of a query, each of some texts.
func (s *Store) texts(ctx context.Context, tx pgx.Tx, sql string, args ...any) ([][2]string, error) {
	rows, _ := tx.Query(ctx, s.schema.rewrite(sql), args...)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (t [2]string, err error) {
		err = row.Scan(&t[0], &t[1])
		return t, err
	})
}

// differs is the error for a row that is there and is not the same.
func differs(what, id string) error {
	return &ownError{
		fmt.Errorf("%w: %s %s is there already and differs; nothing is overwritten", jobs.ErrConflict, what, id),
	}
}

func (s *Store) importJobs(ctx context.Context, tx pgx.Tx, batch []store.Record) (int64, error) {
	columns, err := s.columnsOf(ctx, tx, "jobs")
	if err != nil {
		return 0, err
	}
	args, err := textsOf(plainColumns(columns), without(batch))
	if err != nil {
		return 0, err
	}
	names, values, from := joined(columns, columnName), joined(columns, columnValue), given(plainColumns(columns))
	inserted, err := s.texts(ctx, tx, `INSERT INTO windlass.jobs AS j (`+names+`) SELECT `+values+` FROM `+from+`
		ON CONFLICT (id) DO NOTHING RETURNING j.id::text, j.status`, args...)
	if err != nil {
		return 0, err
	}
	fresh, completed := map[string]bool{}, 0
	for _, row := range inserted {
		fresh[row[0]] = true
		if row[1] == string(jobs.Completed) {
			completed++
		}
	}
	if len(fresh) < len(batch) {
		other, err := s.texts(ctx, tx, `SELECT j.id::text, '' FROM `+from+` JOIN windlass.jobs j ON j.id = n.id::uuid
			WHERE (`+joined(columns, func(c transferred) string { return "j." + c.Name })+`) IS DISTINCT FROM (`+values+`) ORDER BY j.id LIMIT 1`, args...)
		if err != nil {
			return 0, err
		}
		if len(other) > 0 {
			return 0, differs("job", other[0][0])
		}
	}
	if completed > 0 {
		// The time -infinity: they were not completed in the last minute.
		sql := addToCounts + ` VALUES (` + importedRow + `, $1::bigint, 0) ` + mergeCounts
		if _, err := tx.Exec(ctx, s.schema.in(sql), completed); err != nil {
			return 0, err
		}
	}
	return int64(len(fresh)), s.importAttempts(ctx, tx, batch, fresh)
}

// importAttempts stores the history of jobs that are new, and compares that of the others.
func (s *Store) importAttempts(ctx context.Context, tx pgx.Tx, batch []store.Record, fresh map[string]bool) error {
	var add, compare []store.Row
	var there uuids
	for _, r := range batch {
		var id string
		if err := json.Unmarshal(r.Row["id"], &id); err != nil {
			return rejected(r.Row, err)
		}
		if fresh[strings.ToLower(id)] {
			add = append(add, r.Attempts...)
			fresh[strings.ToLower(id)] = false // the same id once more is compared
			continue
		}
		compare = append(compare, r.Attempts...)
		there = append(there, parseIDs([]string{strings.ToLower(id)})...)
	}
	if len(add)+len(there) == 0 {
		return nil
	}
	columns, err := s.columnsOf(ctx, tx, "job_attempts")
	if err != nil {
		return err
	}
	values, from := joined(columns, columnValue), given(plainColumns(columns))
	if len(add) > 0 {
		args, err := textsOf(plainColumns(columns), add)
		if err != nil {
			return err
		}
		sql := `INSERT INTO windlass.job_attempts (` + joined(columns, columnName) + `) SELECT ` + values + ` FROM ` + from
		if _, err := tx.Exec(ctx, s.schema.rewrite(sql), args...); err != nil {
			return err
		}
	}
	if len(there) == 0 {
		return nil
	}
	args, err := textsOf(plainColumns(columns), compare)
	if err != nil {
		return err
	}
	all := func(of string) string {
		return joined(columns, func(c transferred) string { return of + "." + c.Name })
	}
	other, err := s.texts(ctx, tx, fmt.Sprintf(`SELECT coalesce(a.job_id, n.job_id)::text, ''
		FROM (SELECT * FROM windlass.job_attempts j WHERE j.job_id = ANY ($%d::uuid[])) AS a
		FULL JOIN (SELECT DISTINCT * FROM (SELECT %s FROM %s) AS n (%s)) AS n ON n.job_id = a.job_id AND n.fence = a.fence
		WHERE (%s) IS DISTINCT FROM (%s) LIMIT 1`, len(args)+1, values, from, joined(columns, columnName), all("a"), all("n")), append(args, there)...)
	if err == nil && len(other) > 0 {
		err = differs("the history of job", other[0][0])
	}
	return err
}

const importTypes = `INSERT INTO windlass.job_types AS j (name, description, queue, max_attempts, timeout_seconds, schema, example, seen_at)
	SELECT n.name, n.description, n.queue, n.max_attempts::int, n.timeout_seconds::int, n.schema::json, n.example::json, n.seen_at::timestamptz
	FROM %s ON CONFLICT (name) DO NOTHING RETURNING j.name, ''`

func (s *Store) importTypes(ctx context.Context, tx pgx.Tx, batch []store.Record) (int64, error) {
	args, err := textsOf(store.TypeColumns, without(batch))
	if err != nil {
		return 0, err
	}
	stored, err := s.texts(ctx, tx, fmt.Sprintf(importTypes, given(store.TypeColumns)), args...)
	return int64(len(stored)), err
}

const (
	keyIDs     = `ARRAY(SELECT e.id::uuid FROM json_array_elements_text(n.job_ids::json) WITH ORDINALITY AS e (id, nth) ORDER BY e.nth)`
	importKeys = `INSERT INTO windlass.idempotency_keys AS j (scope, key, fingerprint, job_ids, created_at, expires_at)
		SELECT n.scope, n.key, decode(n.fingerprint, 'hex'), ` + keyIDs + `, n.created_at::timestamptz, n.expires_at::timestamptz
		FROM %s ON CONFLICT (scope, key) DO NOTHING RETURNING j.scope, j.key`
	otherKeys = `SELECT j.scope, j.key FROM %s JOIN windlass.idempotency_keys j ON j.scope = n.scope AND j.key = n.key
		WHERE j.expires_at > now() AND (j.fingerprint, j.job_ids) IS DISTINCT FROM (decode(n.fingerprint, 'hex'), ` + keyIDs + `) LIMIT 1`
)

func (s *Store) importKeys(ctx context.Context, tx pgx.Tx, batch []store.Record) (int64, error) {
	args, err := textsOf(store.KeyColumns, without(batch))
	if err != nil {
		return 0, err
	}
	stored, err := s.texts(ctx, tx, fmt.Sprintf(importKeys, given(store.KeyColumns)), args...)
	if err != nil || len(stored) == len(batch) {
		return int64(len(stored)), err
	}
	other, err := s.texts(ctx, tx, fmt.Sprintf(otherKeys, given(store.KeyColumns)), args...)
	if err == nil && len(other) > 0 {
		err = differs("the idempotency key", fmt.Sprintf("%q", other[0][1]))
	}
	return int64(len(stored)), err
}
