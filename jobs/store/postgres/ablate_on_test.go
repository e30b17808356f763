//go:build faults

package postgres

import (
	"strings"
	"testing"
)

// A guard whose text has changed could no longer be taken out, and its ablation would prove nothing.
func TestGuardsAreThere(t *testing.T) {
	all := strings.Join([]string{claimByID, completeJobs, endAttempts, takeBack}, "\n")
	for _, g := range guards {
		if !strings.Contains(all, g.sql) {
			t.Errorf("the SQL does not hold the text of the %s: %s", g.name, g.sql)
		}
	}
}
