package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windlass-jobs/windlass/tests/torture/history"
	"github.com/windlass-jobs/windlass/tests/torture/recording"
)

// client submits jobs, cancels some and redrives some dead ones. It records every request and answer, so that the
// checker can compare the answers with the Store.
type client struct {
	urls   []string
	events *history.Log
	http   *http.Client
	seed   uint64
	pace   <-chan time.Time
	serial atomic.Int64
	// problem records answers that no fault explains.
	problem func(format string, args ...any)

	accepted atomic.Int64 // jobs
	slow     chan string  // ids of some slow jobs, to cancel
	shorter  bool         // slow jobs take a quarter of their usual time
}

func newClient(urls []string, events *history.Log, seed uint64, rate int, problem func(string, ...any)) *client {
	return &client{
		urls: urls, events: events, seed: seed, problem: problem,
		http: &http.Client{Timeout: 7 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
		pace: time.NewTicker(time.Second / time.Duration(rate)).C,
		slow: make(chan string, 100),
	}
}

// submitters is the maximum number of concurrent submissions.
const submitters = 24

// run submits jobs until ctx ends. Until last ends, it then repeats submissions that have a key and no answer yet.
func (c *client) run(ctx, last context.Context) {
	var all sync.WaitGroup
	for i := range submitters {
		dice := rand.New(rand.NewPCG(c.seed, uint64(i)))
		all.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-c.pace:
					c.submit(last, dice)
				}
			}
		})
	}
	all.Go(func() { c.cancelSome(ctx, rand.New(rand.NewPCG(c.seed, 1000))) })
	all.Go(func() { c.redriveSome(ctx, rand.New(rand.NewPCG(c.seed, 1001))) })
	all.Wait()
	c.http.CloseIdleConnections()
}

// mix is the share of each job type, in percent.
var mix = []struct {
	kind  string
	parts int
}{
	{recording.Quick, 57}, {recording.Slow, 6}, {recording.Deaf, 2}, {recording.Flaky, 12}, {recording.Doomed, 4},
	{recording.Panics, 3}, {recording.Permanent, 3}, {recording.Snoozer, 4}, {recording.Late, 1}, {recording.Newest, 8},
}

// job returns the JSON of a new job.
func (c *client) job(dice *rand.Rand, kind, key string) map[string]any {
	payload := map[string]any{"key": key}
	switch kind {
	case recording.Slow:
		payload["millis"] = 100 + dice.IntN(1200)
	case recording.Deaf:
		payload["millis"] = 100 + dice.IntN(800)
	case recording.Late:
		payload["millis"] = 30_000
	}
	if n, ok := payload["millis"].(int); ok && c.shorter && kind != recording.Late {
		payload["millis"] = n / 4
	}
	j := map[string]any{
		"type": kind, "payload": payload, "priority": dice.IntN(3) - 1,
		"queue": []string{"default", "mail", "bulk"}[dice.IntN(3)],
	}
	if dice.IntN(20) == 0 {
		j["delay_seconds"] = 1 + dice.IntN(3)
	}
	return j
}

func draw(dice *rand.Rand) string {
	n := dice.IntN(100)
	for _, m := range mix {
		if n -= m.parts; n < 0 {
			return m.kind
		}
	}
	return recording.Quick
}

// submission is one request, which may be sent more than once.
type submission struct {
	key   string
	keyed bool
	path  string
	body  []byte
	n     int
	sleep bool
}

func (c *client) submission(dice *rand.Rand, kind string) submission {
	s := submission{key: fmt.Sprintf("s%d-%d", c.seed, c.serial.Add(1)), keyed: dice.IntN(10) > 0, path: "/jobs", n: 1}
	body := any(nil)
	if kind == "" && dice.IntN(25) == 0 {
		s.path, s.n = "/jobs/bulk", 2+dice.IntN(40)
		list := make([]any, s.n)
		for i := range list {
			list[i] = c.job(dice, draw(dice), fmt.Sprintf("%s#%d", s.key, i))
		}
		body = map[string]any{"jobs": list}
	} else {
		if kind == "" {
			kind = draw(dice)
		}
		body = c.job(dice, kind, s.key+"#0")
		s.sleep = kind == recording.Slow
	}
	s.body, _ = json.Marshal(body) // cannot fail: maps, strings and numbers
	return s
}

// submit sends one submission. It sends some of them twice at the same moment, and some again after their answer.
func (c *client) submit(last context.Context, dice *rand.Rand) {
	s := c.submission(dice, "")
	twins := 1
	if s.keyed && dice.IntN(25) == 0 {
		twins = 2
	}
	again := s.keyed && dice.IntN(25) == 0
	var both sync.WaitGroup
	var counted atomic.Bool
	for i := range twins {
		first := dice.IntN(len(c.urls)) + i
		both.Go(func() {
			if c.send(last, s, first) && counted.CompareAndSwap(false, true) {
				c.accepted.Add(int64(s.n))
			}
		})
	}
	both.Wait()
	if again {
		c.send(last, s, dice.IntN(len(c.urls)))
	}
}

// send sends a submission, and reports whether it was accepted. With a key it repeats the request until it is accepted
// or last ends.
func (c *client) send(last context.Context, s submission, api int) bool {
	for {
		switch c.once(last, s, c.urls[api%len(c.urls)]) {
		case history.OK:
			return true
		case history.Fail, history.Info:
			if !s.keyed {
				return false
			}
		}
		api++ // another api may work
		select {
		case <-last.Done():
			return false
		case <-time.After(150 * time.Millisecond):
		}
	}
}

// answer is a response to a request.
type answer struct {
	code int
	kind string // of the problem, such as "unavailable"
	body []byte
	err  error
	sent bool // whether the request may have arrived
}

func (c *client) call(ctx context.Context, method, url string, body []byte, key string) answer {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
		// The transport repeats idempotent requests by itself. Without GetBody it does not: each request must be in the
		// history.
		req.GetBody = nil
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var dial *net.OpError
		return answer{err: err, sent: !(errors.As(err, &dial) && dial.Op == "dial")}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return answer{err: err, sent: true}
	}
	a := answer{code: resp.StatusCode, body: raw, sent: true}
	if resp.StatusCode >= 400 {
		var problem struct {
			Type string `json:"type"`
		}
		_ = json.Unmarshal(raw, &problem)
		a.kind = problem.Type[strings.LastIndexAny(problem.Type, ":/#")+1:]
	}
	return a
}

// stored returns the ids in the body of an answer.
func stored(raw []byte) (ids []string) {
	var body struct {
		ID   string `json:"id"`
		Jobs []struct {
			ID string `json:"id"`
		} `json:"jobs"`
	}
	if json.Unmarshal(raw, &body) != nil {
		return nil
	}
	if body.ID != "" {
		return []string{body.ID}
	}
	for _, j := range body.Jobs {
		ids = append(ids, j.ID)
	}
	return ids
}

// once sends a submission once and records the outcome.
func (c *client) once(ctx context.Context, s submission, url string) history.Kind {
	e := history.Event{Kind: history.Invoke, Key: s.key, N: s.n, Keyed: s.keyed}
	c.events.Write(e)
	key := ""
	if s.keyed {
		key = s.key
	}
	a := c.call(ctx, http.MethodPost, url+s.path, s.body, key)
	e.Kind, e.Detail = history.Info, a.kind
	switch {
	case a.err != nil:
		if e.Detail = a.err.Error(); !a.sent {
			e.Kind = history.Fail
		}
	case a.code == http.StatusCreated || a.code == http.StatusOK:
		e.Kind, e.IDs, e.Replayed = history.OK, stored(a.body), a.code == http.StatusOK
		if len(e.IDs) != s.n {
			c.problem("%s was answered %d with %d ids for %d jobs", s.key, a.code, len(e.IDs), s.n)
		}
		if s.sleep {
			select {
			case c.slow <- e.IDs[0]:
			default:
			}
		}
	case a.kind == "unavailable" || a.kind == "busy" || a.kind == "not_ready" || a.kind == "idempotency_key_busy":
		e.Kind = history.Fail
	case a.kind == "outcome_unknown":
	default:
		c.problem("%s was answered %d %s", s.key, a.code, a.body)
	}
	c.events.Write(e)
	return e.Kind
}

// submitLethal submits a job of a type that kills its worker process, and reports whether it was accepted.
func (c *client) submitLethal(ctx context.Context, dice *rand.Rand, kind string) bool {
	if !c.send(ctx, c.submission(dice, kind), 0) {
		return false
	}
	c.accepted.Add(1)
	return true
}

// cancelSome cancels a third of the slow jobs, which may be running.
func (c *client) cancelSome(ctx context.Context, dice *rand.Rand) {
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-c.slow:
			if dice.IntN(3) == 0 {
				c.request(ctx, history.Cancel, id, c.urls[dice.IntN(len(c.urls))]+"/jobs/"+id+"/cancel")
			}
		}
	}
}

// redriveSome redrives a dead job every 700 ms.
func (c *client) redriveSome(ctx context.Context, dice *rand.Rand) {
	tick := time.NewTicker(700 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		url := c.urls[dice.IntN(len(c.urls))]
		a := c.call(ctx, http.MethodGet, url+"/dlq?limit=20", nil, "")
		if ids := stored(a.body); a.err == nil && a.code == http.StatusOK && len(ids) > 0 {
			id := ids[dice.IntN(len(ids))]
			c.request(ctx, history.Redrive, id, url+"/jobs/"+id+"/retry")
		}
	}
}

// request sends a cancel or a redrive once and records the outcome.
func (c *client) request(ctx context.Context, kind history.Kind, id, url string) {
	c.events.Write(history.Event{Kind: kind, ID: id})
	a := c.call(ctx, http.MethodPost, url, nil, "")
	e := history.Event{Kind: history.NoAnswer, ID: id, Detail: a.kind}
	switch {
	case a.err != nil || a.kind == "outcome_unknown":
	case a.code == http.StatusOK && kind == history.Cancel:
		e.Kind = history.Cancelled
	case a.code == http.StatusOK:
		e.Kind = history.Redriven
	case a.code == http.StatusAccepted:
		e.Kind = history.Asked
	case a.code == http.StatusConflict || a.kind == "unavailable" || a.kind == "busy" || a.kind == "not_ready":
		e.Kind = history.Refused
	default:
		c.problem("%s of %s was answered %d %s", kind, id, a.code, a.body)
	}
	c.events.Write(e)
}
