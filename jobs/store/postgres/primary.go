package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// errStandby is the error of a server that takes no writes.
var errStandby = errors.New("the server is a standby, which takes no writes")

// onPrimary refuses a connection to a standby as soon as it is made. Then pgx tries the next host of the URL, or the
// next address of its name. Otherwise connections that were made during a failover would stay with the standby for as
// long as they live.
//
// A server says in its greeting whether it is a standby, so a connection to a primary costs nothing more. A pooler may
// repeat an old greeting, so the server is asked before a connection is refused.
func onPrimary(ctx context.Context, conn *pgconn.PgConn) error {
	if conn.ParameterStatus("in_hot_standby") != "on" {
		return nil
	}
	answers, err := conn.Exec(ctx, "SELECT pg_catalog.pg_is_in_recovery()").ReadAll()
	if err == nil && string(answers[0].Rows[0][0]) == "t" {
		return errStandby
	}
	return err
}

// readOnly reports whether a server did not carry out a transaction because it takes no writes. Nothing was stored.
func readOnly(err error) bool {
	if errors.Is(err, errStandby) {
		return true
	}
	refused, ok := refusedBy(err)
	return ok && refused.Code == "25006"
}
