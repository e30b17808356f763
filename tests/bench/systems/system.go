// Package systems gives the compared job systems one interface, so that each measure is written once. There is one file
// for each system. It has the best settings for that system and the reasons; "-measure settings" compares them with
// others.
package systems

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Email is the payload of every job, about 100 bytes as JSON. N is the number of the job.
type Email struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
	N       int    `json:"n"`
	Urgent  bool   `json:"urgent"`
}

// Kind is the job type. River asks the payload for it.
func (Email) Kind() string { return "noop" }

func email(n int) Email {
	return Email{To: "somebody@example.com", Subject: "a payload of about one hundred bytes", N: n}
}

// payload returns the payload of job n as JSON.
func payload(n int) []byte {
	raw, err := json.Marshal(email(n))
	if err != nil {
		panic(err) // cannot happen: the fields are strings and numbers
	}
	return raw
}

// Options are a system's servers and settings. Zero means the best setting for the system.
type Options struct {
	Database string // URL of an empty PostgreSQL database
	Redis    string // URL of an empty Redis
	Dir      string // empty folder, for systems that keep files

	Slots   int    // number of jobs that run at once
	Conns   int    // connections to the database or Redis
	Callers int    // number of callers that will submit at once, for systems that need a connection for each
	Latency string // "default" or "tuned" in the measure of latency, else empty

	// Handler is called for each job with its number, on any goroutine. The job is done when it returns.
	Handler func(n int)
}

// ErrNoBulk is returned by a system that has no call for many jobs.
var ErrNoBulk = errors.New("this system has no bulk submit")

// System is a job system in this process. Submit and Bulk may be called from many goroutines.
type System interface {
	// Submit submits job n and returns when the system has acknowledged it.
	Submit(ctx context.Context, n int) error
	// Bulk submits count jobs, numbered from first, in one call.
	Bulk(ctx context.Context, first, count int) error
	// Start starts one worker and does not wait for it.
	Start(ctx context.Context) error
	// Completed returns how many jobs this worker has completed and recorded. It is cheap, and may lag some milliseconds.
	Completed(ctx context.Context) (int, error)
	// Count counts the jobs in the store.
	Count(ctx context.Context) (Count, error)
	// Settings describes the settings for the report.
	Settings() string
	// Close ends the worker, if there is one, and closes all connections.
	Close(ctx context.Context) error
}

// Count is the number of jobs in a system's store, by state.
type Count struct {
	Waiting   int // never started
	Running   int
	Completed int
	Failed    int // at least once
}

// Historian is a System that supports old, finished jobs.
type Historian interface {
	// History inserts count finished jobs, as if they had run in the days before, and analyses the tables.
	History(ctx context.Context, count int) error
}

// Batch is the number of jobs in one bulk call if Params.Batch is 0.
var Batch = map[string]int{
	"windlass":        1000, // jobs.MaxBulk
	"windlass-sqlite": 1000,
	"river":           5000, // as in its own benchmark
	"river-sqlite":    1000,
}

// Open opens a system: it connects and creates the tables.
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

// or returns the first of its arguments that is not zero.
func or[T int | time.Duration](values ...T) T {
	for _, v := range values {
		if v != 0 {
			return v
		}
	}
	return 0
}
