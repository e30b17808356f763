package redis

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// keys names what is kept in Redis.
type keys struct{ prefix, waiters, dead, epoch, events, installations string }

func newKeys(prefix string) keys {
	p := "{" + prefix + "}:"
	return keys{
		prefix: p, waiters: p + "waiters", dead: p + "dead", epoch: p + "epoch",
		events: p + "events", installations: p + "installations",
	}
}

// The sets of all queues, and with a name after a colon one of them; see scripts/sets.lua.
func (k keys) ready() string              { return k.prefix + "ready" }
func (k keys) suspects() string           { return k.prefix + "suspects" }
func (k keys) older() string              { return k.prefix + "queues" }
func (k keys) delayed() string            { return k.prefix + "delayed" }
func (k keys) tokens(group string) string { return k.prefix + "tokens:" + group }

// band is the room that a priority has for times: run_at in milliseconds stays below it until the year 2286. The
// largest score is below 2^53, which a double holds exactly.
const band = 10_000_000_000_000

// wary is what the score of suspects is less by where sets are compared; see scripts/sets.lua.
const wary = 1_000_000_000_000_000

// score is a hint's place in a ready set, and holds its priority and run_at as well.
func score(h jobs.Hint) int64 {
	return int64(jobs.MaxPriority-h.Priority)*band + min(max(h.RunAt.UnixMilli(), 0), band-1)
}

// scored reads a hint's place back; the id is for the caller to fill in.
func scored(text, queue, kind string, suspect bool) (jobs.Hint, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || f < 0 || f >= 1<<53 {
		return jobs.Hint{}, fmt.Errorf("the score %q in queue %s is none of ours", text, queue)
	}
	s := int64(f)
	return jobs.Hint{
		Queue: queue, Type: kind, Suspect: suspect,
		Priority: jobs.MaxPriority - int(s/band), RunAt: time.UnixMilli(s % band).UTC(),
	}, nil
}

// laterMember is a hint as a member of a later set: all that the ready set needs, and the same for the same id and
// run_at. The digits are padded, so that ids which are due at one moment are in the order of their queue.
func laterMember(h jobs.Hint) string {
	kind := byte('r')
	if h.Suspect {
		kind = 's'
	}
	digits := strconv.FormatInt(score(h), 10)
	const width = 15
	b := make([]byte, 0, 1+width+1+len(h.Type)+1+len(h.ID))
	b = append(b, kind)
	b = append(b, strings.Repeat("0", max(0, width-len(digits)))...)
	b = append(b, digits...)
	b = append(b, ':')
	b = append(b, h.Type...)
	b = append(b, ' ')
	return string(append(b, h.ID...))
}

// milliseconds rounds up, so that nothing is due early.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
