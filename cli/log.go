package cli

import (
	"io"
	"log/slog"
	"os"

	"belfry/config"
	"belfry/services/tracing"
)

func newLogger(s *config.Settings, level *tracing.Level, out io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	file, isFile := out.(*os.File)
	if s.LogFormat == "text" || s.LogFormat == "" && isFile && isTerminal(file) {
		return slog.New(tracing.LogHandler(slog.NewTextHandler(out, options)))
	}
	return slog.New(tracing.LogHandler(slog.NewJSONHandler(out, options)))
}
