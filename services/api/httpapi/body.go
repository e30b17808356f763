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
	maxBodyValues    = 500_000  // of all jobs together; MaxNodes bounds each payload
	maxBodyGrowth    = 4 << 20  // bytes, by numbers that are written out; MaxPayloadBytes bounds each payload
	pooledBodyBytes  = 64 << 10 // larger buffers are not kept for the next request
)

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// bodyLimit is how large the body of one submission may be, in bytes.
func (a *api) bodyLimit() int64 { return max(maxBodyBytes, int64(a.opts.MaxPayloadBytes)+64<<10) }

// bulkLimit is how large the body of many submissions may be, in bytes. It is less than it could be where there is
// little memory.
func (a *api) bulkLimit() int64 {
	return max(min(maxBulkBodyBytes, a.opts.Room.largestBody()), a.bodyLimit())
}

// readBody reads the whole body of a request and returns it in canonical form, nil where there is none. What it takes
// of the Room is held until the end of the request.
func readBody(q *Request, limit int64, limits canonjson.Limits) (json.RawMessage, *Problem) {
	r, out := q.r, q.w.(*answer)
	if len(r.Header["Content-Encoding"]) > 0 {
		out.leaveBody()
		return nil, unsupportedType.problem("Content-Encoding is not supported: send the JSON as it is.")
	}
	if r.ContentLength == 0 {
		return nil, nil
	}
	if !isJSON(r.Header["Content-Type"]) {
		out.leaveBody()
		return nil, unsupportedType.problem("The Content-Type must be application/json, in UTF-8.")
	}
	buf := bodies.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= pooledBodyBytes {
			buf.Reset()
			bodies.Put(buf)
		}
	}()
	if bad := receive(buf, r, out, limit); bad != nil || buf.Len() == 0 {
		return nil, bad
	}
	growth := min(canonjson.Growth(buf.Bytes()), maxBodyGrowth)
	if !out.held.process(r.Context(), int64(buf.Len()), int64(growth)) {
		return nil, noRoom(true)
	}
	limits.Values, limits.Growth = maxBodyValues, maxBodyGrowth
	canonical, err := canonjson.Canonical(buf.Bytes(), limits)
	if err != nil {
		return nil, jsonProblem(err)
	}
	out.held.arrived()
	return canonical, nil
}

// receive reads a body into memory that it has made place for.
func receive(buf *bytes.Buffer, r *http.Request, out *answer, limit int64) *Problem {
	large := func() *Problem {
		out.leaveBody()
		most := strconv.FormatInt(limit, 10)
		return tooLarge.problem("The body is larger than " + most + " bytes. Nothing was stored.")
	}
	length := r.ContentLength
	switch {
	case length > limit:
		return large()
	case length < 0: // not announced
		length = limit
	}
	if !out.held.arrive(r.Context(), length) {
		out.leaveBody()
		return noRoom(true)
	}
	if r.ContentLength > 0 {
		buf.Grow(int(length) + bytes.MinRead) // at once, so that no copies are made on the way
	}
	body, lost := r.Body, false
	out.reading = true
	if out.held.paced(length) {
		p := keepPace(&out.held, func() { _ = http.NewResponseController(out).SetReadDeadline(past) })
		defer p.stop()
		body = &pacedBody{body, p}
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(out, body, limit))
	if paced, ok := body.(*pacedBody); ok {
		lost = paced.pace.stop()
	}
	var over *http.MaxBytesError
	var network net.Error
	switch {
	case errors.As(err, &over):
		return large()
	case lost:
		out.leaveBody()
		return busy.problem("The body came too slowly while other requests waited for its place. " +
			"Nothing was stored; try again.")
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		out.Header().Set("Connection", "close")
		return bodyTimeout.problem("The body did not arrive in time. Nothing was stored.")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return malformedBody.problem("The body ended before the length that was announced. Nothing was stored.")
	case err != nil:
		out.Header().Set("Connection", "close")
		return malformedBody.problem("The body could not be read. Nothing was stored.")
	}
	return nil
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
