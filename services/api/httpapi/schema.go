package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	keyword "github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/windlass-jobs/windlass/jobs"
)

// schemas checks payloads against the JSON Schemas of their types. A schema comes from a worker, so it is compiled once for each text of it, never
// loads anything, and one that does not compile checks nothing.
type schemas struct {
	log *slog.Logger

	mu       sync.RWMutex
	compiled map[string]compiledSchema // by job type
}

type compiledSchema struct {
	source []byte
	schema *jsonschema.Schema // nil: nothing to check
	shape  *jobs.Shape
}

// check calls fault for what is wrong with a payload in canonical form, with pointers into the payload.
func (s *schemas) check(t *jobs.Type, payload []byte, fault func(pointer, detail string)) {
	known := s.of(t)
	if known.schema == nil || known.shape.Fits(payload) {
		return
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload)) // numbers keep their digits
	if err != nil {
		fault("", "is not JSON")
		return
	}
	var wrong *jsonschema.ValidationError
	if err := known.schema.Validate(value); errors.As(err, &wrong) {
		explain(wrong, fault)
	}
}

func (s *schemas) of(t *jobs.Type) compiledSchema {
	s.mu.RLock()
	known, ok := s.compiled[t.Name]
	s.mu.RUnlock()
	if ok && bytes.Equal(known.source, t.Schema) {
		return known
	}
	schema, err := compile(t.Schema)
	if err != nil {
		s.log.Warn("schema of a job type cannot be used; its payloads are not checked", "type", t.Name, "error", err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.compiled == nil {
		s.compiled = map[string]compiledSchema{}
	}
	known = compiledSchema{bytes.Clone(t.Schema), schema, jobs.ShapeOf(t.Schema)}
	s.compiled[t.Name] = known
	return known
}

// noLoader refuses references to anything outside of a schema.
type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("references to other documents are not followed")
}

func compile(source []byte) (*jsonschema.Schema, error) {
	if len(source) == 0 || string(source) == `{"type":"object"}` { // what every payload is
		return nil, nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
	if err != nil {
		return nil, err
	}
	const name = "urn:windlass:payload"
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	return c.Compile(name)
}

// explain reports the innermost faults. Where alternatives have failed (anyOf, oneOf) it reports the place, not each alternative.
func explain(e *jsonschema.ValidationError, fault func(pointer, detail string)) {
	detail, leaf := sentence(e.ErrorKind)
	if len(e.Causes) > 0 && !leaf {
		for _, cause := range e.Causes {
			explain(cause, fault)
		}
		return
	}
	var pointer strings.Builder
	for _, name := range e.InstanceLocation {
		if !plainName(name) { // the nearest value around it whose name may be repeated
			break
		}
		pointer.WriteString("/" + name)
	}
	if missing, ok := e.ErrorKind.(*keyword.Required); ok {
		for _, name := range missing.Missing { // the schema's word, not the submitter's
			fault(pointer.String()+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name), "is required")
		}
		return
	}
	fault(pointer.String(), detail)
}

// sentence says what a fault is without the value at fault. leaf tells that what lies beneath it does not help.
func sentence(k jsonschema.ErrorKind) (detail string, leaf bool) {
	switch k := k.(type) {
	case *keyword.Type:
		wants := make([]string, len(k.Want))
		for i, w := range k.Want {
			wants[i] = typeNames[w]
		}
		return "must be " + strings.Join(wants, " or "), true
	case *keyword.Enum:
		return "must be one of the values that the schema lists", true
	case *keyword.Const:
		return "must be the value that the schema names", true
	case *keyword.Minimum:
		return "must be at least " + number(k.Want), true
	case *keyword.Maximum:
		return "must be at most " + number(k.Want), true
	case *keyword.ExclusiveMinimum:
		return "must be more than " + number(k.Want), true
	case *keyword.ExclusiveMaximum:
		return "must be less than " + number(k.Want), true
	case *keyword.MultipleOf:
		return "must be a multiple of " + number(k.Want), true
	case *keyword.MinLength:
		return "must have at least " + strconv.Itoa(k.Want) + " characters", true
	case *keyword.MaxLength:
		return "must have at most " + strconv.Itoa(k.Want) + " characters", true
	case *keyword.MinItems:
		return "must have at least " + strconv.Itoa(k.Want) + " elements", true
	case *keyword.MaxItems:
		return "must have at most " + strconv.Itoa(k.Want) + " elements", true
	case *keyword.UniqueItems:
		return "must have no two equal elements", true
	case *keyword.Pattern:
		return "must match " + k.Want, true
	case *keyword.Format:
		return "must be in the format " + k.Want, true
	case *keyword.AdditionalProperties:
		return "has a field that its schema does not allow", true
	case *keyword.AnyOf, *keyword.OneOf, *keyword.Not, *keyword.Contains:
		return "is none of what the schema allows", true
	case *keyword.Schema, *keyword.Group, *keyword.AllOf, *keyword.Reference:
		return "does not fit its schema", false
	default:
		return fmt.Sprintf("does not fit its schema (%s)", strings.Join(k.KeywordPath(), "/")), false
	}
}

// number writes a limit as a person would.
func number(r *big.Rat) string {
	if r.IsInt() {
		return r.RatString()
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// typeNames says JSON's types as a person would.
var typeNames = map[string]string{
	"string": "a string", "boolean": "true or false", "object": "an object", "array": "an array",
	"number": "a number", "integer": "a whole number", "null": "null",
}
