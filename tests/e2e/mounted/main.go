// Command mounted stands for a program of somebody else that has Windlass beneath a prefix: its own page at the root,
// the pages of Windlass at /windlass/ and the API at /windlass/api/. The API is that of a process at API_URL; the
// browser tests are about the pages.
package main

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"

	"github.com/windlass-jobs/windlass/services/web"
)

const prefix = "/windlass"

func main() {
	api, err := url.Parse(os.Getenv("API_URL"))
	if err != nil {
		log.Fatal(err)
	}
	pages, err := web.Pages(prefix)
	if err != nil {
		log.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(api)
		r.Out.Host = r.In.Host // the API compares it with the origin of the page
	}}
	mux := http.NewServeMux()
	mux.Handle(prefix+"/api/", http.StripPrefix(prefix+"/api", proxy))
	mux.Handle(prefix+"/", pages)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "somebody else's page") })
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux))
}
