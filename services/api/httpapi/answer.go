package httpapi

import (
	"net/http"
	"strconv"
	"time"
)

// answer is the ResponseWriter of a request. It notes what is written, and holds back what the mux answers itself to
// requests that no route takes.
//
// An answer to GET or HEAD that is sent whole, by send, may be replaced by another one for want of memory. A stream
// that uses Write and Flush may not.
type answer struct {
	http.ResponseWriter
	r        *http.Request
	held     hold // what the request takes of the Room
	status   int  // 0: nothing was sent
	pending  int  // status that waits for the whole answer; 0: none
	bytes    int
	routing  bool
	unwanted int  // status that the mux wrote itself, to be answered by decline; 0: none
	unread   bool // the body is left unread, see leaveBody
}

// lingering is how long a client whose body is left unread may go on sending.
const lingering = 5 * time.Second

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

// send writes a whole answer.
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
	if len(body) <= smallBody || a.held.room == nil {
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

// represent makes place for a successful answer to GET or HEAD. It returns false where it has answered itself.
func (a *answer) represent(body *[]byte) bool {
	if a.held.leave(a.r.Context(), len(*body)) {
		return true
	}
	a.pending = 0
	noRoom(false).write(a)
	return false
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
	if !a.unread || a.r.ProtoMajor != 1 || len(a.r.Header["Expect"]) > 0 { // who expects 100 sends nothing now
		return
	}
	control := http.NewResponseController(a.ResponseWriter)
	if control.Flush() == nil && control.SetReadDeadline(time.Now().Add(lingering)) == nil {
		discard(a.r.Body)
	}
}
