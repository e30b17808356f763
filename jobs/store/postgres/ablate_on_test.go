//go:build faults

package postgres

import (
	"slices"
	"strings"
	"testing"
)

// A guard whose text has changed could no longer be taken out, and its ablation would prove nothing.
func TestGuardsAreThere(t *testing.T) {
	for guard, held := range map[string][]string{
		"claim guard": {claimQuickly, claimByID}, "fence in the result": {completeJobs, endAttempts}, "guard in the reaper": {takeBack},
	} {
		at := slices.IndexFunc(guards, func(g struct{ name, sql, without string }) bool { return g.name == guard })
		for _, sql := range held {
			if at < 0 || !strings.Contains(sql, guards[at].sql) {
				t.Errorf("the text of the %s is not in %s", guard, sql)
			}
		}
	}
}
