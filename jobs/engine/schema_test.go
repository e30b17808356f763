package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/jobs"
)

// FuzzSchema compares what package shape says of a payload with the validator: what fits, is valid.
func FuzzSchema(f *testing.F) {
	var registry jobs.Registry
	type payload struct {
		Text   string             `json:"text" required:"true" minLength:"2" maxLength:"4"`
		Choice string             `json:"choice" enum:"a,b"`
		Whole  *int64             `json:"whole" minimum:"-5" maximum:"3600000"`
		Part   float64            `json:"part" minimum:"0" maximum:"0.5"`
		Tags   []bool             `json:"tags" maxItems:"2"`
		By     map[string]float64 `json:"by"`
	}
	jobs.Handle(&registry, "made", func(context.Context, *jobs.Run, payload) (any, error) { return nil, nil })
	types := append(registry.Types(), jobs.Type{Schema: json.RawMessage(`{"type":"object","properties":{"text":{"type":"string","minLength":1,"enum":["a","\u00e9",1]},
		"whole":{"type":"integer","enum":[1,2.0]},"part":{"type":"number","format":"double","minimum":-0.25},"tags":{"type":"array","items":{},"minItems":1}},
		"required":["text","more"],"additionalProperties":{"type":"object"}}`)})
	for _, seed := range []string{
		`{"text":"ab","choice":"a","whole":-5,"part":0.5,"tags":[true,false],"by":{"a":1.5}}`,
		`{"text":"\u00e9","more":{},"whole":2,"part":-0.25,"tags":[1]}`,
		`{"text":"abcde"}`, `{"text":"a","more":{"a":[]},"tags":[]}`, `{"text":"ab","whole":1.0}`,
		`{"text":"ab","part":0.50000000000000000001}`, `{}`, `[]`, `null`,
	} {
		f.Add([]byte(seed))
	}
	s := schemas{log: slog.New(slog.DiscardHandler)}
	for i := range types {
		if known := s.of(&types[i]); known.schema == nil || known.shape == nil {
			f.Fatalf("schema %d: %+v", i, known)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		canonical, err := canonjson.Canonical(raw, canonjson.Limits{})
		if err != nil {
			return
		}
		for i := range types {
			known := s.of(&types[i])
			if !known.shape.Fits(canonical) {
				continue
			}
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(canonical))
			if err == nil {
				err = known.schema.Validate(value)
			}
			if err != nil {
				t.Errorf("%s fits schema %d, but: %v", canonical, i, err)
			}
		}
	})
}
