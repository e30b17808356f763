package jobs

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SchemaOf makes the JSON Schema (2020-12) of T's payloads, which are always objects. It reads the json tags of T's
// exported fields, and these besides:
//
//	doc:"…"                      description, a sentence for people
//	required:"true"              the field must be there; all others are optional
//	minimum:"0" maximum:"9.5"    of a number
//	minLength:"1" maxLength:"9"  of a string, in characters
//	enum:"a,b"                   the values there are
//	format:"email"               what a string means; a hint, not checked
//	default:"…" example:"…"      a value: a string as it is, anything else as JSON
//
// Fields that T does not know are allowed. The fields are in the order of the source. SchemaOf panics where a tag does
// not fit its field, which is a mistake in the program.
func SchemaOf[T any]() json.RawMessage {
	n := schemaOf(reflect.TypeFor[T](), nil)
	if n.Type == "" { // json.RawMessage or any
		n.Type = "object"
	}
	if n.Type != "object" {
		panic(fmt.Sprintf("jobs: a payload is an object, which %s is not", reflect.TypeFor[T]()))
	}
	n.Schema = "https://json-schema.org/draft/2020-12/schema"
	raw, err := marshal(n)
	if err != nil {
		panic(fmt.Sprintf("jobs: schema of %s: %v", reflect.TypeFor[T](), err))
	}
	return raw
}

// schemaNode is a schema or a part of one. The order of the fields is the order of the keywords.
type schemaNode struct {
	Schema          string            `json:"$schema,omitempty"`
	Type            string            `json:"type,omitempty"`
	Description     string            `json:"description,omitempty"`
	Format          string            `json:"format,omitempty"`
	ContentEncoding string            `json:"contentEncoding,omitempty"`
	Minimum         json.Number       `json:"minimum,omitempty"`
	Maximum         json.Number       `json:"maximum,omitempty"`
	MinLength       *uint64           `json:"minLength,omitempty"`
	MaxLength       *uint64           `json:"maxLength,omitempty"`
	MinItems        *uint64           `json:"minItems,omitempty"`
	MaxItems        *uint64           `json:"maxItems,omitempty"`
	Enum            []json.RawMessage `json:"enum,omitempty"`
	Default         json.RawMessage   `json:"default,omitempty"`
	Examples        []json.RawMessage `json:"examples,omitempty"`
	Items           *schemaNode       `json:"items,omitempty"`
	Properties      schemaProperties  `json:"properties,omitempty"`
	Required        []string          `json:"required,omitempty"`
	Additional      *schemaNode       `json:"additionalProperties,omitempty"`
}

// schemaProperties is an object that keeps its order.
type schemaProperties []schemaProperty

type schemaProperty struct {
	name string
	node schemaNode
}

func (ps schemaProperties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range ps {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := marshal(p.name)
		if err != nil {
			return nil, err
		}
		value, err := marshal(p.node)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// marshal is json.Marshal without escapes for <, > and &, because people read descriptions.
func marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// schemaOf describes what encoding/json reads into a t. within lists the structs that t is a part of.
func schemaOf(t reflect.Type, within []reflect.Type) schemaNode {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return schemaNode{Type: "string", Format: "date-time"}
	case t == reflect.TypeFor[json.Number]():
		return schemaNode{Type: "number"}
	case decodesJSON(t): // json.RawMessage too
		return schemaNode{} // the type decodes itself: anything may be valid
	case decodesText(t):
		return schemaNode{Type: "string"}
	}
	switch t.Kind() {
	case reflect.String:
		return schemaNode{Type: "string"}
	case reflect.Bool:
		return schemaNode{Type: "boolean"}
	case reflect.Float32, reflect.Float64:
		return schemaNode{Type: "number"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return schemaNode{Type: "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return schemaNode{Type: "integer", Minimum: "0"}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return schemaNode{Type: "string", ContentEncoding: "base64"}
		}
		items := schemaOf(t.Elem(), within)
		return schemaNode{Type: "array", Items: &items}
	case reflect.Array:
		items := schemaOf(t.Elem(), within)
		return schemaNode{Type: "array", Items: &items}
	case reflect.Map:
		values := schemaOf(t.Elem(), within)
		return schemaNode{Type: "object", Additional: &values}
	case reflect.Struct:
		if slices.Contains(within, t) {
			return schemaNode{Type: "object"} // a struct within itself is described once
		}
		return structSchema(t, append(slices.Clone(within), t))
	case reflect.Interface:
		return schemaNode{}
	}
	panic(fmt.Sprintf("jobs: a payload cannot hold a %s", t))
}

func decodesJSON(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

func decodesText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func structSchema(t reflect.Type, within []reflect.Type) schemaNode {
	node := schemaNode{Type: "object"}
	for _, f := range jsonFields(t) {
		p := schemaOf(f.Type, within)
		if f.quoted {
			p = schemaNode{Type: "string"}
		}
		p.annotate(t, f.StructField)
		node.Properties = append(node.Properties, schemaProperty{f.name, p})
		if f.Tag.Get("required") == "true" {
			node.Required = append(node.Required, f.name)
		}
	}
	return node
}

// jsonField is a struct field as encoding/json sees it.
type jsonField struct {
	reflect.StructField
	name   string
	quoted bool // the ",string" option: a number or a bool in quotes
	named  bool // by its tag
}

// jsonFields lists the fields that encoding/json fills, those of embedded structs included, in the order of the
// source. Of several fields with one name the least deep one counts, then the one with a name from a tag. Where that
// does not decide, none of them counts.
func jsonFields(t reflect.Type) []jsonField {
	var fields []jsonField
	hidden := map[string]bool{} // paths of embedded structs that are fields of their own, because a tag names them
	for _, f := range reflect.VisibleFields(t) {
		path := fmt.Sprint(f.Index[:len(f.Index)-1])
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		embeds := f.Anonymous && name == "" && indirect(f.Type).Kind() == reflect.Struct
		skip := hidden[path] || f.Tag.Get("json") == "-" || !f.IsExported() && !embeds
		if skip || !embeds {
			hidden[fmt.Sprint(f.Index)] = true
		}
		if skip || embeds {
			continue
		}
		j := jsonField{StructField: f, name: name, named: name != ""}
		if name == "" {
			j.name = f.Name
		}
		if kind := indirect(f.Type).Kind(); slices.Contains(strings.Split(options, ","), "string") {
			j.quoted = kind == reflect.Bool || kind == reflect.String || kind >= reflect.Int && kind <= reflect.Float64
		}
		fields = append(fields, j)
	}
	return slices.DeleteFunc(slices.Clone(fields), func(f jsonField) bool {
		return slices.ContainsFunc(fields, func(other jsonField) bool {
			same := other.name == f.name && !slices.Equal(other.Index, f.Index)
			deeper := len(f.Index) > len(other.Index)
			tied := len(f.Index) == len(other.Index) && (other.named || !f.named)
			return same && (deeper || tied)
		})
	})
}

func indirect(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// annotate adds what the tags of a field say.
func (n *schemaNode) annotate(owner reflect.Type, f reflect.StructField) {
	fail := func(tag string) {
		panic(fmt.Sprintf("jobs: the %s tag of %s.%s does not fit the field", tag, owner, f.Name))
	}
	n.Description = f.Tag.Get("doc")
	if text, ok := f.Tag.Lookup("format"); ok {
		n.Format = text
	}
	number := func(tag string, to *json.Number) {
		text, ok := f.Tag.Lookup(tag)
		if !ok {
			return
		}
		if n.Type != "number" && n.Type != "integer" || !json.Valid([]byte(text)) {
			fail(tag)
		}
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			fail(tag)
		}
		*to = json.Number(text)
	}
	length := func(tag, kind string, to **uint64) {
		text, ok := f.Tag.Lookup(tag)
		if !ok {
			return
		}
		v, err := strconv.ParseUint(text, 10, 32)
		if err != nil || n.Type != kind {
			fail(tag)
		}
		*to = &v
	}
	number("minimum", &n.Minimum)
	number("maximum", &n.Maximum)
	length("minLength", "string", &n.MinLength)
	length("maxLength", "string", &n.MaxLength)
	length("minItems", "array", &n.MinItems)
	length("maxItems", "array", &n.MaxItems)

	value := func(tag, text string) json.RawMessage {
		raw := json.RawMessage(text)
		if n.Type == "string" {
			raw, _ = marshal(text)
		}
		if json.Unmarshal(raw, reflect.New(f.Type).Interface()) != nil {
			fail(tag)
		}
		return raw
	}
	if text, ok := f.Tag.Lookup("enum"); ok {
		for item := range strings.SplitSeq(text, ",") {
			n.Enum = append(n.Enum, value("enum", item))
		}
	}
	if text, ok := f.Tag.Lookup("default"); ok {
		n.Default = value("default", text)
	}
	if text, ok := f.Tag.Lookup("example"); ok {
		n.Examples = append(n.Examples, value("example", text))
	}
}

// plain reports whether encoding/json can decode into a t all that fits t's schema for certain (package shape). It
// cannot where a type decodes itself, where a number may be out of the type's range, and where the schema says less
// than the type.
func plain(t reflect.Type, within []reflect.Type) bool {
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return true
	case slices.Contains(within, t), t == reflect.TypeFor[json.Number](), decodesJSON(t), decodesText(t):
		return false
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64:
		return true
	case reflect.Int, reflect.Int64:
		return t.Size() == 8
	case reflect.Interface:
		return t.NumMethod() == 0
	case reflect.Pointer:
		return plain(t.Elem(), within)
	case reflect.Slice:
		return t.Elem().Kind() != reflect.Uint8 && plain(t.Elem(), within)
	case reflect.Map:
		return t.Key().Kind() == reflect.String && !decodesText(t.Key()) && plain(t.Elem(), within)
	case reflect.Struct:
		for _, f := range jsonFields(t) {
			if f.quoted || len(f.Index) > 1 || !plain(f.Type, append(slices.Clone(within), t)) {
				return false
			}
		}
		return true
	}
	return false
}
