package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pooler finds out whether connections lead to a server or to a pooler such as PgBouncer in transaction mode, where
// each transaction may run on another server connection.
//
// A server gets the settings once, when the connection starts. A pooler refuses such parameters or ignores them, and
// the effect of a SET would stay on a server connection that others use next. What others have set stays there too. So
// behind a pooler each transaction begins with statements that make the settings, in the same round trip.
type pooler struct {
	found    atomic.Bool
	keepMode bool

	session       string   // see sessionSettings
	carried       string   // see carriedSettings
	reads, writes []string // what a transaction begins with
}

func newPooler(keepMode bool, chosen string) *pooler {
	p := &pooler{keepMode: keepMode, session: sessionSettings(chosen), carried: carriedSettings(chosen)}
	p.reads = []string{transactionMode[0], p.carried}
	p.writes = []string{transactionMode[0], transactionMode[1], p.carried}
	return p
}

// errPooler says that the settings of a connection do not take effect. It must be made again, without them.
var errPooler = errors.New("the connection leads through a pooler")

func (p *pooler) there() bool { return p.found.Load() }

// opening returns the statements that a transaction begins with; none where there is no pooler.
func (p *pooler) opening(writes bool) []string {
	switch {
	case !p.there():
		return nil
	case writes:
		return p.writes
	}
	return p.reads
}

// opened reads the answers to the statements that a transaction begins with. A pooler may lead to a standby.
func (p *pooler) opened(results pgx.BatchResults, first []string) error {
	for _, sql := range first {
		if sql == p.carried {
			var standby bool
			if err := results.QueryRow().Scan(nil, &standby); err != nil {
				return err
			}
			if standby {
				return errStandby // reads as well: what was accepted a moment ago may not be there yet
			}
			continue
		}
		_, err := results.Exec()
		if refused, ok := refusedBy(err); ok && refused.Code == "0A000" {
			return fmt.Errorf("%w: %w", errStandby, err) // it cannot be set to read-write
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// beforeConnect adds the settings to the parameters of a connection, where it leads to a server.
func (p *pooler) beforeConnect(_ context.Context, config *pgx.ConnConfig) error {
	if p.there() {
		if !p.keepMode {
			// A statement that is prepared on one server connection is missing on the next.
			config.DefaultQueryExecMode = pgx.QueryExecModeExec
		}
		config.RuntimeParams["client_encoding"] = "UTF8" // every pooler knows it
		return nil
	}
	for _, s := range settings {
		if s.when&atStart != 0 {
			config.RuntimeParams[s.name] = s.value
		}
	}
	return nil
}

// afterConnect refuses a database that cannot keep our texts. It checks that the settings have taken effect, where they
// were sent, and makes those that cannot be sent so.
func (p *pooler) afterConnect(ctx context.Context, conn *pgx.Conn) error {
	if encoding := conn.PgConn().ParameterStatus("server_encoding"); encoding != "" &&
		!slices.Contains(encodings, encoding) {
		return &encodingError{conn.Config().Database, encoding}
	}
	if !sentSettings(conn.Config().RuntimeParams) {
		return nil
	}
	if p.there() {
		return errPooler // the pooler was found while this connection was being made
	}
	// This is the simple protocol, which prepares nothing. Both forms of true are the server's.
	answers, err := conn.PgConn().Exec(ctx, p.session).ReadAll()
	if err != nil {
		return err
	}
	if len(answers) == 0 || len(answers[0].Rows) == 0 || string(answers[0].Rows[0][0]) != "t" {
		return errPooler
	}
	return nil
}

// discovered reports whether an error shows that there is a pooler, and remembers it. Several callers may find out at
// once.
//
// PgBouncer refuses a parameter with the code 08P01, and a message that is never translated. A server uses this code
// for a start only where the start cannot be read at all, which does not happen. So the message is not looked at.
func (p *pooler) discovered(err error) bool {
	var refused *pgconn.PgError
	var connecting *pgconn.ConnectError
	switch {
	case errors.Is(err, errPooler):
	case errors.As(err, &connecting) && errors.As(err, &refused) && refused.Code == "08P01" &&
		sentSettings(connecting.Config.RuntimeParams): // without them it refuses for another reason
	default:
		return false
	}
	p.found.Store(true)
	return true
}

func sentSettings(params map[string]string) bool {
	_, sent := params[settings[0].name]
	return sent
}
