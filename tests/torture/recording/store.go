package recording

import (
	"context"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/tests/torture/history"
)

// Store records the answers of the real Store to a worker.
type Store struct {
	store.Store
	Log *history.Log
}

// Claim records how many ids were not claimed.
func (s *Store) Claim(ctx context.Context, c store.Claim) (store.Claimed, error) {
	got, err := s.Store.Claim(ctx, c)
	if missed := len(c.IDs) - len(got.Jobs); err == nil && missed > 0 {
		s.Log.Write(history.Event{Kind: history.Rejected, N: missed, Worker: c.Session})
	}
	return got, err
}

// Settle records which outcomes were recorded and which were stale.
func (s *Store) Settle(ctx context.Context, outcomes []store.Outcome) ([]store.Settled, error) {
	settled, err := s.Store.Settle(ctx, outcomes)
	if err != nil {
		return settled, err
	}
	for i, o := range outcomes {
		e := history.Event{
			Kind: history.Acked, ID: o.ID, Fence: o.Fence, Worker: o.Session, Verb: string(o.Verb),
			Status: string(settled[i].Status), Detail: string(settled[i].Kind),
		}
		release := o.Verb == store.VerbRelease
		switch {
		case settled[i].Result == store.Stale:
			e.Kind = history.Stale
		case release && settled[i].Result == store.Already:
			continue // by another outcome: the job ended before the heartbeat that took it for a phantom
		case release && strings.HasPrefix(o.Error, "the answer to the claim was lost"):
			e.Kind = history.Phantom
		}
		s.Log.Write(e)
	}
	return settled, nil
}

// Reap records which jobs were taken back.
func (s *Store) Reap(ctx context.Context, asOf time.Time, limit int) ([]store.Reaped, error) {
	reaped, err := s.Store.Reap(ctx, asOf, limit)
	for _, r := range reaped {
		s.Log.Write(history.Event{
			Kind: history.Reaped, ID: r.Job.ID, Fence: r.Job.Fence, Worker: r.From, Status: string(r.Job.Status),
		})
	}
	return reaped, err
}
