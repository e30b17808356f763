package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/windlass-jobs/windlass/internal/connstring"
)

const (
	dialTimeout = time.Second
	callTimeout = 250 * time.Millisecond // to write a command, and again to read its answer
	pool        = 8                      // connections for ordinary commands
	waiterPool  = 32                     // connections for blocking commands; further waits do without Redis

	// slice is how long one blocking command lasts; a longer wait is made of several. So a Redis that hangs is
	// noticed, and an id whose token was lost (a full Redis takes none) is found.
	slice = time.Second
)

// connection is how a Queue talks to Redis: to a single server, to the master that Sentinels name, or to a Cluster.
type connection struct {
	client, waiter goredis.UniversalClient
	readTimeout    time.Duration // of the client
	standalone     bool
}

// close closes both clients.
func (c *connection) close() error { return errors.Join(c.waiter.Close(), c.client.Close()) }

// connect reads the URL and the TLS files. No connection is made yet. Its errors never quote the URL, which holds a
// password.
func connect(o Options) (*connection, error) {
	u, ignored, err := connstring.Redis(o.URL)
	if err != nil {
		return nil, fmt.Errorf("redis: the URL %w", err)
	}
	if len(ignored) > 0 && o.Log != nil {
		o.Log.Warn("parameters of the Redis URL that are for other programs are ignored", "names", ignored)
	}
	query := u.Query()
	cluster := query.Get("cluster")
	query.Del("cluster")
	u.RawQuery = query.Encode()
	switch {
	case cluster != "" && cluster != "true" && cluster != "false":
		return nil, errors.New("redis: the URL's parameter cluster must be true or false")
	case query.Get("master_name") != "" && cluster == "true":
		return nil, errors.New("redis: the URL has both master_name, for Sentinel, and cluster=true")
	case query.Get("master_name") != "":
		return connectFailover(u, o)
	case cluster == "true":
		return connectCluster(u, o)
	case query.Has("addr"):
		return nil, errors.New("redis: the URL has the parameter addr, which needs cluster=true, or master_name for Sentinel")
	default:
		return connectServer(u, o)
	}
}

func connectServer(u *url.URL, files Options) (*connection, error) {
	o, err := goredis.ParseURL(u.String())
	if err != nil {
		return nil, fmt.Errorf("read the URL: %w", err)
	}
	if o.TLSConfig, err = secure(o.TLSConfig, files); err != nil {
		return nil, err
	}
	limits(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.PoolTimeout, &o.PoolSize)
	// Callers have a rhythm of their own, and a repeated pop would take more ids.
	o.MaxRetries, o.DialerRetries = -1, 1
	o.ContextTimeoutEnabled = true
	o.PipelinePoolSize = -1 // pipelines are rare
	o.Protocol = 2          // scores come as text, and the server sends nothing that was not asked for
	// Redis 7.0 answers both of these with an error at each connection.
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	waiting := *o
	waiting.ReadTimeout, waiting.PoolSize = slice+o.ReadTimeout, waiterPool
	return &connection{goredis.NewClient(o), goredis.NewClient(&waiting), o.ReadTimeout, true}, nil
}

func connectFailover(u *url.URL, files Options) (*connection, error) {
	o, err := goredis.ParseFailoverURL(u.String())
	if err != nil {
		return nil, fmt.Errorf("read the URL: %w", err)
	}
	if o.RouteByLatency || o.RouteRandomly || o.ReplicaOnly {
		return nil, errReplicas
	}
	if o.TLSConfig, err = secure(o.TLSConfig, files); err != nil {
		return nil, err
	}
	limits(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.PoolTimeout, &o.PoolSize)
	o.MaxRetries, o.DialerRetries = -1, 1
	o.ContextTimeoutEnabled = true
	o.PipelinePoolSize = -1
	o.Protocol = 2
	o.DisableIdentity = true
	waiting := *o
	waiting.ReadTimeout, waiting.PoolSize = slice+o.ReadTimeout, waiterPool
	return &connection{goredis.NewFailoverClient(o), goredis.NewFailoverClient(&waiting), o.ReadTimeout, false}, nil
}

func connectCluster(u *url.URL, files Options) (*connection, error) {
	if db, err := strconv.Atoi(strings.Trim(u.Path, "/")); u.Path != "" && u.Path != "/" && (err != nil || db != 0) {
		return nil, errors.New("redis: the URL names a database, and a Cluster has only database 0")
	}
	u.Path = ""
	o, err := goredis.ParseClusterURL(u.String())
	if err != nil {
		return nil, fmt.Errorf("read the URL: %w", err)
	}
	if o.RouteByLatency || o.RouteRandomly || o.ReadOnly {
		return nil, errReplicas
	}
	if o.TLSConfig, err = secure(o.TLSConfig, files); err != nil {
		return nil, err
	}
	limits(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.PoolTimeout, &o.PoolSize)
	o.MaxRetries, o.DialerRetries = -1, 1
	// A redirection is not followed: one would be allowed to repeat a pop that timed out, too. It makes the client
	// look for the slot's new place, so the next call succeeds.
	o.MaxRedirects = -1
	o.DisableRoutingPolicies = true // they ask the server for its commands, which an ACL may forbid
	o.ContextTimeoutEnabled = true
	o.PipelinePoolSize = -1
	o.Protocol = 2
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	waiting := *o
	waiting.ReadTimeout, waiting.PoolSize = slice+o.ReadTimeout, waiterPool
	return &connection{goredis.NewClusterClient(o), goredis.NewClusterClient(&waiting), o.ReadTimeout, false}, nil
}

var errReplicas = errors.New("redis: the URL asks for replicas, and only a master can be written to")

// limits sets what the URL leaves open. None of these can be switched off: a call without a limit would stop its
// caller for good.
func limits(dial, read, write, wait *time.Duration, size *int) {
	orDefault(dial, dialTimeout)
	orDefault(read, callTimeout)
	orDefault(write, callTimeout)
	orDefault(wait, callTimeout)
	orDefault(size, pool)
}

func orDefault[T ~int | ~int64](setting *T, otherwise T) {
	if *setting <= 0 {
		*setting = otherwise
	}
}

// logger hands to slog what go-redis prints by itself: reconnections and the like. Errors come back from their calls
// anyway.
type logger struct{ log *slog.Logger }

// Printf implements go-redis' logging interface.
func (l logger) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, "redis client", "detail", fmt.Sprintf(format, args...))
}

// logTo sets the destination for the process: go-redis has one logger for all of its clients, which writes to the
// standard error stream by default.
func logTo(log *slog.Logger) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	goredis.SetLogger(logger{log})
}
