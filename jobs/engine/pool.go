package engine

import "sync"

// pool are the goroutines that make attempts. A goroutine that is about to enter a handler, where it may stay for long,
// first starts or wakes another one for the attempts that wait. So a handler that blocks has a goroutine to itself, and
// a thousand short handlers share a few goroutines. A new goroutine for every attempt would cost more than most
// attempts do.
type pool struct {
	work func(*run)

	mu      sync.Mutex
	wake    *sync.Cond
	waiting []*run
	resting int  // goroutines that wait for a run
	coming  bool // one was started or woken, and has not looked at waiting yet
	closed  bool
}

func newPool(work func(*run)) *pool {
	c := &pool{work: work}
	c.wake = sync.NewCond(&c.mu)
	return c
}

// give hands over attempts to make. Each begins at once.
func (c *pool) give(list []*run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, list...)
	c.call()
}

// call starts or wakes a goroutine where attempts wait. The caller holds the lock.
func (c *pool) call() {
	switch {
	case c.coming || len(c.waiting) == 0:
		return
	case c.resting > 0:
		c.wake.Signal()
	default:
		go c.serve()
	}
	c.coming = true
}

// serve makes attempts, one after the other, until the pool is closed.
func (c *pool) serve() {
	c.mu.Lock() // not unlocked by a defer: a handler that ends its goroutine does so while it is unlocked
	c.coming = false
	for {
		for len(c.waiting) == 0 {
			if c.closed {
				c.mu.Unlock()
				return
			}
			c.resting++
			c.wake.Wait()
			c.resting--
			c.coming = false
		}
		r := c.waiting[0]
		c.waiting[0] = nil
		if c.waiting = c.waiting[1:]; len(c.waiting) == 0 {
			c.waiting = nil
		}
		c.call()
		c.mu.Unlock()
		c.work(r)
		c.mu.Lock()
	}
}

// close ends the goroutines that are not in a handler. The others end when their handlers return.
func (c *pool) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.wake.Broadcast()
}
