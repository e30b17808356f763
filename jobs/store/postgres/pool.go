package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The limits nest: the server gives up first, so that its answer, which is certain, arrives before our patience ends.
const (
	lockWithin    = 2 * time.Second         // waiting for a lock
	executeWithin = 4 * time.Second         // a statement
	answerWithin  = 4800 * time.Millisecond // a call, from waiting for a connection to the answer: a dead server is told within 5 s
	connectWithin = 2 * time.Second         // an attempt to connect, unless the URL sets connect_timeout

	idleInTransaction = 10 * time.Second
	pingAfter         = 100 * time.Millisecond // of rest: a busy connection is never asked
)

// settings are what every statement runs under.
//
// The server keeps plans for long, and it makes them by guesses: it may have seen the table when that was empty, takes any
// array for ten elements, and from what it knows of a long history concludes that nothing is ever processing. So the plans
// are left no room for guesses. Tables are never read as a whole, for every query has an index to go by. Joins are hashed,
// which is linear whatever the sizes turn out to be; where rows are to be looked up one by one, LATERAL says so, and by id
// it is j.id = ANY (…). Compiling plans never pays off for statements this small, and nor does a plan of its own for each call
// with few ids, which takes the server longer than the claim itself: one plan serves all arguments.
var settings = [][2]string{
	{"lock_timeout", lockTimeout},
	{"statement_timeout", strconv.FormatInt(executeWithin.Milliseconds(), 10)},
	{"idle_in_transaction_session_timeout", strconv.FormatInt(idleInTransaction.Milliseconds(), 10)},
	{"enable_seqscan", "off"},
	{"enable_nestloop", "off"},
	{"jit", "off"},
	{"plan_cache_mode", "force_generic_plan"},
}

var lockTimeout = strconv.FormatInt(lockWithin.Milliseconds(), 10)

// pool is a connection pool that knows how to run our statements.
type pool struct {
	*pgxpool.Pool
	schema *schema
	pooler pooler
}

// newPool makes a pool of at most size connections. ownMode: the URL chooses how queries are executed, so nobody else does.
func newPool(config *pgxpool.Config, in *schema, size int, ownMode bool) (*pool, error) {
	p := &pool{schema: in, pooler: pooler{keepMode: ownMode}}
	config.MaxConns = int32(size)
	config.PingTimeout = connectWithin
	// A connection that lay idle may be dead without knowing. A statement sent on it would have an unknown outcome, a ping has none.
	config.ShouldPing = func(_ context.Context, idle pgxpool.ShouldPingParams) bool { return idle.IdleDuration >= pingAfter }
	config.BeforeConnect = p.pooler.beforeConnect
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterDefaultPgType(uuids(nil), "_uuid") // for connections that do not ask the server what it expects
		return p.pooler.afterConnect(ctx, conn)
	}
	var err error
	// The context is for the pool's life, not for this call.
	if p.Pool, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
		return nil, fmt.Errorf("connection pool: %w", err)
	}
	return p, nil
}

// statement is one piece of SQL with its arguments. scan reads its rows, where it has any that matter.
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
// server confirms the commit after the last row, and that confirmation has been read.
func (p *pool) write(ctx context.Context, what string, statements ...statement) error {
	return p.run(ctx, what, true, statements)
}

// read is write for what changes nothing, so that no error leaves an outcome unknown.
func (p *pool) read(ctx context.Context, what string, statements ...statement) error {
	return p.run(ctx, what, false, statements)
}

func (p *pool) run(ctx context.Context, what string, writes bool, statements []statement) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	for try := 1; ; try++ {
		sent, handed, err := p.exchange(ctx, statements)
		switch {
		case err == nil:
			return nil
		case try <= 2 && p.pooler.discovered(err):
			p.Reset() // connections made before carry settings that do not hold
			continue
		case try <= 2 && sent && !handed && lostBefore(err) && ctx.Err() == nil:
			p.Reset() // the server has cut this connection off, and then most likely all others
			continue
		}
		if _, refused := refusedBy(err); sent && ctx.Err() == nil && !refused {
			p.Reset() // the others may be as dead; better to find out before something is sent
		}
		return classify(what, err, sent, writes)
	}
}

// lostBefore reports whether a connection was lost, but certainly without any effect of what was sent: then it may be sent
// again.
func lostBefore(err error) bool {
	if refused, ok := refusedBy(err); ok {
		return refused.Code == "57P01"
	}
	return pgconn.SafeToRetry(err)
}

// exchange sends the statements and reads the answers to the end. sent is false where there was not even a connection. handed
// tells that a scan has taken rows: rows come before the commit, so they may be of a transaction that was rolled back, and who has taken
// them must not be handed those of another try as well.
func (p *pool) exchange(ctx context.Context, statements []statement) (sent, handed bool, err error) {
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
	// Without a Sync between them the statements are one transaction, committed by the Sync at the end.
	var batch pgx.Batch
	if p.pooler.there() {
		batch.Queue(carriedSettings)
	}
	for _, s := range statements {
		batch.Queue(p.schema.in(s.sql), s.args...)
	}
	results := conn.SendBatch(ctx, &batch)
	if p.pooler.there() {
		_, err = results.Exec()
	}
	for i := 0; i < len(statements) && err == nil; i++ {
		rows, _ := results.Query()
		err = drain(rows, statements[i].scan, &handed)
	}
	if cerr := results.Close(); err == nil {
		err = cerr
	}
	return true, handed, err
}

// noted notes in handed that a row was handed out.
type noted struct {
	pgx.Rows
	handed *bool
}

func (n noted) Next() bool {
	next := n.Rows.Next()
	*n.handed = *n.handed || next
	return next
}

// drain reads all rows. Its error includes one that only the commit brought.
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
