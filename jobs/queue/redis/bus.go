package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/windlass-jobs/windlass/jobs/queue"
)

const (
	backlog   = 256             // how many events wait for a subscriber; further ones are lost
	quiet     = 3 * time.Second // without a message, before a ping; twice that, and the connection is closed
	reconnect = time.Second     // at most, between attempts
)

// Publish sends events in one message; see queue.Bus.
func (q *Queue) Publish(ctx context.Context, events ...queue.Event) error {
	if len(events) == 0 {
		return nil
	}
	message, err := json.Marshal(events)
	if err == nil {
		err = q.client.Publish(ctx, q.keys.events, message).Err()
	}
	if err != nil {
		return fmt.Errorf("publish %d events: %w", len(events), err)
	}
	return nil
}

// Subscribe delivers what is published until ctx ends or the Queue is closed; see queue.Bus. When it returns without
// an error the subscription is made; it fails where Redis cannot be reached at this moment.
func (q *Queue) Subscribe(ctx context.Context) (<-chan queue.Event, error) {
	subscription, err := q.subscribe(ctx)
	if err != nil {
		return nil, err
	}
	events := make(chan queue.Event, backlog)
	spawned := q.spawn(func() {
		defer close(events)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(q.ended, cancel)()
		for ctx.Err() == nil {
			if subscription != nil {
				q.listen(ctx, subscription, events)
			}
			if !pause(ctx) {
				return
			}
			subscription, _ = q.subscribe(ctx) // until it succeeds
		}
		if subscription != nil {
			_ = subscription.Close()
		}
	})
	if !spawned {
		_ = subscription.Close()
		return nil, fmt.Errorf("subscribe: %w", goredis.ErrClosed)
	}
	return events, nil
}

// subscribe returns a subscription that Redis has confirmed.
func (q *Queue) subscribe(ctx context.Context) (*goredis.PubSub, error) {
	s := q.client.Subscribe(ctx, q.keys.events)
	if _, err := s.ReceiveTimeout(ctx, q.readTimeout); err != nil {
		_ = s.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	return s, nil
}

// listen passes events on until ctx ends or the connection breaks, and closes the subscription.
func (q *Queue) listen(ctx context.Context, s *goredis.PubSub, events chan<- queue.Event) {
	defer s.Close()
	// Closing is what ends a read.
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	for asked := false; ctx.Err() == nil; {
		received, err := s.ReceiveTimeout(ctx, quiet)
		var timeout net.Error
		switch {
		case err == nil:
			asked = false
		case errors.As(err, &timeout) && timeout.Timeout() && !asked:
			asked = true
			if s.Ping(ctx) != nil {
				return
			}
		default:
			return
		}
		if m, ok := received.(*goredis.Message); ok {
			deliver(m.Payload, events)
		}
	}
}

// deliver passes the events of a message on, as far as there is room for them.
func deliver(message string, events chan<- queue.Event) {
	var list []queue.Event
	if json.Unmarshal([]byte(message), &list) != nil {
		return // another program's message
	}
	for _, e := range list {
		select {
		case events <- e:
		default: // the subscriber is too slow: it loses this event
		}
	}
}

// pause waits for a random time before the next attempt, so that not all processes come back in the same moment. It
// returns false when ctx ends first.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(50*time.Millisecond + rand.N(reconnect))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
