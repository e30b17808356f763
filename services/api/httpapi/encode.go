package httpapi

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"
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
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false) // the content type and nosniff keep browsers from reading it as HTML
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, _ = w.Write(b.Bytes())
	return nil
}
