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
	group := q.waiting.group(p.Queues, p.Types)
	for noted := false; ; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		hints, known, err := q.take(ctx, p, group)
		if err != nil || len(hints) > 0 {
			return hints, err
		}
		left := time.Until(end)
		if left <= 0 {
			return nil, nil
		}
		if !noted && !(known && group.fresh()) {
			if err := q.note(ctx, group); err != nil {
				return nil, err
			}
			noted = true
			continue // what was pushed before is found now, and what is pushed from now on wakes this Pop
		}
		token, err := q.wait(ctx, group, min(left, slice))
		if err != nil {
			return nil, err
		}
		if hint, ok := token.hint(); ok {
			q.remove(hint)
			return []jobs.Hint{hint}, nil
		}
	}
}

// take pops without waiting. known is false where there is nothing and Redis does not know that the group waits.
func (q *Queue) take(ctx context.Context, p queue.Pop, group *waiters) (hints []jobs.Hint, known bool, err error) {
	ctx, cancel := last(ctx)
	defer cancel()
	args := make([]any, 0, 6+len(p.Queues))
	args = append(args, q.keys.prefix, p.N, p.Suspects, group.types, group.name, rand.Int32())
	for _, name := range p.Queues {
		args = append(args, name)
	}
	fields, err := popScript.Run(ctx, q.client, []string{q.keys.ready()}, args...).Slice()
	if err != nil {
		return nil, false, fmt.Errorf("pop: %w", err)
	}
	r := &reader{fields: fields}
	known = r.number() == 1
	for r.more() {
		queue, set, place := r.text(), r.text(), r.text()
		ids := &reader{fields: r.list()}
		if r.err != nil {
			break
		}
		if set == "" {
			return hints, known, errors.New("pop: redis answered with a set without a name")
		}
		h, err := scored(place, queue, set[1:], set[0] == 's')
		if err != nil {
			return hints, known, fmt.Errorf("pop: %w", err)
		}
		hints = slices.Grow(hints, len(ids.fields))
		for ids.more() {
			h.ID = ids.text()
			hints = append(hints, h)
		}
		if ids.err != nil {
			return hints, known, fmt.Errorf("pop: %w", ids.err)
		}
	}
	if r.err != nil {
		return hints, known, fmt.Errorf("pop: %w", r.err)
	}
	return hints, known, nil
}

// token wakes up a Pop; list is where it came from. The zero value is no token.
type token struct{ list, text string }

// hint is the id that the token carries, if it carries one; see scripts/push.lua.
func (t token) hint() (jobs.Hint, bool) {
	parts := strings.Split(t.text, " ")
	if len(parts) != 4 {
		return jobs.Hint{}, false
	}
	h, err := scored(parts[0], parts[2], parts[3], false)
	h.ID = parts[1]
	return h, err == nil
}

// remove removes an id that came with a token from its set. Its Pop does not wait for that. If another Pop has taken
// the id by then, or if the removal fails, two workers claim the job, and one of the claims fails.
func (q *Queue) remove(h jobs.Hint) {
	q.spawn(func() {
		_ = q.client.ZRem(q.ended, q.keys.ready()+":"+h.Queue+":"+h.Type, h.ID).Err()
	})
}

// wait blocks until there is a token for the group, or d is over. It returns an error when ctx ends or Redis is out of
// reach. A token may be stale: after one without an id the caller has to look for ids.
func (q *Queue) wait(ctx context.Context, group *waiters, d time.Duration) (token, error) {
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
		t, err := q.block(q.keys.tokens(group.name), d)
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

// block takes a token from a list, or none when d is over.
func (q *Queue) block(list string, d time.Duration) (token, error) {
	// Fractions of a second: go-redis' own BLPop has none. Zero would be for ever.
	seconds := strconv.FormatFloat(max(d, time.Millisecond).Seconds(), 'f', 3, 64)
	popped, err := q.waiter.Do(q.ended, "BLPOP", list, seconds).StringSlice()
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
	// If this fails, the others find the id at the end of their slice. The list may be a new one, for which nobody comes.
	_, _ = q.client.Pipelined(q.ended, func(p goredis.Pipeliner) error {
		p.LPush(q.ended, t.list, t.text)
		p.Expire(q.ended, t.list, remembered)
		return nil
	})
}
