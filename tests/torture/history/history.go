// Package history is what the torture writes down while it runs: one event a line, one file a process, appended with one write
// each, so that a SIGKILL loses nothing that was said before it.
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

// Kind says what an event is about.
type Kind string

// What a client tells of a submission, which its Key names. Of several jobs in one submission the Key stands for all, N is how many.
const (
	Invoke Kind = "invoke" // about to be sent
	OK     Kind = "ok"     // accepted: IDs are its jobs; Replayed, where an earlier request has stored them
	Fail   Kind = "fail"   // refused with the promise that nothing was stored
	Info   Kind = "info"   // outcome unknown
)

// What a client tells of a request about the job ID: first Cancel or Redrive, then how it went.
const (
	Cancel    Kind = "cancel"     // about to be sent
	Redrive   Kind = "redrive"    // about to be sent
	Cancelled Kind = "cancelled"  // answered 200: it has failed by now
	Redriven  Kind = "redriven"   // answered 200
	Refused   Kind = "refused"    // answered with another code
	NoAnswer  Kind = "no-answer"  // outcome unknown
	Asked     Kind = "asked-stop" // answered 202: its worker will end it
)

// What a handler tells of an attempt, named by ID and Fence.
const (
	Start  Kind = "start"
	EndOK  Kind = "end-ok"
	EndErr Kind = "end-err"
)

// What a worker tells of the Store's answers.
const (
	Acked    Kind = "acked"    // an outcome is recorded: Verb, Status, FailureKind
	Stale    Kind = "stale"    // an outcome was refused
	Phantom  Kind = "phantom"  // a job was handed back that nobody ran
	Rejected Kind = "rejected" // N ids of a claim were not to be had
	Reaped   Kind = "reaped"   // a job was taken back from a worker that is gone
	Counts   Kind = "counts"   // what the worker says it has done so far
	Up       Kind = "up"       // a process has begun
	Down     Kind = "down"     // it has ended in order
)

// Mirrored is the list of dead jobs that a process has just given its Queue: IDs, Worker is the process.
const Mirrored Kind = "mirrored"

// Fault is what the nemesis did: Key says what.
const Fault Kind = "fault"

// Event is one line.
type Event struct {
	At       time.Time `json:"t"` // by the machine's clock: for people, and for nothing that decides
	Kind     Kind      `json:"k"`
	Key      string    `json:"key,omitempty"`
	ID       string    `json:"id,omitempty"`
	IDs      []string  `json:"ids,omitempty"`
	N        int       `json:"n,omitempty"`
	Failed   int       `json:"failed,omitempty"` // beside N, which counts completions
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

// Write notes an event, now. A history with a gap proves nothing, so an error ends the process.
func (l *Log) Write(e Event) {
	e.At = now()
	raw, err := json.Marshal(e)
	if err == nil {
		l.mu.Lock()
		_, err = l.file.Write(append(raw, '\n'))
		l.mu.Unlock()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture: the history cannot be written:", err)
		os.Exit(90)
	}
}

// now is the machine's clock, also where the torture has moved that of the program.
func now() time.Time {
	var t syscall.Timeval
	if err := syscall.Gettimeofday(&t); err != nil {
		return time.Now()
	}
	return time.Unix(t.Unix())
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// Read returns the events of all histories in a folder, those of a file in their order. A last line that was cut off is left out.
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
