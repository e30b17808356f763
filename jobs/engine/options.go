package engine

import (
	"errors"
	"fmt"
	"reflect"
	"time"
)

// OptionError says that an option is missing or not valid. NewClient, NewWorker and NewMaintenance return one for each
// such option, joined.
type OptionError struct {
	Option string // "WorkerOptions.Bus"
	Detail string // "is missing"
}

// Error is "engine: WorkerOptions.Bus is missing".
func (e *OptionError) Error() string { return "engine: " + e.Option + " " + e.Detail }

// optionCheck collects what is wrong with the options of one type.
type optionCheck struct {
	owner  string
	faults []error
}

func (c *optionCheck) fault(option, format string, args ...any) {
	c.faults = append(c.faults, &OptionError{c.owner + "." + option, fmt.Sprintf(format, args...)})
}

// required notes an option that was left out. A nil pointer in an interface counts as left out, too: it would only fail
// later, in a goroutine.
func (c *optionCheck) required(option string, value any) {
	if isNil(value) {
		c.fault(option, "is missing")
	}
}

// notNegative notes a number or duration below 0; 0 means the default.
func notNegative[T int | time.Duration](c *optionCheck, option string, value T) {
	if value < 0 {
		c.fault(option, "is %v, but must be 0 (for the default) or more", value)
	}
}

// leaseTTL notes a lease that is too short for heartbeats to come in time.
func (c *optionCheck) leaseTTL(ttl time.Duration) {
	if ttl != 0 && ttl < MinLeaseTTL {
		c.fault("LeaseTTL", "is %s, but must be 0 (for the default) or at least %s", ttl, MinLeaseTTL)
	}
}

func (c *optionCheck) err() error { return errors.Join(c.faults...) }

func isNil(value any) bool {
	if value == nil {
		return true
	}
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		return v.IsNil()
	}
	return false
}
