package engine

import (
	"context"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/internal/fault"
	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/store"
)

const (
	deadMirror   = 1000 // newest dead jobs that the Queue mirrors
	pruneLimit   = 5000
	pruneRounds  = 20 // in one round of the chore
	sessionsKept = 24 * time.Hour
)

// mirrorDead brings the Queue's list of the newest dead jobs up to date.
func (m *Maintenance) mirrorDead(ctx context.Context) error {
	if !m.notify.ok() {
		return nil
	}
	var dead []queue.DeadID
	q := store.ListQuery{State: jobs.StateDead, Limit: 200}
	for len(dead) < deadMirror {
		page, err := m.opts.Store.List(ctx, q)
		if err != nil {
			return err
		}
		for _, j := range page.Jobs {
			dead = append(dead, queue.DeadID{ID: j.ID, FinishedAt: j.FinishedAt})
		}
		if q.Before = page.Next; q.Before == "" {
			break
		}
	}
	_ = fault.Point("before-mirror")
	if err := m.opts.Queue.SetDead(ctx, dead); err != nil {
		return m.queueFailed(ctx, err)
	}
	return nil
}

// prune removes what is past its retention, in small steps.
func (m *Maintenance) prune(ctx context.Context) error {
	m.recounting.mu.Lock()
	defer m.recounting.mu.Unlock()
	if m.recounting.holder != "" {
		return nil // it would disturb the recount; the next round is soon
	}
	var jobsGone, keysGone, actionsGone int
	for range pruneRounds {
		p, err := m.opts.Store.Prune(ctx, store.Prune{
			Completed: m.opts.RetentionCompleted, Failed: m.opts.RetentionFailed, Sessions: sessionsKept,
			Actions: m.opts.RetentionAudit, After: m.pruned, Limit: pruneLimit,
		})
		if err != nil {
			return err
		}
		jobsGone, keysGone, actionsGone = jobsGone+p.Jobs, keysGone+p.Keys, actionsGone+p.Actions
		if m.pruned = p.Next; m.pruned == "" {
			break
		}
	}
	if jobsGone+keysGone+actionsGone > 0 {
		m.log.Info("pruned", "jobs", jobsGone, "idempotency_keys", keysGone, "audit_entries", actionsGone)
	}
	return nil
}
