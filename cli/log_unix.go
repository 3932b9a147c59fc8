//go:build unix

package cli

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"belfry/services/tracing"
)

// levelBySignal has this node log everything at SIGUSR1, and as it was set at SIGUSR2, until stop is called. The signals are
// taken from the very beginning on: unasked for, either would end the process.
func levelBySignal(level *tracing.Level, log *slog.Logger) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for s := range signals {
			if s == syscall.SIGUSR1 {
				level.Change(slog.LevelDebug)
			} else {
				level.Restore()
			}
			log.Log(context.Background(), level.Level(), "the log level was changed by a signal", "level", tracing.LevelName(level.Level()))
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-ended
	}
}
