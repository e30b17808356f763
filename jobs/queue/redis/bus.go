package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/windlass-jobs/windlass/jobs/queue"
)

const (
	together  = 100             // events in one message
	quiet     = 3 * time.Second // without a message, before a ping; twice that, and the connection is closed
	reconnect = time.Second     // at most, between attempts
)

// Publish sends events, 100 in a message and all in one round trip; see queue.Bus.
func (q *Queue) Publish(ctx context.Context, events ...queue.Event) error {
	if len(events) == 0 {
		return nil
	}
	publisher, err := q.publisher(ctx)
	if err != nil {
		return fmt.Errorf("publish %d events: %w", len(events), err)
	}
	_, err = publisher.Pipelined(ctx, func(pipe goredis.Pipeliner) error {
		for some := range slices.Chunk(events, together) {
			message, err := json.Marshal(some)
			if err != nil {
				return err
			}
			pipe.Publish(ctx, q.keys.events, message)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("publish %d events: %w", len(events), err)
	}
	return nil
}

// publisher is where to publish. In a cluster each message would go to a node chosen at random, and they would overtake
// each other: all are sent to one node.
func (q *Queue) publisher(ctx context.Context) (goredis.Cmdable, error) {
	if cluster, ok := q.client.(*goredis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, q.keys.events)
	}
	return q.client, nil
}

// Lost counts; see queue.Losses.
func (q *Queue) Lost() int64 { return q.lost.Load() }

// Subscribe delivers what is published until ctx ends or the Queue is closed; see queue.Bus. When it returns without
// an error the subscription is made; it fails where Redis cannot be reached at this moment.
func (q *Queue) Subscribe(ctx context.Context) (<-chan queue.Event, error) {
	subscription, err := q.subscribe(ctx)
	if err != nil {
		return nil, err
	}
	events := make(chan queue.Event, queue.Backlog+1)
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
			if subscription, _ = q.subscribe(ctx); subscription != nil { // until it succeeds
				_ = queue.Offer(events, queue.Event{Kind: queue.EventLost})
			}
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
			q.deliver(m.Payload, events)
		}
	}
}

// deliver passes the events of a message on, as far as there is room for them.
func (q *Queue) deliver(message string, events chan<- queue.Event) {
	var list []queue.Event
	if json.Unmarshal([]byte(message), &list) != nil {
		return // another program's message
	}
	for _, e := range list {
		if !queue.Offer(events, e) {
			q.lost.Add(1)
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
