package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// oldTables are the tables of older installations, with their columns in alphabetical order. They were in the default
// schema of the connection, beside tables of the application.
var oldTables = map[string]string{
	"jobs": "attempts,cancel_requested_at,created_at,deadline_at,error_message,failure_kind,fence,finished_at,id," +
		"lease_losses,max_attempts,payload,priority,progress_at,progress_message,progress_percent,queue,redrives," +
		"releases,result,run_at,started_at,status,timeout_seconds,type,updated_at,worker_id",
	"job_attempts": "attempt,error,fence,finished_at,job_id,outcome,started_at,worker_id",
	"job_types":    "description,example,max_attempts,name,queue,schema,seen_at,timeout_seconds",
	"worker_sessions": "beat_at,ended_at,expires_at,hostname,id,last_completion_at,pid,queues,running," +
		"slots,started_at,state,types,version",
	"idempotency_keys":    "created_at,expires_at,fingerprint,job_ids,key,scope",
	"leases":              "expires_at,holder,role",
	"tally":               "at,backend,completed,deleted",
	"windlass_migrations": "id,is_applied,tstamp,version_id",
}

// usualPath is the search_path that a connection would have without us.
const usualPath = `SELECT current_user, reset_val FROM pg_catalog.pg_settings WHERE name = 'search_path'`

const columnsOf = `WITH c AS (SELECT $1::text[] AS schemas) SELECT n.nspname::text, t.relname::text, string_agg(a.attname::text, ',' ORDER BY a.attname::text COLLATE "C")
	FROM c CROSS JOIN pg_catalog.pg_namespace n
	JOIN pg_catalog.pg_class t ON t.relnamespace = n.oid AND t.relkind = 'r'
	JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
	WHERE n.nspname::text = ANY (c.schemas)
	GROUP BY c.schemas, n.nspname, t.relname ORDER BY array_position(c.schemas, n.nspname::text)`

// findOld returns the schema that holds the tables of an older installation; empty: there are none. It looks into the
// schemas where the connection would have put them, in their order. Tables are ours only if all of them are there with
// exactly these columns.
func (s *Store) findOld(ctx context.Context, q pgx.Tx) (found string, err error) {
	var user, usual string
	if err := q.QueryRow(ctx, usualPath).Scan(&user, &usual); err != nil {
		return "", err
	}
	path := append(splitPath(s.searchPath, user), splitPath(usual, user)...)
	rows, _ := q.Query(ctx, columnsOf, append(path, s.schema.name)) // its error is in rows too
	ours := map[string]int{}
	var schema, table, columns string
	_, err = pgx.ForEachRow(rows, []any{&schema, &table, &columns}, func() error {
		if columns == oldTables[table] {
			ours[schema]++
		}
		if found == "" && ours[schema] == len(oldTables) {
			found = schema
		}
		return nil
	})
	return found, err
}

// splitPath returns the schemas of a search_path, in their order.
func splitPath(path, user string) []string {
	schemas := []string{}
	for name := range strings.SplitSeq(path, ",") {
		name = strings.Trim(name, ` "`)
		if name == "$user" {
			name = user
		}
		schemas = append(schemas, name)
	}
	return schemas
}

// moveOld returns the statements that move the tables. Indexes, constraints and sequences move with their tables.
func moveOld(from, to string) string {
	var text strings.Builder
	text.WriteString("\n")
	if from != to {
		source := pgx.Identifier{from}.Sanitize()
		names := slices.Sorted(maps.Keys(oldTables))
		for _, name := range names {
			fmt.Fprintf(&text, "ALTER TABLE %s.%s SET SCHEMA %s;\n", source, name, pgx.Identifier{to}.Sanitize())
		}
		fmt.Fprintf(&text, "ALTER DOMAIN %s.job_payload SET SCHEMA %s;\n", source, pgx.Identifier{to}.Sanitize())
	}
	text.WriteString(`ALTER TABLE windlass.tally RENAME TO completed_counts;
ALTER INDEX windlass.tally_pkey RENAME TO completed_counts_pkey;
DROP TABLE windlass.windlass_migrations;
`)
	return text.String()
}
