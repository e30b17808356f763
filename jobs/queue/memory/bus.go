package memory

import (
	"context"

	"github.com/windlass-jobs/windlass/jobs/queue"
)

type subscriber struct {
	events chan queue.Event
	stop   func() bool // detaches from the subscriber's context
}

// Publish hands events to the subscribers; see queue.Bus.
func (q *Queue) Publish(ctx context.Context, events ...queue.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.open(); err != nil {
		return err
	}
	for s := range q.subscribers {
		for _, e := range events {
			if !queue.Offer(s.events, e) {
				q.lost.Add(1)
			}
		}
	}
	return nil
}

// Lost counts; see queue.Losses.
func (q *Queue) Lost() int64 { return q.lost.Load() }

// Subscribe delivers what is published until ctx ends or the Queue is closed; see queue.Bus.
func (q *Queue) Subscribe(ctx context.Context) (<-chan queue.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.open(); err != nil {
		return nil, err
	}
	s := &subscriber{events: make(chan queue.Event, queue.Backlog+1)}
	q.subscribers[s] = struct{}{}
	s.stop = context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.unsubscribe(s)
	})
	return s.events, nil
}

// unsubscribe closes the channel once, whether the context or the Queue ended first. The caller holds the lock.
func (q *Queue) unsubscribe(s *subscriber) {
	if _, there := q.subscribers[s]; !there {
		return
	}
	delete(q.subscribers, s)
	s.stop()
	close(s.events)
}
