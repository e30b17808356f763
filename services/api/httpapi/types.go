package httpapi

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/windlass-jobs/windlass/jobs"
)

// JobType is what can be submitted.
type JobType struct {
	Name           string     `json:"name"`
	Description    *string    `json:"description"`
	Queue          string     `json:"queue" doc:"Of jobs that name none"`
	MaxAttempts    int        `json:"max_attempts" doc:"Of jobs that name no number"`
	TimeoutSeconds int        `json:"timeout_seconds" doc:"Of jobs that name no limit"`
	Schema         object     `json:"schema" doc:"JSON Schema (2020-12) of the payload"`
	Example        object     `json:"example" doc:"A payload that fits"`
	SeenAt         *time.Time `json:"seen_at" doc:"When a worker last announced it; null for the API's own types"`
}

type typesListed struct {
	Body struct {
		JobTypes []JobType `json:"job_types" nullable:"false" doc:"By name"`
	}
}

func (a *api) types(ctx context.Context, _ *struct{}) (*typesListed, error) {
	types, err := a.opts.Client.Types(ctx)
	if who := callerOf(ctx); who != nil {
		types = slices.DeleteFunc(slices.Clone(types), func(t jobs.Type) bool { return !who.principal.ReachesType(t.Name) })
	}
	if err != nil {
		return nil, problemOfRead(err)
	}
	var out typesListed
	out.Body.JobTypes = make([]JobType, len(types))
	for i, t := range types {
		out.Body.JobTypes[i] = JobType{
			t.Name, orNull(t.Description), t.Queue, t.MaxAttempts, int(t.Timeout / time.Second),
			orEmpty(t.Schema), orEmpty(t.Example), orNull(t.SeenAt),
		}
	}
	return &out, nil
}

// orEmpty is {} where there is no object.
func orEmpty(raw []byte) object {
	if len(raw) == 0 {
		return object(`{}`)
	}
	return object(raw)
}

// object is a JSON object in canonical form, written as it is.
type object json.RawMessage

// MarshalJSON returns the object.
func (o object) MarshalJSON() ([]byte, error) { return json.RawMessage(o).MarshalJSON() }

// Schema describes any object.
func (object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}
