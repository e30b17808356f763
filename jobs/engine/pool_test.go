package engine

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
)

// Every attempt begins at once, however many others block or end their goroutines, and nobody stays behind.
func TestPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun, ended atomic.Int32
		release := make(chan struct{})
		c := newPool(func(r *run) {
			begun.Add(1)
			defer ended.Add(1)
			switch r.job.Attempts {
			case 1:
				<-release
			case 2:
				runtime.Goexit()
			}
		})
		list := func(n, kind int) (list []*run) {
			for range n {
				list = append(list, &run{job: brief{Attempts: kind}})
			}
			return list
		}
		mixed := append(append(list(30, 1), list(10, 2)...), list(500, 0)...)
		for _, batch := range [][]*run{mixed, list(20, 1), list(5, 2), list(100, 0)} {
			c.give(batch)
		}
		synctest.Wait()
		if n := begun.Load(); n != 665 {
			t.Errorf("%d attempts of 665 have begun while 50 block", n)
		}
		if n := ended.Load(); n != 615 {
			t.Errorf("%d attempts have ended, want all but the 50 that block", n)
		}
		close(release)
		synctest.Wait()
		c.give(list(100, 0)) // those who rest come back
		synctest.Wait()
		if n := ended.Load(); n != 765 {
			t.Errorf("%d attempts have ended, want 765", n)
		}
		c.close() // the bubble fails the test if a goroutine stays
	})
}

// A context that is made late is like one that was there from the start.
func TestAttemptContext(t *testing.T) {
	for name, early := range map[string]bool{"made before it ends": true, "made after it has ended": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempt := func() *attemptContext {
					c := &attemptContext{deadline: time.Now().Add(time.Minute)}
					if early {
						if c.Err() != nil {
							t.Errorf("ended at its start: %v", c.Err())
						}
					}
					return c
				}
				expect := func(what string, c *attemptContext, err, cause error) {
					t.Helper()
					if _, known := c.ended(time.Now()); known != cause {
						t.Errorf("%s: ended by %v, want %v", what, known, cause)
					}
					child, cancel := context.WithCancel(c)
					defer cancel()
					<-child.Done()
					if !errors.Is(c.Err(), err) || context.Cause(c) != cause || context.Cause(child) != cause {
						t.Errorf("%s: %v because of %v, its child of %v, want %v because of %v", what, c.Err(),
							context.Cause(c), context.Cause(child), err, cause)
					}
				}
				c := attempt()
				if d, ok := c.Deadline(); !ok || time.Until(d) != time.Minute {
					t.Errorf("deadline %v, %v", d, ok)
				}
				c.end(jobs.ErrCancelled, time.Now())
				c.end(jobs.ErrShutdown, time.Now()) // the first cause counts
				expect("cancelled", c, context.Canceled, jobs.ErrCancelled)

				c = attempt()
				if at, cause := c.ended(time.Now()); cause != nil || !at.IsZero() {
					t.Errorf("ended at %v by %v before anything happened", at, cause)
				}
				time.Sleep(time.Minute)
				expect("timed out", c, context.DeadlineExceeded, jobs.ErrTimeout)
				c.end(context.Canceled, time.Now()) // lets go of what was made

				c = attempt()
				time.Sleep(time.Minute)
				c.end(jobs.ErrLeaseLost, time.Now())
				if at, cause := c.ended(time.Now()); cause != jobs.ErrTimeout || !at.Equal(c.deadline) {
					t.Errorf("ended at %v by %v, want by the timeout that came first", at, cause)
				}
			})
		})
	}
}
