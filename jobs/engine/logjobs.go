package engine

import (
	"context"
	"log/slog"

	"github.com/windlass-jobs/windlass/jobs"
)

// LogJobs says which changes of a job's state are logged. What concerns the process, such as a store that is out of
// reach or a result that cannot be stored, is logged in any case.
type LogJobs string

// The values of LogJobs.
const (
	LogAll      LogJobs = "all"      // each change, about three lines a job; the default
	LogFailures LogJobs = "failures" // only attempts and jobs that ended without success: warnings and errors
	LogNone     LogJobs = "none"
)

// logs reports whether a change of this level is logged.
func (l LogJobs) logs(level slog.Level) bool {
	switch l {
	case LogNone:
		return false
	case LogFailures:
		return level >= slog.LevelWarn
	}
	return true
}

func (c *optionCheck) logJobs(l LogJobs) {
	switch l {
	case "", LogAll, LogFailures, LogNone:
	default:
		c.fault("LogJobs", `is %q, but must be "all", "failures", "none" or empty`, string(l))
	}
}

// firstIDs is how many ids a line about many jobs has.
const firstIDs = 5

// logCreated writes one line for the jobs that came together, however many they are.
func (c *Client) logCreated(ctx context.Context, created []jobs.Job) {
	if len(created) == 0 || !c.opts.LogJobs.logs(slog.LevelInfo) || !c.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	if len(created) == 1 {
		c.log.LogAttrs(ctx, slog.LevelInfo, "job received", about(&created[0])...)
		return
	}
	var ids []string
	for i := range min(len(created), firstIDs) {
		ids = append(ids, created[i].ID)
	}
	c.log.LogAttrs(ctx, slog.LevelInfo, "jobs received", slog.Int("jobs", len(created)), slog.Any("first_job_ids", ids))
}

// logRedriven is logCreated for jobs that were sent back.
func (c *Client) logRedriven(ctx context.Context, hints []jobs.Hint) {
	if len(hints) == 0 || !c.opts.LogJobs.logs(slog.LevelInfo) || !c.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	if len(hints) == 1 {
		c.log.LogAttrs(ctx, slog.LevelInfo, "job redriven", slog.String("job_id", hints[0].ID),
			slog.String("queue", hints[0].Queue))
		return
	}
	var ids []string
	for _, h := range hints[:min(len(hints), firstIDs)] {
		ids = append(ids, h.ID)
	}
	c.log.LogAttrs(ctx, slog.LevelInfo, "jobs redriven", slog.Int("jobs", len(hints)), slog.Any("first_job_ids", ids))
}

// logChange writes a line about a job that a client has changed.
func (c *Client) logChange(ctx context.Context, message string, j *jobs.Job) {
	if c.opts.LogJobs.logs(slog.LevelInfo) && c.log.Enabled(ctx, slog.LevelInfo) {
		c.log.LogAttrs(ctx, slog.LevelInfo, message, about(j)...)
	}
}

// logChange logs a change of the job of an attempt.
func (w *Worker) logChange(r *run, level slog.Level, message string, more ...slog.Attr) {
	if w.opts.LogJobs.logs(level) {
		w.logRun(r, level, message, more...)
	}
}

// logChange logs a change of a job that the maintenance has made.
func (m *Maintenance) logChange(ctx context.Context, level slog.Level, message string, attrs ...slog.Attr) {
	if m.opts.LogJobs.logs(level) {
		m.log.LogAttrs(ctx, level, message, attrs...)
	}
}
