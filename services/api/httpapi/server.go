package httpapi

import (
	"log/slog"
	"net/http"
	"time"
)

// Server wraps a handler with the time limits that keep slow and idle clients from holding on to connections.
//
// The write limit counts from the end of a request's headers and so covers its body, too. An answer that is meant to go on for
// longer moves it with an http.ResponseController.
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
