package httpapi

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"sync"
	"time"
)

var writers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// writeJSON writes v whole or not at all. Whether the client is still there to read it is of no interest.
func writeJSON(w io.Writer, v any) error {
	b := writers.Get().(*bytes.Buffer)
	defer func() {
		if b.Cap() <= pooledBodyBytes {
			b.Reset()
			writers.Put(b)
		}
	}()
	if err := encode(b, v); err != nil {
		return err
	}
	_, _ = w.Write(b.Bytes())
	return nil
}

func encode(b *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case *Job:
		b.Write(append(appendJob(b.AvailableBuffer(), v), '\n'))
		return nil
	case Job:
		return encode(b, &v)
	case JobDetail:
		open := bytes.TrimSuffix(appendJob(b.AvailableBuffer(), &v.Job), []byte("}"))
		b.Write(append(appendAny(append(open, `,"history":`...), v.History), "}\n"...))
		return nil
	case jobList:
		b.WriteString(`{"jobs":[`)
		for i := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(appendJob(b.AvailableBuffer(), &v[i]))
		}
		b.WriteString("]}\n")
		return nil
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false) // the content type and nosniff keep browsers from reading it as HTML
	return enc.Encode(v)
}

// jobList is the body of bulkCreated.
type jobList []Job

// appendJob writes a job as encoding/json would by the tags of Job, in a fifth of the time: most of what the API answers are jobs.
// A test holds it against the tags.
func appendJob(b []byte, j *Job) []byte {
	b = append(b, `{"id":`...)
	b = appendText(b, j.ID)
	b = append(b, `,"type":`...)
	b = appendText(b, j.Type)
	b = append(b, `,"queue":`...)
	b = appendText(b, j.Queue)
	b = append(b, `,"status":`...)
	b = appendText(b, j.Status)
	b = append(b, `,"state":`...)
	b = appendText(b, j.State)
	b = append(b, `,"priority":`...)
	b = strconv.AppendInt(b, int64(j.Priority), 10)
	b = append(b, `,"attempts":`...)
	b = strconv.AppendInt(b, int64(j.Attempts), 10)
	b = append(b, `,"max_attempts":`...)
	b = strconv.AppendInt(b, int64(j.MaxAttempts), 10)
	b = append(b, `,"timeout_seconds":`...)
	b = strconv.AppendInt(b, int64(j.TimeoutSeconds), 10)
	b = append(b, `,"run_at":`...)
	b = appendTime(b, &j.RunAt)
	b = append(b, `,"error_message":`...)
	b = appendOr(b, j.ErrorMessage, appendText)
	b = append(b, `,"failure_kind":`...)
	b = appendOr(b, (*string)(j.FailureKind), appendText)
	b = append(b, `,"progress":`...)
	b = appendOr(b, j.Progress, appendAny[Progress])
	b = append(b, `,"worker_id":`...)
	b = appendOr(b, j.WorkerID, appendText)
	b = append(b, `,"cancel_requested_at":`...)
	b = appendTime(b, j.CancelRequestedAt)
	b = append(b, `,"started_at":`...)
	b = appendTime(b, j.StartedAt)
	b = append(b, `,"finished_at":`...)
	b = appendTime(b, j.FinishedAt)
	b = append(b, `,"created_at":`...)
	b = appendTime(b, &j.CreatedAt)
	b = append(b, `,"updated_at":`...)
	b = appendTime(b, &j.UpdatedAt)
	b = append(b, `,"payload":`...)
	b = appendRaw(b, j.Payload)
	b = append(b, `,"result":`...)
	b = appendRaw(b, j.Result)
	return append(b, '}')
}

// appendOr writes null for nil.
func appendOr[T any](b []byte, v *T, write func([]byte, T) []byte) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	return write(b, *v)
}

// appendText writes a string. Most are names, which need no escapes.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return appendAny(b, s)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// appendTime writes a moment as RFC 3339 has it, or null. The store's times are within the years that it knows.
func appendTime(b []byte, t *time.Time) []byte {
	if t == nil {
		return append(b, "null"...)
	}
	return append(t.AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

// appendRaw writes JSON that is in canonical form already.
func appendRaw(b []byte, raw []byte) []byte {
	if raw == nil {
		return append(b, "null"...)
	}
	return append(b, raw...)
}

// appendAny writes what is rare, and what nothing can be wrong with.
func appendAny[T any](b []byte, v T) []byte {
	w := bytes.NewBuffer(b)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return append(b, "null"...)
	}
	return bytes.TrimSuffix(w.Bytes(), []byte("\n"))
}
