package postgres

import (
	"context"
	"fmt"

	"github.com/windlass-jobs/windlass/jobs/store"
)

var _ store.Identified = (*Store)(nil)

// Installation names the server, the database and the schema; see store.Identified. The server's own identifier stays
// the same when a replica takes over, and differs where a dump was restored. A copy of the server's files has the
// same one.
func (s *Store) Installation(ctx context.Context) (string, error) {
	d, err := s.database(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x-%x-%s", uint64(d.server), d.oid, s.schema.name), nil
}
