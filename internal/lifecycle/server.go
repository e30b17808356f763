package lifecycle

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server is the part that serves HTTP on a listener. It is Early, so that the server answers health checks while the
// process starts. When it is stopped it accepts no more connections, answers the requests that are under way, and
// cuts off those that take longer than timeout; 0 cuts them off at once. It closes the listener.
func Server(name string, server *http.Server, listener net.Listener, timeout time.Duration, log *slog.Logger) Part {
	return Part{Name: name, Early: true, Run: func(ctx context.Context) error {
		failed := make(chan error, 1)
		go func() { failed <- server.Serve(listener) }()
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
		}
		// ctx has ended, and the answers still have to be sent.
		waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		if err := server.Shutdown(waiting); err != nil {
			log.Warn("requests cut off", "server", name, "error", err)
			_ = server.Close() // what it may complain about is over
		}
		if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}}
}
