package services

import (
	"context"
	"slices"
	"strings"

	"belfry/services/tracing"
)

// NodeLogLevel is what a node logs.
type NodeLogLevel struct {
	Node    string `json:"node"`
	Level   string `json:"level" enum:"debug,info,warn,error" doc:"The least level that it logs now"`
	Setting string `json:"setting" enum:"debug,info,warn,error" doc:"LOG_LEVEL, with which it begins again when it is restarted"`
}

// LogLevels tells what the nodes log, by name, and names those that did not answer.
func (n *Nodes) LogLevels(ctx context.Context) (levels []NodeLogLevel, silent []string, err error) {
	return n.askLogLevels(ctx, question{})
}

// ChangeLogLevel has all nodes that live log from a level on until they are restarted, and tells what came of it. level is one of
// [tracing.Levels]. It is not kept: what somebody turned up to look into something would else be forgotten there.
func (n *Nodes) ChangeLogLevel(ctx context.Context, level string) (levels []NodeLogLevel, silent []string, err error) {
	if err := n.db.record(n.db.Write.WithContext(ctx), Act{Action: "log_level.changed", Detail: map[string]any{"level": level}}); err != nil {
		return nil, nil, err
	}
	return n.askLogLevels(ctx, question{LogLevel: level})
}

func (n *Nodes) askLogLevels(ctx context.Context, q question) (levels []NodeLogLevel, silent []string, err error) {
	answers, silent, err := n.ask(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range answers {
		if a.LogLevel.Node != "" { // else it is of a version that knows no such question
			levels = append(levels, a.LogLevel)
		}
	}
	slices.SortFunc(levels, func(a, b NodeLogLevel) int { return strings.Compare(a.Node, b.Node) })
	return levels, silent, nil
}

// logLevel changes this node's level, where a question says to what, and tells it.
func (n *Nodes) logLevel(to string) NodeLogLevel {
	if level, known := tracing.Levels[to]; known {
		n.level.Change(level)
	}
	return NodeLogLevel{Node: n.name, Level: tracing.LevelName(n.level.Level()), Setting: tracing.LevelName(n.level.Set())}
}
