package systems

import (
	"context"
	"path/filepath"

	"github.com/windlass-jobs/windlass/jobs/queue/memory"
	"github.com/windlass-jobs/windlass/jobs/store/sqlite"
)

// openWindlassSQLite opens Windlass on SQLite, as services/embedded does.
func openWindlassSQLite(ctx context.Context, o Options) (System, error) {
	dir := filepath.Join(o.Dir, "windlass")
	store, err := sqlite.Open(ctx, sqlite.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	queue := memory.New(memory.Options{})
	w, err := newWindlass(o, store, queue, quiet())
	if err != nil {
		return nil, err
	}
	w.closers = []func() error{func() error { queue.Close(); return nil }, store.Close}
	w.text = sqliteSettings + ", " + w.text
	w.count = func(ctx context.Context) (c Count, err error) {
		s, err := store.Stats(ctx)
		return Count{
			Waiting: int(s.Due), Running: int(s.Processing), Completed: int(s.Completed),
			Failed: int(s.Retrying + s.Failed),
		}, err
	}
	return w, nil
}
