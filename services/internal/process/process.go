package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"

	"github.com/windlass-jobs/windlass/internal/lifecycle"
	"github.com/windlass-jobs/windlass/services/internal/settings"
)

// Schema is the part of a store that brings its tables up to date.
type Schema interface {
	// Migrate applies the migrations of this binary.
	Migrate(ctx context.Context) error
	// Ping fails where they have not been applied, or the server is out of reach.
	Ping(ctx context.Context) error
}

// Checked is the part of a queue that looks for settings of its server that hurt.
type Checked interface {
	// Check returns a sentence for the log, or "". An error means that the server is out of reach.
	Check(ctx context.Context) (warning string, err error)
}

// New returns the process of a service that keeps its data in servers. Before its parts start it migrates the store, or
// waits until somebody else has done so where AUTO_MIGRATE is false, and has the queue checked.
func New(config settings.Config, log *slog.Logger, store Schema, queue Checked) *lifecycle.Process {
	ready, waiting := store.Migrate, "migration failed, trying again every second"
	if !config.AutoMigrate {
		ready = store.Ping
		waiting = "waiting until the database is there and migrated; AUTO_MIGRATE is false, so run: windlass migrate up"
	}
	return lifecycle.New(lifecycle.Options{
		Log: log, Waiting: waiting, ShutdownDelay: config.ShutdownDelay,
		Prepare: func(ctx context.Context) error {
			if err := ready(ctx); err != nil {
				return unknownParameter(err)
			}
			if warning, err := queue.Check(ctx); err == nil && warning != "" {
				log.Warn(warning)
			}
			return nil
		},
	})
}

// unknownParameter makes an error permanent where the server does not know a parameter of the connection: it refuses
// every connection, until somebody changes the URL.
func unknownParameter(err error) error {
	var permanent interface{ Permanent() bool } // it has a better explanation
	var refused interface{ SQLState() string }
	if !errors.As(err, &permanent) && errors.As(err, &refused) && refused.SQLState() == "42704" {
		return &parameterError{err}
	}
	return err
}

type parameterError struct{ err error }

func (e *parameterError) Error() string {
	return "the server does not know a parameter of DATABASE_URL, remove it: " + e.err.Error()
}

func (e *parameterError) Unwrap() error { return e.err }

// Permanent is true; see lifecycle.Options.
func (e *parameterError) Permanent() bool { return true }

// Listen opens a port. Its error names the setting that chooses another.
func Listen(host string, port int, setting string) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("%w (choose another port with %s)", err, setting)
	}
	return l, nil
}
