package handlers

import (
	"context"

	"github.com/gin-gonic/gin"

	"belfry/services"
)

type streamsQuery struct {
	User  string `query:"user" maxLength:"64" doc:"One person's alone, by name"`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

// streamList is a list with who is missing in it.
type streamList struct {
	Items  []services.StreamState `json:"items" doc:"Those that are most behind first, then the newest"`
	Next   *string                `json:"next_before" doc:"Always null: ask for one person's to see the rest"`
	Open   int                    `json:"open" doc:"Streams of all nodes that answered, of everybody"`
	Silent []string               `json:"silent_nodes" doc:"Nodes that did not answer within two seconds"`
}

func (s *Server) listStreams(ctx context.Context, in *streamsQuery) (*answer[streamList], error) {
	list, err := s.Nodes.Streams(ctx, in.User, in.Limit)
	if err != nil {
		return nil, err
	}
	return answered(streamList{Items: list.Streams, Open: list.Open, Silent: list.Silent}), nil
}

type statsQuery struct {
	User string `query:"user" maxLength:"64" doc:"Tell of this person too, by name"`
}

// statsBody is how all nodes are.
type statsBody struct {
	Nodes     []services.NodeReport     `json:"nodes" doc:"As of the last second; the one that answers comes first"`
	Stored    int64                     `json:"stored" doc:"Notices that these nodes put into the log since they began"`
	Delivered services.Delivered        `json:"delivered" doc:"By these nodes together. Queued and replayed are at any moment as many as written, withdrawn, dropped and waiting"`
	User      *services.PersonDelivered `json:"user" doc:"null where nobody was asked for"`
}

func (s *Server) getStats(ctx context.Context, in *statsQuery) (*answer[statsBody], error) {
	body := statsBody{Nodes: s.Nodes.Reports()}
	for _, node := range body.Nodes {
		body.Stored += node.Stored
		body.Delivered.Add(node.Delivered.Account)
		body.Delivered.Resets += node.Delivered.Resets
	}
	if in.User != "" {
		var err error
		if body.User, err = s.Nodes.DeliveredTo(ctx, in.User); err != nil {
			return nil, err
		}
	}
	return answered(body), nil
}

// statsStream serves how all nodes are, second by second, to admins.
func (s *Server) statsStream(c *gin.Context) {
	cookie, ticket, err := s.streamCredential(c, c.Request.URL.Query())
	if err != nil {
		s.refuse(c, err)
		return
	}
	opening, err := s.Streams.OpenStats(c.Request.Context(), s.Nodes, cookie, ticket)
	s.answerStream(c, &opening, err)
}
