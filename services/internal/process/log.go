package process

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"

	"github.com/windlass-jobs/windlass/services/internal/settings"
)

// Logger returns the logger that the settings ask for: one JSON object a line, or text for people, coloured on a
// terminal.
func Logger(c settings.Config, out io.Writer) *slog.Logger {
	format := c.LogFormat
	if format == "" {
		format = "json"
		// Logs are collected from a pipe; somebody at a terminal wants to read them.
		if c.Service == settings.Embedded && terminal(out) {
			format = "text"
		}
	}
	if format == "text" {
		return slog.New(tint.NewTextHandler(out, &tint.Options{
			Level: c.LogLevel, TimeFormat: time.TimeOnly, NoColor: os.Getenv("NO_COLOR") != "" || !terminal(out),
		}))
	}
	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: c.LogLevel}))
}

func terminal(out io.Writer) bool {
	file, is := out.(*os.File)
	if !is {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
