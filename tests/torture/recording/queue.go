package recording

import (
	"context"

	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// Queue notes which dead jobs the one in the process mirrors: nobody can look into it from outside.
type Queue struct {
	*memory.Queue
	Log  *history.Log
	Name string // of the process
}

// SetDead notes the list once it is taken.
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
