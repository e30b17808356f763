package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

const someID = "01a2094c-ea6f-799d-81e5-32ac88ac70d9"

// export looks like what Next.js writes.
func export() fstest.MapFS {
	long := strings.Repeat("/* a long line that packs well */\n", 50)
	return fstest.MapFS{
		"placeholder.html": {Data: []byte("not built")},
		"index.html": {Data: []byte("<html>overview<script>let a=1</script>" +
			"<script src=\"/__windlass_base__/a.js\"></script><a href=\"/__windlass_base__/\">home</a></html>" + long)},
		"create.html":                          {Data: []byte("<html>create</html>")},
		"404.html":                             {Data: []byte("<html>nothing here</html>")},
		"jobs/" + nilID + ".html":              {Data: []byte(`<script>let id="/__windlass_base__/` + nilID + `"</script>`)},
		"jobs/" + nilID + ".txt":               {Data: []byte("flight " + nilID)},
		"jobs/" + nilID + "/__next._tree.txt":  {Data: []byte("tree /__windlass_base__/" + nilID)},
		"_next/static/chunks/app.0123abcd.js":  {Data: []byte(long)},
		"_next/static/media/geist.4567.woff2":  {Data: []byte(long)},
		"_next/static/chunks/style.89ab12.css": {Data: []byte("a{}")},
	}
}

func served(t *testing.T, files fs.FS) *pages { return servedBeneath(t, "", files) }

func servedBeneath(t *testing.T, basePath string, files fs.FS) *pages {
	t.Helper()
	p, err := newPages(files, basePath)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ask(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPages_FindsWhatIsAskedFor(t *testing.T) {
	p := served(t, export())
	for _, c := range []struct {
		target, want, kind string
		status             int
	}{
		{"/", "overview", "text/html", 200},
		{"/?state=dead", "overview", "text/html", 200},
		{"/create", "create", "text/html", 200},
		{"/jobs/" + someID, someID, "text/html", 200},
		{"/jobs/" + strings.ToUpper(someID), strings.ToUpper(someID), "text/html", 200},
		{"/jobs/" + someID + ".txt", "flight " + someID, "text/plain", 200},
		{"/jobs/" + someID + "/__next._tree.txt", "tree /" + someID, "text/plain", 200},
		{"/_next/static/chunks/app.0123abcd.js", "long line", "text/javascript", 200},
		{"/nothing", "nothing here", "text/html", 404},
		{"/jobs/" + someID + "x", "nothing here", "text/html", 404},
		{"/jobs/<script>", "nothing here", "text/html", 404},
		{"/jobs", "nothing here", "text/html", 404},
		{"/_next/", "nothing here", "text/html", 404},
		{"/_next/static/", "nothing here", "text/html", 404},
		{"/placeholder.html", "nothing here", "text/html", 404},
		{"/..%2f..%2fetc/passwd", "nothing here", "text/html", 404},
	} {
		w := ask(p, "GET", c.target)
		kind := w.Header().Get("Content-Type")
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) || !strings.HasPrefix(kind, c.kind) {
			t.Errorf("GET %s: %d %s %.60q, want %d %s with %q", c.target, w.Code, kind, w.Body, c.status, c.kind, c.want)
		}
		if strings.Contains(w.Body.String(), nilID) {
			t.Errorf("GET %s leaves the placeholder in the page", c.target)
		}
	}
}

func TestPages_RedirectsATrailingSlash(t *testing.T) {
	p := served(t, export())
	if w := ask(p, "GET", "/create/"); w.Code != 308 || w.Header().Get("Location") != "/create" {
		t.Errorf("/create/: %d to %q", w.Code, w.Header().Get("Location"))
	}
	if w := ask(p, "GET", "//example.com/"); w.Code != 404 {
		t.Errorf("//example.com/: %d to %q, want 404", w.Code, w.Header().Get("Location"))
	}
}

func TestPages_PacksWhatGainsByIt(t *testing.T) {
	p := served(t, export())
	w := ask(p, "GET", "/_next/static/chunks/app.0123abcd.js", "Accept-Encoding", "br, gzip;q=0.8")
	if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Vary") != "Accept-Encoding" {
		t.Fatalf("headers %v", w.Header())
	}
	r, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	script := export()["_next/static/chunks/app.0123abcd.js"].Data
	if plain, err := io.ReadAll(r); err != nil || !bytes.Equal(plain, script) {
		t.Errorf("unpacked %.40q, %v", plain, err)
	}
	for target, accept := range map[string]string{
		"/_next/static/chunks/app.0123abcd.js":  "gzip;q=0",
		"/_next/static/media/geist.4567.woff2":  "gzip",
		"/_next/static/chunks/style.89ab12.css": "gzip",
		"/create":                               "identity",
	} {
		if w := ask(p, "GET", target, "Accept-Encoding", accept); w.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s with %q is packed", target, accept)
		}
	}
}

func TestPages_CachesOnlyWhatIsNamedByItsContent(t *testing.T) {
	p := served(t, export())
	script := ask(p, "GET", "/_next/static/chunks/app.0123abcd.js")
	if got := script.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
		t.Errorf("script: %q", got)
	}
	w := ask(p, "GET", "/")
	if got := w.Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("page: %q", got)
	}
	tag := w.Header().Get("ETag")
	if again := ask(p, "GET", "/", "If-None-Match", tag); again.Code != 304 || again.Body.Len() != 0 {
		t.Errorf("asked again with %s: %d, %d bytes", tag, again.Code, again.Body.Len())
	}
	if packed := ask(p, "GET", "/", "Accept-Encoding", "gzip", "If-None-Match", tag); packed.Code != 200 {
		t.Errorf("the packed page has the plain one's tag: %d", packed.Code)
	}
	if missing := ask(p, "GET", "/nothing", "If-None-Match", "*"); missing.Code != 404 {
		t.Errorf("a missing page is %d", missing.Code)
	}
}

func TestPages_AllowOnlyTheirOwnScripts(t *testing.T) {
	p := served(t, export())
	hash := func(script string) string {
		sum := sha256.Sum256([]byte(script))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	for target, script := range map[string]string{"/": "let a=1", "/jobs/" + someID: `let id="/` + someID + `"`} {
		got := ask(p, "GET", target).Header().Get("Content-Security-Policy")
		if !strings.Contains(got, "script-src 'self' "+hash(script)+";") {
			t.Errorf("%s: policy %q lacks %s", target, got, hash(script))
		}
		if strings.Contains(strings.SplitN(got, "style-src", 2)[0], "unsafe") {
			t.Errorf("%s: policy %q lets any script run", target, got)
		}
	}
}

func TestPages_HeadAndOtherMethods(t *testing.T) {
	p := served(t, export())
	get, head := ask(p, "GET", "/create"), ask(p, "HEAD", "/create")
	length := get.Header().Get("Content-Length")
	if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != length {
		t.Errorf("HEAD: %d, %d bytes, %v", head.Code, head.Body.Len(), head.Header())
	}
	if w := ask(p, "HEAD", "/nothing"); w.Code != 404 || w.Body.Len() != 0 {
		t.Errorf("HEAD of what is not there: %d, %d bytes", w.Code, w.Body.Len())
	}
	if w := ask(p, "POST", "/create"); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestPages_SayWhenTheUIIsNotBuilt(t *testing.T) {
	p := served(t, fstest.MapFS{"placeholder.html": {Data: []byte("not built")}})
	if w := ask(p, "GET", "/"); w.Code != 200 || w.Body.String() != "not built" {
		t.Errorf("/: %d %q", w.Code, w.Body)
	}
	if w := ask(p, "GET", "/create"); w.Code != 404 {
		t.Errorf("/create: %d", w.Code)
	}
}

func TestPages_BeneathAPrefix(t *testing.T) {
	p := servedBeneath(t, "/tools/windlass", export())
	for _, c := range []struct {
		target, want string // want: a part of the body, or the Location
		status       int
	}{
		{"/tools/windlass/", `<a href="/tools/windlass/">home</a>`, 200},
		{"/tools/windlass/?state=dead", "overview", 200},
		{"/tools/windlass/create", "create", 200},
		{"/tools/windlass/jobs/" + someID, `let id="/tools/windlass/` + someID + `"`, 200},
		{"/tools/windlass/jobs/" + someID + "/__next._tree.txt", "tree /tools/windlass/" + someID, 200},
		{"/tools/windlass/nothing", "nothing here", 404},
		{"/tools/windlass/tools/windlass/create", "nothing here", 404},
		{"/create", "nothing here", 404},
		{"/", "nothing here", 404},
		{"/tools/windlasscreate", "nothing here", 404},
		{"/tools/windlass", "/tools/windlass/", 308},
		{"/tools/windlass?state=dead", "/tools/windlass/?state=dead", 308},
		{"/tools/windlass/create/?type=email", "/tools/windlass/create?type=email", 308},
	} {
		w := ask(p, "GET", c.target)
		got := w.Body.String()
		if w.Code == 308 {
			got = w.Header().Get("Location")
		}
		if w.Code != c.status || !strings.Contains(got, c.want) || w.Code == 308 && got != c.want {
			t.Errorf("GET %s: %d %.200q, want %d with %q", c.target, w.Code, got, c.status, c.want)
		}
		if strings.Contains(got, basePathPlaceholder) {
			t.Errorf("GET %s leaves the placeholder in the page", c.target)
		}
	}
}

func TestPages_DescribeTheFilesAsTheyAreSent(t *testing.T) {
	page := `<script>go("/__windlass_base__/")</script>` + strings.Repeat("x", 200)
	files := fstest.MapFS{"index.html": {Data: []byte(page)}}
	atRoot := ask(served(t, files), "GET", "/")
	beneath := ask(servedBeneath(t, "/w", files), "GET", "/w/")
	if one, other := atRoot.Header().Get("ETag"), beneath.Header().Get("ETag"); one == "" || one == other {
		t.Errorf("tags %s at the root and %s beneath /w", one, other)
	}
	sum := sha256.Sum256([]byte(`go("/w/")`))
	hash := base64.StdEncoding.EncodeToString(sum[:])
	if policy := beneath.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "'sha256-"+hash+"'") {
		t.Errorf("policy %q does not let the script of the page run", policy)
	}
	packed, err := gzip.NewReader(ask(servedBeneath(t, "/w", files), "GET", "/w/", "Accept-Encoding", "gzip").Body)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(packed); err != nil || !bytes.Equal(plain, beneath.Body.Bytes()) {
		t.Errorf("compressed %.80q, plain %.80q, %v", plain, beneath.Body, err)
	}
}

func TestPages_RefuseABadBasePath(t *testing.T) {
	for _, bad := range []string{
		"/", "windlass", "/windlass/", "//windlass", "/a//b", "/..", "/a/../b", "/a/.", "https://example.com",
		"/a b", "/ä", "/a\"b", "/a%2f", "/a?b", "/a\n",
	} {
		if _, err := Pages(bad); !errors.Is(err, ErrBasePath) {
			t.Errorf("%q: %v, want ErrBasePath", bad, err)
		}
	}
	for _, good := range []string{"", "/windlass", "/a/b-c_d.e~1", "/v1.0"} {
		if !isBasePath(good) {
			t.Errorf("%q is refused", good)
		}
	}
}

func TestPages_CarryAnExport(t *testing.T) {
	h, err := Pages("/w")
	if err != nil {
		t.Fatal(err)
	}
	if w := ask(h, "GET", "/w/jobs/"+someID); w.Code != 200 || !strings.Contains(w.Body.String(), someID) {
		t.Errorf("a job's page: %d %.80q", w.Code, w.Body)
	}
}

// The list of headers that both servers of the pages read; tests/e2e/server.spec.ts asks both for them.
func TestPages_EveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	p := served(t, export())
	for _, c := range []struct{ method, target string }{
		{"GET", "/"}, {"GET", "/jobs/" + someID}, {"GET", "/nothing"}, {"GET", "/create/"}, {"POST", "/"},
		{"GET", "/_next/static/chunks/app.0123abcd.js"},
	} {
		w := ask(p, c.method, c.target)
		if len(p.headers.Every) < 8 {
			t.Fatalf("the list has %d headers", len(p.headers.Every))
		}
		for name, want := range p.headers.Every {
			got := w.Header().Get(name)
			if name == "Cache-Control" || name == "Content-Security-Policy" {
				want = got // depends on the file, see the other tests
			}
			if got == "" || got != want {
				t.Errorf("%s %s: %s is %q, want %q", c.method, c.target, name, got, want)
			}
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s %s: policy %q allows frames", c.method, c.target, csp)
		}
	}
}

func TestPages_RefuseBodiesAndAddressesOfOtherForms(t *testing.T) {
	p := served(t, export())
	withBody := httptest.NewRequest("GET", "/", strings.NewReader("hello"))
	chunked := httptest.NewRequest("GET", "/", nil)
	chunked.TransferEncoding, chunked.ContentLength = []string{"chunked"}, -1
	star := httptest.NewRequest("GET", "/", nil)
	star.RequestURI, star.URL.Path = "*", "*"
	absolute := httptest.NewRequest("GET", "http://localhost/", nil)
	for name, r := range map[string]*http.Request{
		"a body": withBody, "a body in chunks": chunked, "*": star, "an address for a proxy": absolute,
	} {
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if w.Code != 400 || w.Header().Get("Connection") != "close" {
			t.Errorf("%s: %d, Connection %q, want 400 and close", name, w.Code, w.Header().Get("Connection"))
		}
	}
}
