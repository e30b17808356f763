// Package shape says quickly whether a JSON value fits a JSON Schema of the plain kind that jobs.SchemaOf writes.
//
// It reads the canonical form and decodes nothing. Its answers are "fits" and "not certain". A value that fits is valid
// by any validator, so the validator need not be asked. Most payloads fit. The decision page
// docs/decisions/0007-one-table-for-a-field.md says what this saves.
package shape

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/windlass-jobs/windlass/internal/canonjson"
)

// Shape is the plain part of a JSON Schema.
type Shape struct {
	kind        byte // '{', '[', '"', 't', 'n' for a number, 'i' for a whole one; 0 for anything
	least, most float64
	min, max    int      // characters or elements
	enum        [][]byte // in canonical form; nil: any value
	properties  []property
	required    int    // how many properties must be there
	items       *Shape // nil: anything
	others      *Shape // of properties that are not named; nil: anything
}

type property struct {
	name     string
	shape    *Shape // nil: anything
	required bool
}

// Of reads a JSON Schema (2020-12). It returns nil where it does not understand all of the schema. No value fits a nil
// Shape for certain.
func Of(schema json.RawMessage) *Shape {
	var keywords map[string]json.RawMessage // a struct would accept other spellings of the names
	if json.Unmarshal(schema, &keywords) != nil || keywords == nil {
		return nil
	}
	s := &Shape{least: math.Inf(-1), most: math.Inf(1), max: math.MaxInt}
	ok, limits := true, 0
	read := func(raw json.RawMessage, to any) { ok = ok && json.Unmarshal(raw, to) == nil && string(raw) != "null" }
	part := func(raw json.RawMessage) *Shape {
		p := Of(raw)
		ok = ok && p != nil
		return p
	}
	for name, raw := range keywords {
		limits++
		switch name {
		case "title", "description", "format", "contentEncoding", "default", "examples": // no limits
			limits--
		case "$schema":
			limits--
			ok = ok && string(raw) == `"https://json-schema.org/draft/2020-12/schema"`
		case "type":
			var text string
			read(raw, &text)
			s.kind = kinds[text]
			ok = ok && s.kind != 0
		case "minimum":
			s.least, ok = exact(raw, ok)
		case "maximum":
			s.most, ok = exact(raw, ok)
		case "minLength", "minItems":
			var n int
			read(raw, &n)
			s.min = max(s.min, n)
		case "maxLength", "maxItems":
			var n int
			read(raw, &n)
			s.max = min(s.max, n)
		case "enum":
			var values []json.RawMessage
			read(raw, &values)
			s.enum = [][]byte{}
			for _, v := range values {
				if canonical, err := canonjson.Canonical(v, canonjson.Limits{}); err == nil {
					s.enum = append(s.enum, canonical)
				}
			}
		case "items":
			s.items = part(raw)
		case "additionalProperties":
			s.others = part(raw)
		case "properties":
			var parts map[string]json.RawMessage
			read(raw, &parts)
			for name, raw := range parts {
				s.named(name).shape = part(raw)
			}
		case "required":
			var names []string
			read(raw, &names)
			for _, name := range names {
				s.named(name).required = true
			}
		default:
			return nil
		}
	}
	if !ok || s.kind == 0 && limits > 0 { // there are limits that concern one kind of value only
		return nil
	}
	for _, p := range s.properties {
		if p.required {
			s.required++
		}
	}
	return s
}

var kinds = map[string]byte{"object": '{', "array": '[', "string": '"', "boolean": 't', "number": 'n', "integer": 'i'}

// named returns a property, for change. It adds one where there is none.
func (s *Shape) named(name string) *property {
	i := slices.IndexFunc(s.properties, func(p property) bool { return p.name == name })
	if i < 0 {
		i = len(s.properties)
		s.properties = append(s.properties, property{name: name})
	}
	return &s.properties[i]
}

// maxExactDigits is how long a number may be to be compared as a float64. Different numbers of 15 digits are different
// as float64.
const maxExactDigits = 15

func exact(number []byte, so bool) (float64, bool) {
	v, err := strconv.ParseFloat(string(number), 64)
	return v, so && err == nil && len(number) <= maxExactDigits && !bytes.ContainsAny(number, "eE")
}

// Fits reports whether a value in canonical form (package canonjson) fits the schema for certain. Where it says no,
// the value may fit all the same. For a value that is not in canonical form the answer means nothing.
func (s *Shape) Fits(canonical []byte) bool {
	return s != nil && s.fit(canonical) == len(canonical)
}

// fit returns the length of the first value of doc, -1 where it is not certain to fit.
func (s *Shape) fit(doc []byte) int {
	if len(doc) == 0 {
		return -1
	}
	if s == nil || s.kind == 0 {
		return canonjson.Measure(doc)
	}
	size := -1
	switch c := doc[0]; {
	case c == s.kind && c == '{':
		size = s.fitObject(doc)
	case c == s.kind && c == '[':
		size = s.fitArray(doc)
	case c == s.kind && c == '"':
		size = canonjson.Measure(doc)
		if size < 2 || !s.fitText(doc[1:size-1]) {
			return -1
		}
	case (c == 't' || c == 'f') && s.kind == 't':
		size = canonjson.Measure(doc)
	case (c == '-' || '0' <= c && c <= '9') && (s.kind == 'n' || s.kind == 'i'):
		size = canonjson.Measure(doc)
		v, ok := exact(doc[:size], true)
		if !ok || v < s.least || v > s.most || s.kind == 'i' && bytes.IndexByte(doc[:size], '.') >= 0 {
			return -1
		}
	}
	if s.enum != nil && size > 0 &&
		!slices.ContainsFunc(s.enum, func(v []byte) bool { return bytes.Equal(v, doc[:size]) }) {
		return -1
	}
	return size
}

func (s *Shape) fitText(text []byte) bool {
	if s.min == 0 && len(text) <= s.max { // no character takes less than a byte
		return true
	}
	n := utf8.RuneCount(text)
	return bytes.IndexByte(text, '\\') < 0 && s.min <= n && n <= s.max
}

func (s *Shape) fitArray(doc []byte) int {
	i, n := 1, 0
	for ; i < len(doc) && doc[i] != ']'; n++ {
		if n > 0 {
			i++ // the comma
		}
		size := s.items.fit(doc[i:])
		if size < 0 {
			return -1
		}
		i += size
	}
	if n < s.min || n > s.max {
		return -1
	}
	return i + 1
}

func (s *Shape) fitObject(doc []byte) int {
	i, required := 1, 0
	for i < len(doc) && doc[i] != '}' {
		if i > 1 {
			i++ // the comma
		}
		key := canonjson.Measure(doc[i:])
		if key < 2 || i+key >= len(doc) {
			return -1
		}
		p, ok := s.find(doc[i+1 : i+key-1])
		if !ok {
			return -1
		}
		if p.required {
			required++
		}
		i += key + 1
		size := p.shape.fit(doc[i:])
		if size < 0 {
			return -1
		}
		i += size
	}
	if required < s.required {
		return -1
	}
	return i + 1
}

// find returns what the schema says of a property. It is false where that is not certain: encoding/json matches the
// names of struct fields without regard to case, and a name with escapes may be the name of a property.
func (s *Shape) find(name []byte) (property, bool) {
	for _, p := range s.properties {
		if p.name == string(name) {
			return p, true
		}
	}
	for _, p := range s.properties {
		if strings.EqualFold(p.name, string(name)) {
			return property{}, false
		}
	}
	return property{shape: s.others}, bytes.IndexByte(name, '\\') < 0
}
