// Package systems puts one face on the job systems that are compared, so that each measure is written once. There is one file for each
// system, with the settings that serve it best and why; "-measure settings" compares them with others.
package systems

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Email is what every job carries, about 100 bytes as JSON. N tells jobs apart.
type Email struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
	N       int    `json:"n"`
	Urgent  bool   `json:"urgent"`
}

// Kind names the type of job to those systems that ask the payload for it.
func (Email) Kind() string { return "noop" }

func email(n int) Email {
	return Email{To: "somebody@example.com", Subject: "a payload of about one hundred bytes", N: n}
}

// payload is the n-th job's.
func payload(n int) []byte {
	raw, err := json.Marshal(email(n))
	if err != nil {
		panic(err) // strings and numbers
	}
	return raw
}

// Options choose a system's place and settings. What is zero is at what serves the system best.
type Options struct {
	Database string // URL of an empty PostgreSQL database
	Redis    string // URL of an empty Redis
	Dir      string // empty folder, for those who keep files

	Slots   int    // jobs at once
	Conns   int    // connections to the database or Redis
	Callers int    // how many will submit at once, for those who need connections for them
	Latency string // "default" or "tuned", where the measure is latency

	// Handler is called for each job with its number, on any goroutine. A job is done when it returns.
	Handler func(n int)
}

// ErrNoBulk is what a system without a call for many jobs answers.
var ErrNoBulk = errors.New("this system takes in jobs one by one only")

// System is a job system in this process. Submit and Bulk may be called from many goroutines.
type System interface {
	// Submit hands in one job and returns when the system has acknowledged it.
	Submit(ctx context.Context, n int) error
	// Bulk hands in count jobs, numbered from first, in one call.
	Bulk(ctx context.Context, first, count int) error
	// Start lets one worker loose. It returns when the worker is on its way.
	Start(ctx context.Context) error
	// Completed is how many jobs this worker has completed and recorded. It costs little and may lag by some milliseconds.
	Completed(ctx context.Context) (int, error)
	// Count asks the store itself.
	Count(ctx context.Context) (Count, error)
	// Settings tells what was chosen, for the report.
	Settings() string
	// Close ends the worker, if there is one, and gives up all connections.
	Close(ctx context.Context) error
}

// Count is what a system's store says.
type Count struct {
	Waiting   int // not begun
	Running   int
	Completed int
	Failed    int // at least once
}

// Historian is a System that can be given finished jobs of long ago.
type Historian interface {
	// History puts count finished jobs into the store, as if they had been worked off in the days before, and analyses it.
	History(ctx context.Context, count int) error
}

// Batch is how many jobs a system takes in with one call, where 0 was asked for.
var Batch = map[string]int{
	"windlass":        1000, // jobs.MaxBulk
	"windlass-sqlite": 1000,
	"river":           5000, // its own benchmark's
	"river-sqlite":    1000,
}

// Open prepares a system: connections, tables.
func Open(ctx context.Context, name string, o Options) (System, error) {
	open, ok := map[string]func(context.Context, Options) (System, error){
		"windlass":        openWindlass,
		"windlass-sqlite": openWindlassSQLite,
		"river":           openRiver,
		"river-sqlite":    openRiverSQLite,
		"asynq":           openAsynq,
		"goqite":          openGoqite,
	}[name]
	if !ok {
		return nil, fmt.Errorf("there is no system %q", name)
	}
	s, err := open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return s, nil
}

// or is the first of its arguments that is not zero.
func or[T int | time.Duration](values ...T) T {
	for _, v := range values {
		if v != 0 {
			return v
		}
	}
	return 0
}
