package postgres

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// history fills the table with many completed jobs and a few of each other status, and analyses it. In this state the
// planner chooses badly unless it is guided.
func history(t testing.TB, s *Store, completed int) {
	t.Helper()
	exec(t, s, `SET LOCAL session_replication_role = replica; -- the trigger would take most of the time
		INSERT INTO windlass.jobs (id, type, queue, payload, priority, max_attempts, timeout_seconds, run_at,
			created_at, status,
			attempts, fence, worker_id, started_at, finished_at, deadline_at, failure_kind, error_message)
		SELECT ('01900000' || lpad(to_hex(n), 8, '0') || '7000800000000000')::uuid, 'email', 'default',
			'{"to": "ada"}', n % 3, 5, 60, now() - interval '1 hour', now() - interval '1 day', status, 
			(status <> 'pending')::int, (status <> 'pending')::int,
			CASE WHEN status <> 'pending' THEN gen_random_uuid() END, CASE WHEN status <> 'pending' THEN now() END,
			CASE WHEN status IN ('completed', 'failed') THEN now() - interval '10 minutes' END,
			CASE WHEN status = 'processing' THEN now() + interval '1 hour' END,
			CASE WHEN status = 'failed' THEN 'error' END, CASE WHEN status = 'failed' THEN 'it broke' END
		FROM (SELECT n, CASE n % 100 WHEN 1 THEN 'failed' WHEN 2 THEN 'pending' ELSE 'completed' END AS status
			FROM generate_series(1, `+fmt.Sprint(completed)+`) AS n) AS all_of_them`)
	exec(t, s, `INSERT INTO windlass.completed_counts SELECT '-infinity', 0, count(*), 0 FROM windlass.jobs
		WHERE status = 'completed'`)
	exec(t, s, "VACUUM (ANALYZE) windlass.jobs")
}

// plan is a node of EXPLAIN (FORMAT JSON).
type plan struct {
	Node     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Rows     float64 `json:"Actual Rows"`
	Loops    float64 `json:"Actual Loops"`
	Filtered float64 `json:"Rows Removed by Filter"`
	Joined   float64 `json:"Rows Removed by Join Filter"`
	Plans    []plan
}

// explain runs a statement with the generic plan that the settings of the pool ask for, returns the nodes of the plan,
// and rolls back.
func explain(t *testing.T, s *Store, st statement) []plan {
	t.Helper()
	tx, err := s.work.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	// EXPLAIN of the statement itself would make a plan for these arguments.
	if _, err := tx.Exec(t.Context(), "PREPARE explained AS "+st.sql); err != nil {
		t.Fatal(err)
	}
	defer tx.Exec(t.Context(), "DEALLOCATE explained")
	var places []string
	for i := range st.args {
		places = append(places, fmt.Sprintf("$%d", i+1))
	}
	execute := "EXECUTE explained"
	if places != nil {
		execute += "(" + strings.Join(places, ", ") + ")"
	}
	var raw []byte
	args := append([]any{pgx.QueryExecModeSimpleProtocol}, st.args...)
	if err := tx.QueryRow(t.Context(), "EXPLAIN (ANALYZE, FORMAT JSON) "+execute, args...).Scan(&raw); err != nil {
		t.Fatal(err)
	}
	var top []struct{ Plan plan }
	if err := json.Unmarshal(raw, &top); err != nil {
		t.Fatal(err)
	}
	return flatten(top[0].Plan)
}

func flatten(p plan) []plan {
	all := []plan{p}
	for _, sub := range p.Plans {
		all = append(all, flatten(sub)...)
	}
	return all
}

// touched returns how many rows of a table the scans of a plan have read, and by which indexes.
func touched(nodes []plan, table string) (rows float64, indexes string) {
	var names []string
	for _, n := range nodes {
		if n.Relation == table && strings.Contains(n.Node, "Scan") {
			rows += (n.Rows + n.Filtered + n.Joined) * max(n.Loops, 1)
			names = append(names, n.Node+" "+n.Index)
		}
	}
	return rows, strings.Join(names, ", ")
}

// Statements by id must cost the same, however many other jobs there are.
func TestHotStatementsGoByPrimaryKey(t *testing.T) {
	s := open(t)
	history(t, s, 60_000)
	const n = 500
	ids := submit(t, s, n)
	running := submit(t, s, n)
	w := session(t, s)
	owner, _ := parseID(w)
	var g guarded
	var blank, verbs, errors []string
	var delays []int64
	percents := make([]float64, n)
	for _, j := range claim(t, s, w, running...) {
		id, _ := parseID(j.ID)
		g.add(id, &store.Outcome{ID: j.ID, Fence: j.Fence, Session: w})
		blank, verbs, errors, delays = append(blank, ""), append(verbs, "retry"), append(errors, "it broke"),
			append(delays, 1000)
	}
	types := []string{"email"}
	hot := map[string]statement{
		"claim":      {claimQuickly, []any{owner, types, parseIDs(ids)}, nil},
		"claim some": {claimByID, []any{owner, types, int32(1), parseIDs(ids)}, nil},
		"put off":    {leftBehind, []any{owner, []string{"image"}, int64(1000), parseIDs(ids)}, nil},
		"complete":   {completeAlike, []any{g.ids, int64(1), owner}, nil},
		"results":    {completeJobs, append(g.args(), blank), nil},
		"retry":      {endAttempts, append(g.args(), verbs, blank, blank, errors, delays, int32(5)), nil},
		"recognise":  {earlierSettled, g.args(), nil},
		"progress":   {noteProgress, append(g.args(), percents, blank), nil},
		"read by id": {jobsByID, []any{parseIDs(ids)}, nil},
	}
	if rows, indexes := touched(explain(t, s, statement{heldJobs, []any{owner, int32(10)}, nil}), "jobs"); rows > 2*n ||
		!strings.Contains(indexes, "jobs_owner") {
		t.Errorf("jobs of a worker read %v rows by %s", rows, indexes)
	}
	for name, st := range hot {
		nodes := explain(t, s, st)
		rows, indexes := touched(nodes, "jobs")
		if strings.Contains(indexes, "jobs_due") || strings.Contains(indexes, "jobs_owner") ||
			strings.Contains(indexes, "Seq Scan") {
			t.Errorf("%s uses %s", name, indexes)
		}
		if rows == 0 || rows > 4*n {
			t.Errorf("%s looks at %.0f rows for %d jobs: %s", name, rows, n, indexes)
		}
		for _, node := range nodes {
			if work := node.Joined * max(node.Loops, 1); work > 4*n {
				t.Errorf("%s compares %.0f pairs of rows in a %s", name, work, node.Node)
			}
		}
	}
}

// Chores and lists must not depend on how many jobs are finished, or due later.
func TestReadsAreBounded(t *testing.T) {
	s := open(t)
	history(t, s, 60_000) // 600 pending, 600 failed
	exec(t, s, `INSERT INTO windlass.jobs (id, type, queue, payload, priority, max_attempts, timeout_seconds, run_at)
		SELECT gen_random_uuid(), 'email', 'default', '{}', 10, 5, 60, now() + interval '1 day'
			FROM generate_series(1, 20000)`)
	exec(t, s, "VACUUM (ANALYZE) windlass.jobs")
	w := session(t, s)
	owner, _ := parseID(w)
	top, _ := parseID("ffffffff-ffff-ffff-ffff-ffffffffffff")
	after, _ := parseID("00000000-0000-0000-0000-000000000000")
	past := value[any](t, s, "SELECT timestamptz 'epoch'")
	reads := map[string]struct {
		statement
		most float64
	}{
		"due": {statement{dueJobs, []any{"default", int32(11), past, after, int64(0), int32(100)}, nil}, 150},
		"claim next": {statement{claimNext, []any{owner, []string{"email"}, int32(1), 100, []string{"default"}},
			nil}, 450},
		"count":        {statement{countAll, []any{int32(100)}, nil}, 22_500},
		"reap":         {statement{takeBack, []any{int32(500), int32(3), time.Now()}, nil}, 10},
		"redrive":      {statement{redriveAny, []any{true, "", "", "", 10, int64(0), []string{}, []string{}}, nil}, 50},
		"prune failed": {statement{pruneFailed, []any{int64(1e15), int32(100)}, nil}, 10},
		"prune":        {statement{pruneCompleted, []any{after, int64(1e15), int32(1000)}, nil}, 1100},
		"list": {statement{`SELECT ` + listed + ` FROM windlass.jobs j WHERE j.id < $1::uuid
			ORDER BY j.id DESC LIMIT 50`, []any{top}, nil}, 60},
	}
	for name, r := range reads {
		rows, indexes := touched(explain(t, s, r.statement), "jobs")
		if rows > r.most || strings.Contains(indexes, "Seq Scan") {
			t.Errorf("%s looks at %.0f rows, want at most %.0f: %s", name, rows, r.most, indexes)
		}
	}
}

// Beside 20,000 queues, and behind a million jobs of other types, a read looks at a bounded number of rows.
func TestReadsOfManyQueuesAreBounded(t *testing.T) {
	s := open(t)
	history(t, s, 60_000) // 600 pending and due in the queue "default"
	exec(t, s, `INSERT INTO windlass.jobs (id, type, queue, payload, priority, max_attempts, timeout_seconds, run_at)
		SELECT gen_random_uuid(), 'email', 'tenant-' || n, '{}', 0, 5, 60, now() + interval '1 day'
			FROM generate_series(1, 20000) AS n`)
	exec(t, s, "VACUUM (ANALYZE) windlass.jobs")
	after, _ := parseID("00000000-0000-0000-0000-000000000000")
	past := value[any](t, s, "SELECT timestamptz 'epoch'")
	w, _ := parseID(session(t, s))
	place := []any{"", int32(0), int32(4000)}
	reads := map[string]struct {
		statement
		most float64
	}{
		// One entry of the index for each pair of a queue and a priority; 20 due jobs of each priority of "default".
		"heads":      {statement{dueHeads, append(place[:3:3], int64(0), false, int32(20), int32(5000)), nil}, 4100},
		"due queues": {statement{nameDueQueues, append(place[:3:3], int32(1000)), nil}, 4100},
		"of types": {statement{dueOfTypes, []any{"default", int32(11), past, after, int64(0), int32(500),
			[]string{"none"}, []string{}, int32(100)}, nil}, 650},
		"claim next": {statement{claimNext, []any{w, []string{"email"}, int32(1), 100, []string{"default"}}, nil}, 450},
		"put off":    {statement{putOffHead, []any{w, int64(1), []string{"default", "tenant-1"}}, nil}, 1300},
	}
	for name, r := range reads {
		rows, indexes := touched(explain(t, s, r.statement), "jobs")
		if rows > r.most || rows == 0 || strings.Contains(indexes, "Seq Scan") {
			t.Errorf("%s looks at %.0f rows, want at most %.0f: %s", name, rows, r.most, indexes)
		}
	}
}
