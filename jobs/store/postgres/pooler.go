package postgres

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pooler finds out whether connections lead to a server or to something like PgBouncer in transaction mode, where each
// transaction may run on another server connection.
//
// With a server the settings travel once, with the start of the connection. A pooler either refuses such parameters or
// swallows them, and a SET would stay behind on a connection that others use next. So there each call carries its settings
// as the first statement of its own transaction, within the same round trip; it costs some microseconds.
type pooler struct {
	found    atomic.Bool
	keepMode bool
}

// errPooler says that the connection's settings do not hold: it must be made anew, by the pooler's rules.
var errPooler = errors.New("the connection leads through a pooler")

// carriedSettings sets everything for the rest of the transaction only. It is no SET LOCAL, which complains where the
// transaction is not explicit.
var carriedSettings = func() string {
	calls := make([]string, len(settings))
	for i, s := range settings {
		calls[i] = "set_config('" + s[0] + "', '" + s[1] + "', true)"
	}
	return "SELECT " + strings.Join(calls, ", ")
}()

func (p *pooler) there() bool { return p.found.Load() }

// beforeConnect puts the settings where they work.
func (p *pooler) beforeConnect(_ context.Context, config *pgx.ConnConfig) error {
	if p.there() {
		if !p.keepMode {
			config.DefaultQueryExecMode = pgx.QueryExecModeExec // a statement prepared on one server connection is missing on the next
		}
		return nil
	}
	for _, s := range settings {
		config.RuntimeParams[s[0]] = s[1]
	}
	return nil
}

// afterConnect sees whether the settings arrived, where they were sent.
func (p *pooler) afterConnect(ctx context.Context, conn *pgx.Conn) error {
	if _, sent := conn.Config().RuntimeParams[settings[0][0]]; !sent {
		return nil
	}
	if p.there() {
		return errPooler // found while this connection was being made by the other rules
	}
	var arrived bool
	// One setting tells of all. The simple protocol leaves nothing prepared behind.
	err := conn.QueryRow(ctx, `SELECT setting = $1 FROM pg_settings WHERE name = 'lock_timeout'`,
		pgx.QueryExecModeSimpleProtocol, lockTimeout).Scan(&arrived)
	if err == nil && !arrived {
		return errPooler
	}
	return err
}

// discovered reports whether err is how a pooler shows itself, and remembers it. Several callers may come upon it at once.
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
