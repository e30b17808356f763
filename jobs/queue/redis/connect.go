package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	dialTimeout = time.Second
	callTimeout = 250 * time.Millisecond // to write a command, and again to read its answer
	pool        = 8                      // connections for ordinary commands
	waiterPool  = 32                     // connections for blocking commands; further waits last without Redis and look again at the end

	// slice is how long one blocking command lasts; a longer wait is made of several. So a Redis that hangs is noticed, and an id
	// whose token was lost (a full Redis takes none) is found.
	slice = time.Second
)

// connect returns the two clients of a Queue. No connection is made yet.
func connect(address string) (client, waiter *goredis.Client, err error) {
	u, err := url.Parse(address)
	if err != nil { // which quotes the password
		return nil, nil, errors.New("redis: the URL cannot be read: it must look like redis://user:password@host:6379/0")
	}
	if strings.Contains(u.Host, ",") {
		return nil, nil, errors.New("redis: the URL names several hosts: Sentinels go into the parameters master_name and addr")
	}
	if u.Query().Get("master_name") != "" {
		o, err := goredis.ParseFailoverURL(address)
		if err != nil {
			return nil, nil, fmt.Errorf("read the URL: %w", err)
		}
		if o.RouteByLatency || o.RouteRandomly || o.ReplicaOnly {
			return nil, nil, errors.New("redis: the URL asks for replicas, and only a master can be written to")
		}
		tuneFailover(o)
		waiting := *o
		waiting.ReadTimeout, waiting.PoolSize = slice+o.ReadTimeout, waiterPool
		return goredis.NewFailoverClient(o), goredis.NewFailoverClient(&waiting), nil
	}
	o, err := goredis.ParseURL(address)
	if err != nil {
		return nil, nil, fmt.Errorf("read the URL: %w", err)
	}
	tune(o)
	waiting := *o
	waiting.ReadTimeout, waiting.PoolSize = slice+o.ReadTimeout, waiterPool
	return goredis.NewClient(o), goredis.NewClient(&waiting), nil
}

// tune sets what the URL leaves open, and what is not open to it.
func tune(o *goredis.Options) {
	limit(&o.DialTimeout, dialTimeout)
	limit(&o.ReadTimeout, callTimeout)
	limit(&o.WriteTimeout, callTimeout)
	limit(&o.PoolTimeout, callTimeout)
	limit(&o.PoolSize, pool)
	o.MaxRetries, o.DialerRetries = -1, 1 // callers have a rhythm of their own, and a repeated pop would take more ids
	o.ContextTimeoutEnabled = true
	o.PipelinePoolSize = -1 // pipelines are rare
	o.Protocol = 2          // scores come as text, and nothing is pushed at us
	// Redis 7.0 answers both of these with an error at each connection.
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// tuneFailover is tune for Sentinel, whose client has no maintenance notifications.
func tuneFailover(o *goredis.FailoverOptions) {
	limit(&o.DialTimeout, dialTimeout)
	limit(&o.ReadTimeout, callTimeout)
	limit(&o.WriteTimeout, callTimeout)
	limit(&o.PoolTimeout, callTimeout)
	limit(&o.PoolSize, pool)
	o.MaxRetries, o.DialerRetries = -1, 1
	o.ContextTimeoutEnabled = true
	o.PipelinePoolSize = -1
	o.Protocol = 2
	o.DisableIdentity = true
}

// limit sets a default. None of these can be switched off: a call without a limit would stop its caller for good.
func limit[T ~int | ~int64](setting *T, otherwise T) {
	if *setting <= 0 {
		*setting = otherwise
	}
}

// logger hands to slog what go-redis prints of its own accord: reconnections and the like. Errors come back from their calls anyway.
type logger struct{ log *slog.Logger }

// Printf implements go-redis' logging interface.
func (l logger) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, "redis client", "detail", fmt.Sprintf(format, args...))
}

// logTo sets the destination for the process: go-redis has one logger for all of its clients, which writes to the standard
// error stream by default.
func logTo(log *slog.Logger) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	goredis.SetLogger(logger{log})
}
