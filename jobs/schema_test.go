package jobs_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/windlass-jobs/windlass/jobs"
)

// schemaHead begins every schema.
const schemaHead = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object"`

type address struct {
	Street string `json:"street"`
}

type contact struct {
	Phone string `json:"phone"`
	Name  string `json:"name"` // the outer one counts
}

type tree struct {
	Children []tree `json:"children"`
}

func TestSchemaOf(t *testing.T) {
	tests := []struct {
		name string
		got  json.RawMessage
		want string // what follows schemaHead
	}{
		{"fields by kind, in the order of the source", jobs.SchemaOf[struct {
			Z string   `json:"z"`
			A bool     `json:"a"`
			F float64  `json:"f"`
			I *int64   `json:"i,omitempty"`
			U uint8    `json:"u"`
			L []string `json:"l"`
			P [2]int   `json:"p"`
			B []byte   `json:"b"`
		}](), `,"properties":{"z":{"type":"string"},"a":{"type":"boolean"},"f":{"type":"number"},"i":{"type":"integer"},` +
			`"u":{"type":"integer","minimum":0},"l":{"type":"array","items":{"type":"string"}},` +
			`"p":{"type":"array","items":{"type":"integer"}},"b":{"type":"string","contentEncoding":"base64"}}}`},
		{"types with a meaning", jobs.SchemaOf[struct {
			At    time.Time       `json:"at"`
			Any   any             `json:"any"`
			Raw   json.RawMessage `json:"raw"`
			N     json.Number     `json:"n"`
			IP    netip.Addr      `json:"ip"`
			Where *address        `json:"where"`
			Tags  map[string]int  `json:"tags"`
		}](), `,"properties":{"at":{"type":"string","format":"date-time"},"any":{},"raw":{},"n":{"type":"number"},"ip":{"type":"string"},` +
			`"where":{"type":"object","properties":{"street":{"type":"string"}}},` +
			`"tags":{"type":"object","additionalProperties":{"type":"integer"}}}}`},
		{"tags of numbers and values", jobs.SchemaOf[struct {
			N *int64  `json:"n" doc:"How many <things> & more." minimum:"0" maximum:"3600000" default:"7" example:"12"`
			R float64 `json:"r" minimum:"-0.5" maximum:"1" required:"true"`
			B bool    `json:"b" default:"true"`
			L []int   `json:"l" example:"[1,2]" minItems:"1" maxItems:"3"`
		}](), `,"properties":{"n":{"type":"integer","description":"How many <things> & more.","minimum":0,"maximum":3600000,"default":7,"examples":[12]},` +
			`"r":{"type":"number","minimum":-0.5,"maximum":1},"b":{"type":"boolean","default":true},` +
			`"l":{"type":"array","minItems":1,"maxItems":3,"examples":[[1,2]],"items":{"type":"integer"}}},"required":["r"]}`},
		{"tags of strings", jobs.SchemaOf[struct {
			S string  `json:"s" minLength:"1" maxLength:"9" format:"email" default:"" example:"7"`
			E *string `json:"e" enum:"a,b" required:"true"`
			I int     `json:"i" enum:"1,2"`
		}](), `,"properties":{"s":{"type":"string","format":"email","minLength":1,"maxLength":9,"default":"","examples":["7"]},` +
			`"e":{"type":"string","enum":["a","b"]},"i":{"type":"integer","enum":[1,2]}},"required":["e"]}`},
		{"fields as encoding/json sees them", jobs.SchemaOf[struct {
			contact
			Name    string `json:"name" doc:"The outer one."`
			Skipped string `json:"-"`
			NoTag   int
			Quoted  int     `json:"quoted,string"`
			Named   address `json:"named"`
			private int
		}](), `,"properties":{"phone":{"type":"string"},"name":{"type":"string","description":"The outer one."},` +
			`"NoTag":{"type":"integer"},"quoted":{"type":"string"},"named":{"type":"object","properties":{"street":{"type":"string"}}}}}`},
		{"an embedded struct with a name of its own", jobs.SchemaOf[struct {
			address `json:"-"`
			Contact contact `json:"contact"`
		}](), `,"properties":{"contact":{"type":"object","properties":{"phone":{"type":"string"},"name":{"type":"string"}}}}}`},
		{"a struct within itself", jobs.SchemaOf[tree](),
			`,"properties":{"children":{"type":"array","items":{"type":"object"}}}}`},
		{"any object", jobs.SchemaOf[json.RawMessage](), `}`},
		{"any object as a map", jobs.SchemaOf[map[string]any](), `,"additionalProperties":{}}`},
		{"an empty struct", jobs.SchemaOf[struct{}](), `}`},
		{"a pointer to a struct", jobs.SchemaOf[*address](), `,"properties":{"street":{"type":"string"}}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if want := schemaHead + test.want; string(test.got) != want {
				t.Errorf("schema\n%s\nwant\n%s", test.got, want)
			}
			compile(t, test.got)
		})
	}
}

func TestSchemaOfPanicsWhereATagDoesNotFit(t *testing.T) {
	tests := map[string]func(){
		"minimum": func() {
			jobs.SchemaOf[struct {
				A string `json:"a" minimum:"1"`
			}]()
		},
		"maximum": func() {
			jobs.SchemaOf[struct {
				A int `json:"a" maximum:"many"`
			}]()
		},
		"maxLength": func() {
			jobs.SchemaOf[struct {
				A int `json:"a" maxLength:"1"`
			}]()
		},
		"minItems": func() {
			jobs.SchemaOf[struct {
				A []int `json:"a" minItems:"-1"`
			}]()
		},
		"default": func() {
			jobs.SchemaOf[struct {
				A int `json:"a" default:"x"`
			}]()
		},
		"enum": func() {
			jobs.SchemaOf[struct {
				A bool `json:"a" enum:"true,7"`
			}]()
		},
		"a payload cannot hold": func() {
			jobs.SchemaOf[struct {
				A chan int `json:"a"`
			}]()
		},
		"a payload is an object": func() { jobs.SchemaOf[[]string]() },
	}
	for want, make := range tests {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, want) {
					t.Errorf("it panicked with %q, want a text with %q", text, want)
				}
			}()
			make()
		})
	}
}

// An independent implementation reads the schema as the tags mean it.
func TestSchemaOfIsUnderstood(t *testing.T) {
	schema := compile(t, jobs.SchemaOf[struct {
		Duration *int64 `json:"duration_ms,omitempty" minimum:"0" maximum:"3600000"`
		Format   string `json:"format,omitempty" enum:"pdf,csv"`
		To       string `json:"to" required:"true" maxLength:"3"`
	}]())
	for payload, valid := range map[string]bool{
		`{"to":"a"}`: true,
		`{"to":"a","duration_ms":3600000,"format":"csv","other":[1]}`: true,
		`{}`:                           false,
		`{"to":"abcd"}`:                false,
		`{"to":"a","duration_ms":-1}`:  false,
		`{"to":"a","duration_ms":"1"}`: false,
		`{"to":"a","duration_ms":1.5}`: false,
		`{"to":"a","format":"doc"}`:    false,
		`{"to":"a","duration_ms":4e6}`: false,
		`{"to":null}`:                  false,
		`["to"]`:                       false,
	} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(payload))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != valid {
			t.Errorf("%s: error %v, want valid: %v", payload, err, valid)
		}
	}
}

func compile(t *testing.T, raw json.RawMessage) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("the schema is no JSON: %v", err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatalf("the schema does not compile: %v", err)
	}
	return schema
}
