package postgres

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/windlass-jobs/windlass/jobs"
)

// classify says in the words of package jobs what an error means for the one who asked: above all whether anything was stored.
// sent: there was a connection; writes: the call would have changed something.
func classify(what string, err error, sent, writes bool) error {
	return fmt.Errorf("%s: %w: %w", what, meaning(err, sent, writes), err)
}

func meaning(err error, sent, writes bool) error {
	if !sent {
		return jobs.ErrUnavailable // no connection: refused, too many, starting up, or none became free in time
	}
	if refused, ok := refusedBy(err); ok {
		return refusal(refused.Code)
	}
	if !writes || pgconn.SafeToRetry(err) {
		return jobs.ErrUnavailable
	}
	return jobs.ErrOutcomeUnknown // the connection broke, or time was up, between the sending and the confirmation
}

// refusedBy returns the error that the server reported, if err is one. A server that panics, for it cannot write its log, reports an error too,
// but not what will be found when it has recovered: the commit itself may be in what was written. That counts as a broken connection.
func refusedBy(err error) (*pgconn.PgError, bool) {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.SeverityUnlocalized == "PANIC" {
		return nil, false
	}
	return refused, true
}

// refusal sorts the errors that the server itself reports. All but two of them mean that the transaction was rolled back.
// A server that is killed reports no error, it only warns (57P02, or 57P01 for an immediate shutdown) and hangs up: that
// never comes here.
func refusal(code string) error {
	switch code {
	case "40003", "08007": // statement completion unknown, transaction resolution unknown
		return jobs.ErrOutcomeUnknown
	case "55P03", "40P01", "40001": // lock not available, deadlock, serialization failure
		return jobs.ErrBusy
	}
	switch code[:min(2, len(code))] {
	case "21", "22", "23", "54": // a key twice in a call; a value that does not fit, breaks a constraint, is too large or too deep
		return jobs.ErrRejected
	}
	// Shutting down (57P0x), out of time (57014) or of connections, memory, disk (53xxx), read-only (25006), not migrated (42P01):
	// nothing was stored, and it may work later. Out of time is not ErrBusy: to repeat a whole batch one by one would
	// make a slow server slower.
	return jobs.ErrUnavailable
}
