// Package torture breaks Windlass at random and proves that nothing accepted is lost: real processes on real PostgreSQL and Redis, each
// process behind links of its own, a client that writes down every submission and what it was told, handlers that write down
// every execution, a nemesis that breaks things from a seed, and a checker that holds the histories against the Store afterwards.
//
//	make torture                      about three minutes, several seeds
//	make torture DURATION=2h SEED=7
//
// The seed decides which faults are drawn and what is submitted; when they meet is up to the machine.
package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// Options say how to torture.
type Options struct {
	Setup
	Seed   uint64
	Faults time.Duration // how long things are broken
	Limit  time.Duration // for all jobs to be over once nothing is broken any more
	Rate   int           // submissions a second
	Lanes  []string      // of faults; empty: all
	Bare   bool          // look at nothing but the histories and the Store: not at views, leaks, and whether everything was met
	Calm   bool          // no process of ours is killed
	Log    func(format string, args ...any)
}

// Defaults fill in what is not set.
func (o *Options) defaults() {
	if o.Workers == 0 {
		o.Workers = 3
	}
	if o.APIs == 0 {
		o.APIs = 2
	}
	if o.Slots == 0 {
		o.Slots = 16
	}
	if o.TTL == 0 {
		o.TTL = 3 * time.Second
	}
	if o.Limit == 0 {
		o.Limit = 120 * time.Second
	}
	if o.Rate == 0 {
		o.Rate = 250
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
}

// season breaks things while the client submits, goes on until everything was met that has to be, and mends it all. It returns when that began.
func (n *nemesis) season(ctx context.Context, o Options) (healed time.Time) {
	breaking, stopBreaking := context.WithTimeout(ctx, o.Faults)
	defer stopBreaking()
	submitting, stopSubmitting := context.WithCancel(context.Background())
	defer stopSubmitting()
	last, stopClient := context.WithTimeout(context.Background(), o.Faults+insistFor+o.Limit)
	defer stopClient()
	var client sync.WaitGroup
	client.Go(func() { n.client.run(submitting, last) })
	n.run(breaking, n.chosen(o.Lanes))
	if len(o.Lanes) == 0 && !o.Bare && ctx.Err() == nil {
		n.insist(o.Log)
	}
	stopSubmitting()
	healed = time.Now()
	n.reviveAll(n)
	n.supervised(client.Wait) // a poison job that is left may end the one process that could answer
	return healed
}

// Run tortures once. Its error says that the torture itself failed; what the system did wrong is in the report.
func Run(t testing.TB, o Options) (*Report, error) {
	o.defaults()
	begun := time.Now()
	w, err := newWorld(t, o.Setup)
	if err != nil {
		return nil, err
	}
	var urls []string
	for _, p := range w.apis {
		urls = append(urls, p.url)
	}
	c := newClient(urls, w.events, o.Seed, o.Rate, w.problem)
	n := &nemesis{world: w, client: c, seed: o.Seed, faults: map[string]int{}}
	if err := w.ready(c); err != nil {
		return nil, err
	}
	if w.diskless != nil {
		o.Log("seed %d: no disks that can be full, files are kept from growing instead: %v", o.Seed, w.diskless)
	}
	quiet := w.descriptors()

	o.Log("seed %d: breaking things for %s", o.Seed, o.Faults.Round(time.Second))
	healed := n.season(t.Context(), o)
	o.Log("seed %d: %d jobs accepted, %d of them are not over yet", o.Seed, c.accepted.Load(), w.open())

	e := &Evidence{Limit: o.Limit, Paused: true, Killed: !o.Calm, Metrics: map[string]int64{}}
	w.await(healed.Add(o.Limit))
	e.Took = time.Since(healed)
	if o.Bare {
		err = w.gatherBare(e)
	} else {
		err = w.gather(e, c, quiet)
	}
	if err != nil {
		return nil, err
	}
	if len(o.Lanes) == 0 && !o.Bare {
		e.Met = w.met(e.Events)
	}
	if points := n.countPoints(); len(points) > 0 {
		o.Log("seed %d: crash points: %v", o.Seed, points)
	}
	o.Log("seed %d: %s", o.Seed, e.last())
	r := report(e, n)
	r.Seed, r.Duration = o.Seed, time.Since(begun)
	return r, nil
}

// chosen are the lanes with these names, or all.
func (w *world) chosen(names []string) []lane {
	var list []lane
	for _, l := range w.lanes() {
		if len(names) == 0 || slices.Contains(names, l.name) {
			list = append(list, l)
		}
	}
	return list
}

// ready waits until jobs of every type are accepted.
func (w *world) ready(c *client) error {
	deadline := time.Now().Add(60 * time.Second)
	for {
		ok := 0
		for _, p := range w.apis {
			var body struct {
				JobTypes []struct{ Name string } `json:"job_types"`
			}
			a := c.call(context.Background(), http.MethodGet, p.url+"/job-types", nil, "")
			_ = json.Unmarshal(a.body, &body)
			if slices.ContainsFunc(body.JobTypes, func(t struct{ Name string }) bool { return t.Name == mix[0].kind }) {
				ok++
			}
		}
		if ok == len(w.apis) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the system did not start:\n%s", w.all()[0].tail(4<<10))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// reviveAll makes sure that everything runs, and is of the newest release.
func (w *world) reviveAll(n *nemesis) {
	for _, p := range w.all() {
		p.thaw()
		n.revive(p)
	}
}

// await waits until every job is over, or it is late.
func (w *world) await(late time.Time) {
	for time.Now().Before(late) {
		if w.open() == 0 {
			return
		}
		for _, p := range w.all() { // a poison job may be among the last
			if !p.running() {
				_ = p.start()
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// open counts the jobs that are not over; -1: the Store does not answer.
func (w *world) open() int {
	n := -1
	ctx, cancel := soon()
	defer cancel()
	if err := w.scalar(ctx, `SELECT count(*) FROM windlass.jobs WHERE status IN ('pending', 'processing')`, &n); err != nil {
		return -1
	}
	return n
}

func (w *world) descriptors() map[string]int {
	open := map[string]int{}
	for _, p := range w.all() {
		open[p.name] = p.descriptors()
	}
	return open
}
