package engine

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/internal/fault"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// ClientOptions are what a Client needs. Store, Queue, Bus and Registry are required.
type ClientOptions struct {
	Store interface {
		store.Client
		Sessions(ctx context.Context) ([]store.Session, error)
	}
	Queue    queue.Queue
	Bus      queue.Bus
	Registry *jobs.Registry // types that are accepted, and those that workers announce
	Log      *slog.Logger   // slog.Default() if nil
	LogJobs  LogJobs        // LogAll if empty

	MaxPayloadBytes int // of one payload's canonical form; jobs.MaxPayloadBytes if 0
	// MaxQueues is how many queues there may be, jobs.DefaultMaxQueues if 0. A submission that would make another one is
	// refused. Queues that are there always take jobs.
	MaxQueues int
}

// Client submits jobs, reads them, and retries, cancels and deletes them. Many goroutines should share one: jobs that
// they submit at the same time are stored in one commit.
type Client struct {
	opts    ClientOptions
	log     *slog.Logger
	insert  batcher[*submission, jobs.Receipt]
	notify  *notifier
	commits commitWatch
	closed  chan struct{}
	close   func() // closes closed

	schemas  schemas
	queues   queueNames
	calls    singleflight.Group
	stats    cached[store.Stats]
	sessions cached[[]store.Session]
	ended    cached[[]store.Session]
	types    cached[[]jobs.Type]
	counted  cached[[]store.QueueStats]
	probe    cached[bool]
}

// NewClient returns a Client. Close it to wait for what is under way. The error is one or more *OptionError.
func NewClient(opts ClientOptions) (*Client, error) {
	check := optionCheck{owner: "ClientOptions"}
	check.required("Store", opts.Store)
	check.required("Queue", opts.Queue)
	check.required("Bus", opts.Bus)
	check.required("Registry", opts.Registry)
	check.logJobs(opts.LogJobs)
	notNegative(&check, "MaxPayloadBytes", opts.MaxPayloadBytes)
	notNegative(&check, "MaxQueues", opts.MaxQueues)
	if err := check.err(); err != nil {
		return nil, err
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.MaxPayloadBytes == 0 {
		opts.MaxPayloadBytes = jobs.MaxPayloadBytes
	}
	if opts.MaxQueues == 0 {
		opts.MaxQueues = jobs.DefaultMaxQueues
	}
	c := &Client{
		opts: opts, log: opts.Log, schemas: schemas{log: opts.Log},
		notify: &notifier{queue: opts.Queue, log: opts.Log}, closed: make(chan struct{}),
	}
	c.close = sync.OnceFunc(func() { close(c.closed) })
	c.commits.client, c.commits.changed = c, make(chan struct{}, 1)
	c.insert = batcher[*submission, jobs.Receipt]{
		flush: c.store, answer: answer,
		weight: func(s *submission) int {
			w := len(s.Jobs) * jobWeight
			for i := range s.Jobs {
				w += len(s.Jobs[i].Payload)
			}
			return w
		},
		weightMax: batchWeight, parallelFrom: insertParallelFrom,
	}
	return c, nil
}

// Close waits until everything handed in has been answered, and ends the calls of Wait. It may be called again.
func (c *Client) Close() {
	c.close()
	c.insert.wait()
	c.commits.close()
	c.notify.wait()
}

// Get returns a job with its unsuccessful attempts, oldest first. Errors: jobs.ErrNotFound, jobs.ErrUnavailable.
func (c *Client) Get(ctx context.Context, id string) (jobs.Job, []jobs.Attempt, error) {
	return c.opts.Store.Get(ctx, id)
}

// List returns a page of jobs, newest first, without payload and result.
func (c *Client) List(ctx context.Context, q store.ListQuery) (store.Page, error) {
	return c.opts.Store.List(ctx, q)
}

// Retry sends a failed job back, with all its attempts. Errors: jobs.ErrNotFound, jobs.ErrConflict.
func (c *Client) Retry(ctx context.Context, id string) (jobs.Job, error) {
	moved, err := c.Redrive(ctx, store.Redrive{IDs: []string{id}, Limit: 1})
	if err != nil {
		return jobs.Job{}, err
	}
	job, _, err := c.opts.Store.Get(ctx, id)
	if err == nil && moved == 0 {
		err = fmt.Errorf("retry %s: %w", id, jobs.ErrConflict)
	}
	return job, err
}

// Redrive sends failed jobs back and returns how many.
func (c *Client) Redrive(ctx context.Context, r store.Redrive) (int, error) {
	hints, err := c.opts.Store.Redrive(ctx, r)
	if err != nil {
		return 0, fmt.Errorf("redrive: %w", err)
	}
	_ = fault.Point("after-redrive-commit")
	c.logRedriven(ctx, hints)
	c.notify.push(hints...)
	return len(hints), nil
}

// Cancel ends a pending job, or asks the worker of a processing one to stop; the returned job shows which of the two.
// Repeating it is no error. Errors: jobs.ErrNotFound; jobs.ErrConflict when the job is completed or dead.
func (c *Client) Cancel(ctx context.Context, id string) (jobs.Job, error) {
	job, err := c.opts.Store.Cancel(ctx, id)
	if err != nil {
		return job, err
	}
	if job.Status != jobs.Processing {
		endings.ended(id)
		c.logChange(ctx, "job cancelled", &job)
		return job, nil
	}
	_ = fault.Point("after-cancel-commit")
	c.logChange(ctx, "cancel requested", &job)
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	// Only for speed: the worker hears of it with its next heartbeat in any case. An error says nothing about the Queue: a
	// Redis role may lack the right to the channel alone.
	if err := c.opts.Bus.Publish(ctx, queue.Event{Kind: queue.EventCancel, JobID: id}); err != nil {
		c.log.Warn("cancel not announced; the worker hears of it with its next heartbeat", "job_id", id, "error", err)
	}
	return job, nil
}

// Delete removes a completed or failed job. Errors: jobs.ErrNotFound, jobs.ErrConflict.
func (c *Client) Delete(ctx context.Context, id string) error {
	err := c.opts.Store.Delete(ctx, id)
	if err == nil {
		endings.ended(id)
		if c.opts.LogJobs.logs(slog.LevelInfo) {
			c.log.LogAttrs(ctx, slog.LevelInfo, "job deleted", slog.String("job_id", id))
		}
	}
	return err
}

const (
	countsTTL = 2 * time.Second
	maxEnded  = 200 // sessions
	maxHeld   = 200 // jobs of a session
	typesTTL  = 5 * time.Second
	typesMiss = 500 * time.Millisecond // between two calls of the Store for an unknown type
)

// Stats counts everything; the answer is at most 2 s old.
func (c *Client) Stats(ctx context.Context) (store.Stats, error) {
	return look(ctx, c, "stats", &c.stats, countsTTL, c.opts.Store.Stats)
}

// Sessions returns the workers that are not dead; the answer is at most 2 s old.
func (c *Client) Sessions(ctx context.Context) ([]store.Session, error) {
	return look(ctx, c, "sessions", &c.sessions, countsTTL, c.opts.Store.Sessions)
}

// EndedSessions returns the workers that have ended in the last day, the last one first, at most 200; the answer is at
// most 2 s old.
func (c *Client) EndedSessions(ctx context.Context) ([]store.Session, error) {
	return look(ctx, c, "ended sessions", &c.ended, countsTTL, func(ctx context.Context) ([]store.Session, error) {
		return c.opts.Store.EndedSessions(ctx, maxEnded)
	})
}

// Session returns one worker, dead or not, and the jobs that it runs now, without payload and result: at most 200, the
// longest running first. jobs.ErrNotFound: there is no such worker, or it ended more than a day ago.
func (c *Client) Session(ctx context.Context, id string) (store.Session, []jobs.Job, error) {
	return c.opts.Store.Session(ctx, id, maxHeld)
}

// Types returns the job types that can be submitted, by name: the Client's own and those that workers have announced.
// The answer is at most 5 s old. When the Store is unavailable it is the last one known.
func (c *Client) Types(ctx context.Context) ([]jobs.Type, error) { return c.typesSince(ctx, typesTTL) }

func (c *Client) typesSince(ctx context.Context, ttl time.Duration) ([]jobs.Type, error) {
	types, err := look(ctx, c, "types", &c.types, ttl, func(ctx context.Context) ([]jobs.Type, error) {
		announced, err := c.opts.Store.Types(ctx)
		if err != nil {
			return nil, err
		}
		types := c.opts.Registry.Types()
		for _, t := range announced {
			if c.opts.Registry.Lookup(t.Name) == nil {
				types = append(types, t)
			}
		}
		slices.SortFunc(types, func(a, b jobs.Type) int { return strings.Compare(a.Name, b.Name) })
		return types, nil
	})
	if err != nil {
		if old, _, ok := c.types.get(); ok {
			return old, nil
		}
	}
	return types, err
}

// typeOf returns a type by name, or nil.
func (c *Client) typeOf(ctx context.Context, name string) (*jobs.Type, error) {
	if h := c.opts.Registry.Lookup(name); h != nil {
		return &h.Type, nil
	}
	if !jobs.TypePattern.MatchString(name) {
		return nil, nil
	}
	// The second time because a worker may have announced it just now.
	for _, ttl := range []time.Duration{typesTTL, typesMiss} {
		types, err := c.typesSince(ctx, ttl)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(types, func(t jobs.Type) bool { return t.Name == name }); i >= 0 {
			return &types[i], nil
		}
	}
	return nil, nil
}

// Degraded reports whether the Queue is out of reach, as of at most 2 s ago. Nothing is lost then; jobs may start a
// moment later.
func (c *Client) Degraded() bool {
	if c.notify.degraded() && !c.notify.ok() {
		return true
	}
	down, err := look(context.Background(), c, "probe", &c.probe, countsTTL, func(ctx context.Context) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, 2*pushTimeout)
		defer cancel()
		if _, err := c.opts.Queue.Depths(ctx, nil); err != nil {
			return true, nil
		}
		c.notify.works()
		return false, nil
	})
	return down || err != nil
}

// about names a job in a log line.
func about(j *jobs.Job) []slog.Attr {
	return []slog.Attr{slog.String("job_id", j.ID), slog.String("type", j.Type), slog.String("queue", j.Queue)}
}
