package handlers

import (
	"github.com/gin-gonic/gin"

	"belfry/models"
	"belfry/services"
)

// taskStream serves a task's log as it grows.
func (s *Server) taskStream(c *gin.Context) {
	req, err := s.taskStreamRequest(c)
	if err != nil {
		s.refuse(c, err)
		return
	}
	opening, err := s.Streams.OpenTask(c.Request.Context(), s.Tasks, req)
	s.answerStream(c, &opening, err)
}

func (s *Server) taskStreamRequest(c *gin.Context) (req services.TaskStreamRequest, err error) {
	query := c.Request.URL.Query()
	// First who asks: nobody is told what else is wrong.
	if req.Cookie, req.Ticket, err = s.streamCredential(c, query); err != nil {
		return req, err
	}
	if req.Task, err = pathID(c.Param("id")); err != nil {
		req.Task = 0 // it names nothing, which whoever may ask is told
	}
	req.Header, req.Query = c.GetHeader("Last-Event-ID"), query.Get("last_event_id")
	if query.Has("from") {
		var ok bool
		if req.From, ok = services.ParseLogPlace(query.Get("from")); !ok {
			return req, errLogPlace
		}
	}
	switch query.Get("format") {
	case "", "plain":
	case "json":
		req.JSON = true
	default:
		return req, models.InvalidField("format", "json, plain or none.")
	}
	return req, nil
}
