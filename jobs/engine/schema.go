package engine

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

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/internal/shape"
	"github.com/windlass-jobs/windlass/jobs"
)

// schemas checks payloads against the JSON Schemas of their types. A worker announces its schemas, so each text of
// one is compiled once, loads nothing from elsewhere, and checks nothing where it does not compile.
type schemas struct {
	log *slog.Logger

	mu       sync.RWMutex
	compiled map[string]compiledSchema // by job type
}

type compiledSchema struct {
	source []byte
	schema *jsonschema.Schema // nil: nothing to check
	shape  *shape.Shape
}

// check returns what is wrong with a payload in canonical form, with pointers into the payload. handler is nil where
// the type is not one of this process.
func (s *schemas) check(t *jobs.Type, handler *jobs.Handler, payload []byte) []jobs.FieldError {
	known := s.of(t)
	fits := known.schema == nil || known.shape.Fits(payload)
	if !fits {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload)) // numbers keep their digits
		if err != nil {
			return []jobs.FieldError{{Detail: "is not JSON"}}
		}
		var wrong *jsonschema.ValidationError
		if err := known.schema.Validate(value); errors.As(err, &wrong) {
			return explain(wrong)
		}
	}
	if handler == nil || handler.Check == nil || handler.Plain && known.schema != nil && fits {
		return nil
	}
	var wrong *jobs.InvalidError
	if err := handler.Check(payload); errors.As(err, &wrong) {
		return wrong.Fields
	}
	return nil
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
		s.log.Warn("schema of a job type cannot be used; its payloads are not checked",
			"type", t.Name, "error", err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.compiled == nil {
		s.compiled = map[string]compiledSchema{}
	}
	known = compiledSchema{bytes.Clone(t.Schema), schema, shape.Of(t.Schema)}
	s.compiled[t.Name] = known
	return known
}

// noLoader refuses references to anything outside of a schema.
type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("references to other documents are not followed")
}

func compile(source []byte) (*jsonschema.Schema, error) {
	if len(source) == 0 || string(source) == `{"type":"object"}` { // every payload is an object
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

// explain lists the innermost faults. Where alternatives have failed (anyOf, oneOf) it names the place, not each
// alternative.
func explain(e *jsonschema.ValidationError) (faults []jobs.FieldError) {
	detail, leaf := sentence(e.ErrorKind)
	if len(e.Causes) > 0 && !leaf {
		for _, cause := range e.Causes {
			faults = append(faults, explain(cause)...)
		}
		return faults
	}
	var pointer strings.Builder
	for _, name := range e.InstanceLocation {
		if !canonjson.PlainName(name) { // the pointer ends before a name that is not to be repeated
			break
		}
		pointer.WriteString("/" + name)
	}
	if missing, ok := e.ErrorKind.(*keyword.Required); ok {
		escaped := strings.NewReplacer("~", "~0", "/", "~1")
		for _, name := range missing.Missing { // a name from the schema, not from the submission
			faults = append(faults, jobs.FieldError{
				Pointer: pointer.String() + "/" + escaped.Replace(name), Detail: "is required",
			})
		}
		return faults
	}
	return []jobs.FieldError{{Pointer: pointer.String(), Detail: detail}}
}

// sentence says what a fault is, without the value. leaf is true where the faults beneath it say nothing more.
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

// number writes a limit as a decimal number.
func number(r *big.Rat) string {
	if r.IsInt() {
		return r.RatString()
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// typeNames are JSON's types in words.
var typeNames = map[string]string{
	"string": "a string", "boolean": "true or false", "object": "an object", "array": "an array",
	"number": "a number", "integer": "a whole number", "null": "null",
}
