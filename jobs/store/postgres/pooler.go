package postgres

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pooler finds out whether connections lead to a server or to a pooler such as PgBouncer in transaction mode, where
// each transaction may run on another server connection.
//
// A server gets the settings once, when the connection starts. A pooler refuses such parameters or ignores them, and
// the effect of a SET would stay on a server connection that others use next. So behind a pooler each transaction
// begins with a statement that makes the settings, in the same round trip. This costs some microseconds.
type pooler struct {
	found    atomic.Bool
	keepMode bool
}

// errPooler says that the settings of a connection do not take effect. It must be made again, without them.
var errPooler = errors.New("the connection leads through a pooler")

// carriedSettings makes the settings for the rest of the transaction. SET LOCAL would warn where the transaction is
// implicit.
var carriedSettings = func() string {
	calls := make([]string, len(settings))
	for i, s := range settings {
		calls[i] = "set_config('" + s[0] + "', '" + s[1] + "', true)"
	}
	return "SELECT " + strings.Join(calls, ", ")
}()

func (p *pooler) there() bool { return p.found.Load() }

// beforeConnect adds the settings to the parameters of a connection, where it leads to a server.
func (p *pooler) beforeConnect(_ context.Context, config *pgx.ConnConfig) error {
	if p.there() {
		if !p.keepMode {
			// A statement that is prepared on one server connection is missing on the next.
			config.DefaultQueryExecMode = pgx.QueryExecModeExec
		}
		return nil
	}
	for _, s := range settings {
		config.RuntimeParams[s[0]] = s[1]
	}
	return nil
}

// afterConnect checks that the settings have taken effect, where they were sent.
func (p *pooler) afterConnect(ctx context.Context, conn *pgx.Conn) error {
	if _, sent := conn.Config().RuntimeParams[settings[0][0]]; !sent {
		return nil
	}
	if p.there() {
		return errPooler // the pooler was found while this connection was being made
	}
	var arrived bool
	// It is enough to look at one of them. The simple protocol prepares nothing.
	err := conn.QueryRow(ctx, `SELECT setting = $1 FROM pg_settings WHERE name = 'lock_timeout'`,
		pgx.QueryExecModeSimpleProtocol, lockTimeout).Scan(&arrived)
	if err == nil && !arrived {
		return errPooler
	}
	return err
}

// discovered reports whether an error shows that there is a pooler, and remembers it. Several callers may find out at
// once.
func (p *pooler) discovered(err error) bool {
	var refused *pgconn.PgError
	switch {
	case errors.Is(err, errPooler):
	case errors.As(err, &refused) && refused.Code == "08P01" && strings.Contains(refused.Message, "startup parameter"):
	default:
		return false
	}
	p.found.Store(true)
	return true
}
