//go:build faults

package postgres

import (
	"strings"
	"testing"
)

// The text of each guard must be found in the SQL, or its removal would prove nothing.
func TestGuardsAreThere(t *testing.T) {
	for guard, held := range map[string][]string{
		"claim guard": {claimQuickly, claimByID}, "fence in the result": {completeAlike, completeJobs, endAttempts},
		"guard in the reaper": {takeBack},
	} {
		for _, sql := range held {
			there := false
			for _, g := range guards {
				there = there || g.name == guard && strings.Contains(sql, g.sql)
			}
			if !there {
				t.Errorf("the text of the %s is not in %s", guard, sql)
			}
		}
	}
}
