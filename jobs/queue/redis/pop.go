package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
)

// Pop takes ready ids away; see queue.Queue. With a Wait it blocks in Redis, not on a timer of its own.
func (q *Queue) Pop(ctx context.Context, p queue.Pop) ([]jobs.Hint, error) {
	if p.N <= 0 {
		return nil, ctx.Err()
	}
	end := time.Now().Add(p.Wait)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		hints, err := q.take(ctx, p)
		if err != nil || len(hints) > 0 {
			return hints, err
		}
		left := time.Until(end)
		if left <= 0 {
			return nil, nil
		}
		token, err := q.wait(ctx, p.Queues, min(left, slice))
		if err != nil {
			return nil, err
		}
		if hint, ok := token.hint(); ok {
			q.remove(hint)
			return []jobs.Hint{hint}, nil
		}
	}
}

// take pops without waiting.
func (q *Queue) take(ctx context.Context, p queue.Pop) ([]jobs.Hint, error) {
	ctx, cancel := last(ctx)
	defer cancel()
	args := make([]any, 0, 4+len(p.Queues))
	args = append(args, q.keys.prefix, p.N, p.Suspects, rand.Int32())
	for _, name := range p.Queues {
		args = append(args, name)
	}
	fields, err := popScript.Run(ctx, q.client, []string{q.keys.queues, q.keys.wake}, args...).Slice()
	if err != nil {
		return nil, fmt.Errorf("pop: %w", err)
	}
	var hints []jobs.Hint
	for r := (&reader{fields: fields}); r.more(); {
		queue := r.text()
		for _, suspect := range []bool{true, false} {
			set := &reader{fields: r.list()}
			if !set.more() {
				continue
			}
			h, err := scored(set.text(), queue, suspect)
			if err != nil {
				return hints, fmt.Errorf("pop: %w", err)
			}
			ids := &reader{fields: set.list()}
			hints = slices.Grow(hints, len(ids.fields))
			for ids.more() {
				h.ID = ids.text()
				hints = append(hints, h)
			}
			if err := errors.Join(set.err, ids.err); err != nil {
				return hints, fmt.Errorf("pop: %w", err)
			}
		}
		if r.err != nil {
			return hints, fmt.Errorf("pop: %w", r.err)
		}
	}
	return hints, nil
}

// token wakes up a Pop; list is where it came from. The zero value is no token.
type token struct{ list, text string }

// hint is the id that the token carries, if it carries one; see scripts/push.lua.
func (t token) hint() (jobs.Hint, bool) {
	score, rest, _ := strings.Cut(t.text, " ")
	id, queue, ok := strings.Cut(rest, " ")
	if !ok {
		return jobs.Hint{}, false
	}
	h, err := scored(score, queue, false)
	h.ID = id
	return h, err == nil
}

// remove removes an id that came with a token from its set. Its Pop does not wait for that. If another Pop has taken
// the id by then, or if the removal fails, two workers claim the job, and one of the claims fails.
func (q *Queue) remove(h jobs.Hint) {
	q.spawn(func() { _ = q.client.ZRem(q.ended, q.keys.ready(h.Queue), h.ID).Err() })
}

// wait blocks until there is a token for one of the queues, or for any where none is named, or d is over. It returns
// an error when ctx ends or Redis is out of reach. A token may be stale: after one without an id the caller has to
// look for ids.
func (q *Queue) wait(ctx context.Context, queues []string, d time.Duration) (token, error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case q.slots <- struct{}{}:
	case <-timer.C: // every connection is waiting already
		return token{}, nil
	case <-ctx.Done():
		return token{}, ctx.Err()
	}
	type answer struct {
		token token
		err   error
	}
	answers := make(chan answer)
	// go-redis does not end a read when its context ends. So the command has a goroutine, which may go on for one
	// slice after this call.
	spawned := q.spawn(func() {
		defer func() { <-q.slots }()
		t, err := q.block(queues, d)
		select {
		case answers <- answer{t, err}:
		case <-ctx.Done():
			q.giveBack(t)
		}
	})
	if !spawned {
		<-q.slots
		return token{}, goredis.ErrClosed
	}
	select {
	case a := <-answers:
		return a.token, a.err
	case <-ctx.Done():
		return token{}, ctx.Err()
	}
}

// block takes a token from one of the lists, or none when d is over.
func (q *Queue) block(queues []string, d time.Duration) (token, error) {
	args := make([]any, 0, 2+max(1, len(queues)))
	args = append(args, "BLPOP")
	for _, name := range queues {
		args = append(args, q.keys.wakeOf(name))
	}
	if len(queues) == 0 {
		args = append(args, q.keys.wake)
	}
	// Fractions of a second: go-redis' own BLPop has none. Zero would be for ever.
	args = append(args, strconv.FormatFloat(max(d, time.Millisecond).Seconds(), 'f', 3, 64))
	popped, err := q.waiter.Do(q.ended, args...).StringSlice()
	switch {
	case errors.Is(err, goredis.Nil):
		return token{}, nil
	case err != nil:
		return token{}, fmt.Errorf("wait: %w", err)
	}
	return token{popped[0], popped[1]}, nil
}

// giveBack returns the token of a Pop that has ended, so that another Pop wakes up.
func (q *Queue) giveBack(t token) {
	if t.list == "" {
		return
	}
	// If this fails, the others find the id at the end of their slice.
	_ = q.client.LPush(q.ended, t.list, t.text).Err()
}
