package engine

import (
	"context"

	"github.com/windlass-jobs/windlass/jobs/queue"
	"github.com/windlass-jobs/windlass/jobs/store"
)

// register tells the Queue which installation uses it, and logs once when another one does as well. Their processes
// would take each other's hints. It does nothing where the Store or the Queue cannot tell installations apart.
func (m *Maintenance) register(ctx context.Context) error {
	identified, known := m.opts.Store.(store.Identified)
	registrar, shared := m.opts.Queue.(queue.Registrar)
	if !known || !shared {
		return nil
	}
	id, err := identified.Installation(ctx)
	if err != nil {
		return nil // the other chores tell that the Store is out of reach; a right that is missing here hurts nobody
	}
	warning, err := registrar.Register(ctx, id)
	if err != nil {
		return nil // as above, for the Queue
	}
	switch {
	case warning != "" && !m.crowded:
		m.log.Warn(warning)
	case warning == "" && m.crowded:
		m.log.Info("no other installation uses the queue any more")
	}
	m.crowded = warning != ""
	return nil
}
