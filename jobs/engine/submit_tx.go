package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// SubmitTx stores jobs in a transaction of the caller's: they are there once it is committed, and never were where it
// is rolled back. It checks what Submit checks and, like Submit, does not change s. The Store says which transactions
// it takes: PostgreSQL a pgx.Tx or a *sql.Tx of the same database, SQLite that of its own Tx method.
//
// Workers hear of the jobs in one of three ways. The Client looks for the commit, for 10 s after the call, first after
// 2 ms and then at growing intervals up to 250 ms; this is one statement for all such jobs. Committed, called after the
// commit, saves even that delay. And where neither happens, because the process dies or the transaction takes longer,
// the maintenance finds the jobs within about a second. The line "job received" is logged when the Client knows of the
// commit.
//
// Errors: those of Submit; jobs.ErrUnsupported where the Store has no such thing; store.ErrForeignTx where tx is of
// another kind or another database, or over. Any other error is one of the database, and a PostgreSQL transaction is
// aborted by it. Nothing is stored unless the transaction is committed.
func (c *Client) SubmitTx(ctx context.Context, tx any, s jobs.Submission) (jobs.Receipt, error) {
	receipt, err := c.submitTx(ctx, tx, s)
	if err != nil {
		return jobs.Receipt{}, fmt.Errorf("submit in a transaction: %w", err)
	}
	return receipt, nil
}

func (c *Client) submitTx(ctx context.Context, tx any, s jobs.Submission) (jobs.Receipt, error) {
	st, ok := c.opts.Store.(store.Transactional)
	switch {
	case !ok:
		return jobs.Receipt{}, fmt.Errorf("this store: %w", jobs.ErrUnsupported)
	case isNil(tx):
		return jobs.Receipt{}, fmt.Errorf("no transaction: %w", store.ErrForeignTx)
	}
	s, err := c.complete(ctx, tx, s)
	if err != nil {
		return jobs.Receipt{}, err
	}
	receipts, err := st.InsertTx(ctx, tx, []jobs.Submission{s})
	if err != nil {
		return jobs.Receipt{}, err
	}
	receipt := receipts[0]
	if receipt.Err == nil && !receipt.Replayed {
		c.commits.add(receipt.Jobs)
	}
	return receipt, receipt.Err
}

// Committed says that the transaction of SubmitTx was committed, so that workers hear of its jobs at once. It may be
// left out: see SubmitTx. Calling it for jobs that were not committed does no harm.
func (c *Client) Committed(list ...jobs.Job) {
	hints := make([]jobs.Hint, len(list))
	ids := make([]string, len(list))
	for i := range list {
		j := &list[i]
		ids[i], hints[i] = j.ID, j.Hint()
		hints[i].In = j.RunAt.Sub(j.CreatedAt) // both by the Store's clock
	}
	c.commits.forget(ids)
	c.committed(list, hints)
}

// committed logs new jobs, and sends their hints to the Queue.
func (c *Client) committed(list []jobs.Job, hints []jobs.Hint) {
	c.logCreated(context.Background(), list)
	c.notify.push(hints...)
}

const (
	commitAskMin = 2 * time.Millisecond
	commitAskMax = 250 * time.Millisecond
	commitAskFor = 10 * time.Second
	// commitMax bounds the jobs whose commit is looked for. The maintenance finds the others.
	commitMax = 10_000
)

// commitWatch looks for the commits of SubmitTx. It has one goroutine, while there is something to look for.
type commitWatch struct {
	client *Client

	mu      sync.Mutex
	jobs    map[string]*uncommitted
	dropped bool // some were not taken up since the last time that jobs was empty
	running bool
	closed  bool
	changed chan struct{} // gets a token when jobs were added, or the watch was closed
	done    sync.WaitGroup
}

// uncommitted is a job whose commit was not seen yet.
type uncommitted struct {
	job         jobs.Job // without payload
	since, next time.Time
	wait        time.Duration // before next
}

func (w *commitWatch) add(list []jobs.Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	if w.jobs == nil {
		w.jobs = map[string]*uncommitted{}
	}
	now := time.Now()
	for i := range list {
		if len(w.jobs) >= commitMax {
			if !w.dropped {
				w.client.log.Warn("too many jobs of open transactions: the maintenance finds the others", "max", commitMax)
			}
			w.dropped = true
			break
		}
		u := &uncommitted{job: list[i], since: now, next: now.Add(commitAskMin), wait: commitAskMin}
		u.job.Payload = nil
		w.jobs[u.job.ID] = u
	}
	if !w.running && len(w.jobs) > 0 {
		w.running = true
		w.done.Go(w.run)
	}
	w.signal()
}

func (w *commitWatch) forget(ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		delete(w.jobs, id)
	}
}

func (w *commitWatch) signal() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// close looks for commits one last time.
func (w *commitWatch) close() {
	w.mu.Lock()
	w.closed = true
	w.signal()
	w.mu.Unlock()
	w.done.Wait()
}

func (w *commitWatch) run() {
	for {
		ids, next, over := w.due(time.Now())
		for len(ids) > 0 {
			batch := ids[:min(len(ids), batchMax)]
			ids = ids[len(batch):]
			w.ask(batch)
		}
		if over {
			return
		}
		t := time.NewTimer(time.Until(next))
		select {
		case <-w.changed:
		case <-t.C:
		}
		t.Stop()
	}
}

// due returns the jobs to ask for now, and when to come again. It gives up on those that are too old. With over the
// caller asks a last time and returns.
func (w *commitWatch) due(now time.Time) (ids []string, next time.Time, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next = now.Add(commitAskMax)
	for id, u := range w.jobs {
		if w.closed || !u.next.After(now) {
			if now.Sub(u.since) > commitAskFor {
				delete(w.jobs, id)
				continue
			}
			ids = append(ids, id)
			u.wait = min(2*u.wait, commitAskMax)
			u.next = now.Add(u.wait)
		}
		if u.next.Before(next) {
			next = u.next
		}
	}
	if over = w.closed || len(w.jobs) == 0; over {
		w.running, w.dropped = false, false
	}
	return ids, next, over
}

// ask has workers hear of those jobs that are committed.
func (w *commitWatch) ask(ids []string) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	hints, err := w.client.opts.Store.(store.Transactional).Committed(ctx, ids)
	if err != nil {
		w.client.log.Debug("commits not looked for", "error", err)
		return
	}
	var list []jobs.Job
	var fresh []jobs.Hint
	w.mu.Lock()
	for _, h := range hints {
		u := w.jobs[h.ID]
		if u == nil {
			continue // Committed was faster
		}
		delete(w.jobs, h.ID)
		list, fresh = append(list, u.job), append(fresh, h)
	}
	w.mu.Unlock()
	w.client.committed(list, fresh)
}
