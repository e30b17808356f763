package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pool is a connection pool that knows how to run our statements.
type pool struct {
	*pgxpool.Pool
	schema *schema
	pooler *pooler
}

// newPool makes a pool of at most size connections. ownMode: the URL says how queries are executed, so that is not
// changed.
func newPool(config *pgxpool.Config, in *schema, size int, ownMode bool) (*pool, error) {
	params, chosen := config.ConnConfig.RuntimeParams, ""
	for name, value := range params {
		if strings.EqualFold(name, durability) {
			chosen = value
		}
		if pinned(name) {
			delete(params, name)
		}
	}
	p := &pool{schema: in, pooler: newPooler(ownMode, chosen)}
	config.MaxConns = int32(size)
	config.PingTimeout = connectWithin
	// An idle connection may be broken without notice. A statement that is sent on it would have an unknown outcome; a
	// ping has none.
	config.ShouldPing = func(_ context.Context, idle pgxpool.ShouldPingParams) bool {
		return idle.IdleDuration >= pingAfter
	}
	config.BeforeConnect = p.pooler.beforeConnect
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		// For connections that do not ask the server for the types of parameters.
		conn.TypeMap().RegisterDefaultPgType(uuids(nil), "_uuid")
		return p.pooler.afterConnect(ctx, conn)
	}
	var err error
	// The context is that of the pool, which lives longer than this call.
	if p.Pool, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
		return nil, fmt.Errorf("connection pool: %w", err)
	}
	return p, nil
}

// statement is a piece of SQL with its arguments. scan reads its rows; nil where they do not matter.
type statement struct {
	sql  string
	args []any
	scan func(results) error
}

// results are the rows of a statement, of pgx or of database/sql.
type results interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
}

// runner runs statements: a pool, or a transaction of the caller's.
type runner interface {
	write(ctx context.Context, what string, statements ...statement) error
	read(ctx context.Context, what string, statements ...statement) error
}

// write runs statements in one transaction and one round trip. When it returns nil the transaction is committed: the
// server confirms the commit after the last row, and that confirmation was read.
func (p *pool) write(ctx context.Context, what string, statements ...statement) error {
	return p.run(ctx, what, true, statements)
}

// read is write for statements that change nothing, so no error leaves an outcome unknown.
func (p *pool) read(ctx context.Context, what string, statements ...statement) error {
	return p.run(ctx, what, false, statements)
}

func (p *pool) run(ctx context.Context, what string, writes bool, statements []statement) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	for try := 1; ; try++ {
		sent, handed, err := p.exchange(ctx, writes, statements)
		switch {
		case err == nil:
			return nil
		case try <= 2 && p.pooler.discovered(err):
			p.Reset() // older connections have settings that do not take effect
			continue
		case try <= 2 && sent && !handed && lostBefore(err) && ctx.Err() == nil:
			p.Reset() // the server has closed this connection, and most likely all others
			continue
		case try <= 2 && sent && !handed && readOnly(err) && ctx.Err() == nil:
			p.Reset() // the other connections lead to the same server, and new ones perhaps to its successor
			continue
		}
		if _, refused := refusedBy(err); sent && ctx.Err() == nil && (!refused || readOnly(err)) {
			p.Reset() // the other connections may be broken too, or read-only
		}
		return classify(what, err, sent, writes)
	}
}

// lostBefore reports whether a connection was lost and certainly nothing of what was sent took effect. Then it may be
// sent again.
func lostBefore(err error) bool {
	if refused, ok := refusedBy(err); ok {
		return refused.Code == "57P01"
	}
	return pgconn.SafeToRetry(err)
}

// exchange sends the statements and reads the answers to the end. sent is false where there was no connection. handed
// says that a scan has received rows. Rows arrive before the commit, so their transaction may have been rolled back; a
// scan that has received some must not be called again with those of a second try.
func (p *pool) exchange(ctx context.Context, writes bool, statements []statement) (sent, handed bool, err error) {
	conn, err := p.Acquire(ctx)
	if err != nil {
		return false, false, err
	}
	defer conn.Release()
	statements = ablated(statements)
	if len(statements) == 1 && !p.pooler.there() {
		rows, _ := conn.Query(ctx, p.schema.in(statements[0].sql), statements[0].args...) // its error is in rows too
		err = drain(rows, statements[0].scan, &handed)
		return true, handed, err
	}
	// The statements are one transaction, because only the end of the batch sends a Sync.
	var batch pgx.Batch
	first := p.pooler.opening(writes)
	for _, sql := range first {
		batch.Queue(sql)
	}
	for _, s := range statements {
		batch.Queue(p.schema.in(s.sql), s.args...)
	}
	results := conn.SendBatch(ctx, &batch)
	err = p.pooler.opened(results, first)
	for i := 0; i < len(statements) && err == nil; i++ {
		rows, _ := results.Query()
		err = drain(rows, statements[i].scan, &handed)
	}
	if cerr := results.Close(); err == nil {
		err = cerr
	}
	return true, handed, err
}

// transaction calls f in a transaction of several round trips, and commits it. began is false where there was none.
// own are statements that change settings for this transaction.
func (p *pool) transaction(
	ctx context.Context, options pgx.TxOptions, own string, f func(pgx.Tx) error,
) (began bool, err error) {
	options.DeferrableMode = pgx.NotDeferrable
	for try := 1; ; try++ {
		began = false
		err = p.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
			began = true
			return pgx.BeginTxFunc(ctx, conn, options, func(tx pgx.Tx) error {
				if p.pooler.there() {
					if _, err := tx.Exec(ctx, p.pooler.carried); err != nil {
						return err
					}
				}
				if own != "" {
					if _, err := tx.Exec(ctx, own); err != nil {
						return err
					}
				}
				return f(tx)
			})
		})
		if readOnly(err) {
			p.Reset()
		}
		if err == nil || began || try > 2 || !p.pooler.discovered(err) {
			return began, err
		}
		p.Reset()
	}
}

// noted records in handed that a row was handed out.
type noted struct {
	pgx.Rows
	handed *bool
}

func (n noted) Next() bool {
	next := n.Rows.Next()
	*n.handed = *n.handed || next
	return next
}

// drain reads all rows. Its error includes one that arrived with the commit.
func drain(rows pgx.Rows, scan func(results) error, handed *bool) error {
	var err error
	if rows.Err() == nil && scan != nil {
		err = scan(noted{rows, handed})
	}
	rows.Close()
	if rerr := rows.Err(); rerr != nil {
		return rerr
	}
	return err
}
