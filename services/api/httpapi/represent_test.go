package httpapi_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// Pages ask for the same lists every few seconds. As long as nothing has changed they are answered 304.
func TestPollingIsAnsweredNotModified(t *testing.T) {
	s := newSystem(t)
	id := s.submitted(`{"type":"email","payload":{"a":"` + strings.Repeat("text ", 500) + `"}}`)
	for _, path := range []string{"/jobs", "/jobs/" + id, "/job-types", "/openapi.json"} {
		first := s.do("GET", path, "")
		tag := first.header.Get("ETag")
		if first.status != 200 || !strings.HasPrefix(tag, `W/"`) ||
			!strings.HasSuffix(first.header.Get("Cache-Control"), "no-cache") ||
			!strings.Contains(strings.Join(first.header["Vary"], ","), "Accept-Encoding") ||
			first.header.Get("Content-Length") != strconv.Itoa(len(first.body)) {
			t.Errorf("%s: %d %v", path, first.status, first.header)
		}
		for _, given := range []string{tag, "*", `"x", ` + tag, tag[len("W/"):]} {
			r := s.do("GET", path, "", "If-None-Match", given)
			if r.status != 304 || r.body != "" || r.header.Get("ETag") != tag || r.header.Get("Content-Type") != "" ||
				r.header.Get("Content-Encoding") != "" || r.header.Get("Vary") == "" {
				t.Errorf("%s with %s: %d %v", path, given, r.status, r.header)
			}
		}
		for _, given := range []string{`W/"x"`, "x", tag[:len(tag)-2]} {
			if r := s.do("GET", path, "", "If-None-Match", given); r.status != 200 || r.body != first.body {
				t.Errorf("%s with %s: %d", path, given, r.status)
			}
		}
		head := s.do("HEAD", path, "")
		if head.status != 200 || head.body != "" || head.header.Get("ETag") != tag ||
			head.header.Get("Content-Length") != strconv.Itoa(len(first.body)) {
			t.Errorf("HEAD %s: %d %v", path, head.status, head.header)
		}
		// A range of an answer that changes all the time is of no use: the whole is sent, as RFC 9110 allows.
		if r := s.do("GET", path, "", "Range", "bytes=0-9"); r.status != 200 || r.body != first.body {
			t.Errorf("range of %s: %d", path, r.status)
		}
	}
	tag := s.do("GET", "/jobs", "").header.Get("ETag")
	s.submitted(`{"type":"email"}`)
	if r := s.do("GET", "/jobs", "", "If-None-Match", tag); r.status != 200 || r.header.Get("ETag") == tag {
		t.Errorf("after a change: %d", r.status)
	}
	// Nothing but successful reads is kept.
	for _, r := range []reply{
		s.do("GET", "/jobs?limit=0", ""), s.do("GET", "/livez", ""), s.do("GET", "/readyz", ""),
		s.do("GET", "/jobs/"+strings.Repeat("0", 8)+id[8:], ""),
		s.post(`{"type":"email","payload":{"a":"`+strings.Repeat("text ", 500)+`"}}`, "Accept-Encoding", "gzip"),
		s.do("POST", "/jobs/"+id+"/cancel", ""),
	} {
		if r.header.Get("ETag") != "" || r.header.Get("Cache-Control") != "no-store" ||
			r.header.Get("Content-Encoding") != "" {
			t.Errorf("%d %v", r.status, r.header)
		}
	}
}

func TestAnswersAreCompressed(t *testing.T) {
	s := newSystem(t)
	for range 50 {
		s.submitted(`{"type":"email"}`)
	}
	plain := s.do("GET", "/jobs", "")
	for accept, zipped := range map[string]bool{
		"gzip": true, "gzip, deflate, br, zstd": true, "GZIP;q=0.5": true, "br;q=1.0, gzip;q=0.8, *;q=0.1": true,
		"*": true, "identity;q=0, *": true, "gzip;q=0.5, identity;q=0.4": true, "deflate , gzip ; q=1": true,
		"": false, "identity": false, "gzip;q=0": false, "gzip; q=0.000": false, "br": false, "*;q=0": false,
		"gzip;q=0, *": false, "identity, gzip;q=0.5": false, "gzip;q=x": false, "gzipped": false,
	} {
		r := s.do("GET", "/jobs", "", "Accept-Encoding", accept)
		if (r.header.Get("Content-Encoding") == "gzip") != zipped || r.header.Get("ETag") != plain.header.Get("ETag") {
			t.Errorf("%q: %v", accept, r.header)
		}
		body := r.body
		if zipped {
			if len(body) > len(plain.body)/4 || r.header.Get("Content-Length") != strconv.Itoa(len(body)) {
				t.Errorf("%q: %d bytes of %d, %v", accept, len(body), len(plain.body), r.header)
			}
			z, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			body = string(raw)
		}
		if body != plain.body {
			t.Errorf("%q: another document", accept)
		}
	}
	if r := s.do("GET", "/jobs?limit=1", "", "Accept-Encoding", "gzip"); r.header.Get("Content-Encoding") != "" {
		t.Errorf("%d bytes were compressed", len(r.body))
	}
}

// A client of net/http, which asks for gzip by itself, reads what it always has.
func TestCompressedAnswersOverAConnection(t *testing.T) {
	s := newSystem(t)
	for range 20 {
		s.submitted(`{"type":"email"}`)
	}
	server := httptest.NewServer(s.handler)
	defer server.Close()
	r, err := http.Get(server.URL + "/jobs")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if want := s.do("GET", "/jobs", "").body; err != nil || !r.Uncompressed || string(body) != want {
		t.Errorf("%v %v: %.100s", err, r.Header, body)
	}
	head, err := http.Head(server.URL + "/jobs")
	if err != nil || head.StatusCode != 200 || head.Header.Get("ETag") != r.Header.Get("ETag") {
		t.Errorf("%v %v", err, head)
	}
	request, err := http.NewRequest("GET", server.URL+"/jobs", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("If-None-Match", r.Header.Get("ETag"))
	again, err := http.DefaultClient.Do(request)
	if err != nil || again.StatusCode != 304 || again.ContentLength > 0 {
		t.Errorf("%v %v", err, again)
	}
	if got := fmt.Sprint(again.Header["Vary"]); !strings.Contains(got, "Accept-Encoding") {
		t.Errorf("Vary of 304: %s", got)
	}
}
