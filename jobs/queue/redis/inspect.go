package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/queue"
)

var _ queue.Lister = (*Queue)(nil)

// Inspection is what Inspect finds.
type Inspection struct {
	Version   string        // of the server; empty where it does not tell
	RoundTrip time.Duration // of the quickest of three pings
	// ClockAhead is how far the server's clock is ahead of ours, or behind it if negative; half of RoundTrip is how
	// wrong that may be.
	ClockAhead    time.Duration
	Warning       string   // what Check says
	Installations []string // that have registered within the last 30 s, see Register
}

// Inspect looks at the server, for people who look for faults. It changes nothing. An error means that Redis cannot be
// reached now.
func (q *Queue) Inspect(ctx context.Context) (Inspection, error) {
	var found Inspection
	var err error
	if found.Warning, err = q.Check(ctx); err != nil {
		return Inspection{}, err
	}
	for range 3 {
		sent := time.Now()
		clock, err := q.client.Time(ctx).Result()
		if err != nil {
			return Inspection{}, fmt.Errorf("inspect redis: %w", err)
		}
		if took := time.Since(sent); found.RoundTrip == 0 || took < found.RoundTrip {
			found.RoundTrip, found.ClockAhead = took, clock.Sub(sent.Add(took/2))
		}
	}
	if info, err := q.client.Info(ctx, "server").Result(); err == nil { // an ACL may deny it
		for line := range strings.Lines(info) {
			if version, is := strings.CutPrefix(line, "redis_version:"); is {
				found.Version = strings.TrimSpace(version)
			}
		}
	}
	now := strconv.FormatInt(time.Now().Add(found.ClockAhead).UnixMicro(), 10)
	present := &goredis.ZRangeBy{Min: now, Max: "+inf", Count: 10}
	found.Installations, err = q.client.ZRangeByScore(ctx, q.keys.installations, present).Result()
	if err != nil {
		return Inspection{}, fmt.Errorf("inspect redis: %w", err)
	}
	return found, nil
}

const listedQueues = 100 // queues in one List

// List returns some of the hints that are held; see queue.Lister.
func (q *Queue) List(ctx context.Context, n int) ([]jobs.Hint, error) {
	// A set that Redis keeps as a whole comes at once, however many names are asked for.
	names, _, err := q.client.SScan(ctx, q.keys.queues, 0, "", listedQueues).Result()
	if err != nil {
		return nil, fmt.Errorf("list hints: %w", err)
	}
	names = names[:min(len(names), listedQueues)]
	var hints []jobs.Hint
	for i, name := range names {
		share := max((n-len(hints))/(len(names)-i), 1)
		for _, set := range []struct {
			key     string
			suspect bool
			later   bool
		}{{q.keys.ready(name), false, false}, {q.keys.suspects(name), true, false}, {q.keys.later(name), false, true}} {
			members, err := q.client.ZRandMemberWithScores(ctx, set.key, min(share, n-len(hints))).Result()
			if err != nil {
				return nil, fmt.Errorf("list hints: %w", err)
			}
			for _, m := range members {
				text, _ := m.Member.(string)
				place := strconv.FormatFloat(m.Score, 'f', -1, 64)
				suspect := set.suspect
				if set.later { // see laterMember
					head, id, _ := strings.Cut(text, ":")
					suspect, text = strings.HasPrefix(head, "s"), id
					place = strings.TrimLeft(head, "rs")
				}
				hint, err := scored(place, name, suspect)
				if err != nil {
					continue // somebody else has put it here; it goes when its time comes
				}
				hint.ID = text
				hints = append(hints, hint)
			}
		}
		if len(hints) >= n {
			break
		}
	}
	return hints, nil
}
