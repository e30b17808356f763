package redis

import (
	"context"
	"fmt"
	"time"
)

// registered is how long an installation counts as present after it has registered.
const registered = 30 * time.Second

// Register notes that an installation uses this Queue; see queue.Registrar.
func (q *Queue) Register(ctx context.Context, installation string) (warning string, err error) {
	others, err := registerScript.Run(ctx, q.client, []string{q.keys.installations},
		installation, registered.Milliseconds()).Int()
	if err != nil {
		return "", fmt.Errorf("register: %w", err)
	}
	if others == 0 {
		return "", nil
	}
	return fmt.Sprintf("another installation of Windlass uses this Redis with the same prefix %q: each takes the "+
		"other's hints, so jobs start up to two seconds late. Give each installation a "+
		"REDIS_PREFIX of its own", q.prefix), nil
}
