package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/windlass-jobs/windlass/jobs/store"
)

const (
	// recountRole is had by whoever has recounted last, until the next recount is due. So it is done once a day, however
	// often the maintenance changes hands.
	recountRole  = "recount"
	recountEvery = 24 * time.Hour
	recountAgain = time.Hour // after one that was disturbed
	recountTries = 3         // of these, one after another

	recountAsk   = time.Minute // between two looks whether it is due; the first one comes that long after the start
	recountLimit = 10_000      // jobs in one step
	recountRound = time.Second // of steps; what else the Store has to do comes between the rounds
	recountMost  = time.Hour   // for one recount, because nothing is pruned in that time
)

// recounting is how far the recount of this process is.
type recounting struct {
	// mu is held by a round of the recount, and by one of pruning: pruned jobs would disturb the recount.
	mu     sync.Mutex
	ask    time.Time // when to look next
	holder string    // of recountRole; empty: no recount is going on
	begun  time.Time
	try    int
	at     store.Recount
}

// recount sets the numbers right that the Store keeps, once a day, in small steps: somebody may have deleted rows by
// hand.
func (m *Maintenance) recount(ctx context.Context) error {
	counter, ok := m.opts.Store.(store.Recounter)
	if !ok {
		return nil
	}
	c := &m.recounting
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holder == "" {
		if time.Now().Before(c.ask) {
			return nil
		}
		c.ask = time.Now().Add(recountAsk)
		holder := uuid.NewString() // a new one: the last one would renew its lease
		lead, err := m.opts.Store.Lead(ctx, recountRole, holder, recountEvery)
		if err != nil || !lead.Held {
			return err
		}
		c.holder, c.begun, c.try, c.at = holder, time.Now(), 1, store.Recount{Limit: recountLimit}
	}
	for end := time.Now().Add(recountRound); time.Now().Before(end); {
		next, err := counter.Recount(ctx, c.at)
		if err != nil && time.Since(c.begun) <= recountMost {
			return err // the next round goes on from here
		}
		c.at = next
		switch {
		case err != nil: // of one that fails again and again: nothing would ever be pruned
			_, again := m.opts.Store.Lead(ctx, recountRole, c.holder, recountAgain)
			c.holder = ""
			return errors.Join(err, again)
		case next.State == store.RecountDone:
			for _, k := range next.Recounted {
				m.log.Warn("a kept number was wrong and is right now: rows were changed by hand", "state", k.State,
					"kept", k.Kept, "counted", k.Counted)
			}
			c.holder = ""
			return nil
		case time.Since(c.begun) > recountMost || next.State == store.RecountDisturbed && c.try == recountTries:
			m.log.Info("the numbers could not be recounted, because jobs are being deleted; the next try is later",
				"in", recountAgain.String())
			_, err := m.opts.Store.Lead(ctx, recountRole, c.holder, recountAgain)
			c.holder = ""
			return err
		case next.State == store.RecountDisturbed:
			c.try++
			c.at = store.Recount{Limit: recountLimit}
		case next.State == store.RecountWaits:
			return nil
		}
	}
	return nil
}

// forgetRecount gives up a recount at the end of a shift: before this process has its next one, another may have
// pruned.
func (m *Maintenance) forgetRecount(ctx context.Context) {
	c := &m.recounting
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holder != "" {
		// Without this the next one would be in a day. Should it fail, it is.
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_, _ = m.opts.Store.Lead(call, recountRole, c.holder, 0)
	}
	c.holder, c.ask = "", time.Time{}
}
