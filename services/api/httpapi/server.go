package httpapi

import (
	"log/slog"
	"net/http"
	"time"
)

// Server returns an http.Server for a handler, with the time limits that keep slow and idle clients from holding
// connections.
//
// The write limit counts from the end of a request's headers, so it covers the reading of the body as well. An answer
// that takes longer, such as a stream, sets its own limit with an http.ResponseController.
func Server(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // clients that hang up or speak no HTTP
	}
}
