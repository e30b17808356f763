package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// Transfer is a Store that can hand all of its jobs to another Store, of the same driver or of another. `windlass
// export` and `windlass import` use it.
//
// Jobs keep everything: ids, fences, attempts, times to the microsecond, results and history. Sessions, leases,
// counts, access tokens and the audit log stay behind. A job that is processing arrives as it is, but without a
// session. So the first Reap of the new Store takes it back, as from any worker that was lost: with a higher fence, an
// entry in its history, and another attempt if it has one left.
type Transfer interface {
	// Export calls each with every record: types, then jobs by id, then the idempotency keys that have not expired. All
	// records are of one moment. Memory does not grow with their number. It ends with the error of each, if there is
	// one. jobs.ErrUnavailable.
	Export(ctx context.Context, each func(Record) error) error

	// Import stores records, some hundred in a transaction. It never overwrites: a record that is there already, and is
	// the same, is passed over, so that an import that was interrupted can be repeated. One that is there and differs
	// is an error that names it and wraps jobs.ErrConflict; what came before stays. A type that is there is passed
	// over, whatever it says. A record that the Store cannot hold, or with a column that it does not know, is
	// jobs.ErrRejected. An error of records ends the import and is returned as it is.
	Import(ctx context.Context, records iter.Seq2[Record, error]) (Imported, error)
}

// Record is a row, and what belongs to it, as all Stores write it down.
type Record struct {
	Kind     RecordKind `json:"kind"`
	Row      Row        `json:"row"`
	Attempts []Row      `json:"attempts,omitempty"` // the history of a job, by fence
}

// RecordKind says what a Record is.
type RecordKind string

// The kinds of records.
const (
	RecordType RecordKind = "type"
	RecordJob  RecordKind = "job"
	RecordKey  RecordKind = "key"
)

// Imported says what an import found.
type Imported struct {
	Types, Jobs, Keys int64 // stored by this call
	Same              int64 // records that were there already
}

// Add counts a batch of records of one kind: of so many, stored are new, and the others were there already.
func (done *Imported) Add(kind RecordKind, records int, stored int64) {
	switch kind {
	case RecordType:
		done.Types += stored
	case RecordJob:
		done.Jobs += stored
	case RecordKey:
		done.Keys += stored
	}
	done.Same += int64(records) - stored
}

// Row has the values of a row by the name of their column. NULL is left out. A time is a text in UTC with microseconds,
// as of TimeLayout; documents are JSON themselves.
type Row map[string]json.RawMessage

// TimeLayout is how a Row has times.
const TimeLayout = "2006-01-02T15:04:05.000000Z"

// ColumnKind is how the values of a column are written in a Row.
type ColumnKind uint8

// The kinds of columns.
const (
	ColumnText ColumnKind = iota
	ColumnNumber
	ColumnTime
	ColumnJSON
	ColumnTexts // a list of texts
)

// Column is a column of a table that is transferred.
type Column struct {
	Name string
	Kind ColumnKind
}

// Put writes a value of the database, given as a text, into a row.
func (r Row) Put(c Column, text string) error {
	switch c.Kind {
	case ColumnJSON, ColumnTexts:
		var b bytes.Buffer
		if err := json.Compact(&b, []byte(text)); err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
		r[c.Name] = b.Bytes()
		return nil
	case ColumnNumber:
		if json.Valid([]byte(text)) {
			r[c.Name] = json.RawMessage(text)
			return nil
		}
	case ColumnTime:
		if _, err := time.Parse(TimeLayout, text); err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	r[c.Name] = quote(text)
	return nil
}

// quote is a text in JSON, without escapes that only HTML needs.
func quote(text string) json.RawMessage {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a text always can be
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Take reads a value as the text that the database takes it from; nil for NULL.
func (r Row) Take(c Column) (*string, error) {
	raw, there := r[c.Name]
	if !there {
		return nil, nil
	}
	var text string
	switch {
	case c.Kind == ColumnJSON:
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		text = b.String()
		return &text, nil
	case c.Kind == ColumnTexts:
		var list []string
		if err := json.Unmarshal(raw, &list); err != nil || list == nil {
			return nil, fmt.Errorf("column %s is no list of texts", c.Name)
		}
		again, err := json.Marshal(list) // as the drivers write it
		text = string(again)
		return &text, err
	case c.Kind == ColumnNumber && len(raw) > 0 && raw[0] != '"':
		text = string(raw)
		var number json.Number
		if err := json.Unmarshal(raw, &number); err != nil || number == "" {
			return nil, fmt.Errorf("column %s is no number", c.Name)
		}
		return &text, nil
	}
	if len(raw) == 0 || raw[0] != '"' {
		return nil, fmt.Errorf("column %s is no text", c.Name)
	}
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, fmt.Errorf("column %s: %w", c.Name, err)
	}
	if strings.IndexByte(text, 0) >= 0 {
		return nil, fmt.Errorf("column %s has a NUL", c.Name)
	}
	if c.Kind == ColumnTime {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return nil, fmt.Errorf("column %s is no time as of RFC 3339", c.Name)
		}
		text = at.UTC().Format(TimeLayout)
	}
	return &text, nil
}

// Knows reports a column of the row that is not among those of a table. To leave it out would lose it.
func (r Row) Knows(columns []Column) error {
	for name := range r {
		if !slices.ContainsFunc(columns, func(c Column) bool { return c.Name == name }) {
			return fmt.Errorf("the column %q is unknown here: a newer version of Windlass has written it", name)
		}
	}
	return nil
}

// The columns of what is no plain copy of a table.
var (
	TypeColumns = []Column{
		{"name", ColumnText}, {"description", ColumnText}, {"queue", ColumnText}, {"max_attempts", ColumnNumber},
		{"timeout_seconds", ColumnNumber}, {"schema", ColumnJSON}, {"example", ColumnJSON}, {"seen_at", ColumnTime},
	}
	KeyColumns = []Column{
		{"scope", ColumnText}, {"key", ColumnText}, {"fingerprint", ColumnText}, // hexadecimal
		{"job_ids", ColumnTexts}, {"created_at", ColumnTime}, {"expires_at", ColumnTime},
	}
)

const (
	importRows  = 500     // records in a transaction
	importBytes = 4 << 20 // of them; one larger record goes alone
)

// InBatches calls store with the records, some hundred of one kind at a time; those that came before an error as well.
// It is for drivers.
func InBatches(records iter.Seq2[Record, error], store func(RecordKind, []Record) error) error {
	var batch []Record
	size := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := store(batch[0].Kind, batch)
		batch, size = batch[:0], 0
		return err
	}
	for r, err := range records {
		if err != nil {
			if lost := flush(); lost != nil {
				return errors.Join(err, lost)
			}
			return err
		}
		n := 0
		for _, row := range append([]Row{r.Row}, r.Attempts...) {
			for _, v := range row {
				n += len(v)
			}
		}
		if len(batch) > 0 && (len(batch) == importRows || size+n > importBytes || r.Kind != batch[0].Kind) {
			if err := flush(); err != nil {
				return err
			}
		}
		batch, size = append(batch, r), size+n
	}
	return flush()
}
