// Package history is the record of a torture run. Each process has its own file, and each event is one line, appended
// with one write. So SIGKILL loses no event that was written before it.
package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Kind is the kind of an event.
type Kind string

// Events of a client about a submission, identified by Key. A submission may have several jobs; N is their number.
const (
	Invoke Kind = "invoke" // about to be sent
	OK     Kind = "ok"     // accepted: IDs are its jobs; Replayed is set if an earlier request has stored them
	Fail   Kind = "fail"   // refused: the answer says that nothing was stored
	Info   Kind = "info"   // outcome unknown
)

// Events of a client about a request for the job ID: first Cancel or Redrive, then the outcome.
const (
	Cancel    Kind = "cancel"     // about to be sent
	Redrive   Kind = "redrive"    // about to be sent
	Cancelled Kind = "cancelled"  // answered 200: the job has failed
	Redriven  Kind = "redriven"   // answered 200
	Refused   Kind = "refused"    // answered with another code
	NoAnswer  Kind = "no-answer"  // outcome unknown
	Asked     Kind = "asked-stop" // answered 202: the worker will end the job
)

// Events of a handler about an attempt, identified by ID and Fence.
const (
	Start  Kind = "start"
	EndOK  Kind = "end-ok"
	EndErr Kind = "end-err"
)

// Events of a worker about the Store's answers and about itself.
const (
	Acked    Kind = "acked"    // an outcome was recorded: Verb, Status, and the failure kind in Detail
	Stale    Kind = "stale"    // an outcome was rejected
	Phantom  Kind = "phantom"  // a job was handed back because the answer to its claim was lost
	Rejected Kind = "rejected" // N ids of a claim were not claimed
	Reaped   Kind = "reaped"   // a job was taken back from a lost worker
	Counts   Kind = "counts"   // the worker's counters
	Up       Kind = "up"       // a process has started
	Down     Kind = "down"     // a process has ended in order, with its last counters
)

// Mirrored is the list of dead jobs (IDs) that a process has stored in its Queue. Worker is the process.
const Mirrored Kind = "mirrored"

// Fault is a fault of the nemesis. Key is its name.
const Fault Kind = "fault"

// Event is one line of a history.
type Event struct {
	At       time.Time `json:"t"` // by the machine's clock
	Kind     Kind      `json:"k"`
	Key      string    `json:"key,omitempty"`
	ID       string    `json:"id,omitempty"`
	IDs      []string  `json:"ids,omitempty"`
	N        int       `json:"n,omitempty"`
	Failed   int       `json:"failed,omitempty"` // failed attempts in Counts and Down, where N is completed jobs
	Keyed    bool      `json:"keyed,omitempty"`  // the submission had an Idempotency-Key
	Replayed bool      `json:"replayed,omitempty"`
	Fence    int64     `json:"f,omitempty"`
	Attempt  int       `json:"a,omitempty"`
	Worker   string    `json:"w,omitempty"`
	Verb     string    `json:"verb,omitempty"`
	Status   string    `json:"status,omitempty"`
	Detail   string    `json:"detail,omitempty"`
}

// Log appends events to a file. It is safe for use by several goroutines.
type Log struct {
	mu   sync.Mutex
	file *os.File
}

// Open opens a history for appending.
func Open(path string) (*Log, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	return &Log{file: file}, nil
}

// Write appends an event with the current time. A history with a gap proves nothing, so an error ends the process.
func (l *Log) Write(e Event) {
	e.At = now()
	raw, err := json.Marshal(e)
	if err == nil {
		l.mu.Lock()
		_, err = l.file.Write(append(raw, '\n'))
		l.mu.Unlock()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture: cannot write the history:", err)
		os.Exit(90)
	}
}

// now returns the time of the machine's clock, even if the torture has moved the clock of this program.
func now() time.Time {
	var t syscall.Timeval
	if err := syscall.Gettimeofday(&t); err != nil {
		return time.Now()
	}
	return time.Unix(t.Unix())
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// Read returns the events of all histories in a folder. The events of one file are in order. An incomplete last line is
// skipped.
func Read(dir string) ([]Event, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		return nil, err
	}
	var events []Event
	for _, path := range files {
		if events, err = readFile(path, events); err != nil {
			return nil, err
		}
	}
	return events, nil
}

func readFile(path string, events []Event) ([]Event, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, 1<<20)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return nil, err
		}
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		events = append(events, e)
	}
}
