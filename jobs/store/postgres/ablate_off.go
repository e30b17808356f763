//go:build !faults

package postgres

// ablated removes a guard from the statements in builds with the tag faults: see ablate_on.go.
func ablated(statements []statement) []statement { return statements }
