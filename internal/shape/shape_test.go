package shape

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/jobs"
)

// sample has a field of each kind that a Shape knows.
type sample struct {
	Text   string             `json:"text" required:"true" minLength:"2" maxLength:"4"`
	Choice string             `json:"choice" enum:"a,b"`
	Whole  *int64             `json:"whole" minimum:"-5" maximum:"3600000"`
	Part   float64            `json:"part" minimum:"0" maximum:"0.5"`
	On     bool               `json:"on"`
	Tags   []string           `json:"tags" maxItems:"2"`
	Deep   struct{ A []int }  `json:"deep"`
	By     map[string]float64 `json:"by"`
	Any    any                `json:"any"`
	Raw    json.RawMessage    `json:"raw"`
}

// What is valid has to be recognised, or nothing is saved.
var fits = []string{
	`{"text":"ab"}`, `{"text":"abcd","more":{"x":[1,null]}}`, `{"text":"äöüß"}`, `{"text":"ab","choice":"b"}`,
	`{"text":"ab","whole":-5}`, `{"text":"ab","whole":3600000}`,
	`{"part":0.5,"text":"ab"}`, `{"part":0,"text":"ab"}`, `{"on":true,"text":"ab"}`,
	`{"by":{"":-1.5},"on":false,"tags":[],"text":"ab"}`, `{"tags":["","\""],"text":"ab"}`,
	`{"any":[null,{}],"raw":null,"deep":{"A":[1,2]},"text":"ab"}`,
}

var fitsNot = []string{
	``, ` `, `[]`, `null`, `{}`, `{"text":"a"}`, `{"text":"abcde"}`, `{"text":5}`, `{"text":null}`,
	`{"TEXT":5,"text":"ab"}`, `{"te\u0078t":5,"text":"ab"}`, `{"ſ":1,"text":"a\"\"\"\""}`,
	`{"text":"ab","choice":"c"}`, `{"text":"ab","whole":-6}`, `{"text":"ab","whole":1.0}`,
	`{"text":"ab","whole":3600001}`, `{"text":"ab","whole":12345678901234567890}`,
	`{"part":0.50000000000000000001,"text":"ab"}`, `{"part":-0.1,"text":"ab"}`, `{"on":1,"text":"ab"}`,
	`{"tags":["","",""],"text":"ab"}`, `{"tags":[1],"text":"ab"}`,
	`{"deep":{"A":["1"]},"text":"ab"}`, `{"deep":{"a":["1"]},"text":"ab"}`, `{"by":{"a":"1"},"text":"ab"}`,
	`{"text":"ab"}{}`, `{"text":"ab"`, `{ "text" : "ab" }`, `{"text`, `{"text"`, `{"text":`,
}

func TestShape(t *testing.T) {
	shape := Of(jobs.SchemaOf[sample]())
	for _, payload := range fits {
		if !shape.Fits([]byte(payload)) {
			t.Errorf("%s is not recognised", payload)
		}
	}
	for _, payload := range fitsNot {
		if shape.Fits([]byte(payload)) {
			t.Errorf("%s fits", payload)
		}
	}
	for _, schema := range []string{
		``, `null`, `true`, `[]`, `{"type":["string","null"]}`, `{"type":"null"}`, `{"minimum":5}`, `{"enum":[1]}`,
		`{"type":"object","minimum":null}`, `{"type":"integer","maximum":1e3}`,
		`{"type":"number","maximum":1.0000000000000001}`, `{"type":"string","pattern":"a"}`,
		`{"type":"object","properties":{"a":{"$ref":"#"}}}`, `{"type":"array","items":[{}]}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","type":"string","format":"email"}`,
		`{"type":"object","required":"a"}`, `{"type":"string","MaxLength":3}`,
	} {
		if Of([]byte(schema)) != nil {
			t.Errorf("%s is understood", schema)
		}
	}
}

// FuzzShape compares Fits with encoding/json: what fits, decodes.
func FuzzShape(f *testing.F) {
	for _, payload := range append(fits, fitsNot...) {
		f.Add([]byte(payload))
	}
	var registry jobs.Registry
	jobs.Handle(&registry, "sample", func(context.Context, *jobs.Run, sample) (any, error) { return nil, nil })
	if !registry.Lookup("sample").Plain {
		f.Fatal("the sample demands more than its schema says")
	}
	shape := Of(jobs.SchemaOf[sample]())
	f.Fuzz(func(t *testing.T, raw []byte) {
		shape.Fits(raw) // it must not panic, whatever it gets
		canonical, err := canonjson.Canonical(raw, canonjson.Limits{})
		if err != nil || !shape.Fits(canonical) {
			return
		}
		var v sample
		if err := json.Unmarshal(canonical, &v); err != nil {
			t.Errorf("%s fits, but: %v", canonical, err)
		}
	})
}
