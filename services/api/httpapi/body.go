package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/internal/canonjson"
	"github.com/windlass-jobs/windlass/internal/fields"
)

const (
	maxBodyBytes     = 1 << 20
	maxBulkBodyBytes = 16 << 20
	pooledBodyBytes  = 64 << 10 // larger buffers are not kept for the next request
)

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// bodyLimit is how large the body of one submission may be, in bytes.
func (a *api) bodyLimit() int64 { return max(maxBodyBytes, int64(a.opts.MaxPayloadBytes)+64<<10) }

// readBody reads the whole body of a request and returns it in canonical form, nil where there is none.
func readBody(
	w http.ResponseWriter, r *http.Request, limit int64, limits canonjson.Limits,
) (json.RawMessage, *Problem) {
	if len(r.Header["Content-Encoding"]) > 0 {
		return nil, unsupportedType.problem("Content-Encoding is not supported: send the JSON as it is.")
	}
	if r.ContentLength == 0 {
		return nil, nil
	}
	if !isJSON(r.Header["Content-Type"]) {
		return nil, unsupportedType.problem("The Content-Type must be application/json, in UTF-8.")
	}
	large := func() *Problem {
		most := strconv.FormatInt(limit, 10)
		return tooLarge.problem("The body is larger than " + most + " bytes. Nothing was stored.")
	}
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close") // so that the server does not read the rest
		return nil, large()
	}
	buf := bodies.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= pooledBodyBytes {
			buf.Reset()
			bodies.Put(buf)
		}
	}()
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	var over *http.MaxBytesError
	var network net.Error
	switch {
	case errors.As(err, &over):
		return nil, large()
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		w.Header().Set("Connection", "close")
		return nil, bodyTimeout.problem("The body did not arrive in time. Nothing was stored.")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, malformedBody.problem("The body ended before the length that was announced. Nothing was stored.")
	case err != nil:
		w.Header().Set("Connection", "close")
		return nil, malformedBody.problem("The body could not be read. Nothing was stored.")
	case buf.Len() == 0:
		return nil, nil
	}
	canonical, err := canonjson.Canonical(buf.Bytes(), limits)
	if err != nil {
		return nil, jsonProblem(err)
	}
	return canonical, nil
}

// isJSON reports whether a Content-Type is JSON in UTF-8. Forms on pages of other sites cannot send it.
func isJSON(values []string) bool {
	if len(values) != 1 {
		return false
	}
	if values[0] == "application/json" {
		return true
	}
	media, params, err := mime.ParseMediaType(values[0])
	charset, has := params["charset"]
	return err == nil && media == "application/json" && (!has || strings.EqualFold(charset, "utf-8"))
}

// form reads fields of a document in canonical form and collects what is wrong with them.
type form struct{ faults []Fault }

// maxFaults is how many faults an answer lists.
const maxFaults = 100

func (f *form) fault(pointer, detail string) {
	if len(f.faults) < maxFaults {
		f.faults = append(f.faults, faultAt(pointer, detail))
	}
}

// members calls each for the fields of an object. A value that is not an object is a fault, and so is a field for
// which each returns false.
func (f *form) members(pointer string, value []byte, each func(name string, value []byte) bool) {
	if len(value) == 0 || value[0] != '{' {
		f.fault(pointer, "must be an object")
		return
	}
	for i := 1; i < len(value) && value[i] != '}'; {
		colon := i + canonjson.Measure(value[i:])
		name := string(value[i+1 : colon-1]) // with its escapes; the names that we know have none
		end := colon + 1 + canonjson.Measure(value[colon+1:])
		if !each(name, value[colon+1:end:end]) {
			if canonjson.PlainName(name) {
				f.fault(pointer+"/"+name, "is not a known field")
			} else {
				f.fault(pointer, "has a field that is not known")
			}
		}
		if i = end; value[i] == ',' {
			i++
		}
	}
}

// elements calls each for the elements of an array and returns their number. A value that is not an array is a fault.
func (f *form) elements(pointer string, value []byte, each func(i int, value []byte)) (n int) {
	if len(value) == 0 || value[0] != '[' {
		f.fault(pointer, "must be an array")
		return 0
	}
	for i := 1; i < len(value) && value[i] != ']'; n++ {
		end := i + canonjson.Measure(value[i:])
		each(n, value[i:end:end])
		if i = end; value[i] == ',' {
			i++
		}
	}
	return n
}

// text reads a string and checks it as a value of the field.
func (f *form) text(pointer string, value []byte, field *fields.Field) (s string, ok bool) {
	if s, ok = f.quoted(pointer, value); !ok {
		return "", false
	}
	return s, f.check(pointer, field.CheckText(s))
}

// quoted reads a string.
func (f *form) quoted(pointer string, value []byte) (s string, ok bool) {
	if value[0] != '"' || json.Unmarshal(value, &s) != nil {
		return "", f.check(pointer, "must be a string")
	}
	return s, true
}

// number reads a number without fraction or exponent and checks it as a value of the field.
func (f *form) number(pointer string, value []byte, field *fields.Field) (n int64, ok bool) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range, n is the largest or smallest int64
		return 0, f.check(pointer, "must be a whole number, written without fraction, exponent or quotes")
	}
	return n, f.check(pointer, field.CheckNumber(n))
}

// rfc3339 is strict where time.Parse is not: two digits for the hour, a point before the fraction, an offset that
// exists.
var rfc3339 = regexp.MustCompile(
	`^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// moment reads a time of RFC 3339 and checks it as a value of the field.
func (f *form) moment(pointer string, value []byte, field *fields.Field) (t time.Time, ok bool) {
	text, ok := f.quoted(pointer, value)
	if !ok {
		return t, false
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || !rfc3339.MatchString(text) {
		return t, f.check(pointer, "must be a time like 2030-01-31T12:00:00Z, with its zone")
	}
	return t, f.check(pointer, field.CheckMoment(t))
}

// pairs reads an object of texts and checks it as a value of the field.
func (f *form) pairs(pointer string, value []byte, field *fields.Field) (pairs map[string]string, ok bool) {
	var texts map[string]*string // nil for null, which encoding/json takes for any type
	if err := json.Unmarshal(value, &texts); err != nil {
		return nil, f.check(pointer, "must be an object whose values are strings")
	}
	pairs = make(map[string]string, len(texts))
	for name, text := range texts {
		if text == nil {
			return nil, f.check(pointer, "must be an object whose values are strings")
		}
		pairs[name] = *text
	}
	return pairs, f.check(pointer, field.CheckPairs(pairs))
}

// check notes a fault. It reports whether there is none.
func (f *form) check(pointer, detail string) bool {
	if detail != "" {
		f.fault(pointer, detail)
	}
	return detail == ""
}
