package handlers

import (
	"context"

	"belfry/services"
)

type logLevelBody struct {
	Nodes  []services.NodeLogLevel `json:"nodes"`
	Silent []string                `json:"silent_nodes" doc:"Nodes that did not answer within two seconds"`
}

func (s *Server) getLogLevel(ctx context.Context, _ *empty) (*answer[logLevelBody], error) {
	return logLevels(s.Nodes.LogLevels(ctx))
}

type logLevelInput struct {
	Body struct {
		Level string `json:"level" enum:"debug,info,warn,error"`
	}
}

func (s *Server) putLogLevel(ctx context.Context, in *logLevelInput) (*answer[logLevelBody], error) {
	return logLevels(s.Nodes.ChangeLogLevel(ctx, in.Body.Level))
}

func logLevels(levels []services.NodeLogLevel, silent []string, err error) (*answer[logLevelBody], error) {
	return respond(logLevelBody{Nodes: levels, Silent: silent}, err)
}
