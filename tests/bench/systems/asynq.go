package systems

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// asynqSystem is asynq on Redis.
type asynqSystem struct {
	client  *asynq.Client
	server  *asynq.Server
	redis   *redis.Client
	handler asynq.HandlerFunc
	begun   bool
	text    string
}

func openAsynq(_ context.Context, o Options) (System, error) {
	parsed, err := redis.ParseURL(o.Redis)
	if err != nil {
		return nil, err
	}
	// A command holds a connection until its answer, and nothing is pipelined. So more connections than the default of 20
	// serve more callers at once.
	conns := or(o.Conns, min(max(o.Callers, 20), 100))
	redisOpt := asynq.RedisClientOpt{
		Addr: parsed.Addr, Username: parsed.Username, Password: parsed.Password, DB: parsed.DB, PoolSize: conns,
	}
	// A worker that finds the queue empty pauses for the check interval. The default of one second is too long when jobs
	// keep coming.
	config := asynq.Config{Concurrency: or(o.Slots, 50), TaskCheckInterval: time.Millisecond, LogLevel: asynq.ErrorLevel}
	s := &asynqSystem{redis: redis.NewClient(parsed), text: fmt.Sprintf(
		"no fsync, concurrency %d, polls an empty queue every 1ms, %d connections", config.Concurrency, conns)}
	switch o.Latency {
	case "default": // the concurrency is that of its documentation
		config.Concurrency, config.TaskCheckInterval = 10, 0
		s.text = "no fsync, concurrency 10, polls an empty queue every 1s"
	case "tuned":
		config.Concurrency = 10
		s.text = "no fsync, concurrency 10, polls an empty queue every 1ms"
	}
	s.client, s.server = asynq.NewClient(redisOpt), asynq.NewServer(redisOpt, config)
	s.handler = func(_ context.Context, task *asynq.Task) error {
		var e Email
		// asynq's documentation decodes in the handler; the other systems decode before they call it.
		if err := json.Unmarshal(task.Payload(), &e); err != nil {
			return err
		}
		o.Handler(e.N)
		return nil
	}
	return s, nil
}

func (s *asynqSystem) Submit(ctx context.Context, n int) error {
	_, err := s.client.EnqueueContext(ctx, asynq.NewTask("noop", payload(n)))
	return err
}

func (s *asynqSystem) Bulk(context.Context, int, int) error { return ErrNoBulk }

func (s *asynqSystem) Start(context.Context) error {
	s.begun = true
	return s.server.Start(s.handler)
}

// Completed reads asynq's own counter. The completed jobs themselves are removed: that is the default and the fastest
// setting.
func (s *asynqSystem) Completed(ctx context.Context) (int, error) {
	n, err := s.redis.Get(ctx, "asynq:{default}:processed").Int()
	if errors.Is(err, redis.Nil) {
		err = nil
	}
	return n, err
}

func (s *asynqSystem) Count(ctx context.Context) (c Count, err error) {
	var failed int64
	for _, part := range []struct {
		of  func() (int64, error)
		sum *int
	}{
		{s.redis.LLen(ctx, "asynq:{default}:pending").Result, &c.Waiting},
		{s.redis.LLen(ctx, "asynq:{default}:active").Result, &c.Running},
		{s.redis.ZCard(ctx, "asynq:{default}:retry").Result, &c.Failed},
	} {
		n, err := part.of()
		if err != nil {
			return c, err
		}
		*part.sum += int(n)
	}
	if failed, err = s.redis.Get(ctx, "asynq:{default}:failed").Int64(); err != nil && !errors.Is(err, redis.Nil) {
		return c, err
	}
	c.Failed += int(failed)
	c.Completed, err = s.Completed(ctx) // includes failed runs
	c.Completed -= int(failed)
	return c, err
}

func (s *asynqSystem) Settings() string { return s.text }

func (s *asynqSystem) Close(context.Context) error {
	if s.begun {
		s.server.Shutdown()
	}
	return errors.Join(s.client.Close(), s.redis.Close())
}
