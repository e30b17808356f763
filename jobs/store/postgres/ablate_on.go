//go:build faults

package postgres

import (
	"strings"

	"github.com/windlass-jobs/windlass/jobs/internal/fault"
)

// guards are what can be removed from the SQL, by name. The torture removes one and must notice it.
var guards = []struct{ name, sql, without string }{
	{"claim guard", fitting,
		`j.status IN ('pending', 'processing') AND j.type = ANY ($2::text[]) AND j.attempts < j.max_attempts`},
	{"fence in the result", `j.fence = o.fence AND j.worker_id = o.session AND `, ``},
	{"fence in the result", `j.fence = $2::bigint AND j.worker_id = $3::uuid AND `,
		`$2::bigint > 0 AND $3::uuid IS NOT NULL AND `},
	{"guard in the reaper",
		`OR NOT EXISTS (SELECT FROM windlass.worker_sessions w WHERE w.id = j.worker_id AND w.state <> 'dead')`,
		`OR true`},
}

// ablated removes the guard that the environment names.
func ablated(statements []statement) []statement {
	for _, g := range guards {
		if !fault.Removed(g.name) {
			continue
		}
		less := make([]statement, len(statements))
		for i, s := range statements {
			s.sql = strings.ReplaceAll(s.sql, g.sql, g.without)
			less[i] = s
		}
		statements = less
	}
	return statements
}
