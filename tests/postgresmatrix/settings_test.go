package postgresmatrix

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/windlass-jobs/windlass/tests/servers"
)

// setting is one that a role can have, and that matters to us.
type setting struct {
	name    string
	group   string // settings that are tried together
	hostile string // SQL for a value that would hurt; empty: there is none on every server
	want    string // what it must be within our transactions; empty: see the comment
}

// settings are those that could change what our statements mean, how values look, or how long things take.
var settings = []setting{
	{"lock_timeout", "plans", "'1s'", "2s"},
	{"statement_timeout", "plans", "'30s'", "4s"},
	{"idle_in_transaction_session_timeout", "plans", "'20s'", "10s"},
	{"transaction_timeout", "plans", "'30s'", "0"},
	// Behind a pooler it ends the connections of the pooler, which is not to be seen from here.
	{"idle_session_timeout", "plans", "'5s'", ""},

	{"enable_seqscan", "plans", "on", "off"},
	{"enable_nestloop", "plans", "on", "off"},
	{"enable_indexscan", "plans", "off", "on"},
	{"enable_indexonlyscan", "plans", "off", "on"},
	{"enable_bitmapscan", "plans", "off", "on"},
	{"enable_tidscan", "plans", "off", "on"},
	{"enable_hashjoin", "plans", "off", "on"},
	{"enable_sort", "plans", "off", "on"},
	{"jit", "plans", "on", "off"},
	{"plan_cache_mode", "plans", "force_custom_plan", "force_generic_plan"},
	// Not pinned, because each of them leaves the sensible plan. They are tried all the same.
	{"enable_mergejoin", "plans", "off", ""},
	{"enable_hashagg", "plans", "off", ""},
	{"enable_material", "plans", "off", ""},
	{"enable_memoize", "plans", "off", ""},
	{"enable_incremental_sort", "plans", "off", ""},
	{"join_collapse_limit", "plans", "1", ""},
	{"from_collapse_limit", "plans", "1", ""},
	{"geqo_threshold", "plans", "2", ""},
	{"random_page_cost", "plans", "1000000", ""},
	{"constraint_exclusion", "plans", "on", ""},
	{"work_mem", "plans", "64", ""},

	// Behind a pooler the transaction itself asks for them: see transaction_isolation and transaction_read_only.
	{"default_transaction_isolation", "transactions", "serializable", ""},
	{"default_transaction_read_only", "transactions", "on", ""},
	{"default_transaction_deferrable", "transactions", "on", ""},
	{"transaction_isolation", "", "", "read committed"},
	{"transaction_read_only", "", "", "off"},
	{"transaction_deferrable", "", "", ""}, // has a meaning in serializable transactions only
	{"synchronous_commit", "transactions", "off", "on"},
	{"session_replication_role", "transactions", "replica", ""}, // we have neither triggers nor foreign keys
	{"exit_on_error", "transactions", "on", "off"},

	{"search_path", "search_path", "evil, pg_catalog", "pg_catalog, pg_temp"},
	{"standard_conforming_strings", "strings", "off", "on"},
	{"backslash_quote", "strings", "on", ""},       // there is no backslash in our statements
	{"escape_string_warning", "strings", "on", ""}, // nor an E''
	{"transform_null_equals", "strings", "on", "off"},
	{"array_nulls", "strings", "off", "on"},
	{"quote_all_identifiers", "strings", "on", "off"},
	{"row_security", "strings", "off", "on"},
	{"default_table_access_method", "", "", "heap"},
	{"client_encoding", "client_encoding", "LATIN1", "UTF8"},

	{"DateStyle", "datestyle", "'German'", "ISO, MDY"},
	{"IntervalStyle", "datestyle", "sql_standard", "postgres"},
	{"TimeZone", "datestyle", "'America/St_Johns'", "UTC"},
	{"timezone_abbreviations", "datestyle", "'Australia'", ""}, // times are sent with Z or with digits
	{"bytea_output", "bytea_output", "escape", "hex"},
	{"extra_float_digits", "bytea_output", "-15", "1"},
	{"client_min_messages", "bytea_output", "debug5", "warning"},
	{"xmlbinary", "bytea_output", "hex", ""}, // we have no XML
	{"xmloption", "bytea_output", "document", ""},
}

// harmless are all other settings that a role can have, by groups of names, and why they do not matter.
var harmless = map[string]string{
	"application_name":           "for people; ours is sent",
	"log_* update_process_title": "what the server writes about itself",
	"debug_* trace_*":            "the same, or tests of the server that make it slower",
	"backtrace_*":                "the same",
	"track_* compute_query_id":   "statistics for people",
	"*_cost *_cost_limit":        "guesses of the planner: at most slower",
	"geqo geqo_*":                "at most slower: our joins are few",
	"cursor_tuple_fraction":      "we have no cursors",
	"jit_*":                      "jit is off",
	"effective_cache_size":       "a guess of the planner",
	"*io_concurrency io_*":       "how the server reads files",
	"max_parallel_* parallel_* min_parallel_* force_parallel_mode":          "who computes, not what",
	"enable_parallel_append enable_parallel_hash enable_gathermerge":        "the same",
	"enable_async_append enable_partition_pruning enable_partitionwise_*":   "we have no partitions",
	"enable_presorted_aggregate enable_group_by_reordering":                 "at most slower",
	"enable_self_join_elimination enable_distinct_reordering":               "at most slower",
	"vacuum_* maintenance_work_mem logical_decoding_work_mem":               "when somebody runs VACUUM",
	"temp_* hash_mem_multiplier recursive_worktable_factor max_stack_depth": "memory: too little is an error",
	"gin_*":                             "we have no such index",
	"check_function_bodies":             "we make no functions",
	"createrole_self_grant *password*":  "we make no roles",
	"scram_iterations":                  "the same",
	"icu_validation_level":              "we make no collations",
	"default_tablespace":                "where the operator wants tables to be made",
	"default_toast_compression":         "how values are kept, not which",
	"default_statistics_target stats_*": "statistics",
	"default_text_search_config":        "we have no text search",
	"lc_messages":                       "no message is read, only codes",
	"lc_monetary lc_numeric lc_time":    "no statement formats money, numbers or names of days",
	"*_preload_libraries dynamic_library_path extension_*": "what the operator loads",
	"lo_compat_privileges":                                 "we have no large objects",
	"allow_* restrict_* event_triggers":                    "we touch no system tables and have no views",
	"ignore_* zero_damaged_pages":                          "for a damaged server",
	"commit_* wal_* backend_flush_after":                   "when files are written; a commit is durable all the same",
	"deadlock_timeout post_auth_delay":                     "how long",
	"synchronize_seqscans":                                 "no result has the order of the table",
	"file_copy_method":                                     "CREATE DATABASE",
	"client_connection_check_interval":                     "how a lost connection is noticed",
	"tcp_*":                                                "the same",
}

// Whoever runs a newer server has settings that nobody has thought of. This fails until somebody has.
func TestEverySettingIsClassified(t *testing.T) {
	forBothVersions(t, func(t *testing.T, server *servers.PostgresServer) {
		matters := map[string]bool{}
		for _, s := range settings {
			matters[s.name] = true
		}
		n := 0
		for _, name := range column(t, connect(t, server.URL), `SELECT name FROM pg_settings
			WHERE context IN ('user', 'superuser', 'backend', 'superuser-backend') ORDER BY name`) {
			n++
			if !matters[name] && reason(name) == "" {
				t.Errorf("nobody has said yet whether %s matters", name)
			}
		}
		if n < 150 {
			t.Errorf("there are only %d settings", n)
		}
	})
}

func reason(name string) string {
	for patterns, why := range harmless {
		for pattern := range strings.FieldsSeq(patterns) {
			if match, _ := path.Match(pattern, name); match {
				return why
			}
		}
	}
	return ""
}

// evil is a schema whose functions and operators have the names of PostgreSQL's and do something else.
const evil = `CREATE SCHEMA evil;
	CREATE FUNCTION evil.never(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false';
	CREATE FUNCTION evil.never(uuid, uuid) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false';
	CREATE OPERATOR evil.= (FUNCTION = evil.never, LEFTARG = text, RIGHTARG = text);
	CREATE OPERATOR evil.<> (FUNCTION = evil.never, LEFTARG = text, RIGHTARG = text);
	CREATE OPERATOR evil.= (FUNCTION = evil.never, LEFTARG = uuid, RIGHTARG = uuid);
	CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$SELECT timestamptz '2001-01-01'$$;
	CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$SELECT timestamptz '2001-01-01'$$;
	CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS $$SELECT 'no'$$;
	CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE sql AS $$SELECT 'no'$$;
	CREATE FUNCTION evil.current_setting(text, boolean) RETURNS text LANGUAGE sql AS $$SELECT 'no'$$;
	CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql AS $$SELECT 'no'$$;
	CREATE FUNCTION evil.pg_advisory_xact_lock(bigint) RETURNS void LANGUAGE sql AS $$SELECT 1/0$$;
	CREATE DOMAIN evil.uuid AS pg_catalog.text; CREATE DOMAIN evil.jsonb AS pg_catalog.int4;
	CREATE TABLE evil.jobs (n int); CREATE TABLE evil.pg_settings (n int);
	GRANT USAGE ON SCHEMA evil TO PUBLIC`

// watch has every write to jobs compared with what the settings must be. The trigger runs whatever they are.
func watch(schema string) string {
	var names, values []string
	for _, s := range settings {
		if s.want != "" {
			names, values = append(names, `"`+s.name+`"`), append(values, `"`+s.want+`"`)
		}
	}
	return fmt.Sprintf(`CREATE SCHEMA %[1]s_watch;
	CREATE TABLE %[1]s_watch.wrong (name text, value text);
	CREATE TABLE %[1]s_watch.ran (n int);
	CREATE FUNCTION %[1]s_watch.look() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
	BEGIN
		-- An application has its own settings where they do no harm. A claim has a lock_timeout of its own.
		IF pg_catalog.current_setting('application_name') OPERATOR(pg_catalog.=) 'shop' THEN RETURN NULL; END IF;
		INSERT INTO %[1]s_watch.ran VALUES (1);
		INSERT INTO %[1]s_watch.wrong SELECT s.name, pg_catalog.current_setting(s.name)
		FROM unnest('{%[2]s}'::pg_catalog.text[], '{%[3]s}'::pg_catalog.text[]) AS s (name, value)
		WHERE pg_catalog.current_setting(s.name, true) OPERATOR(pg_catalog.<>) s.value
			AND NOT (s.name OPERATOR(pg_catalog.=) 'lock_timeout'
				AND pg_catalog.current_setting('lock_timeout') OPERATOR(pg_catalog.=) '20ms');
		RETURN NULL;
	END $$;
	CREATE TRIGGER look AFTER INSERT OR UPDATE OR DELETE ON %[1]s.jobs
		FOR EACH STATEMENT EXECUTE FUNCTION %[1]s_watch.look();
	ALTER TABLE %[1]s.jobs ENABLE ALWAYS TRIGGER look`, schema, strings.Join(names, ","), strings.Join(values, ","))
}
