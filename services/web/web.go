// Package web serves the web interface out of memory: the static export of the Next.js application in app/, beneath any
// prefix. It serves pages only; the API, which the pages expect at /api beneath the same prefix, is not its part.
//
// The pages come from the folder ui, where `make build` puts a fresh export. Where it is empty, as in a module that was
// downloaded, they come from release.zip, the pages of the last release.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/windlass-jobs/windlass/internal/accept"
)

// headersJSON is the list of headers, which the Node server of the web service reads too. "every" is for all answers,
// "page" for documents, "hashed" for files whose name changes with their content; the later ones come on top.
//
// "{scripts}" in the policy of a page stands for the hashes of its inline scripts: a page may run its own files and the
// scripts that it was built with, and talk to its own origin. A script that came with the payload of a job would not
// run, if ever one got into the page. Inline styles are allowed: React writes widths that way, and the toasts their
// style sheet.
//
//go:embed headers.json
var headersJSON []byte

type headers struct{ Every, Page, Hashed map[string]string }

// ErrBasePath is the error of Pages for a prefix that cannot be one.
var ErrBasePath = errors.New(`a base path is "" or one or more of "/name", with letters, digits and ".", "_", "~", "-"`)

// Pages returns the handler of the pages beneath basePath: "" for the root, "/windlass" for the pages at /windlass/.
// The handler expects the whole path of a request, the prefix included. It answers GET and HEAD; it never lists a
// folder. For a program without built pages it serves one page that says so.
//
// It reads and compresses all files, which takes about a tenth of a second: call it once, not for each request.
//
// The error is ErrBasePath, wrapped, where basePath is not a clean path: it ends with a slash, has empty, "." or ".."
// elements, or characters that would have to be escaped. Any other error says that the built pages are damaged.
func Pages(basePath string) (http.Handler, error) {
	if !isBasePath(basePath) {
		return nil, fmt.Errorf("%w: not %q", ErrBasePath, basePath)
	}
	files, err := exported()
	if err != nil {
		return nil, err
	}
	return newPages(files, basePath)
}

// isBasePath is strict for a reason: the prefix is put into HTML, scripts and style sheets as it is. "//" at the
// beginning would even lead to another host.
func isBasePath(basePath string) bool {
	return basePath == "" || basePathPattern.MatchString(basePath) && path.Clean(basePath) == basePath
}

// basePathPlaceholder stands in the export where the prefix belongs. next.config.ts knows the same word.
const basePathPlaceholder = "/__windlass_base__"

// nilID stands in the export for the id of a job: there is one page for all jobs. The id of the request replaces it. It
// has the same length, so that lengths that are written in the page stay right.
const nilID = "00000000-0000-0000-0000-000000000000"

var (
	basePathPattern = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

	jobPath = regexp.MustCompile(`^jobs/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(.*)$`)
	// inlineScript finds the scripts that stand in a page; those with a src are files of ours.
	inlineScript = regexp.MustCompile(`(?s)<script(?:\s+[^>]*)?>(.*?)</script>`)
)

// asset is a file, ready to be sent.
type asset struct {
	body    []byte
	zipped  []byte            // nil where gzip gains nothing
	kind    string            // media type
	tag     string            // of the body, without quotes
	headers map[string]string // besides those of every answer
}

// pages serves an export of Next.js out of memory.
type pages struct {
	base    string            // the prefix
	headers headers           // the list
	assets  map[string]*asset // by path beneath the prefix, without the leading slash
	missing *asset            // the page for what is not there; nil before the UI is built
}

// newPages puts the prefix into all files before anything is computed from them: tags, hashes and compressed bodies are
// those of the files as they are sent.
func newPages(files fs.FS, basePath string) (*pages, error) {
	p := &pages{base: basePath, assets: map[string]*asset{}}
	if err := json.Unmarshal(headersJSON, &p.headers); err != nil {
		return nil, fmt.Errorf("read the list of headers: %w", err)
	}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		body = bytes.ReplaceAll(body, []byte(basePathPlaceholder), []byte(basePath))
		p.assets[name] = p.newAsset(name, body, gzip.BestCompression)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if placeholder, ok := p.assets["placeholder.html"]; ok && p.assets["index.html"] == nil {
		p.assets["index.html"] = placeholder
	}
	delete(p.assets, "placeholder.html")
	p.missing = p.assets["404.html"]
	return p, nil
}

// newAsset prepares a file. Packing is worth a slow level where it is done once.
func (p *pages) newAsset(name string, body []byte, level int) *asset {
	sum := sha256.Sum256(body)
	a := &asset{body: body, kind: mediaType(name), tag: hex.EncodeToString(sum[:8])}
	switch {
	case strings.HasPrefix(a.kind, "text/html"):
		a.headers = map[string]string{}
		for header, value := range p.headers.Page {
			a.headers[header] = strings.ReplaceAll(value, "{scripts}", scriptHashes(body))
		}
	case strings.HasPrefix(name, "_next/static/"):
		a.headers = p.headers.Hashed
	}
	if zipped := pack(body, level); a.kind != "font/woff2" && len(zipped) < len(body) {
		a.zipped = zipped
	}
	return a
}

// mediaType does without the tables of the machine, which differ from one to the next.
func mediaType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".html", ".css", ".txt":
		kinds := map[string]string{".html": "text/html", ".css": "text/css", ".txt": "text/plain"}
		return kinds[ext] + "; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".json":
		return "application/json"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	default:
		if kind := mime.TypeByExtension(ext); kind != "" {
			return kind
		}
		return "application/octet-stream"
	}
}

// scriptHashes lists the inline scripts of a page, in the form of a Content-Security-Policy.
func scriptHashes(page []byte) string {
	var hashes strings.Builder
	seen := map[string]bool{}
	for _, script := range inlineScript.FindAllSubmatch(page, -1) {
		if len(script[1]) == 0 {
			continue
		}
		sum := sha256.Sum256(script[1])
		if hash := base64.StdEncoding.EncodeToString(sum[:]); !seen[hash] {
			seen[hash] = true
			hashes.WriteString(" 'sha256-" + hash + "'")
		}
	}
	return hashes.String()
}

func pack(body []byte, level int) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		panic(err) // the level is a constant
	}
	w.Write(body) // into memory: neither this nor Close can fail
	w.Close()
	return b.Bytes()
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range p.headers.Every {
		w.Header().Set(name, value)
	}
	// A body of a request is never read here. Where one is announced the connection ends, so that nothing in the body
	// can be taken for the next request.
	if r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
		w.Header().Set("Connection", "close")
	}
	switch {
	case r.RequestURI != "" && !strings.HasPrefix(r.RequestURI, "/"): // "*", or an address for a proxy
		w.Header().Set("Connection", "close")
		refuse(w, http.StatusBadRequest, "The address of a request begins with a slash.")
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		w.Header().Set("Connection", "close")
		refuse(w, http.StatusMethodNotAllowed, "Only GET and HEAD are served here.")
		return
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		refuse(w, http.StatusBadRequest, "A request for a page has no body.")
		return
	}
	name, beneath := strings.CutPrefix(r.URL.Path, p.base+"/")
	if r.URL.Path == p.base {
		redirect(w, r, p.base+"/")
		return
	}
	var a *asset
	if beneath {
		a = p.find(name)
		if bare := strings.TrimRight(name, "/"); a == nil && bare != name && p.find(bare) != nil {
			redirect(w, r, p.base+"/"+bare) // bare is a page of ours: this leads nowhere else
			return
		}
	}
	switch {
	case a != nil:
		a.send(w, r, http.StatusOK)
	case p.missing != nil:
		p.missing.send(w, r, http.StatusNotFound)
	default:
		refuse(w, http.StatusNotFound, "There is nothing at this address.")
	}
}

// refuse answers in plain text. It does without http.Error, which would drop Cache-Control.
func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, why)
}

// redirect keeps the query, which holds the filters of a list.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	http.Redirect(w, r, to, http.StatusPermanentRedirect)
}

// find returns what is at a path beneath the prefix, or nil.
func (p *pages) find(name string) *asset {
	if name == "" {
		name = "index"
	}
	for _, candidate := range []string{name, name + ".html"} {
		if a := p.assets[candidate]; a != nil {
			return a
		}
	}
	job := jobPath.FindStringSubmatch(name)
	if job == nil || job[1] == nilID {
		return nil
	}
	for _, candidate := range []string{"jobs/" + nilID + job[2], "jobs/" + nilID + job[2] + ".html"} {
		if a := p.assets[candidate]; a != nil {
			return p.newAsset(candidate, bytes.ReplaceAll(a.body, []byte(nilID), []byte(job[1])), gzip.BestSpeed)
		}
	}
	return nil
}

// send answers with the file, packed where the client takes that.
func (a *asset) send(w http.ResponseWriter, r *http.Request, status int) {
	h := w.Header()
	h.Set("Content-Type", a.kind)
	for name, value := range a.headers {
		h.Set(name, value)
	}
	body, tag := a.body, a.tag
	if a.zipped != nil {
		h.Add("Vary", "Accept-Encoding")
		if accept.Gzip(r.Header["Accept-Encoding"]) {
			h.Set("Content-Encoding", "gzip")
			body, tag = a.zipped, tag+"-gz"
		}
	}
	if status != http.StatusOK {
		// Neither a part of it nor "not modified" would be true of what is not there.
		h.Set("Content-Length", fmt.Sprint(len(body)))
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			w.Write(body)
		}
		return
	}
	h.Set("ETag", `"`+tag+`"`)
	if a.zipped != nil {
		r = r.Clone(r.Context())
		r.Header.Del("Range") // parts of a packed file are of no use to anybody
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}
