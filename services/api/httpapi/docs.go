package httpapi

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

// The documentation page is RapiDoc (MIT, see docs/rapidoc.LICENSE.txt), which is kept here compressed, as it comes in its package: the page
// works without a network.
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

// docsPolicy lets the page run its own two scripts and ask this server, and nothing else. RapiDoc brings its styles inline.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// serveDocs adds the documents about the API.
func serveDocs(mux *http.ServeMux, document *huma.OpenAPI) {
	page := func(pattern, contentType string, body []byte) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Content-Security-Policy", docsPolicy)
			w.Header().Set("Cache-Control", "no-cache")
			_, _ = w.Write(body)
		})
	}
	openapi, err := indent(document)
	if err != nil {
		panic(fmt.Sprintf("httpapi: %v", err)) // a mistake in the types, which the tests would have found
	}
	page("GET /openapi.json", "application/json", openapi)
	page("GET /docs", "text/html; charset=utf-8", docsPage)
	page("GET /docs/docs.js", "text/javascript; charset=utf-8", docsScript)
	page("GET /docs/license.txt", "text/plain; charset=utf-8", rapidocLicense)
	mux.HandleFunc("GET /docs/rapidoc-9.3.8.js", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		h.Set("Cache-Control", "public, max-age=31536000, immutable") // the path names the version
		h.Set("Vary", "Accept-Encoding")
		body := rapidoc
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
		} else {
			body = rapidocPlain()
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	})
}

// rapidocPlain is for the rare client that does not take gzip.
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
