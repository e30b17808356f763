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
type keys struct{ prefix, queues, wake, dead, epoch, events, installations string }

func newKeys(prefix string) keys {
	p := "{" + prefix + "}:"
	return keys{
		prefix: p, queues: p + "queues", wake: p + "wake", dead: p + "dead", epoch: p + "epoch", events: p + "events",
		installations: p + "installations",
	}
}

func (k keys) ready(queue string) string    { return k.prefix + "ready:" + queue }
func (k keys) suspects(queue string) string { return k.prefix + "suspects:" + queue }
func (k keys) later(queue string) string    { return k.prefix + "later:" + queue }
func (k keys) wakeOf(queue string) string   { return k.wake + ":" + queue }

// band is the room that a priority has for times: run_at in milliseconds stays below it until the year 2286. The
// largest score is below 2^53, which a double holds exactly.
const band = 10_000_000_000_000

// score is a hint's place in a ready set, and holds its priority and run_at as well.
func score(h jobs.Hint) int64 {
	return int64(jobs.MaxPriority-h.Priority)*band + min(max(h.RunAt.UnixMilli(), 0), band-1)
}

// scored reads a hint's place back; the id is for the caller to fill in.
func scored(text, queue string, suspect bool) (jobs.Hint, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || f < 0 || f >= 1<<53 {
		return jobs.Hint{}, fmt.Errorf("the score %q in queue %s is none of ours", text, queue)
	}
	s := int64(f)
	return jobs.Hint{
		Queue: queue, Suspect: suspect,
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
	b := make([]byte, 0, 1+width+1+len(h.ID))
	b = append(b, kind)
	b = append(b, strings.Repeat("0", max(0, width-len(digits)))...)
	b = append(b, digits...)
	b = append(b, ':')
	return string(append(b, h.ID...))
}

// milliseconds rounds up, so that nothing is due early.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
