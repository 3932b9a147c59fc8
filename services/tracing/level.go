package tracing

import (
	"log/slog"
	"strings"
)

// Level is the least level that this node logs. It begins as it was set, and can be changed while the node runs.
type Level struct {
	now slog.LevelVar
	set slog.Level
}

// NewLevel begins at a level.
func NewLevel(set slog.Level) *Level {
	l := &Level{set: set}
	l.now.Set(set)
	return l
}

// Level is the level now; it makes this a [slog.Leveler].
func (l *Level) Level() slog.Level { return l.now.Level() }

// Change has the node log from another level on.
func (l *Level) Change(to slog.Level) { l.now.Set(to) }

// Restore goes back to what was set.
func (l *Level) Restore() { l.now.Set(l.set) }

// Set is the level that the node began with.
func (l *Level) Set() slog.Level { return l.set }

// LevelName is what a level is called in settings and in the API.
func LevelName(l slog.Level) string { return strings.ToLower(l.String()) }

// Levels are the levels that there are, by name.
var Levels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
