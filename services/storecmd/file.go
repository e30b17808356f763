package storecmd

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/windlass-jobs/windlass/jobs/store"
)

// The file has one JSON object on each line: a header, the records, and an end with their numbers.
// docs/moving-to-postgresql.md describes it.
const (
	kindHeader = "windlass-export"
	kindEnd    = "end"

	formatVersion = 1
	longestLine   = 64 << 20 // bytes; a job has some 2 MB at most, and a history
)

// header is the first line.
type header struct {
	Kind       string    `json:"kind"`
	Version    int       `json:"version"`
	Windlass   string    `json:"windlass"` // the version of the program
	Source     string    `json:"source"`   // postgresql or sqlite
	ExportedAt time.Time `json:"exported_at"`
	Jobs       int64     `json:"jobs"` // about so many
}

// totals is the last line. Without it a file is not whole.
type totals struct {
	Kind  string `json:"kind"`
	Types int64  `json:"types"`
	Jobs  int64  `json:"jobs"`
	Keys  int64  `json:"keys"`
}

// count adds a record.
func (t *totals) count(kind store.RecordKind) {
	switch kind {
	case store.RecordType:
		t.Types++
	case store.RecordJob:
		t.Jobs++
	case store.RecordKey:
		t.Keys++
	}
}

// ErrFile is wrapped by errors about a file that cannot be imported.
var ErrFile = errors.New("the file cannot be imported")

// reader reads a file, or what comes from another program.
type reader struct {
	lines  *bufio.Scanner
	line   int
	head   header
	counts totals
}

// newReader reads the header. What gzip has packed is unpacked, whatever the file is called.
func newReader(in io.Reader) (*reader, error) {
	source := bufio.NewReaderSize(in, 1<<16)
	var plain io.Reader = source
	if magic, _ := source.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unpacked, err := gzip.NewReader(source)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFile, err)
		}
		plain = unpacked
	}
	r := &reader{lines: bufio.NewScanner(plain)}
	r.lines.Buffer(make([]byte, 0, 1<<16), longestLine)
	raw, err := r.next()
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case err != nil || json.Unmarshal(raw, &r.head) != nil || r.head.Kind != kindHeader:
		return nil, fmt.Errorf("%w: it is no export of Windlass", ErrFile)
	case r.head.Version != formatVersion:
		return nil, fmt.Errorf("%w: it has format %d, and this program knows %d: "+
			"use the version that wrote it, %s, or a newer one", ErrFile, r.head.Version, formatVersion, r.head.Windlass)
	}
	return r, nil
}

const cutOff = "it was not written to the end, or not copied as a whole. What came before is imported"

// next reads a line. io.EOF: there is none.
func (r *reader) next() ([]byte, error) {
	if r.lines.Scan() {
		r.line++
		return r.lines.Bytes(), nil
	}
	if err := r.lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: after line %d: %w", ErrFile, r.line, err)
	}
	return nil, io.EOF
}

// records are those of the file. The last error tells where the file is not whole.
func (r *reader) records() iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		fail := func(format string, args ...any) {
			yield(store.Record{}, fmt.Errorf("%w: line %d: %w", ErrFile, r.line, fmt.Errorf(format, args...)))
		}
		for {
			raw, err := r.next()
			if err == io.EOF {
				yield(store.Record{}, fmt.Errorf("%w: it ends after line %d, and the end is missing: %s", ErrFile, r.line, cutOff))
				return
			}
			if err != nil {
				yield(store.Record{}, err)
				return
			}
			var record store.Record
			if err := json.Unmarshal(raw, &record); err != nil {
				if r.lines.Scan() {
					fail("no JSON object: %w", err)
				} else { // packed data that is cut off ends so as well
					fail("it ends in the middle of this line: %s", cutOff)
				}
				return
			}
			if record.Kind == kindEnd {
				var end totals
				r.counts.Kind = kindEnd
				if err := json.Unmarshal(raw, &end); err != nil || end != r.counts {
					fail("the file has %d types, %d jobs and %d keys, and its end says %d, %d and %d: lines are missing",
						r.counts.Types, r.counts.Jobs, r.counts.Keys, end.Types, end.Jobs, end.Keys)
					return
				}
				if _, err := r.next(); err != io.EOF {
					fail("something follows the end")
				}
				return
			}
			r.counts.count(record.Kind)
			if !yield(record, nil) {
				return
			}
		}
	}
}
