package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/services/api/httpapi"
)

// listen serves the API on a port of its own, as the processes do, but with shorter time limits.
func (s *system) listen(change func(*http.Server)) string {
	s.t.Helper()
	server := httpapi.Server(s.handler, slog.New(slog.DiscardHandler))
	change(server)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), 5*time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
		<-done
	})
	return l.Addr().String()
}

// exchange sends bytes and reads all answers until the server hangs up or is silent for a while.
func exchange(t *testing.T, addr, request string, wait time.Duration) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, request) }() // the server may answer before it has read everything
	_ = conn.SetReadDeadline(time.Now().Add(wait))
	var answer strings.Builder
	_, _ = io.Copy(&answer, bufio.NewReader(conn))
	return answer.String()
}

func TestServerLimits(t *testing.T) {
	server := httpapi.Server(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if server.ReadHeaderTimeout != 5*time.Second || server.ReadTimeout != 15*time.Second ||
		server.IdleTimeout != time.Minute || server.MaxHeaderBytes != 16<<10 {
		t.Errorf("%+v", server)
	}
	if server.WriteTimeout <= server.ReadTimeout {
		t.Error("a body that comes too late could not be answered")
	}
}

// TestRawRequests sends what only a connection can send. net/http reads it; these are the parts that we rely on.
func TestRawRequests(t *testing.T) {
	s := newSystem(t)
	addr := s.listen(func(server *http.Server) {
		server.ReadHeaderTimeout, server.ReadTimeout = 300*time.Millisecond, 600*time.Millisecond
	})
	const good = `{"type":"email"}`
	post := func(headers, body string) string {
		return "POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + headers + "\r\n\r\n" +
			body
	}
	for _, c := range []struct {
		name, request, answer string
		rows                  int64
	}{
		{"good", post(fmt.Sprintf("Content-Length: %d\r\nConnection: close", len(good)), good), "HTTP/1.1 201 ", 1},
		{"good in chunks", post("Transfer-Encoding: chunked\r\nConnection: close", "10\r\n"+good+"\r\n0\r\n\r\n"),
			"HTTP/1.1 201 ", 1},
		{"3 body shorter than announced, then silence", post("Content-Length: 100", good), "HTTP/1.1 408 ", 0},
		{"3 no body at all", post("Content-Length: 100", ""), "HTTP/1.1 408 ", 0},
		{"3 a complete document, then silence", post("Content-Length: 17", good), "HTTP/1.1 408 ", 0},
		{"3 chunks that do not end", post("Transfer-Encoding: chunked", "10\r\n"+good+"\r\n"), "HTTP/1.1 408 ", 0},
		{"26 more than 1 MiB in chunks",
			post("Transfer-Encoding: chunked", "200000\r\n"+strings.Repeat(" ", 0x200000)+"\r\n0\r\n\r\n"),
			"HTTP/1.1 413 ", 0},
		{"26 more than 1 MiB announced", post("Content-Length: 2000000", ""), "HTTP/1.1 413 ", 0},
		{"26 more than 1 MiB announced politely", post("Content-Length: 2000000\r\nExpect: 100-continue", ""),
			"HTTP/1.1 413 ", 0},
		{"bad chunk", post("Transfer-Encoding: chunked", "zz\r\n"), "HTTP/1.1 400 ", 0},
		{"gzip as transfer encoding", post("Transfer-Encoding: gzip, chunked", "10\r\n"+good+"\r\n0\r\n\r\n"),
			"HTTP/1.1 501 ", 0},
		{"49 NUL in the key", post("Idempotency-Key: a\x00b\r\nContent-Length: 16", good), "HTTP/1.1 400 ", 0},
		{"49 DEL in the key", post("Idempotency-Key: a\x7fb\r\nContent-Length: 16", good), "HTTP/1.1 400 ", 0},
		{"50 TAB in the key", post("Idempotency-Key: a\tb\r\nContent-Length: 16\r\nConnection: close", good),
			"HTTP/1.1 400 ", 0},
		{"50 no UTF-8 in the key", post("Idempotency-Key: \xff\xfe\r\nContent-Length: 16\r\nConnection: close", good),
			"HTTP/1.1 400 ", 0},
		{"47 key of spaces", post("Idempotency-Key:    \r\nContent-Length: 16\r\nConnection: close", good),
			"HTTP/1.1 400 ", 0},
		{"71 Content-Length -1", post("Content-Length: -1", good), "HTTP/1.1 400 ", 0},
		{"71 Content-Length abc", post("Content-Length: abc", good), "HTTP/1.1 400 ", 0},
		{"71 Content-Length +16", post("Content-Length: +16", good), "HTTP/1.1 400 ", 0},
		{"71 two Content-Lengths", post("Content-Length: 16\r\nContent-Length: 17", good), "HTTP/1.1 400 ", 0},
		{"72 Content-Length and chunked",
			post("Content-Length: 5\r\nTransfer-Encoding: chunked",
				"10\r\n"+good+"\r\n0\r\n\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"), "HTTP/1.1 201 ", 1},
		{"74 no Host", "GET /jobs HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", 0},
		{"74 no Host in HTTP/1.0", "GET /jobs HTTP/1.0\r\n\r\n", "HTTP/1.0 400 ", 0},
		{"74 two Hosts", "GET /jobs HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "HTTP/1.1 400 ", 0},
		{"74 foreign Host", "GET /jobs HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "HTTP/1.1 421 ",
			0},
		{"74 foreign host in the target",
			"GET http://evil.example/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 421 ",
			0},
		{"74 HTTP/9.9", "GET /jobs HTTP/9.9\r\nHost: localhost\r\n\r\n", "HTTP/1.1 505 ", 0},
		{"75 headers of 40 KB", "GET /jobs HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 40_000) +
			"\r\n\r\n", "HTTP/1.1 431 ", 0},
		{"60 path that climbs", "GET /jobs/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
			"HTTP/1.1 307 ", 0},
		{"no HTTP", "hello\r\n\r\n", "HTTP/1.1 400 ", 0},
		{"NUL in the path", "GET /jobs/\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 400 ", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			before := s.rows()
			answer := exchange(t, addr, c.request, 3*time.Second)
			if !strings.HasPrefix(answer, c.answer) {
				t.Errorf("got %.300q, want %s", answer, c.answer)
			}
			if n := s.rows() - before; n != c.rows {
				t.Errorf("%d rows were stored, want %d", n, c.rows)
			}
			if c.name == "72 Content-Length and chunked" && strings.Count(answer, "HTTP/1.1 ") != 1 {
				t.Errorf("the connection went on: %q", answer)
			}
		})
	}
}

// TestSlowHeader is number 76: the connection is closed when the headers take too long. Meanwhile others are served.
func TestSlowHeader(t *testing.T) {
	s := newSystem(t)
	addr := s.listen(func(server *http.Server) { server.ReadHeaderTimeout = 300 * time.Millisecond })
	const idle = 200
	conns := make([]net.Conn, idle)
	for i := range conns {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /jobs HTTP/1.1\r\nHost: loc"); err != nil {
			t.Fatal(err)
		}
		conns[i] = conn
	}
	if answer := exchange(t, addr, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		3*time.Second); !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		t.Errorf("%q", answer)
	}
	begin := time.Now()
	for _, conn := range conns {
		_ = conn.SetReadDeadline(begin.Add(5 * time.Second))
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Fatalf("still open after %s: %v", time.Since(begin), err)
		}
	}
}

// largeBody is a bulk of about n bytes.
func largeBody(n int) string {
	return `{"jobs":[` + strings.Repeat(`{"type":"email","payload":{"x":"`+strings.Repeat("x", 20_000)+`"}},`, n/20_040) +
		`{"type":"email"}]}`
}

// bulkRequest is that body with its headers.
func bulkRequest(body string) string {
	return fmt.Sprintf("POST /jobs/bulk HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\nConnection: close\r\n\r\n", len(body)) + body
}

// A large body that stops one byte before its end gives its place to another one. Small bodies do not notice.
func TestStalledBodyGivesItsPlaceUp(t *testing.T) {
	s := newSystem(t, func(o *httpapi.Options) { o.Room = httpapi.NewRoom(16 << 20) })
	addr := s.listen(func(*http.Server) {})
	request := bulkRequest(largeBody(2_700_000))
	stalled := make(chan string)
	for range 2 { // there is room for two of this size
		go func() { stalled <- exchange(t, addr, request[:len(request)-1], time.Minute) }()
	}
	for end := time.Now().Add(12 * time.Second); ; { // shorter than the time for a body
		answer := exchange(t, addr, request, time.Minute)
		select {
		case first := <-stalled:
			if !strings.HasPrefix(first, "HTTP/1.1 503 ") || !strings.Contains(first, "Retry-After: ") ||
				!strings.Contains(first, "urn:windlass:problem:busy") {
				t.Errorf("a stalled one: %.500q", first)
			}
			go func() { <-stalled }()
			if !strings.HasPrefix(answer, "HTTP/1.1 201 ") {
				answer = exchange(t, addr, request, time.Minute)
			}
			if !strings.HasPrefix(answer, "HTTP/1.1 201 ") {
				t.Errorf("a complete one: %.300q", answer)
			}
			if answer := exchange(t, addr, "POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
				"Content-Length: 16\r\nConnection: close\r\n\r\n"+`{"type":"email"}`, time.Minute); !strings.HasPrefix(answer,
				"HTTP/1.1 201 ") {
				t.Errorf("a small one: %.300q", answer)
			}
			return
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("no stalled one gave its place up; the last complete one: %.300q", answer)
		}
	}
}

// Small bodies that were announced and do not come keep others out for a moment, and not until their time is over.
func TestStalledSmallBodiesGiveTheirPlacesUp(t *testing.T) {
	s := newSystem(t, func(o *httpapi.Options) { o.Room = httpapi.NewRoom(16 << 20) })
	addr := s.listen(func(*http.Server) {})
	for range 100 { // there is room for half of these
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
			"Content-Length: 60000\r\n\r\n{")
	}
	refused := 0
	for end := time.Now().Add(12 * time.Second); ; { // shorter than the time for a body
		answer := exchange(t, addr, "POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
			"Content-Length: 50016\r\nConnection: close\r\n\r\n"+`{"type":"email"}`+strings.Repeat(" ", 50_000), time.Minute)
		switch {
		case strings.HasPrefix(answer, "HTTP/1.1 503 "):
			refused++
		case !strings.HasPrefix(answer, "HTTP/1.1 201 "):
			t.Fatalf("%.300q", answer)
		case refused > 0:
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d were refused, and no stalled body gave its place up", refused)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// Who waits for 100 and gets it sends its body. It gets its answer too, and no reset.
func TestTooLargeBodyAfterContinueIsAnswered(t *testing.T) {
	s := newSystem(t)
	addr := s.listen(func(*http.Server) {})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprint(conn, "POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("%q %v", line, err)
	}
	chunk := "100000\r\n" + strings.Repeat(" ", 1<<20) + "\r\n"
	for range 20 {
		if _, err := io.WriteString(conn, chunk); err != nil {
			t.Fatal("sending:", err)
		}
	}
	fmt.Fprint(conn, "0\r\n\r\n")
	answer, err := io.ReadAll(answers)
	if err != nil || !strings.Contains(string(answer), "HTTP/1.1 413 ") {
		t.Errorf("%v, %.300q", err, answer)
	}
}

// A client that sends all of its body before it looks for an answer gets the answer, and no reset.
func TestRefusedLargeBodiesAreAnswered(t *testing.T) {
	s := newSystem(t)
	addr := s.listen(func(*http.Server) {})
	body := strings.Repeat(" ", 20_000_000)
	for name, c := range map[string]struct{ head, status string }{
		"too large":       {"POST /jobs/bulk HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n", "413"},
		"of another type": {"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n", "415"},
		"compressed": {"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
			"Content-Encoding: gzip\r\n", "415"},
		"with a bad key": {"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
			"Idempotency-Key: a b\r\n", "400"},
		"at no path":          {"POST /nothing HTTP/1.1\r\nHost: localhost\r\n", "404"},
		"by another method":   {"PUT /jobs HTTP/1.1\r\nHost: localhost\r\n", "405"},
		"for another host":    {"POST /jobs HTTP/1.1\r\nHost: evil.example\r\n", "421"},
		"from another origin": {"POST /jobs HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n", "403"},
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n%s", c.head, len(body), body); err != nil {
			t.Errorf("%s: sending: %v", name, err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 "+c.status+" ") ||
			!strings.Contains(string(answer), "Connection: close") || !strings.HasSuffix(string(answer), "}\n") {
			t.Errorf("%s: %v, %.400q", name, err, answer)
		}
		conn.Close()
	}
	// Who asks first sends nothing, and is not waited for.
	begin := time.Now()
	answer := exchange(t, addr, "POST /jobs/bulk HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Content-Length: 20000000\r\nExpect: 100-continue\r\n\r\n", 30*time.Second)
	if !strings.HasPrefix(answer, "HTTP/1.1 413 ") || time.Since(begin) > 4*time.Second {
		t.Errorf("%s after %s", answer, time.Since(begin))
	}
}

// The store has its time from when the body is there: a body may take longer to arrive than an answer may take.
func TestSlowBodyIsStored(t *testing.T) {
	s := newSystem(t)
	addr := s.listen(func(*http.Server) {})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const body = `{"type":"email"}`
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(conn, "POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body[:8])
	<-time.After(4600 * time.Millisecond) // the time of an answer is 4.5 s
	fmt.Fprint(conn, body[8:])
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 201 ") {
		t.Errorf("%v, %.300q", err, answer)
	}
}
