package engine

import (
	"context"
	"time"
)

const (
	roleLook    = 15 * time.Second // between two looks for somebody who has the role
	roleMissing = 30 * time.Second // without anybody before a worker warns
)

// watchMaintenance warns when nobody has done the maintenance for roleMissing, once for each such time, until ctx ends:
// without it retries and delayed jobs may never start, and the jobs of lost workers stay with them.
func (w *Worker) watchMaintenance(ctx context.Context) {
	since, warned := time.Now(), false // when somebody had the role last, as far as is known
	for pause(ctx, roleLook) {
		call, cancel := context.WithTimeout(ctx, storeTimeout)
		held, err := w.opts.Store.Led(call, maintenanceRole)
		cancel()
		switch {
		case err != nil:
			since = time.Now() // while the Store is out of reach nobody can renew the role
		case held && warned:
			warned, since = false, time.Now()
			w.log.Info("maintenance is done again")
		case held:
			since = time.Now()
		case !warned && time.Since(since) >= roleMissing:
			warned = true
			w.log.Warn("nobody does the maintenance: retries, delayed jobs and the jobs of lost workers may wait for ever; "+
				"run Maintenance in at least one process", "for", time.Since(since).Round(time.Second).String())
		}
	}
}
