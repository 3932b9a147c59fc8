package middleware

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"
)

// Log writes a line for each request: never its query, which may carry a ticket, nor a header or body, but for the id of the request.
func Log(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		began := time.Now()
		c.Next()
		level := slog.LevelInfo
		if quiet(c.Request.URL.Path) {
			level = slog.LevelDebug
		}
		if !log.Enabled(c.Request.Context(), level) {
			return
		}
		log.LogAttrs(c.Request.Context(), level, "request", slog.String("method", c.Request.Method), slog.String("path", c.Request.URL.Path),
			slog.Int("status", c.Writer.Status()), slog.Int("bytes", c.Writer.Size()), slog.Int64("ms", time.Since(began).Milliseconds()), slog.String("ip", c.ClientIP()))
	}
}

// Recover turns a panic into a problem; the cause goes to the log alone.
func Recover(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint // a sentinel that is panicked with, never wrapped
				panic(cause)
			}
			log.ErrorContext(c.Request.Context(), "a handler panicked", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			if !c.Writer.Written() {
				Refuse(c, log, errInternal)
			}
		}()
		c.Next()
	}
}

// requestTimeout bounds a request of the API, so that a database that hangs is answered with 503.
const requestTimeout = 12 * time.Second

// Timeout gives each request a deadline.
func Timeout() gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), requestTimeout)
		defer cancel()
		c.Request = c.Request.WithContext(ctx)
		c.Next()
	}
}

// contentSecurity lets the page load what this server serves and nothing else.
const contentSecurity = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"manifest-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Headers sets what every answer carries. secure is true where browsers come over https.
func Headers(secure bool) gin.HandlerFunc {
	// One list of each for all answers, under names as net/http writes them. Who adds to one gets a list of their own.
	always := map[string][]string{
		"X-Content-Type-Options":  {"nosniff"},
		"Referrer-Policy":         {"no-referrer"},
		"Content-Security-Policy": {contentSecurity},
		"Permissions-Policy":      {"camera=(), microphone=(), geolocation=()"},
		// Another site's window cannot reach into ours; a window that we open, as to sign in elsewhere, can tell us that it is done.
		"Cross-Origin-Opener-Policy": {"same-origin-allow-popups"},
	}
	if secure {
		always["Strict-Transport-Security"] = []string{"max-age=31536000"}
	}
	return func(c *gin.Context) { maps.Copy(c.Writer.Header(), always) }
}

// NoStore keeps answers out of every cache.
func NoStore() gin.HandlerFunc {
	return func(c *gin.Context) { c.Header("Cache-Control", "no-store") }
}
