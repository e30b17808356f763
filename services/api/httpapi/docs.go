package httpapi

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/windlass-jobs/windlass/internal/accept"
)

// The documentation page is RapiDoc (MIT, see docs/rapidoc.LICENSE.txt). It is embedded, compressed, so that the page
// works without the internet.
var (
	//go:embed docs/docs.html
	docsPage []byte
	//go:embed docs/docs.js
	docsScript []byte
	//go:embed docs/rapidoc-min.js.gz
	rapidoc []byte
	//go:embed docs/rapidoc.LICENSE.txt
	rapidocLicense []byte
)

// docsPolicy lets the page run its own two scripts and talk to this server, nothing else. RapiDoc has its styles
// inline.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// serveDocs adds the documents about the API beneath the base path. The pages link to each other by relative paths.
// They are the same everywhere and tell nothing of this installation, so they need no token.
func (a *api) serveDocs(mux *http.ServeMux, document *huma.OpenAPI) error {
	basePath := a.opts.BasePath
	page := func(path, contentType string, body []byte) {
		a.open[basePath+path] = true
		mux.HandleFunc("GET "+basePath+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Content-Security-Policy", docsPolicy)
			w.Header().Set("Cache-Control", "no-cache")
			w.(*answer).send(body)
		})
	}
	openapi, err := indent(document)
	if err != nil {
		return fmt.Errorf("OpenAPI document: %w", err)
	}
	page("/openapi.json", "application/json", openapi)
	page("/docs", "text/html; charset=utf-8", docsPage)
	page("/docs/docs.js", "text/javascript; charset=utf-8", docsScript)
	page("/docs/license.txt", "text/plain; charset=utf-8", rapidocLicense)
	a.open[basePath+"/docs/rapidoc-9.3.8.js"] = true
	mux.HandleFunc("GET "+basePath+"/docs/rapidoc-9.3.8.js", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		h.Set("Cache-Control", "public, max-age=31536000, immutable") // the path names the version
		h.Set("Vary", "Accept-Encoding")
		body := rapidoc
		if accept.Gzip(r.Header["Accept-Encoding"]) {
			h.Set("Content-Encoding", "gzip")
		} else {
			body = rapidocPlain()
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	})
	return nil
}

// rapidocPlain is for the few clients that do not accept gzip.
var rapidocPlain = sync.OnceValue(func() []byte {
	r, err := gzip.NewReader(bytes.NewReader(rapidoc))
	if err != nil {
		return nil
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil
	}
	return plain
})
