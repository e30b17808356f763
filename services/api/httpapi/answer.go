package httpapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/windlass-jobs/windlass/internal/accept"
)

// answer is the ResponseWriter of a request. It notes what is written, and holds back what the mux answers itself to
// requests that no route takes.
//
// An answer to GET or HEAD that is sent whole, by send, gets an ETag, is compressed, or is replaced by 304. A stream
// that uses Write and Flush gets nothing of this.
type answer struct {
	http.ResponseWriter
	r        *http.Request
	held     hold // what the request takes of the Room
	status   int  // 0: nothing was sent
	pending  int  // status that waits for the whole answer; 0: none
	bytes    int
	routing  bool
	unwanted int  // status that the mux wrote itself, to be answered by decline; 0: none
	reading  bool // the body has been asked for
	unread   bool // the body, or the rest of it, is left unread: see leaveBody
}

const (
	// taggedFrom is the size in bytes from which an answer gets an ETag. A 304 for less would save nothing.
	taggedFrom = 256
	// zippedFrom is the size in bytes from which an answer is compressed. Less fits into one packet anyway.
	zippedFrom = 1400
	// lingering is how long a client whose body is left unread may go on sending.
	lingering = 5 * time.Second
)

// WriteHeader notes the status, and sends it unless it is the mux's own, or has to wait.
func (a *answer) WriteHeader(status int) {
	redirect := status >= 300 && status < 400 // our routes never redirect
	switch {
	case a.status != 0 || a.pending != 0:
	case a.routing && (a.r.Pattern == "" || redirect):
		a.unwanted = status
	case a.unread, status == http.StatusOK && (a.r.Method == http.MethodGet || a.r.Method == http.MethodHead):
		a.pending = status
	default:
		a.begin(status)
	}
}

func (a *answer) begin(status int) {
	a.status, a.pending = status, 0
	a.ResponseWriter.WriteHeader(status)
}

// Write sends the bytes of our own answers, and drops those of the mux.
func (a *answer) Write(b []byte) (int, error) {
	if a.routing && a.unwanted != 0 {
		return len(b), nil
	}
	a.settle()
	n, err := a.ResponseWriter.Write(b)
	a.bytes += n
	return n, err
}

// FlushError sends what there is of a stream.
func (a *answer) FlushError() error {
	a.settle()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// settle sends the status that waits, 200 where there is none.
func (a *answer) settle() {
	if a.status == 0 && a.pending == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if a.pending != 0 {
		a.begin(a.pending)
	}
}

// Unwrap lets an http.ResponseController through.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// send writes a whole answer, in the form that suits the client.
func (a *answer) send(body []byte) {
	if a.routing && a.unwanted != 0 {
		return
	}
	if a.status == 0 && a.pending == 0 {
		a.WriteHeader(http.StatusOK)
	}
	switch {
	case a.pending == http.StatusOK && !a.represent(&body):
		return
	case a.pending != 0:
		a.Header().Set("Content-Length", strconv.Itoa(len(body)))
		a.begin(a.pending)
	}
	if a.r.Method == http.MethodHead {
		return
	}
	if len(body) > smallBody && a.held.room != nil {
		// An answer to GET has its place already, or was refused. Another one tells of something that has happened, so it
		// is sent with or without a place.
		a.held.leave(a.r.Context(), len(body))
	}
	if len(body) <= smallBody && a.held.wire == 0 {
		_, _ = a.Write(body) // an error means that the client has hung up
		return
	}
	// In pieces, so that the progress can be seen.
	p := keepPace(&a.held, func() { _ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(past) })
	defer p.stop()
	for len(body) > 0 {
		n, err := a.Write(body[:min(len(body), smallBody)])
		if err != nil {
			return
		}
		p.moved.Add(int64(n))
		body = body[n:]
	}
}

// represent chooses the form of a successful answer to GET or HEAD. It returns false where it has answered itself.
//
// The ETag is weak, because it stands for the compressed form too. The answer may be kept by the browser, but is asked
// for again each time: pages that poll are answered 304 as long as nothing has changed.
//
// Compression lets the length of an encrypted answer tell something about its content, where a stranger can put text of
// his own beside a secret (BREACH). Answers to GET hold no secret of ours: no token, cookie or key. An answer that does
// must opt out; answers to POST are not compressed.
func (a *answer) represent(body *[]byte) bool {
	h := a.Header()
	if len(h["Content-Encoding"]) > 0 || len(*body) < taggedFrom {
		return true
	}
	if !a.held.leave(a.r.Context(), len(*body)) {
		a.pending = 0
		noRoom(false).write(a)
		return false
	}
	if h.Get("Cache-Control") == "no-store" {
		h.Set("Cache-Control", "private, no-cache")
	}
	h.Add("Vary", "Accept-Encoding")
	sum := sha256.Sum256(*body)
	tag := `W/"` + hex.EncodeToString(sum[:12]) + `"`
	h.Set("ETag", tag)
	if names(a.r.Header["If-None-Match"], tag) {
		h.Del("Content-Type")
		a.begin(http.StatusNotModified)
		return false
	}
	if len(*body) >= zippedFrom && accept.Gzip(a.r.Header["Accept-Encoding"]) {
		h.Set("Content-Encoding", "gzip")
		*body = zip(*body)
	}
	return true
}

// names reports whether an If-None-Match header names a weak tag of ours. A strong spelling of it, from a proxy, means
// the same.
func names(header []string, tag string) bool {
	for part := range strings.SplitSeq(strings.Join(header, ","), ",") {
		part = strings.TrimSpace(part)
		if part == "*" || strings.TrimPrefix(part, "W/") == tag[len("W/"):] {
			return true
		}
	}
	return false
}

var zippers = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// zip compresses in memory: the compressor, which is large, is not kept while a slow client reads.
func zip(body []byte) []byte {
	b := bytes.NewBuffer(make([]byte, 0, len(body)/4))
	w := zippers.Get().(*gzip.Writer)
	defer zippers.Put(w)
	w.Reset(b)
	_, _ = w.Write(body) // into memory: neither this nor Close can fail
	_ = w.Close()
	return b.Bytes()
}

// leaveBody has the request be answered without its body. The connection is closed after the answer.
func (a *answer) leaveBody() {
	a.unread = true
	a.Header().Set("Connection", "close")
	_ = http.NewResponseController(a.ResponseWriter).EnableFullDuplex()
}

// leaveLargeBody is leaveBody for a body that net/http would not read to its end.
func (a *answer) leaveLargeBody() {
	if a.r.ContentLength < 0 || a.r.ContentLength > smallBody {
		a.leaveBody()
	}
}

// linger reads on, for a while and into nothing, after an answer that did not wait for the body. A connection that is
// closed while data arrive is reset, and then many clients never see the answer.
func (a *answer) linger() {
	silent := len(a.r.Header["Expect"]) > 0 && !a.reading // who expects 100 and did not get it sends nothing
	if !a.unread || a.r.ProtoMajor != 1 || silent {
		return
	}
	control := http.NewResponseController(a.ResponseWriter)
	if control.Flush() == nil && control.SetReadDeadline(time.Now().Add(lingering)) == nil {
		discard(a.r.Body)
	}
}
