package process

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Signals returns a context that ends at the first SIGINT or SIGTERM, for an orderly shutdown. A second one ends the
// process at once, with the exit code that a shell reports for the signal: 130 or 143. stop must be called; it ends
// the handling of the signals.
func Signals(parent context.Context, log *slog.Logger) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	stopped, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for count := 1; ; count++ {
			select {
			case s := <-signals:
				if count > 1 {
					log.Warn("stopped by a second signal", "signal", s.String())
					os.Exit(128 + int(s.(syscall.Signal)))
				}
				log.Info("shutting down", "signal", s.String())
				cancel(fmt.Errorf("received %s", s))
			case <-stopped:
				return
			}
		}
	}()
	return ctx, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(stopped)
		<-gone
		cancel(nil)
	})
}
