// Package redis is the Queue and the Bus over Redis, for any number of processes.
//
// It keeps ids and never a payload. Nothing in it is a record: whatever Redis forgets, the Store repeats. A call that
// fails, or whose answer is lost, is not repeated here, because the engine calls again by itself. So a Pop whose
// answer is lost loses its ids until the Store's head of the queue is pushed again, about a second later.
//
// It needs Redis 7.0 or newer (script flags), or Valkey; tested with Redis 7.0.15: alone, behind Sentinel, and as a
// Cluster. All keys share the hash tag {windlass}, hence one slot, so that one script spans the queues, and a Cluster
// keeps them on one node:
//
//	{windlass}:ready:<queue>:<type>      due ids; score (10-priority)*1e13 + run_at in milliseconds
//	{windlass}:suspects:<queue>:<type>   the same, of jobs that may have taken a worker down
//	{windlass}:types:<queue>             which of these sets a queue has; see scripts/sets.lua
//	{windlass}:ready, :suspects          which of these sets there are, of all queues
//	{windlass}:delayed:<queue>           ids that are due later, by their time on Redis' clock; see scripts/promote.lua
//	{windlass}:delayed                   queues that have such ids, by the time of the first one
//	{windlass}:large                     the large ones of all these sets; see scripts/bounds.lua
//	{windlass}:waiters                   groups of Pops that wait for any queue; see scripts/bounds.lua
//	{windlass}:waiters:<queue>           the same, of Pops that name their queues
//	{windlass}:tokens:<group>            a token for each id that became ready and that the group may take
//	{windlass}:dead                      the newest dead ids, by the time they finished
//	{windlass}:epoch                     a random value that tells when everything was lost
//	{windlass}:installations             who uses these keys; see scripts/register.lua
//	{windlass}:queues                    of version 0.1, while one of its processes is there; see scripts/bridge.lua
//	{windlass}:events                    the channel of the Bus; all databases of a server share it
//
// Another Prefix takes the place of windlass in the braces. An ACL has to allow the keys ~{windlass}:* and the
// channel &{windlass}:*. Without the channel everything works, but cancelling a running job takes until its worker's
// next heartbeat.
package redis

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/windlass-jobs/windlass/jobs/queue"
)

// DefaultCap is how many ids each set of a queue holds where Options say nothing: they take less than 14 MB of Redis'
// memory.
const DefaultCap = 80_000

// DefaultPrefix is the hash tag in all keys where Options say nothing.
const DefaultPrefix = "windlass"

var (
	_ queue.Driver    = (*Queue)(nil)
	_ queue.Registrar = (*Queue)(nil)
	_ queue.Losses    = (*Queue)(nil)
)

// Options of Open. Only URL is needed.
type Options struct {
	// URL of the server:
	//
	//	redis://user:password@host:6379/0     rediss:// for TLS, unix:// for a socket; valkey:// and valkeys:// as well
	//	redis://host1:26379/0?master_name=main&addr=host2:26379&addr=host3:26379&username=u&password=p     Sentinel
	//	redis://user:password@host1:6379?cluster=true&addr=host2:6379&addr=host3:6379                      Cluster
	//
	// In the second form the addresses are those of the Sentinels, and so are the user and password before the @;
	// username and password among the parameters are for Redis. In the third form one address is enough; the client
	// learns the others from it. All forms take go-redis' other parameters, of which dial_timeout (default 1s),
	// read_timeout and write_timeout (250ms) and pool_size (8) matter here. Spaces and quotes around the URL are
	// ignored.
	URL string

	// Files in PEM form for a URL that asks for TLS. CAFile has the certificates of the authorities that may have
	// signed the server's; empty: the system's. It is read by Open. CertFile and KeyFile are the client's
	// certificate, for servers that ask for one; both or none. They are read for each connection, so they may be
	// renewed at any time.
	CAFile, CertFile, KeyFile string

	// Prefix begins the names of all keys; empty: DefaultPrefix. It must have no braces and no spaces. Installations that
	// share a server need one each.
	Prefix string
	Cap    int          // ids that each set of a queue holds at most; 0: DefaultCap
	Log    *slog.Logger // for what go-redis has to say, at level debug; nil: nowhere
}

// Queue is a queue.Queue and a queue.Bus over Redis. Its methods fail fast, within about half a second when Redis
// hangs and at once when it is not there, and work again by themselves when Redis is back.
type Queue struct {
	cap    int
	prefix string
	keys   keys

	*connection               // waiter is for blocking commands, so that no other command waits behind one
	slots       chan struct{} // one for each wait that may block in Redis at once
	waiting     waiting
	lost        atomic.Int64 // events
	bridged     atomic.Int64 // when scripts/bridge.lua runs again, in milliseconds

	mu     sync.Mutex
	closed bool
	busy   sync.WaitGroup     // goroutines: waits and subscriptions
	ended  context.Context    // the life of the Queue, for its goroutines
	end    context.CancelFunc // ends it
}

// Open returns a Queue. It does not talk to Redis, which may be down as well: its errors are about the options, that
// is a URL or a file that cannot be read, and never quote a password. Close it when done.
func Open(_ context.Context, o Options) (*Queue, error) {
	if o.Cap <= 0 {
		o.Cap = DefaultCap
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if strings.ContainsFunc(o.Prefix, unfit) {
		return nil, fmt.Errorf("redis: prefix %q holds a brace or a space", o.Prefix)
	}
	logTo(o.Log)
	connection, err := connect(o)
	if err != nil {
		return nil, err
	}
	ended, end := context.WithCancel(context.Background())
	return &Queue{
		cap: o.Cap, prefix: o.Prefix, keys: newKeys(o.Prefix), connection: connection,
		slots: make(chan struct{}, waiterPool), ended: ended, end: end,
	}, nil
}

// unfit reports whether a character may not be in a prefix.
func unfit(r rune) bool { return r == '{' || r == '}' || unicode.IsSpace(r) || unicode.IsControl(r) }

// Close ends the waits and the subscriptions and closes the connections. Later calls fail.
func (q *Queue) Close() error {
	q.mu.Lock()
	first := !q.closed
	q.closed = true
	q.mu.Unlock()
	if !first {
		return nil
	}
	q.end()
	err := q.close()
	q.busy.Wait()
	return err
}

// spawn runs f in a goroutine that Close waits for, unless the Queue is closed already.
func (q *Queue) spawn(f func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.busy.Go(f)
	return true
}

// Ping reports whether Redis answers.
func (q *Queue) Ping(ctx context.Context) error {
	if err := q.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping redis: %w", err)
	}
	return nil
}

// Check looks for settings of Redis that make it slow or lose ids, and returns a sentence for the log, or "". An
// error means that Redis cannot be reached now.
func (q *Queue) Check(ctx context.Context) (warning string, err error) {
	if err := q.Ping(ctx); err != nil {
		return "", err
	}
	if q.standalone && q.clustered(ctx) {
		return "Redis is a Cluster: add cluster=true to the URL, or commands fail with MOVED " +
			"when another node has the keys", nil
	}
	switch policy := q.policy(ctx); policy {
	case "noeviction":
		return "", nil
	case "":
		return "cannot read Redis' maxmemory-policy (INFO and CONFIG are denied): make sure that it is noeviction", nil
	default:
		return fmt.Sprintf("Redis' maxmemory-policy is %s: when memory is short it drops whole queues at once, which then "+
			"have to be read from the store again; set it to noeviction", policy), nil
	}
}

// clustered reports whether the server is a node of a Cluster; false where it does not tell.
func (q *Queue) clustered(ctx context.Context) bool {
	info, err := q.client.Info(ctx, "cluster").Result()
	return err == nil && strings.Contains(info, "cluster_enabled:1")
}

// policy reads maxmemory-policy; "" where the server does not tell. INFO has it too, for roles that may not use
// CONFIG.
func (q *Queue) policy(ctx context.Context) string {
	if conf, err := q.client.ConfigGet(ctx, "maxmemory-policy").Result(); err == nil && conf["maxmemory-policy"] != "" {
		return conf["maxmemory-policy"]
	}
	info, err := q.client.Info(ctx, "memory").Result()
	if err != nil {
		return ""
	}
	for line := range strings.Lines(info) {
		if policy, found := strings.CutPrefix(line, "maxmemory_policy:"); found {
			return strings.TrimSpace(policy)
		}
	}
	return ""
}

// last returns a context for a call that goes on when ctx ends: with its answer, the ids or the token that it took
// would be lost. The client's time-outs bound it.
func last(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
}
