package child

import (
	"sync/atomic"
	"time"
)

// tally counts the jobs that handlers have been called for.
type tally struct {
	handled atomic.Int64
	started atomic.Pointer[chan time.Time] // gets the moment of each start, where somebody asked
}

func newTally() *tally { return &tally{} }

func (t *tally) handle(int) {
	if c := t.started.Load(); c != nil {
		*c <- time.Now()
	}
	t.handled.Add(1)
}

// listen makes each start known on a channel with room for one: who listens runs one job at a time.
func (t *tally) listen() <-chan time.Time {
	c := make(chan time.Time, 1)
	t.started.Store(&c)
	return c
}
