//go:build !unix

package cli

import (
	"log/slog"

	"belfry/services/tracing"
)

// levelBySignal does nothing: there are no such signals.
func levelBySignal(*tracing.Level, *slog.Logger) (stop func()) { return func() {} }
