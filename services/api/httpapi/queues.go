package httpapi

import (
	"context"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// Queue is a line of jobs.
type Queue struct {
	Name                 string  `json:"name"`
	Depth                int64   `json:"depth" doc:"Jobs that are due"`
	Scheduled            int64   `json:"scheduled" doc:"Jobs that are due later, retries included"`
	Running              int64   `json:"running"`
	OldestPendingSeconds float64 `json:"oldest_pending_seconds" doc:"How long the job that has been due longest is waiting; 0 where none is"`
}

// QueuesInput is the query of GET /queues.
type QueuesInput struct {
	Prefix string `query:"prefix" maxLength:"63" pattern:"^[a-z0-9][a-z0-9_-]{0,62}$" doc:"Only queues whose name begins like this"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many"`
	Cursor string `query:"cursor" maxLength:"300" doc:"Where to go on: next_cursor of the page before, with the same prefix. Work moves queues from page to page: one may be seen twice, or not at all"`
}

type queuesListed struct{ Body QueuesBody }

// QueuesBody is a page of the list of queues.
type QueuesBody struct {
	Queues     []Queue `json:"queues" nullable:"false" doc:"Those with most due jobs first, then those with most running jobs, then by name"`
	Total      int     `json:"total" doc:"How many there are, on all pages: queues with jobs that are not over, and those that were used in the last 30 days"`
	NextCursor *string `json:"next_cursor" doc:"null at the end of the list"`
}

func (a *api) queues(ctx context.Context, in *QueuesInput) (*queuesListed, error) {
	q := store.QueueQuery{Prefix: in.Prefix, Limit: in.Limit}
	if in.Cursor != "" {
		var ok bool
		if q.After, ok = decodeQueueCursor(in.Cursor, in.Prefix); !ok {
			return nil, badParameter("cursor", errCursor.Error())
		}
	}
	page, err := a.queuesFor(ctx, q)
	if err != nil {
		return nil, problemOfRead(err)
	}
	var out queuesListed
	out.Body.Total = page.Total
	out.Body.Queues = make([]Queue, len(page.Queues))
	for i, q := range page.Queues {
		out.Body.Queues[i] = Queue{q.Name, q.Due, q.Later, q.Processing, seconds(q.OldestDue)}
	}
	if page.Next != "" {
		out.Body.NextCursor = orNull(encodeQueueCursor(page.Next, in.Prefix))
	}
	return &out, nil
}

// A cursor of queues is a place of any length, and the same checksum as in a cursor of jobs.
func encodeQueueCursor(place, prefix string) string {
	sum := cursorSum([]byte(place), "queues\x00"+prefix)
	return cursorEncoding.EncodeToString(append(sum[:], place...))
}

func decodeQueueCursor(cursor, prefix string) (place string, ok bool) {
	raw, err := cursorEncoding.DecodeString(cursor)
	if err != nil || len(raw) <= cursorSumBytes {
		return "", false
	}
	place = string(raw[cursorSumBytes:])
	return place, cursorSum([]byte(place), "queues\x00"+prefix) == [cursorSumBytes]byte(raw[:cursorSumBytes])
}
