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

// guard decides which expired sessions are really lost. A lease runs by the Store's clock, but a worker can renew it
// only while the Store answers. After a gap in the Store's service, or a jump of its clock, every lease looks expired,
// and reaping would take jobs from workers that are well. A process that has just started does not know whether there
// was a gap.
type guard struct {
	ttl      time.Duration
	seen     time.Time // monotonic: when the Store last answered
	storeNow time.Time // what its clock said then
	holdTill time.Time // monotonic
}

// look reads an answer of the Store and returns the time of its clock as of which to reap. It is zero where the clock
// cannot be trusted yet.
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
func (m *Maintenance) reap(ctx context.Context, asOf time.Time) error {
	for {
		reaped, err := m.opts.Store.Reap(ctx, asOf, reapLimit)
		if err != nil {
			return err
		}
		if len(reaped) > 0 {
			_ = fault.Point("after-reap-commit")
		}
		for _, r := range reaped {
			attrs := append(about(&r.Job), slog.Int("attempt", r.Job.Attempts), slog.String("worker_id", r.From))
			m.logChange(ctx, slog.LevelWarn, "lease lost", attrs...)
			switch {
			case r.Hint != nil:
				delay := slog.Int64("delay_ms", r.Hint.In.Milliseconds())
				m.logChange(ctx, slog.LevelInfo, "retry scheduled", append(attrs, delay)...)
				m.notify.push(*r.Hint)
			case r.Job.FailureKind == jobs.KindCancelled:
				m.logChange(ctx, slog.LevelInfo, "job cancelled", attrs...)
				endings.ended(r.Job.ID)
			default:
				endings.ended(r.Job.ID)
				kind := slog.String("failure_kind", string(r.Job.FailureKind))
				m.logChange(ctx, slog.LevelError, "job dead", append(attrs, kind)...)
			}
		}
		if len(reaped) < reapLimit {
			return nil
		}
	}
}
