package postgres

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/windlass-jobs/windlass/jobs"
)

// classify wraps an error in the sentinel of package jobs that tells the caller whether anything was stored. sent:
// there was a connection. writes: the call would have changed something.
func classify(what string, err error, sent, writes bool) error {
	return fmt.Errorf("%s: %w: %w", what, meaning(err, sent, writes), err)
}

func meaning(err error, sent, writes bool) error {
	if !sent {
		return jobs.ErrUnavailable // refused, too many connections, starting up, or no connection became free in time
	}
	if refused, ok := refusedBy(err); ok {
		return refusal(refused.Code)
	}
	if !writes || pgconn.SafeToRetry(err) || errors.Is(err, errStandby) {
		return jobs.ErrUnavailable
	}
	return jobs.ErrOutcomeUnknown // the connection broke, or the time was up, after sending and before the confirmation
}

// refusedBy returns the error that the server reported, if err is one. A server that panics because it cannot write its
// log reports an error too, but after its recovery the commit may turn out to be in that log. This counts as a broken
// connection.
func refusedBy(err error) (*pgconn.PgError, bool) {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.SeverityUnlocalized == "PANIC" {
		return nil, false
	}
	return refused, true
}

// refusal sorts the errors that the server reports. All but two of them mean that the transaction was rolled back. A
// server that is killed only warns (57P02, or 57P01 for an immediate shutdown) and closes the connection: that is no
// error of this kind.
func refusal(code string) error {
	switch code {
	case "40003", "08007": // statement completion unknown, transaction resolution unknown
		return jobs.ErrOutcomeUnknown
	case "55P03", "40P01", "40001": // lock not available, deadlock, serialization failure
		return jobs.ErrBusy
	}
	switch code[:min(2, len(code))] {
	case "21", "22", "23", "54":
		// The same key twice in a call; a value that does not fit, breaks a constraint, or is too large or too deep.
		return jobs.ErrRejected
	}
	// Shutting down (57P0x), statement time-out (57014), no connections, memory or disk (53xxx), read-only (25006), no
	// table (42P01): nothing was stored, and a later try may succeed. A time-out is not ErrBusy, because callers then
	// repeat the items one by one, which would make a slow server slower.
	return jobs.ErrUnavailable
}
