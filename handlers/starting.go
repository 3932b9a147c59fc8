package handlers

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

// startingRetry is how long a client is asked to wait for a node that starts.
const startingRetry = 2 * time.Second

var errStarting = &models.Error{Code: models.CodeUnavailable, Detail: "This node is starting; try again.", RetryAfter: startingRetry}

// Starting answers in the place of [Server.Router] while there is no node yet, as during a long
// migration: it lives, it is not ready, and a stream is sent away for a moment, because a 503 would end a
// browser's EventSource for good; a balancer that knows better is told so. Of the server it takes Log, Origins, Secure and TrustedProxies alone.
func (s *Server) Starting() (http.Handler, error) {
	engine, err := s.engine()
	if err != nil {
		return nil, err
	}
	guarded := engine.Group("", middleware.NoStore(), s.Origins.CORS(s.Log))
	guarded.Group("/sse", s.Origins.StreamOrigin(s.Log)).GET("/*stream", func(c *gin.Context) {
		if balanced(c) {
			s.refuse(c, errStarting)
			return
		}
		_ = beginStream(c)(services.Away()) // the answer ends here, whether it arrives or not
	})
	startingHealth(engine)
	later := []gin.HandlerFunc{middleware.NoStore(), s.Origins.CORS(s.Log), func(c *gin.Context) { s.refuse(c, errStarting) }}
	engine.NoMethod(later...)
	engine.NoRoute(later...)
	return engine, nil
}

// StartingInternal does the same for [Server.Internal].
func StartingInternal() http.Handler {
	engine := gin.New()
	startingHealth(engine)
	return engine
}

func startingHealth(r gin.IRoutes) {
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r.Handle(method, "/livez", live)
		r.Handle(method, "/readyz", func(c *gin.Context) {
			c.Header("Cache-Control", "no-store")
			c.JSON(http.StatusServiceUnavailable, healthBody{Status: "unavailable",
				Parts: map[string]string{"process": "starting", "database": "migrating"}})
		})
	}
}
