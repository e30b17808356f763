package postgres

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The limits are nested. The server gives up first: its answer says for certain that nothing was stored.
const (
	lockWithin    = 2 * time.Second         // waiting for a lock
	executeWithin = 4 * time.Second         // a statement
	answerWithin  = 4800 * time.Millisecond // a call, waiting included: a dead server is noticed within 5 s
	connectWithin = 2 * time.Second         // an attempt to connect, unless the URL sets connect_timeout

	idleInTransaction = 10 * time.Second
	pingAfter         = 100 * time.Millisecond // of idleness: a busy connection is not pinged
)

// setting is a setting of the server that every transaction of ours pins, whatever the server, the database, the role
// and the URL say. The value is written as the server shows it.
type setting struct {
	name, value string
	when        moments
}

// moments says when a setting is made.
type moments uint8

const (
	atStart   moments = 1 << iota // when a direct connection starts: a parameter that every version knows
	inSession                     // after a direct connection has started
	inPooler                      // behind a pooler, for each transaction
	inCallers                     // in a transaction of the application, for the time of our statements

	directly  = atStart | inSession
	always    = directly | inPooler
	unstarted = inSession | inPooler
)

// settings are pinned. TestSettingsOfOthers in tests/postgresmatrix gives each of them a hostile value, and has a
// reason for every other setting of the server that a role can have.
var settings = []setting{
	// The time limits above. The others would end a connection that rests, or a migration.
	{"lock_timeout", lockWithin.String(), always},
	{"statement_timeout", executeWithin.String(), always},
	{"idle_in_transaction_session_timeout", idleInTransaction.String(), always},
	{"idle_session_timeout", "0", directly},
	{"transaction_timeout", "0", unstarted}, // since PostgreSQL 17

	// The server caches plans, and it makes them by estimates that are wrong here: it may have analysed a table when
	// that was empty, it expects ten elements in any array, and after a long history it expects that no job is
	// processing. These settings leave one sensible plan. Sequential scans are off, because every query has an index.
	// Nested loops are off: a hash join is linear for any number of rows. Where rows are to be looked up one by one,
	// the SQL says so with LATERAL, or with j.id = ANY (…). Statements this small never gain from JIT. Planning each
	// call anew would take longer than a claim of few ids, so one generic plan serves all arguments.
	{"enable_seqscan", "off", always},
	{"enable_nestloop", "off", always},
	{"jit", "off", always},
	{"plan_cache_mode", "force_generic_plan", always},
	// What the sensible plan is made of.
	{"enable_indexscan", "on", always},
	{"enable_indexonlyscan", "on", always},
	{"enable_bitmapscan", "on", always},
	{"enable_tidscan", "on", always},
	{"enable_hashjoin", "on", always},
	{"enable_sort", "on", always},

	// Behind a pooler a transaction asks for them itself: see transactionMode.
	{"default_transaction_isolation", "read committed", directly},
	{"default_transaction_read_only", "off", directly},
	{"default_transaction_deferrable", "off", directly},

	// What a statement means. pg_temp is named because it comes first where it is not. The path is no parameter of the
	// start, so that findOld can still see what it would be without us.
	{"search_path", "pg_catalog, pg_temp", unstarted | inCallers},
	{"standard_conforming_strings", "on", always},
	{"transform_null_equals", "off", always},
	{"row_security", "on", always},
	{"exit_on_error", "off", always},
	{"default_table_access_method", "heap", always}, // migrations; Prune needs ctid

	// How values look as text. Without prepared statements, and with some drivers of applications, all values travel
	// as text in both directions.
	{"client_encoding", "UTF8", always | inCallers},
	{"datestyle", "ISO, MDY", always | inCallers},
	{"intervalstyle", "postgres", always},
	{"timezone", "UTC", always},
	{"bytea_output", "hex", always | inCallers},
	{"extra_float_digits", "1", always | inCallers},
	{"array_nulls", "on", always | inCallers},
	{"quote_all_identifiers", "off", always}, // the columns of Export and Import
	{"client_min_messages", "warning", always},

	// Only "off" is replaced, which would let a crash of the server take back a commit that it has confirmed. The
	// other values are how many servers have to have it, and remain the operator's choice.
	{durability, "on", unstarted},
}

const durability = "synchronous_commit"

// pinned reports whether a parameter of the URL has no effect.
func pinned(name string) bool {
	return slices.ContainsFunc(settings, func(s setting) bool { return strings.EqualFold(s.name, name) })
}

// rows returns the settings of a moment as rows s (name, value) in the FROM of a statement. chosen is the value of
// synchronous_commit that the URL asks for, or empty.
//
// Statements that make settings run before search_path is pinned, so they name the schema of everything.
func rows(when moments, chosen string) string {
	var names, values []string
	for _, s := range settings {
		if s.when&when == 0 {
			continue
		}
		if s.name == durability {
			s.value = cmp.Or(chosen, s.value)
		}
		names, values = append(names, `"`+s.name+`"`), append(values, `"`+s.value+`"`)
	}
	array := func(list []string) string { return "'{" + strings.Join(list, ",") + "}'::pg_catalog.text[]" }
	// unnest of several arrays is the parser's own: it always means that of pg_catalog.
	return "unnest(" + array(names) + ", " + array(values) + ") AS s (name, value)"
}

// toBeMade is the condition for a setting s to be made. It is NULL for one that this version of the server does not
// have.
func toBeMade(chosen string) string {
	differs := "pg_catalog.current_setting(s.name, true) OPERATOR(pg_catalog.<>) s.value"
	if chosen != "" {
		return differs
	}
	return "CASE WHEN s.name OPERATOR(pg_catalog.=) '" + durability +
		"' THEN pg_catalog.current_setting(s.name) OPERATOR(pg_catalog.=) 'off' ELSE " + differs + " END"
}

// carriedSettings returns the statement that makes the settings for the rest of a transaction, and tells whether the
// server is a standby. SET LOCAL would warn where the transaction is implicit.
func carriedSettings(chosen string) string {
	return "SELECT pg_catalog.count(pg_catalog.set_config(s.name, s.value, true)), pg_catalog.pg_is_in_recovery() FROM " +
		rows(inPooler, chosen) +
		" WHERE " + toBeMade(chosen)
}

// sessionSettings returns the statement that completes the settings of a direct connection. Its first column is false
// where the parameters of the start have not arrived; then it sets nothing. It looks at several, because a role may
// have one of them by itself.
func sessionSettings(chosen string) string {
	var arrived []string
	for _, s := range settings {
		if slices.Contains([]string{"lock_timeout", "statement_timeout", "enable_nestloop", "plan_cache_mode"}, s.name) {
			arrived = append(arrived, fmt.Sprintf("pg_catalog.current_setting('%s') OPERATOR(pg_catalog.=) '%s'", s.name,
				s.value))
		}
	}
	return "SELECT a.arrived, (SELECT pg_catalog.count(pg_catalog.set_config(s.name, s.value, false)) FROM " +
		rows(inSession, chosen) + " WHERE a.arrived AND " + toBeMade(chosen) + ") FROM (SELECT " +
		strings.Join(arrived, " AND ") + ") AS a (arrived)"
}

// transactionMode are the statements that must come first in a transaction: once it has a snapshot, its mode cannot be
// changed. These forms of SET end with the transaction although they are not local, and do not warn where it is
// implicit. A standby refuses the second one, so reads go without it.
var transactionMode = [...]string{"SET transaction_isolation TO 'read committed'", "SET transaction_read_only TO off"}

// encodings are those of databases that keep every text as it was sent. SQL_ASCII stores bytes; what comes from us is
// checked to be UTF-8 all the same, because client_encoding says so.
var encodings = []string{"UTF8", "SQL_ASCII"}

// encodingError is the error of every connection to a database that cannot keep every text.
type encodingError struct{ database, encoding string }

func (e *encodingError) Error() string {
	return fmt.Sprintf("the database %q has the encoding %s, which cannot hold every text", e.database, e.encoding)
}

// Permanent returns true: the encoding of a database never changes.
func (e *encodingError) Permanent() bool { return true }

const encodingWayOut = `Windlass needs a database in UTF8: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'.`
