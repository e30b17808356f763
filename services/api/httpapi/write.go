package httpapi

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"
	"time"
)

var writers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// writeJSON writes v whole or not at all. It returns no error of w: then the client has hung up. An answer gets it by
// send.
func writeJSON(w io.Writer, v any) error {
	b := writers.Get().(*bytes.Buffer)
	defer func() {
		if b.Cap() <= pooledBodyBytes {
			b.Reset()
			writers.Put(b)
		}
	}()
	err := encode(b, v)
	if err == nil {
		b.WriteByte('\n')
		if out, ok := w.(*answer); ok {
			out.send(b.Bytes())
		} else {
			_, _ = w.Write(b.Bytes())
		}
	}
	return err
}

// writer is a value that writes itself as JSON. It does not use MarshalJSON, because encoding/json reads again all that
// such a method returns, which took longer than the writing.
type writer interface{ writeTo(*bytes.Buffer) error }

func encode(b *bytes.Buffer, v any) error {
	if w, ok := v.(writer); ok {
		return w.writeTo(b)
	}
	if err := encoder(b).Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - len("\n"))
	return nil
}

func encoder(b *bytes.Buffer) *json.Encoder {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false) // the content type and nosniff keep browsers from reading it as HTML
	return enc
}

// orNull is nil where v is zero.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	p := new(T) // not &v, which would be allocated for a zero v too
	*p = v
	return p
}

// seconds is a duration as the API writes it: in seconds, to the millisecond.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
