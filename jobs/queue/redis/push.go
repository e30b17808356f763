package redis

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
)

const (
	pushLimit    = 1000 // hints in one script call, which blocks Redis for about 2 ms
	promoteLimit = 500  // ids moved by one Promote
	deadLimit    = 1000 // ids in the list of dead jobs
	depthsLimit  = 500  // queues counted in one script call
	tokenLimit   = 128  // tokens in a list: as many Pops may be woken by one Push
)

// Push adds hints; see queue.Queue. Each 1,000 hints are one round trip. After an error some of the hints may have
// been pushed.
func (q *Queue) Push(ctx context.Context, hints []jobs.Hint) (int, error) {
	added := 0
	for batch := range slices.Chunk(hints, pushLimit) {
		n, err := pushScript.Run(ctx, q.client, []string{q.keys.waiters}, q.pushArgs(batch)...).Int()
		if err != nil {
			return added, fmt.Errorf("push %d hints: %w", len(batch), err)
		}
		added += n
	}
	return added, nil
}

// group is what is pushed to one set.
type group struct {
	kind        byte // r, s or l, see scripts/push.lua
	queue, name string
}

// pushArgs writes the hints as scripts/push.lua reads them.
func (q *Queue) pushArgs(hints []jobs.Hint) []any {
	args := make([]any, 0, 3+5+2*len(hints))
	args = append(args, q.keys.prefix, q.cap, tokenLimit)
	if g := groupOf(&hints[0]); !slices.ContainsFunc(hints, func(h jobs.Hint) bool { return groupOf(&h) != g }) {
		return appendGroup(args, g, hints) // nearly always
	}
	var order []group // so that the same hints are always the same command
	groups := map[group][]jobs.Hint{}
	for i := range hints {
		g := groupOf(&hints[i])
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], hints[i])
	}
	for _, g := range order {
		args = appendGroup(args, g, groups[g])
	}
	return args
}

func groupOf(h *jobs.Hint) group {
	switch {
	case h.In > 0:
		return group{'l', h.Queue, ""}
	case h.Suspect:
		return group{'s', h.Queue, h.Type}
	default:
		return group{'r', h.Queue, h.Type}
	}
}

func appendGroup(args []any, g group, hints []jobs.Hint) []any {
	args = append(args, string(g.kind), g.queue, g.name, len(hints), nil)
	least, at := int64(math.MaxInt64), len(args)-1
	for i := range hints {
		h := &hints[i]
		if g.kind == 'l' {
			in := milliseconds(h.In)
			least = min(least, in)
			args = append(args, strconv.FormatInt(in, 10), laterMember(*h))
		} else {
			place := score(*h)
			least = min(least, place)
			args = append(args, strconv.FormatInt(place, 10), h.ID)
		}
	}
	if g.kind == 's' {
		least -= wary
	}
	args[at] = least
	return args
}

// Promote moves what has become due to the ready sets; see queue.Queue.
func (q *Queue) Promote(ctx context.Context) (int, error) {
	moved, err := promoteScript.Run(ctx, q.client, []string{q.keys.delayed()},
		q.keys.prefix, q.cap, tokenLimit, promoteLimit).Int()
	if err != nil {
		return 0, fmt.Errorf("promote: %w", err)
	}
	if now, next := time.Now().UnixMilli(), q.bridged.Load(); now >= next && q.bridged.CompareAndSwap(next, now+1000) {
		if err := bridgeScript.Run(ctx, q.client, []string{q.keys.older()}, q.keys.prefix).Err(); err != nil {
			return moved, fmt.Errorf("promote: %w", err)
		}
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
	d := queue.Depths{Queues: make(map[string]queue.Depth, len(queues))}
	for {
		batch := queues[:min(len(queues), depthsLimit)]
		queues = queues[len(batch):]
		if err := q.depths(ctx, &d, batch); err != nil {
			return queue.Depths{}, fmt.Errorf("depths: %w", err)
		}
		if len(queues) == 0 {
			return d, nil
		}
	}
}

func (q *Queue) depths(ctx context.Context, d *queue.Depths, queues []string) error {
	args := make([]any, 0, 3+len(queues))
	args = append(args, q.keys.prefix, q.cap, strconv.FormatUint(rand.Uint64(), 36))
	for _, name := range queues {
		args = append(args, name)
	}
	keys := []string{q.keys.dead, q.keys.epoch}
	fields, err := depthsScript.Run(ctx, q.client, keys, args...).Slice()
	if err != nil {
		return err
	}
	r := &reader{fields: fields}
	epoch, run := r.text(), r.text()
	d.Epoch, d.Dead, d.Cap = epoch+"."+run, r.number(), r.number()
	for r.more() {
		name, held := r.text(), queue.Depth{Later: r.number()}
		sets := &reader{fields: r.list()}
		for sets.more() {
			set, n := sets.text(), sets.number()
			if kind, ready := strings.CutPrefix(set, "r"); !ready {
				held.Suspects += n
			} else {
				if held.Types == nil {
					held.Types = map[string]int{}
				}
				held.Ready += n
				held.Types[kind] += n
			}
		}
		if sets.err != nil {
			return sets.err
		}
		d.Queues[name] = held
	}
	return r.err
}
