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

const listedSets = 100 // sets of each kind in one List

// List returns some of the hints that are held; see queue.Lister.
func (q *Queue) List(ctx context.Context, n int) ([]jobs.Hint, error) {
	type set struct {
		key, queue, kind string
		suspect, later   bool
	}
	var sets []set
	for _, index := range []string{q.keys.ready(), q.keys.suspects()} {
		names, err := q.client.ZRandMember(ctx, index, listedSets).Result()
		if err != nil {
			return nil, fmt.Errorf("list hints: %w", err)
		}
		for _, name := range names {
			kind, queue, _ := strings.Cut(name, ":")
			sets = append(sets, set{index + ":" + queue + ":" + kind, queue, kind, index == q.keys.suspects(), false})
		}
	}
	names, err := q.client.ZRandMember(ctx, q.keys.delayed(), listedSets).Result()
	if err != nil {
		return nil, fmt.Errorf("list hints: %w", err)
	}
	for _, name := range names {
		sets = append(sets, set{key: q.keys.delayed() + ":" + name, queue: name, later: true})
	}
	var hints []jobs.Hint
	for i, set := range sets {
		share := max((n-len(hints))/(len(sets)-i), 1)
		members, err := q.client.ZRandMemberWithScores(ctx, set.key, min(share, n-len(hints))).Result()
		if err != nil {
			return nil, fmt.Errorf("list hints: %w", err)
		}
		for _, m := range members {
			text, _ := m.Member.(string)
			place, kind, suspect := strconv.FormatFloat(m.Score, 'f', -1, 64), set.kind, set.suspect
			if set.later { // see laterMember
				var rest string
				place, rest, _ = strings.Cut(text, ":")
				kind, text, _ = strings.Cut(rest, " ")
				suspect, place = strings.HasPrefix(place, "s"), strings.TrimLeft(place, "rs")
			}
			hint, err := scored(place, set.queue, kind, suspect)
			if err != nil {
				continue // somebody else has put it here; it goes when its time comes
			}
			hint.ID = text
			hints = append(hints, hint)
		}
		if len(hints) >= n {
			break
		}
	}
	return hints, nil
}
