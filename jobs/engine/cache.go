package engine

import (
	"context"
	"sync"
	"time"
)

// cached is an answer with its age.
type cached[T any] struct {
	mu    sync.Mutex
	value T
	at    time.Time // zero: none yet
}

func (c *cached[T]) get() (value T, age time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value, time.Since(c.at), !c.at.IsZero()
}

func (c *cached[T]) put(value T, asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value, c.at = value, asked
}

// look answers from the cache while the answer is younger than ttl. Otherwise it asks, once for all callers of that
// moment. A call in the last fifth of that time gets the cached answer and has a new one asked for, so frequent callers
// never wait.
func look[T any](
	ctx context.Context, c *Client, name string, cache *cached[T], ttl time.Duration, ask func(context.Context) (T, error),
) (T, error) {
	known, age, ok := cache.get()
	if ok && age < ttl-ttl/5 {
		return known, nil
	}
	ch := c.calls.DoChan(name, func() (any, error) {
		asked := time.Now()
		// Not bound to this caller's context: other callers wait for the same answer.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		defer cancel()
		value, err := ask(ctx)
		if err == nil {
			cache.put(value, asked)
		}
		return value, err
	})
	if ok && age < ttl {
		return known, nil
	}
	select {
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	case r := <-ch:
		value, _ := r.Val.(T)
		return value, r.Err
	}
}
