package redis

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	remembered = time.Minute      // how long Redis knows of a group that has not been noted again
	renewed    = 20 * time.Second // when it is noted again
)

// waiters is a group of Pops, of all processes, that take from the same queues and serve the same types. They wait for
// tokens in one list. So a token never wakes a Pop that cannot take the id, and a wait costs the same with one type and
// with 500. Redis knows the groups, and each push rings those that can take what it brings; see scripts/bounds.lua.
type waiters struct {
	name          string // a digest, the same in every process
	types         string // see serves in scripts/sets.lua
	queues, kinds []string

	mu    sync.Mutex
	until time.Time // when it has to be noted again
}

// fresh reports whether Redis knows the group for long enough.
func (g *waiters) fresh() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now().Before(g.until)
}

// note tells Redis that a group waits.
func (q *Queue) note(ctx context.Context, g *waiters) error {
	args := make([]any, 0, 4+len(g.queues))
	args = append(args, q.keys.prefix, g.name, g.types, int(remembered.Seconds()))
	for _, name := range g.queues {
		args = append(args, name)
	}
	if err := waitScript.Run(ctx, q.client, []string{q.keys.waiters}, args...).Err(); err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.until = time.Now().Add(renewed)
	return nil
}

// waiting remembers the groups of this process. A worker has one, whatever the order in which it names its queues.
type waiting struct {
	mu     sync.Mutex
	groups map[string]*waiters
	last   *waiters
}

const groupsMax = 1000

// group returns the group of Pops from these queues and types.
func (w *waiting) group(queues, kinds []string) *waiters {
	w.mu.Lock()
	defer w.mu.Unlock()
	queues = slices.Sorted(slices.Values(queues))
	if w.last != nil && slices.Equal(w.last.queues, queues) && slices.Equal(w.last.kinds, kinds) {
		return w.last
	}
	g := &waiters{queues: queues, kinds: slices.Clone(kinds)}
	if len(kinds) > 0 {
		g.types = " " + strings.Join(slices.Sorted(slices.Values(kinds)), " ") + " "
	}
	digest := fnv.New64a()
	_, _ = fmt.Fprintf(digest, "%s:%s", strings.Join(queues, " "), g.types)
	g.name = strconv.FormatUint(digest.Sum64(), 36)
	if there := w.groups[g.name]; there != nil {
		g = there
	} else {
		if w.groups == nil || len(w.groups) >= groupsMax {
			w.groups = map[string]*waiters{}
		}
		w.groups[g.name] = g
	}
	w.last = g
	return g
}
