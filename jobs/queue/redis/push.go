package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
)

const (
	pushLimit    = 1000 // hints in one script call, which blocks Redis for about 2 ms
	promoteLimit = 500  // ids moved by one Promote
	deadLimit    = 1000 // ids in the list of dead jobs
	tokenLimit   = 128  // tokens in a list: as many Pops may be woken by one Push
)

// Push adds hints; see queue.Queue. Each 1,000 hints are one round trip. After an error some of the hints may have
// been pushed.
func (q *Queue) Push(ctx context.Context, hints []jobs.Hint) (int, error) {
	added := 0
	for batch := range slices.Chunk(hints, pushLimit) {
		n, err := pushScript.Run(ctx, q.client, q.pushKeys(batch), q.pushArgs(batch)...).Int()
		if err != nil {
			return added, fmt.Errorf("push %d hints: %w", len(batch), err)
		}
		added += n
	}
	return added, nil
}

// pushKeys and pushArgs write the hints as scripts/push.lua reads them. Both list the queues in the same order.
func (q *Queue) pushKeys(hints []jobs.Hint) []string {
	names := queuesOf(hints)
	list := make([]string, 0, 2+4*len(names))
	list = append(list, q.keys.queues, q.keys.wake)
	for _, name := range names {
		list = append(list, q.keys.ready(name), q.keys.suspects(name), q.keys.later(name), q.keys.wakeOf(name))
	}
	return list
}

func (q *Queue) pushArgs(hints []jobs.Hint) []any {
	// Of each queue the groups ready, suspects and later.
	groups := map[string]*[3][]any{}
	for _, h := range hints {
		g := groups[h.Queue]
		if g == nil {
			g = &[3][]any{}
			groups[h.Queue] = g
		}
		switch {
		case h.In > 0:
			g[2] = append(g[2], strconv.FormatInt(milliseconds(h.In), 10), laterMember(h))
		case h.Suspect:
			g[1] = append(g[1], strconv.FormatInt(score(h), 10), h.ID)
		default:
			g[0] = append(g[0], strconv.FormatInt(score(h), 10), h.ID)
		}
	}
	args := make([]any, 0, 2+4*len(groups)+2*len(hints))
	args = append(args, q.cap, tokenLimit)
	for _, name := range queuesOf(hints) {
		args = append(args, name)
		for _, group := range groups[name] {
			args = append(args, len(group)/2)
			args = append(args, group...)
		}
	}
	return args
}

// queuesOf names the queues of the hints, sorted.
func queuesOf(hints []jobs.Hint) []string {
	var names []string
	for _, h := range hints {
		if at, there := slices.BinarySearch(names, h.Queue); !there {
			names = slices.Insert(names, at, h.Queue)
		}
	}
	return names
}

// Promote moves what has become due to the ready sets; see queue.Queue.
func (q *Queue) Promote(ctx context.Context) (int, error) {
	moved, err := promoteScript.Run(ctx, q.client, []string{q.keys.queues, q.keys.wake},
		q.keys.prefix, promoteLimit, q.cap, tokenLimit, rand.Int32()).Int()
	if err != nil {
		return 0, fmt.Errorf("promote: %w", err)
	}
	return moved, nil
}

// SetDead replaces the list of dead jobs; see queue.Queue.
func (q *Queue) SetDead(ctx context.Context, dead []queue.DeadID) error {
	dead = dead[:min(len(dead), deadLimit)]
	args := make([]any, 0, 2*len(dead))
	for _, d := range dead {
		args = append(args, d.FinishedAt.UnixMilli(), d.ID)
	}
	if err := deadScript.Run(ctx, q.client, []string{q.keys.dead}, args...).Err(); err != nil {
		return fmt.Errorf("mirror %d dead ids: %w", len(dead), err)
	}
	return nil
}

// Depths counts what is held of some queues; see queue.Queue. The epoch also changes when the server was restarted
// with its data, and when a replica has taken over: it is not known then what was lost.
func (q *Queue) Depths(ctx context.Context, queues []string) (queue.Depths, error) {
	args := make([]any, 0, 2+len(queues))
	args = append(args, q.keys.prefix, strconv.FormatUint(rand.Uint64(), 36))
	for _, name := range queues {
		args = append(args, name)
	}
	fields, err := depthsScript.Run(ctx, q.client, []string{q.keys.queues, q.keys.dead, q.keys.epoch},
		args...).Slice()
	if err != nil {
		return queue.Depths{}, fmt.Errorf("depths: %w", err)
	}
	r := &reader{fields: fields}
	d := queue.Depths{Queues: map[string]queue.Depth{}, Cap: q.cap}
	epoch, run := r.text(), r.text()
	d.Epoch, d.Dead = epoch+"."+run, r.number()
	for r.more() {
		name := r.text()
		d.Queues[name] = queue.Depth{Ready: r.number(), Suspects: r.number(), Later: r.number()}
	}
	if r.err != nil {
		return queue.Depths{}, fmt.Errorf("depths: %w", r.err)
	}
	return d, nil
}
