package main

import (
	"embed"
	"net/http"
)

// ui holds the static export of the web interface, once `make build` has put it there.
//
//go:embed all:ui
var ui embed.FS

// web serves the UI, and the API under /api on the same origin.
func web(api http.Handler) http.Handler {
	placeholder, err := ui.ReadFile("ui/placeholder.html")
	if err != nil {
		panic(err) // it is embedded
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", http.StripPrefix("/api", api))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Write(placeholder)
	})
	return mux
}
