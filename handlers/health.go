package handlers

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
)

// readyTimeout bounds the question to the database: a probe that hangs tells nothing.
const readyTimeout = 2 * time.Second

// Health tells whether this process can serve, and whether traffic should be sent to it.
type Health struct {
	// Ping asks the database.
	Ping func(context.Context) error
	// Hints tells whether news of other nodes come in at once; nil where there are none.
	Hints func() bool

	draining atomic.Bool
}

// Drain makes the process not ready, for good.
func (h *Health) Drain() { h.draining.Store(true) }

type healthBody struct {
	Status string            `json:"status"`
	Parts  map[string]string `json:"parts"`
}

func (h *Health) routes(r gin.IRoutes) {
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r.Handle(method, "/livez", live)
		r.Handle(method, "/readyz", h.ready)
	}
}

// Router serves health alone, for the internal listener.
func (h *Health) Router() http.Handler {
	engine := gin.New()
	h.routes(engine)
	return engine
}

func live(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, healthBody{Status: "ok", Parts: map[string]string{"process": "ok"}})
}

func (h *Health) ready(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	body := healthBody{Status: "ok", Parts: map[string]string{"process": "ok", "database": "ok"}}
	status := http.StatusOK
	fail := func(part, why string) {
		body.Status, body.Parts[part], status = "unavailable", why, http.StatusServiceUnavailable
	}
	if h.draining.Load() {
		fail("process", "draining")
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), readyTimeout)
	defer cancel()
	if err := h.Ping(ctx); err != nil {
		fail("database", "unavailable")
	}
	if h.Hints != nil {
		body.Parts["hints"] = "ok"
		if !h.Hints() { // slower, but nothing is lost: the log is polled
			body.Parts["hints"] = "polling"
		}
	}
	c.JSON(status, body)
}
