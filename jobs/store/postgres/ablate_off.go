//go:build !faults

package postgres

// ablated is for the torture, which takes guards away to see that it notices: see ablate_on.go.
func ablated(statements []statement) []statement { return statements }
