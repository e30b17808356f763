package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

const (
	// queueTTL is how long a Client takes a queue for known without asking the Store. It is short against queueUnused:
	// a name that is removed is known to no Client any more.
	queueTTL = time.Hour
	// queuesKnown bounds the names that a Client remembers.
	queuesKnown = 200_000
	// queueUnused is how long a queue that is empty and unused keeps its name.
	queueUnused = 30 * 24 * time.Hour
	// queuesTidied is how many places one call of TidyQueues looks at.
	queuesTidied = 4000
)

// queueNames are the queues that a Client knows the Store to know, so that a submission asks the Store about each about
// once an hour.
type queueNames struct {
	mu    sync.RWMutex
	until map[string]int64 // see since
}

func (q *queueNames) known(name string, now int64) bool {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return now < q.until[name]
}

func (q *queueNames) add(names []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.until == nil || len(q.until)+len(names) > queuesKnown {
		q.until = make(map[string]int64, len(names))
	}
	for _, name := range names {
		// Names that were learnt together do not expire together.
		q.until[name] = since() + int64(queueTTL) - rand.Int64N(int64(queueTTL/4))
	}
}

// useQueues has the Store know the queues of a submission. A queue that would be a new one beyond
// ClientOptions.MaxQueues is a fault of each job that names it. given are the jobs as they were submitted: one that
// names no queue has that of its type in list. tx is the transaction of the caller, or nil.
func (c *Client) useQueues(ctx context.Context, tx any, list, given []jobs.New) ([]jobs.FieldError, error) {
	var unknown []string
	now, last := since(), ""
	for i := range list {
		if name := list[i].Queue; name != last {
			last = name
			if !c.queues.known(name, now) {
				unknown = append(unknown, name)
			}
		}
	}
	if unknown == nil {
		return nil, nil
	}
	slices.Sort(unknown)
	unknown = slices.Compact(unknown)
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	known, refused, err := c.askQueues(ctx, tx, unknown)
	if err != nil {
		if !errors.Is(err, jobs.ErrBusy) && !errors.Is(err, store.ErrForeignTx) { // nothing was stored
			err = fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
		}
		return nil, fmt.Errorf("submit: look up the queue of a job: %w", err)
	}
	c.queues.add(known)
	if len(refused) == 0 {
		return nil, nil
	}
	var faults []jobs.FieldError
	for i := range list {
		if !slices.Contains(refused, list[i].Queue) || len(faults) == maxFaults {
			continue
		}
		f := jobs.FieldError{Pointer: fmt.Sprintf("/%d/queue", i), Detail: fmt.Sprintf(
			"would be a new queue, and there are %d, which is the limit (MAX_QUEUES)", c.opts.MaxQueues)}
		if given[i].Queue == "" {
			f = jobs.FieldError{Pointer: fmt.Sprintf("/%d/type", i), Detail: fmt.Sprintf(
				"has a default queue that would be a new one, and there are %d, which is the limit (MAX_QUEUES)",
				c.opts.MaxQueues)}
		}
		faults = append(faults, f)
	}
	return faults, nil
}

func (c *Client) askQueues(ctx context.Context, tx any, names []string) (known, refused []string, err error) {
	if tx != nil {
		return c.opts.Store.(store.Transactional).UseQueuesTx(ctx, tx, names, c.opts.MaxQueues)
	}
	if refused, err = c.opts.Store.UseQueues(ctx, names, c.opts.MaxQueues); err != nil {
		return nil, nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(refused, name) }), refused, nil
}

// Queues returns a page of the queues that have jobs, or that were used in the last 30 days: those with most due jobs
// first, then those with most jobs under way, then by name. The answer is at most 2 s old. Work moves queues from
// page to page: one may be seen twice, or not at all.
func (c *Client) Queues(ctx context.Context, q store.QueueQuery) (store.QueuePage, error) {
	var after store.QueueStats
	if q.After != "" {
		var ok bool
		if after, ok = parseRank(q.After); !ok {
			return store.QueuePage{}, fmt.Errorf("list queues: After is not the Next of a page: %w", jobs.ErrRejected)
		}
	}
	all, err := look(ctx, c, "queues", &c.counted, countsTTL, func(ctx context.Context) ([]store.QueueStats, error) {
		list, err := c.opts.Store.Queues(ctx)
		slices.SortFunc(list, func(a, b store.QueueStats) int { return a.Compare(&b) })
		return list, err
	})
	if err != nil {
		return store.QueuePage{}, err
	}
	if q.Prefix != "" {
		var match []store.QueueStats
		for i := range all {
			if strings.HasPrefix(all[i].Name, q.Prefix) {
				match = append(match, all[i])
			}
		}
		all = match
	}
	page := store.QueuePage{Total: len(all)}
	if q.After != "" {
		all = all[sort.Search(len(all), func(i int) bool { return all[i].Compare(&after) > 0 }):]
	}
	n := min(len(all), max(q.Limit, 1))
	page.Queues = slices.Clone(all[:n])
	if n < len(all) {
		page.Next = rank(&all[n-1])
	}
	return page, nil
}

// rank says where a queue stands in the order of store.QueueStats.Compare.
func rank(q *store.QueueStats) string { return fmt.Sprintf("%d.%d.%s", q.Due, q.Processing, q.Name) }

func parseRank(text string) (q store.QueueStats, ok bool) {
	parts := strings.SplitN(text, ".", 3)
	if len(parts) != 3 {
		return q, false
	}
	due, err := strconv.ParseInt(parts[0], 10, 64)
	processing, err2 := strconv.ParseInt(parts[1], 10, 64)
	return store.QueueStats{Name: parts[2], Due: due, Processing: processing}, err == nil && err2 == nil
}

// tidyQueues brings the names of queues up to date. Where the time of one round is not enough, the next one goes on.
func (m *Maintenance) tidyQueues(ctx context.Context) error {
	for {
		done, err := m.opts.Store.TidyQueues(ctx, store.TidyQueues{
			After: m.tidied, Unused: queueUnused, Limit: queuesTidied,
		})
		if err != nil {
			return err
		}
		if done.Removed > 0 {
			m.log.Info("unused queues forgotten", "queues", done.Removed)
		}
		if m.tidied = done.Next; m.tidied == (store.Place{}) {
			return nil
		}
	}
}
