package httpapi

import (
	"maps"
	"net"
	"net/http"
	"strings"
)

// defaultHosts are the names of a server that was told none.
var defaultHosts = []string{"localhost", "127.0.0.1", "[::1]"}

// Addressed returns a handler that passes on to next what is addressed to one of hosts, which are names without port.
// Everything else gets the API's own answer, 421. It is for pages that are served beside the API: beneath a name that
// the API refuses they would only show an error. No hosts means localhost, 127.0.0.1 and [::1], as in Options.
func Addressed(hosts []string, next http.Handler) http.Handler {
	ours := newHosts(hosts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := ours.refuse(r); p != nil {
			maps.Copy(w.Header(), always)
			p.write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hosts are the names of a server, as hostname writes them.
type hosts map[string]bool

func newHosts(names []string) hosts {
	if len(names) == 0 {
		names = defaultHosts
	}
	h := hosts{}
	for _, name := range names {
		h[hostname(name)] = true
	}
	return h
}

// hostname is the name in a Host header or a setting, in lower case, without port and brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// refuse returns the answer to a request that names no host, or another one; nil where the request is for this server.
func (h hosts) refuse(r *http.Request) *Problem {
	switch {
	case r.Host == "":
		return missingHost.problem("The Host header is missing.")
	case !h.addressed(r):
		return misdirected.problem(
			"This server does not answer to the host name of the request: see ALLOWED_HOSTS.")
	}
	return nil
}

// addressed reports whether a request was sent to one of our names. Without this check any page could reach the API
// under a name of its own that resolves to our address (DNS rebinding): to the browser both are then one site.
//
// A proxy in front, such as the web interface's, sends its own name for us as Host, and the name that the browser used
// in X-Forwarded-Host. Then both have to be names of ours, and each name in the list. A page can set X-Forwarded-Host
// too, in requests to what it takes for its own site. So the header can only take rights away, and a proxy must add the
// Host that it received to the list, never let the list stand as it came.
func (h hosts) addressed(r *http.Request) bool {
	if !h[hostname(r.Host)] {
		return false
	}
	for _, list := range r.Header["X-Forwarded-Host"] {
		for name := range strings.SplitSeq(list, ",") {
			if !h[hostname(strings.TrimSpace(name))] {
				return false
			}
		}
	}
	return true
}
