package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
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
// A panic is an error with its stack. The context ends when the job's timeout is over, the job is cancelled, or the
// worker shuts down or has lost its lease; context.Cause says which. A handler that ignores this keeps its slot, but
// loses its job.
//
// It may run more than once for one job, even after it has succeeded: make its effects idempotent, for example by the
// job's id.
type HandlerFunc[T any] func(ctx context.Context, run *Run, payload T) (any, error)

// RunFunc makes one attempt at a job: a registered handler, or a Middleware around it. It returns what a HandlerFunc
// does.
type RunFunc func(ctx context.Context, run *Run) (any, error)

// Middleware puts something around every handler of a worker: logging, tracing, metrics, a value in the context. It is
// called once for each job type when the worker is made, and returns the function that the worker calls in place of
// next. That may change ctx and what next returned, call next not at all, or more than once.
//
//	func logged(next jobs.RunFunc) jobs.RunFunc {
//		return func(ctx context.Context, run *jobs.Run) (any, error) {
//			result, err := next(ctx, run)
//			run.Log.Info("handled", "error", err)
//			return result, err
//		}
//	}
type Middleware func(next RunFunc) RunFunc

// Handler is a job type, and the function that makes an attempt at one of its jobs.
type Handler struct {
	Type    Type
	Backoff BackoffFunc
	// Run decodes the payload of run.Job and calls the HandlerFunc. It is nil where the type is not served here.
	Run RunFunc
	// Check returns an *InvalidError where the payload, in canonical form, does not decode.
	Check func(payload json.RawMessage) error
	// Plain says that the payload's Go type demands nothing that Type.Schema does not say.
	Plain bool

	err error // the first mistake in an option
}

// Option changes how a type is handled.
type Option func(*Handler)

// WithQueue names the queue of jobs that are submitted without one. It is DefaultQueue otherwise.
func WithQueue(name string) Option { return func(h *Handler) { h.Type.Queue = name } }

// WithTimeout limits an attempt of jobs that are submitted without a limit: whole seconds up to MaxTimeout. It is
// DefaultTimeout otherwise.
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
		if err != nil && h.err == nil {
			h.err = fmt.Errorf("example of %q: %w", h.Type.Name, err)
		}
		h.Type.Example = raw
	}
}

// Handle registers a job type and the function that serves it. T is the payload: a struct whose json tags name the
// fields that the handler knows (others are let through), or json.RawMessage or a map for any object. The type's JSON
// Schema is made from T; see SchemaOf for the tags it reads.
//
// Handle panics where the name or an option is not valid, fn is nil, the type is registered already, or the registry is
// frozen: these are mistakes in the program. NewHandler and Registry.Add return them as errors.
func Handle[T any](r *Registry, name string, fn HandlerFunc[T], options ...Option) {
	h, err := NewHandler(name, fn, options...)
	switch {
	case err == nil && fn == nil:
		err = fmt.Errorf("the function of %q is nil", name)
	case err == nil:
		err = r.Add(h)
	}
	if err != nil {
		panic("jobs: " + err.Error())
	}
}

// NewHandler describes a job type, without registering it. With a nil fn it is a type that can be submitted but is not
// served until WithFunc gives it a function. The error says which option is not valid. NewHandler panics where T is no
// payload (see SchemaOf).
func NewHandler[T any](name string, fn HandlerFunc[T], options ...Option) (*Handler, error) {
	numbers := keepsDigits[T]()
	h := &Handler{
		Type: Type{
			Name: name, Queue: DefaultQueue, MaxAttempts: DefaultMaxAttempts, Timeout: DefaultTimeout,
			Schema: SchemaOf[T](), Example: json.RawMessage(`{}`),
		},
		Backoff: Backoff,
		Plain:   plain(reflect.TypeFor[T](), nil),
		Check: func(payload json.RawMessage) error {
			_, err := decode[T](payload, numbers)
			return err
		},
	}
	for _, option := range options {
		option(h)
	}
	switch t := h.Type; {
	case !TypePattern.MatchString(name):
		return nil, fmt.Errorf("%q is not a valid job type: it must match %s", name, TypePattern)
	case h.err != nil:
		return nil, h.err
	case !QueuePattern.MatchString(t.Queue):
		return nil, fmt.Errorf("%q is not a valid queue: it must match %s", t.Queue, QueuePattern)
	case t.MaxAttempts < 1 || t.MaxAttempts > MaxMaxAttempts:
		return nil, fmt.Errorf("max attempts of %q must be 1 to %d", name, MaxMaxAttempts)
	case t.Timeout < time.Second || t.Timeout > MaxTimeout || t.Timeout%time.Second != 0:
		return nil, fmt.Errorf("timeout of %q must be whole seconds up to %s", name, MaxTimeout)
	case h.Backoff == nil:
		return nil, fmt.Errorf("the retry curve of %q is nil", name)
	}
	return WithFunc(h, fn), nil
}

// WithFunc returns a copy of a Handler that is served by fn. T must be the type that NewHandler was called with.
func WithFunc[T any](h *Handler, fn HandlerFunc[T]) *Handler {
	served, numbers := *h, keepsDigits[T]()
	served.Run = nil
	if fn != nil {
		served.Run = func(ctx context.Context, run *Run) (any, error) {
			payload, err := decode[T](run.Job.Payload, numbers)
			if err != nil {
				return nil, Permanent(err)
			}
			return fn(ctx, run, payload)
		}
	}
	return &served
}

// keepsDigits reports whether a payload of type T can hold numbers whose type encoding/json would choose.
func keepsDigits[T any]() bool { return holdsAny(reflect.TypeFor[T](), map[reflect.Type]bool{}) }

// decode reads a payload into T; the error has a JSON Pointer to a field of the wrong type. With numbers set, numbers
// in a field of type any keep their digits (json.Number), which is slower.
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
