package engine

import (
	"context"
	"log/slog"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/internal/fault"
	"github.com/windlass-jobs/windlass/jobs/store"
)

const reapLimit = 500

// guard decides as of when expired sessions can be believed. A lease runs by the Store's clock, but a worker renews it only while the Store
// answers: after a gap in the Store's service, or a jump of its clock, every lease looks expired, and reaping would take jobs from workers
// that are well. Who has just started does not know what there was.
type guard struct {
	ttl      time.Duration
	seen     time.Time // monotonic: when the Store last answered
	storeNow time.Time // what its clock said then
	holdTill time.Time // monotonic
}

// look takes in an answer of the Store and returns the time of its clock by which to reap, zero where that is not to be trusted.
func (g *guard) look(l store.Lead) (asOf time.Time) {
	now := time.Now()
	if g.seen.IsZero() {
		g.holdTill = now.Add(g.ttl)
	} else {
		silent := now.Sub(g.seen)
		moved := l.Now.Sub(g.storeNow)
		if silent > g.ttl/2 || moved > 2*silent+time.Second || moved < -time.Second {
			g.holdTill = now.Add(g.ttl)
		}
	}
	if l.Up < g.ttl {
		g.holdTill = later(g.holdTill, now.Add(g.ttl-l.Up))
	}
	g.seen, g.storeNow = now, l.Now
	if now.Before(g.holdTill) {
		return time.Time{}
	}
	return l.Now
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// reap takes jobs back from workers that were gone at asOf.
func (u *Maintenance) reap(ctx context.Context, asOf time.Time) error {
	for {
		reaped, err := u.opts.Store.Reap(ctx, asOf, reapLimit)
		if err != nil {
			return err
		}
		if len(reaped) > 0 {
			_ = fault.Point("after-reap-commit")
		}
		for _, r := range reaped {
			attrs := append(about(&r.Job), slog.Int("attempt", r.Job.Attempts), slog.String("worker_id", r.From))
			u.log.LogAttrs(ctx, slog.LevelWarn, "lease lost", attrs...)
			switch {
			case r.Hint != nil:
				u.log.LogAttrs(ctx, slog.LevelInfo, "retry scheduled", append(attrs, slog.Int64("delay_ms", r.Hint.In.Milliseconds()))...)
				u.notify.push(*r.Hint)
			case r.Job.FailureKind == jobs.KindCancelled:
				u.log.LogAttrs(ctx, slog.LevelInfo, "job cancelled", attrs...)
				endings.ended(r.Job.ID)
			default:
				endings.ended(r.Job.ID)
				u.log.LogAttrs(ctx, slog.LevelError, "job dead", append(attrs, slog.String("failure_kind", string(r.Job.FailureKind)))...)
			}
		}
		if len(reaped) < reapLimit {
			return nil
		}
	}
}
