// Package torture breaks Windlass at random and checks that no accepted job is lost. It runs real processes on real
// PostgreSQL and Redis; each process has its own proxies (links) to the servers. A client records every submission and
// its answer. Handlers record every execution. A nemesis draws faults from a seed. Afterwards a checker compares these
// histories with the Store.
//
//	make torture                      about three minutes, several seeds
//	make torture DURATION=2h SEED=7
//
// The seed decides which faults are drawn and which jobs are submitted. Their timing depends on the machine.
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

// Options of a run.
type Options struct {
	Setup
	Seed   uint64
	Faults time.Duration // how long faults happen
	Limit  time.Duration // by then all jobs must be over, counted from the end of the faults
	Rate   int           // submissions per second
	Lanes  []string      // names of the lanes of faults; empty means all
	Bare   bool          // check only the histories and the Store: no views, no leaks, no required events
	Calm   bool          // no process of ours is killed
	Log    func(format string, args ...any)
}

// defaults sets the fields that are zero.
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

// breakAndHeal runs faults while the client submits jobs. It continues until all required events have happened, and
// then ends all faults. It returns the time when the faults ended.
func (n *nemesis) breakAndHeal(ctx context.Context, o Options) (healed time.Time) {
	breaking, stopBreaking := context.WithTimeout(ctx, o.Faults)
	defer stopBreaking()
	submitting, stopSubmitting := context.WithCancel(context.Background())
	defer stopSubmitting()
	last, stopClient := context.WithTimeout(context.Background(), o.Faults+forceLimit+o.Limit)
	defer stopClient()
	var client sync.WaitGroup
	client.Go(func() { n.client.run(submitting, last) })
	n.run(breaking, n.chosen(o.Lanes))
	if len(o.Lanes) == 0 && !o.Bare && ctx.Err() == nil {
		n.forceMissing(o.Log)
	}
	stopSubmitting()
	healed = time.Now()
	n.reviveAll(n)
	n.supervised(client.Wait) // a remaining poison job may kill the only process that could answer
	return healed
}

// Run does one run. An error means that the torture itself failed. Broken guarantees are in the report.
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
		o.Log("seed %d: no disks that can be filled, the size of files is limited instead: %v", o.Seed, w.diskless)
	}
	idle := w.descriptors()

	o.Log("seed %d: faults for %s", o.Seed, o.Faults.Round(time.Second))
	healed := n.breakAndHeal(t.Context(), o)
	o.Log("seed %d: %d jobs accepted, %d of them are not over yet", o.Seed, c.accepted.Load(), w.open())

	e := &Evidence{Limit: o.Limit, Paused: true, Killed: !o.Calm, Metrics: map[string]int64{}}
	w.await(healed.Add(o.Limit))
	e.Took = time.Since(healed)
	if o.Bare {
		err = w.gatherBare(e)
	} else {
		err = w.gather(e, c, idle)
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

// chosen returns the lanes with these names, or all lanes if there are no names.
func (w *world) chosen(names []string) []lane {
	var list []lane
	for _, l := range w.lanes() {
		if len(names) == 0 || slices.Contains(names, l.name) {
			list = append(list, l)
		}
	}
	return list
}

// ready waits until every api accepts the job types of the torture.
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

// reviveAll continues frozen processes and starts those that have ended.
func (w *world) reviveAll(n *nemesis) {
	for _, p := range w.all() {
		p.thaw()
		n.revive(p)
	}
}

// await waits until every job is over, or until the deadline.
func (w *world) await(deadline time.Time) {
	for time.Now().Before(deadline) {
		if w.open() == 0 {
			return
		}
		for _, p := range w.all() { // a poison job may be among the last jobs
			if !p.running() {
				_ = p.start()
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// open counts the jobs that are not over. It is -1 if the Store does not answer.
func (w *world) open() int {
	n := -1
	ctx, cancel := shortTimeout()
	defer cancel()
	if err := w.scalar(ctx, `SELECT count(*) FROM windlass.jobs WHERE status IN ('pending', 'processing')`,
		&n); err != nil {
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
