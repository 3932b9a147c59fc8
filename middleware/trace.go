package middleware

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"belfry/services/tracing"
)

// RequestHeader carries the id of a request: that of whoever sends it, where it is one, and back the one it has.
const RequestHeader = "X-Request-Id"

// Trace gives each request its id, before anything is logged of it, and a span of the trace that it belongs to.
func Trace() gin.HandlerFunc {
	return func(c *gin.Context) {
		id := c.GetHeader(RequestHeader)
		if !tracing.ValidRequestID(id) {
			id = tracing.NewRequestID()
		}
		c.Header(RequestHeader, id)
		c.Request = c.Request.WithContext(tracing.WithRequest(tracing.FromHeader(c.Request.Context(), c.Request.Header), id))
		// A stream lasts as long as its reader likes: of that the opening has a span.
		if path := c.Request.URL.Path; tracing.On() && !quiet(path) && !strings.HasPrefix(path, "/sse/") {
			serveInSpan(c, id)
		}
	}
}

// serveInSpan names no path, which may hold a person's name, nor address or agent (OpenTelemetry's conventions for HTTP, less those).
func serveInSpan(c *gin.Context, id string) {
	method, route := methodName(c.Request.Method), c.FullPath()
	ctx, span := tracing.Start(c.Request.Context(), strings.TrimSpace(method+" "+route), trace.SpanKindServer)
	defer span.End()
	span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", route), attribute.String("belfry.request_id", id))
	c.Request = c.Request.WithContext(ctx)
	c.Next()
	status := c.Writer.Status()
	span.SetAttributes(attribute.Int("http.response.status_code", status))
	if status >= http.StatusInternalServerError {
		tracing.Fail(span, strconv.Itoa(status))
	}
}

// quiet reports whether a path is asked for all the time, and seldom of interest.
func quiet(path string) bool {
	return path == "/livez" || path == "/readyz" || strings.HasPrefix(path, "/assets/")
}
