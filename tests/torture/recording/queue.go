package recording

import (
	"context"

	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// Queue records the mirrored dead jobs of a queue in memory, which cannot be read from outside.
type Queue struct {
	*memory.Queue
	Log  *history.Log
	Name string // of the process
}

// SetDead records the list when it is stored.
func (q *Queue) SetDead(ctx context.Context, dead []queue.DeadID) error {
	err := q.Queue.SetDead(ctx, dead)
	if err == nil {
		e := history.Event{Kind: history.Mirrored, Worker: q.Name}
		for _, d := range dead {
			e.IDs = append(e.IDs, d.ID)
		}
		q.Log.Write(e)
	}
	return err
}
