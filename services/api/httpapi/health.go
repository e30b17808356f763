package httpapi

import (
	"context"
	"time"
)

type live struct {
	Body struct {
		Status string `json:"status" enum:"ok"`
	}
}

// live says that the process answers. It asks nothing of the store.
func (a *api) live(context.Context, *struct{}) (*live, error) {
	var out live
	out.Body.Status = "ok"
	return &out, nil
}

type ready struct {
	Body struct {
		Status string `json:"status" enum:"ready"`
		Store  string `json:"store" enum:"ok"`
		Redis  string `json:"redis" enum:"ok,degraded" doc:"degraded: jobs are accepted and run, but may start a moment later"`
	}
}

const pingTimeout = 2 * time.Second

// ready says whether a job could be accepted now.
func (a *api) ready(ctx context.Context, _ *struct{}) (*ready, error) {
	if a.opts.Draining() {
		return nil, notReady.problem("The process is shutting down.")
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := a.opts.Ping(ctx); err != nil {
		a.log.Debug("not ready", "error", err.Error())
		return nil, notReady.problem("The store cannot be reached, or is not migrated.")
	}
	var out ready
	out.Body.Status, out.Body.Store, out.Body.Redis = "ready", "ok", "ok"
	if a.opts.Client.Degraded() {
		out.Body.Redis = "degraded"
	}
	return &out, nil
}
