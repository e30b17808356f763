package child

import (
	"sync/atomic"
	"time"
)

// counter counts the calls of the handler.
type counter struct {
	handled atomic.Int64
	started atomic.Pointer[chan time.Time] // receives the time of each call; nil without listen
}

func (c *counter) handle(int) {
	if started := c.started.Load(); started != nil {
		*started <- time.Now()
	}
	c.handled.Add(1)
}

// listen returns a channel that receives the time of each call of the handler. It has room for one time, because the
// measure of latency runs one job at a time.
func (c *counter) listen() <-chan time.Time {
	started := make(chan time.Time, 1)
	c.started.Store(&started)
	return started
}
