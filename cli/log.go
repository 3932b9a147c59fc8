package cli

import (
	"io"
	"log/slog"
	"os"

	xterm "golang.org/x/term"

	"belfry/config"
	"belfry/services/tracing"
)

func newLogger(s *config.Settings, level *tracing.Level, out io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	format := s.LogFormat
	if format == "" {
		format = "json"
		if f, ok := out.(*os.File); ok && xterm.IsTerminal(int(f.Fd())) {
			format = "text"
		}
	}
	if format == "text" {
		return slog.New(tracing.LogHandler(slog.NewTextHandler(out, options)))
	}
	return slog.New(tracing.LogHandler(slog.NewJSONHandler(out, options)))
}
