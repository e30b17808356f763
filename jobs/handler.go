package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	// TypePattern is what a job type's name looks like.
	TypePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,99}$`)
	// QueuePattern is what a queue's name looks like.
	QueuePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
)

// HandlerFunc runs one attempt of a job whose payload is decoded already. It returns
//   - a result (anything that encoding/json can write, or nil) and no error: the job is completed;
//   - an error: the attempt failed, and is retried while attempts are left;
//   - Permanent(err): the job fails at once;
//   - Snooze(d): called again after d, the attempt is not counted.
//
// A panic is an error with its stack. The context ends when the job's timeout is over, the job is cancelled, the worker shuts down or has
// lost its lease (context.Cause tells which); a handler that goes on regardless keeps its slot but not its job.
//
// It may run more than once for one job, even after it has succeeded: make its effects idempotent, for example by the job's id.
type HandlerFunc[T any] func(ctx context.Context, run *Run, payload T) (any, error)

// Run is one attempt of a job, as its handler sees it.
type Run struct {
	Job Job
	Log *slog.Logger // carries the job's id, type, queue and attempt

	progress func(percent float64, message string)
}

// NewRun is for those who call handlers: the engine, and tests of handlers. progress may be nil.
func NewRun(job Job, log *slog.Logger, progress func(percent float64, message string)) *Run {
	return &Run{Job: job, Log: log, progress: progress}
}

// Progress tells how far the attempt is, in percent (0 to 100), with a short message for people (the first 200 bytes are kept). It is cheap and never
// waits: at most about one call in a second is written, always the newest, and none in an attempt's first second.
func (r *Run) Progress(percent float64, message string) {
	if r.progress != nil {
		r.progress(percent, message)
	}
}

// Registry holds the job types that a process serves, or accepts. The zero value is empty and ready. Fill it before use; it
// is not safe to add to one that is in use.
type Registry struct{ handlers map[string]*Handler }

// Handler is a registered job type.
type Handler struct {
	Type    Type
	Backoff BackoffFunc
	Run     func(ctx context.Context, run *Run) (any, error) // decodes the payload of run.Job and calls the HandlerFunc
	Check   func(payload json.RawMessage) error              // an *InvalidError where the payload, in canonical form, does not decode
}

// Option changes how a type is handled.
type Option func(*Handler)

// WithQueue names the queue of jobs that are submitted without one. It is DefaultQueue otherwise.
func WithQueue(name string) Option { return func(h *Handler) { h.Type.Queue = name } }

// WithTimeout limits an attempt of jobs that are submitted without a limit: whole seconds up to MaxTimeout. It is DefaultTimeout otherwise.
func WithTimeout(d time.Duration) Option { return func(h *Handler) { h.Type.Timeout = d } }

// WithMaxAttempts is for jobs that are submitted without it: 1 to MaxMaxAttempts. It is DefaultMaxAttempts otherwise.
func WithMaxAttempts(n int) Option { return func(h *Handler) { h.Type.MaxAttempts = n } }

// WithBackoff replaces the retry curve.
func WithBackoff(f BackoffFunc) Option { return func(h *Handler) { h.Backoff = f } }

// WithDescription says in a sentence what the type does.
func WithDescription(text string) Option { return func(h *Handler) { h.Type.Description = text } }

// WithExample shows a payload. It must marshal to a JSON object.
func WithExample(payload any) Option {
	return func(h *Handler) {
		raw, err := json.Marshal(payload)
		if err != nil {
			panic(fmt.Sprintf("jobs: example of %q: %v", h.Type.Name, err))
		}
		h.Type.Example = raw
	}
}

// Handle registers a job type. T is the payload: a struct whose json tags name the fields that the handler knows (others are
// let through), or json.RawMessage or a map for any object. The type's JSON Schema is made from T; see SchemaOf for the tags it reads.
// Handle panics where the name or an option is not valid, or the name is taken: these are mistakes in the program.
func Handle[T any](r *Registry, name string, fn HandlerFunc[T], options ...Option) {
	numbers := holdsAny(reflect.TypeFor[T](), map[reflect.Type]bool{})
	schema := SchemaOf[T]()
	var shape *Shape
	if shaped(reflect.TypeFor[T](), nil) {
		shape = ShapeOf(schema)
	}
	h := &Handler{
		Type: Type{
			Name: name, Queue: DefaultQueue, MaxAttempts: DefaultMaxAttempts, Timeout: DefaultTimeout,
			Schema: schema, Example: json.RawMessage(`{}`),
		},
		Backoff: Backoff,
		Run: func(ctx context.Context, run *Run) (any, error) {
			payload, err := decode[T](run.Job.Payload, numbers)
			if err != nil {
				return nil, Permanent(err)
			}
			return fn(ctx, run, payload)
		},
		Check: func(payload json.RawMessage) error {
			if shape.Fits(payload) {
				return nil
			}
			_, err := decode[T](payload, numbers)
			return err
		},
	}
	for _, option := range options {
		option(h)
	}
	switch t := h.Type; {
	case !TypePattern.MatchString(name):
		panic(fmt.Sprintf("jobs: %q is not a valid job type", name))
	case !QueuePattern.MatchString(t.Queue):
		panic(fmt.Sprintf("jobs: %q is not a valid queue", t.Queue))
	case t.MaxAttempts < 1 || t.MaxAttempts > MaxMaxAttempts:
		panic(fmt.Sprintf("jobs: max attempts of %q must be 1 to %d", name, MaxMaxAttempts))
	case t.Timeout < time.Second || t.Timeout > MaxTimeout || t.Timeout%time.Second != 0:
		panic(fmt.Sprintf("jobs: timeout of %q must be whole seconds up to %s", name, MaxTimeout))
	case r.handlers[name] != nil:
		panic(fmt.Sprintf("jobs: type %q is registered twice", name))
	}
	if r.handlers == nil {
		r.handlers = map[string]*Handler{}
	}
	r.handlers[name] = h
}

// Lookup returns the handler of a type, or nil.
func (r *Registry) Lookup(name string) *Handler { return r.handlers[name] }

// Names lists the types, sorted.
func (r *Registry) Names() []string { return slices.Sorted(maps.Keys(r.handlers)) }

// Types describes the types, by name.
func (r *Registry) Types() []Type {
	types := make([]Type, 0, len(r.handlers))
	for _, name := range r.Names() {
		types = append(types, r.handlers[name].Type)
	}
	return types
}

// decode reads a payload into T and tells a field of the wrong type by its pointer. With numbers, those in a field of type any keep their
// digits (json.Number); that way is slower.
func decode[T any](payload json.RawMessage, numbers bool) (v T, err error) {
	if numbers {
		dec := json.NewDecoder(bytes.NewReader(payload))
		dec.UseNumber()
		err = dec.Decode(&v)
	} else {
		err = json.Unmarshal(payload, &v)
	}
	if err == nil {
		return v, nil
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return v, &InvalidError{[]FieldError{{pointer(wrong.Field), "must be " + kindName(wrong.Type.Kind())}}}
	}
	return v, &InvalidError{[]FieldError{{"", "cannot be decoded: " + err.Error()}}}
}

// holdsAny reports whether a value of type t can hold numbers whose type encoding/json chooses.
func holdsAny(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return holdsAny(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if holdsAny(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}

// pointer turns encoding/json's dotted path into a JSON Pointer.
func pointer(path string) string {
	if path == "" {
		return ""
	}
	return "/" + strings.ReplaceAll(path, ".", "/")
}

// kindName says in a person's words what a Go kind wants from JSON.
func kindName(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a whole number in range"
	}
}
