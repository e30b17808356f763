package httpapi

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/internal/fields"
	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/store"
)

const (
	maxRedrive       = 1000
	maxSpreadSeconds = 86_400
	maxErrorFilter   = 200 // characters
)

var (
	redriveLimit  = &fields.Field{Min: 1, Max: maxRedrive}
	redriveSpread = &fields.Field{Min: 0, Max: maxSpreadSeconds}
)

// dead serves GET /dlq.
func (a *api) dead(ctx context.Context, in *ListInput) (*listed, error) {
	return a.page(ctx, "dlq", &StatusInput{ListInput: *in, State: string(jobs.StateDead)})
}

// RedriveRequest is the body of POST /dlq/retry, for the documentation: readRedrive reads it.
type RedriveRequest struct {
	IDs           []string       `json:"ids,omitempty" nullable:"false" minItems:"1" maxItems:"1000" doc:"These jobs. Those that are not dead are passed over"`
	Filter        *RedriveFilter `json:"filter,omitempty" doc:"Or the dead jobs that match, the newest first; {} matches all"`
	Limit         *int           `json:"limit,omitempty" minimum:"1" maximum:"1000" doc:"With filter: at most so many; 1,000 if left out. Repeat the call for more"`
	SpreadSeconds *int           `json:"spread_seconds,omitempty" minimum:"0" maximum:"86400" doc:"The jobs start at random within so many seconds, so as not to fall on their victim at once; 0 if left out"`
}

// RedriveFilter selects dead jobs.
type RedriveFilter struct {
	Type  *string `json:"type,omitempty" pattern:"^[a-z0-9][a-z0-9_.-]{0,99}$"`
	Queue *string `json:"queue,omitempty" pattern:"^[a-z0-9][a-z0-9_-]{0,62}$"`
	Error *string `json:"error,omitempty" minLength:"1" maxLength:"200" doc:"A part of the error message, in upper or lower case"`
}

// RedriveInput is a request to send dead jobs back.
type RedriveInput struct{ Request }

type redriven struct {
	Body struct {
		Retried int `json:"retried" doc:"How many jobs are pending again"`
	}
}

// redrive serves POST /dlq/retry.
func (a *api) redrive(ctx context.Context, in *RedriveInput) (*redriven, error) {
	doc, bad := readBody(&in.Request, maxBodyBytes, canonjson.Limits{Envelope: 1})
	if bad != nil {
		return nil, bad
	}
	if doc == nil {
		return nil, malformedBody.problem("A body is required: ids or filter.")
	}
	var f form
	r := readRedrive(&f, doc)
	if f.faults != nil {
		return nil, invalidBody(f.faults)
	}
	ctx, cancel := in.limit(ctx)
	defer cancel()
	if who := callerOf(ctx); who != nil {
		r.Types, r.Queues = who.principal.Types, who.principal.Queues
	}
	n, err := a.opts.Client.Redrive(ctx, r)
	if err != nil {
		return nil, problemOf(err, noPointer)
	}
	var out redriven
	out.Body.Retried = n
	return &out, nil
}

func readRedrive(f *form, doc []byte) store.Redrive {
	r := store.Redrive{DeadOnly: true, Limit: maxRedrive}
	var ids, filter, limit bool
	f.members("", doc, func(name string, value []byte) bool {
		switch name {
		case "ids":
			ids = true
			r.IDs = readIDs(f, value)
		case "filter":
			filter = true
			readFilter(f, value, &r)
		case "limit":
			limit = true
			n, _ := f.number("/limit", value, redriveLimit)
			r.Limit = int(n)
		case "spread_seconds":
			n, _ := f.number("/spread_seconds", value, redriveSpread)
			r.Spread = time.Duration(n) * time.Second
		default:
			return false
		}
		return true
	})
	switch {
	case f.faults != nil:
	case ids == filter:
		f.fault("", "must have either ids or filter")
	case ids && limit:
		f.fault("/limit", "goes with filter only")
	}
	return r
}

func readIDs(f *form, value []byte) (ids []string) {
	n := f.elements("/ids", value, func(i int, value []byte) {
		var raw [16]byte
		pointer := fmt.Sprintf("/ids/%d", i)
		switch text, ok := f.quoted(pointer, value); {
		case !ok || i >= maxRedrive:
		case !parseID(raw[:], text):
			f.fault(pointer, "must be a UUID in its usual form")
		default:
			ids = append(ids, formatID(raw[:]))
		}
	})
	if value[0] == '[' && (n < 1 || n > maxRedrive) {
		f.fault("/ids", fmt.Sprintf("must hold 1 to %d ids", maxRedrive))
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func readFilter(f *form, value []byte, r *store.Redrive) {
	f.members("/filter", value, func(name string, value []byte) bool {
		pointer := "/filter/" + name
		switch name {
		case "type":
			r.Type, _ = f.text(pointer, value, fields.Named("type"))
		case "queue":
			r.Queue, _ = f.text(pointer, value, fields.Named("queue"))
		case "error":
			text, ok := f.quoted(pointer, value)
			if ok && (text == "" || utf8.RuneCountInString(text) > maxErrorFilter) {
				f.fault(pointer, fmt.Sprintf("must have 1 to %d characters", maxErrorFilter))
			}
			r.Error = text
		default:
			return false
		}
		return true
	})
}
