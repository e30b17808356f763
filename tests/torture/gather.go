package torture

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// gather restarts every process in order, which must succeed, and then collects the whole evidence.
func (w *world) gather(e *Evidence, c *client, idle map[string]int) error {
	for name, now := range w.descriptors() {
		// The number of idle connections varies. A leak in a run like this one would be hundreds of files.
		e.Leaks = append(e.Leaks, Leak{"open files of " + name, now, idle[name] + 40})
	}
	if err := w.restart(); err != nil {
		w.problem("orderly restart: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var err error
	if e.Events, err = history.Read(w.Dir); err != nil {
		return err
	}
	if err := e.readStore(ctx, w.database); err != nil {
		return err
	}
	e.DeadAPI = w.deadByAPI(ctx, c)
	e.DeadList = w.deadByMirror(ctx, newestDead(e.DeadAPI))
	e.Metrics = w.metrics(ctx, c, int64(len(e.Rows)))
	e.Leaks = append(e.Leaks, w.leaks(ctx)...)
	for _, p := range w.all() {
		if bad := panics(p.log()); bad != "" {
			w.problem("%s: %s", p.name, bad)
		}
	}
	e.Problems = w.problems
	return nil
}

// gatherBare ends every process and reads the histories and the Store, but no views.
func (w *world) gatherBare(e *Evidence) error {
	for _, p := range w.all() {
		p.kill()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var err error
	if e.Events, err = history.Read(w.Dir); err != nil {
		return err
	}
	e.Metrics = nil
	return e.readStore(ctx, w.database)
}

// restart ends every process like a deployment, the workers first, and starts all of them again.
func (w *world) restart() error {
	for _, list := range [][]*place{w.workers, w.apis} {
		for _, p := range list {
			if err := p.terminate(30 * time.Second); err != nil {
				return err
			}
		}
	}
	for _, p := range w.all() {
		if err := p.start(); err != nil {
			return err
		}
	}
	return nil
}

// deadByAPI reads the whole dead-letter queue.
func (w *world) deadByAPI(ctx context.Context, c *client) (ids []string) {
	next := ""
	for ctx.Err() == nil {
		a := c.call(ctx, http.MethodGet, w.apis[0].url+"/dlq?limit=200"+next, nil, "")
		if a.err != nil || a.code != http.StatusOK {
			time.Sleep(100 * time.Millisecond) // the api has just been started
			continue
		}
		var page struct {
			Next string `json:"next_cursor"`
		}
		_ = json.Unmarshal(a.body, &page)
		ids = append(ids, stored(a.body)...)
		if page.Next == "" {
			return ids
		}
		next = "&cursor=" + page.Next
	}
	return ids
}

// deadByMirror reads the Queue's mirror of the dead jobs. It waits for the first run of the maintenance that was just
// started: a full mirror may be one of before. want is in order.
func (w *world) deadByMirror(ctx context.Context, want []string) (ids []string) {
	deadline := time.Now().Add(30 * time.Second)
	for {
		_ = w.redisDo(ctx, func(c *redis.Client) (err error) {
			ids, err = c.ZRange(ctx, "{windlass}:dead", 0, -1).Result()
			return err
		})
		slices.Sort(ids)
		if slices.Equal(ids, want) || time.Now().After(deadline) {
			return ids
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// metrics reads the metrics of the API. They may be two seconds old, so it waits for the expected total.
func (w *world) metrics(ctx context.Context, c *client, total int64) map[string]int64 {
	deadline := time.Now().Add(15 * time.Second)
	for {
		var raw map[string]float64
		a := c.call(ctx, http.MethodGet, w.apis[0].url+"/metrics", nil, "")
		_ = json.Unmarshal(a.body, &raw)
		m := map[string]int64{}
		for name, v := range raw {
			m[name] = int64(v)
		}
		if m["total_jobs"] == total && m["active_jobs"] == 0 || time.Now().After(deadline) {
			return m
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// leaks reads what must be empty or limited when there is nothing left to do.
func (w *world) leaks(ctx context.Context) []Leak {
	var connections, orphans, ready int
	_ = w.scalar(ctx, `SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'windlass-%'`, &connections)
	_ = w.scalar(ctx, `SELECT count(*) FROM windlass.jobs WHERE status = 'processing'`, &orphans)
	deadline := time.Now().Add(20 * time.Second)
	for {
		ready = 0
		_ = w.redisDo(ctx, func(c *redis.Client) error {
			for _, pattern := range []string{"ready", "suspects", "later"} {
				keys, err := c.Keys(ctx, "{windlass}:"+pattern+":*").Result()
				if err != nil {
					return err
				}
				ready += len(keys)
			}
			return nil
		})
		if ready == 0 || time.Now().After(deadline) {
			break
		}
		time.Sleep(200 * time.Millisecond) // workers still pop, and thereby drop, stale hints
	}
	const pool = 8 // connections of a process
	return []Leak{
		{"connections to postgres", connections, pool * len(w.all())},
		{"jobs in processing", orphans, 0},
		{"ids left in redis", ready, 0},
	}
}
